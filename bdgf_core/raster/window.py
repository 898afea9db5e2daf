"""A pixel rectangle of a grid, and the tiles that partition one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterator

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """``height`` × ``width`` pixels from (``row``, ``col``) on, counted from the grid's upper left corner.

    A window may reach beyond the grid; its size is at least one pixel, else ValueError.
    """

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"A window needs at least one pixel, got {self.height} x {self.width}.")

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices into an array of the whole grid; for windows inside the grid."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def expand(self, halo: int) -> Window:
        """The window with ``halo`` more pixels on each side."""
        return Window(self.row - halo, self.col - halo, self.height + 2 * halo, self.width + 2 * halo)

    def shift(self, rows: int, cols: int) -> Window:
        return Window(self.row + rows, self.col + cols, self.height, self.width)

    def halves(self) -> tuple[Window, Window]:
        """The upper and the lower half, or the left and the right one where it is wider than high."""
        if self.height >= self.width:
            half = self.height // 2
            return replace(self, height=half), replace(self, row=self.row + half, height=self.height - half)
        half = self.width // 2
        return replace(self, width=half), replace(self, col=self.col + half, width=self.width - half)

    def intersection(self, other: Window) -> Window | None:
        """The pixels common to both, or None where there are none."""
        top, left = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.col + self.width, other.col + other.width)
        return Window(top, left, bottom - top, right - left) if bottom > top and right > left else None

    def inside(self, other: Window) -> bool:
        return self.intersection(other) == self


def tiles(height: int, width: int, size: int) -> Iterator[Window]:
    """Square tiles of ``size`` pixels, row by row, that cover ``height`` × ``width`` pixels once each;
    the last ones of a row or column are cut off at the edge."""
    if size < 1:
        raise ValueError(f"Tiles need a size of at least one pixel, got {size}.")
    for row in range(0, height, size):
        for col in range(0, width, size):
            yield Window(row, col, min(size, height - row), min(size, width - col))


def covering(wanted: NDArray[np.bool_], halo: int) -> list[Window]:
    """Windows that lie apart and together hold every pixel that is ``wanted`` (height, width): one around them all, or
    its parts where these are less work, each costing as many pixels as it has with a ``halo`` around it."""
    return _covering(wanted, Window(0, 0, *wanted.shape), halo) if wanted.size else []


def _covering(wanted: NDArray[np.bool_], within: Window, halo: int) -> list[Window]:
    there = wanted[within.slices]
    (rows,), (cols,) = there.any(1).nonzero(), there.any(0).nonzero()
    if not len(rows):
        return []
    box = Window(
        within.row + int(rows[0]), within.col + int(cols[0]), int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1
    )
    if max(box.height, box.width) <= max(1, 2 * halo) or wanted[box.slices].all():
        return [box]
    parts = [part for half in box.halves() for part in _covering(wanted, half, halo)]
    return parts if sum(_work(part, halo) for part in parts) < _work(box, halo) else [box]


def _work(window: Window, halo: int) -> int:
    return (window.height + 2 * halo) * (window.width + 2 * halo)
