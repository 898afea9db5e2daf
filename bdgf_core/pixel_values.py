"""The values of scattered pixels, read tile by tile."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np
from numpy.typing import NDArray

from .progress import Progress
from .raster.stack import RasterStack
from .raster.window import Window

Integers = NDArray[np.int64]

_SIDE = 256
_MOST = 1e30  # beyond it lie undeclared nodata values


def read_pixels(
    stack: RasterStack, pixels: Integers, kept: NDArray[np.bool_], progress: Progress
) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float32]]]:
    """Which of the ``pixels`` (row · width + column) have data in at least half of every raster's bands, bad ones left
    out; and by raster the values (bands, kept pixels) of those where ``kept``, NaN where missing."""
    with_data = np.ones(len(pixels), bool)
    good = {name: [i for i, band in enumerate(bands) if not band.bad] for name, bands in stack.bands.items()}
    values = {name: np.empty((len(bands), int(kept.sum())), np.float32) for name, bands in good.items()}
    place = np.cumsum(kept) - 1
    rows, cols = np.divmod(pixels, stack.grid.width)
    tiles = list(by_tile(rows, cols, _SIDE))
    for done, members in enumerate(tiles):
        row, col = rows[members], cols[members]
        top, left = int(row.min()), int(col.min())
        window = Window(top, left, int(row.max()) - top + 1, int(col.max()) - left + 1)
        for name, array in stack.read(window).arrays.items():
            there = array[:, row - top, col - left][good[name]]
            there[~(np.abs(there) < _MOST)] = np.nan
            with_data[members] &= np.isfinite(there).mean(0) >= 0.5 if len(there) else False
            values[name][:, place[members[kept[members]]]] = there[:, kept[members]]
        progress.update((done + 1) / len(tiles))
    return with_data, values


def by_tile(rows: NDArray[Any], cols: NDArray[Any], side: int) -> Iterator[Integers]:
    """The positions of the pixels in each tile of ``side`` pixels that has any, by rows of tiles."""
    tiles = (rows // side).astype(np.int64)
    tiles *= 1 + int(cols.max(initial=0)) // side
    tiles += cols // side
    order = np.argsort(tiles, kind="stable")
    tiles = tiles[order]
    starts = np.flatnonzero(tiles[1:] != tiles[:-1]) + 1
    yield from np.split(order, starts) if len(order) else ()
