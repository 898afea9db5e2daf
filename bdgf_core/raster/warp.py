"""Bringing a raster onto another grid, window by window, so that no pixel depends on the window it is read in.

GDAL's warper estimates its kernel anew for each chunk and knows one missing value a band. Here each pixel is
computed from its position alone, and from every kind of missing value that :class:`BandReader` finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grid import Grid
from .pixel_transform import PixelTransform, Positions
from .reader import Array, BandReader
from .window import Window

_BILINEAR = 2.0 + 1e-6  # source pixels a target pixel may span to be interpolated rather than averaged
_MAX_SAMPLES = 16  # along each side of a pixel
_MAX_VALUES = 1 << 24  # source values held at once


@dataclass(frozen=True)
class WarpedReader:
    """Reads ``source`` on another grid: bilinear; where a target pixel spans more than two source pixels, the mean
    of bilinear samples spread over it (at most 16 × 16).

    A pixel is missing where the source pixel under it is (of several samples: under more than half of them);
    otherwise missing neighbours only lose their weight. SAR in ``decibels`` is averaged as power: the mean of its
    logarithms is lower, the more so the stronger the speckle.
    """

    source: BandReader
    transform: PixelTransform
    samples: tuple[int, int]
    decibels: bool

    @classmethod
    def onto(cls, target: Grid, grid: Grid, source: BandReader, *, decibels: bool = False) -> WarpedReader:
        transform = PixelTransform(target, grid)
        across, down = transform.ratio
        several = max(across, down) > _BILINEAR
        return cls(source, transform, (_samples(across), _samples(down)) if several else (1, 1), decibels)

    def read(self, window: Window) -> Array:
        """The window of the target grid as (bands, height, width)."""
        values = np.full((self.source.count, window.height, window.width), np.nan, np.float32)
        cols, rows = np.arange(window.width + 1.0) + window.col, np.arange(window.height + 1.0) + window.row
        low, high = _boxes(*self.transform.lattice(cols, rows))
        whole = self.source.whole
        near = (high > 0).all(axis=0) & (low[0] < whole.width) & (low[1] < whole.height)
        part = _bounds(near)
        if part is None:
            return values
        if part != Window(0, 0, window.height, window.width):
            inner = self.read(part.shift(window.row, window.col))
        else:
            left, top = (floor(lowest[near].min()) - 2 for lowest in low)
            right, bottom = (ceil(highest[near].max()) + 2 for highest in high)
            needed = Window(top, left, bottom - top, right - left).intersection(whole.expand(1)) or whole
            if needed.height * needed.width * self.source.count > _MAX_VALUES and near.size > 1:
                axis = 1 if window.height >= window.width else 2
                return np.concatenate([self.read(half) for half in window.halves()], axis=axis)
            inner = self._sample(self._read_power(needed), needed, cols[:-1], rows[:-1])
            if self.decibels:
                inner = 10.0 * np.log10(inner)
        rows_in, cols_in = part.slices
        values[:, rows_in, cols_in] = np.where(near[rows_in, cols_in], inner, np.nan)
        return values

    def _read_power(self, window: Window) -> NDArray[np.floating[Any]]:
        values = self.source.read(window)
        # Beyond 300 dB lie undeclared nodata values, which would overflow.
        return np.power(10.0, np.clip(values, -300, 300) / 10.0, dtype=np.float64) if self.decibels else values

    def _sample(self, values: NDArray[np.floating[Any]], origin: Window, cols: Positions, rows: Positions) -> Array:
        across, down = self.samples
        shape = (len(values), len(rows), len(cols))
        total, count = np.zeros(shape), np.zeros(shape, np.int32)
        gapless = not np.isnan(values).any()
        for i in range(down):
            for j in range(across):
                x, y = self.transform.lattice(cols + (j + 0.5) / across, rows + (i + 0.5) / down)
                corners = _Corners.of(x, y, origin)
                for index, band in enumerate(values):
                    corners.add(band, total[index], count[index], gapless)
        enough = 2 * count >= across * down
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(enough & (count > 0), total / count, np.nan).astype(np.float32)


@dataclass(frozen=True)
class _Corners:
    """The four source pixels around each position: flat indices, bilinear weights, and the pixel under it."""

    indices: tuple[NDArray[np.intp], ...]
    weights: tuple[Positions, ...]
    under: NDArray[np.intp]
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, x: Positions, y: Positions, array: Window) -> _Corners:
        """``x``, ``y`` in pixels of the source, of which ``array`` is the part at hand."""
        # Floors and weights come from whole positions, so that they do not round differently in another window.
        nearest_col, nearest_row = np.floor(x) - array.col, np.floor(y) - array.row
        inside = (nearest_col >= 0) & (nearest_row >= 0) & (nearest_col < array.width) & (nearest_row < array.height)
        x, y = np.where(inside, x, array.col + 0.5), np.where(inside, y, array.row + 0.5)
        left, top = np.floor(x - 0.5), np.floor(y - 0.5)
        right_part, lower_part = x - 0.5 - left, y - 0.5 - top
        weights = (
            (1 - lower_part) * (1 - right_part),
            (1 - lower_part) * right_part,
            lower_part * (1 - right_part),
            lower_part * right_part,
        )
        columns = [np.clip(left - array.col + i, 0, array.width - 1).astype(np.intp) for i in (0, 1)]
        lines = [np.clip(top - array.row + i, 0, array.height - 1).astype(np.intp) * array.width for i in (0, 1)]
        indices = tuple(line + column for line in lines for column in columns)
        under = (np.floor(y) - array.row).astype(np.intp) * array.width + (np.floor(x) - array.col).astype(np.intp)
        return cls(indices, weights, under, inside)

    def add(self, band: NDArray[np.floating[Any]], total: Positions, count: NDArray[np.int32], gapless: bool) -> None:
        """Add the sample at each position to ``total`` and 1 to ``count``, in place, where there is data."""
        flat = band.ravel()
        value, weight = np.zeros(total.shape), np.zeros(total.shape)
        for index, share in zip(self.indices, self.weights):
            corner = flat[index].astype(np.float64)
            if not gapless:
                present = ~np.isnan(corner)
                corner, share = np.where(present, corner, 0.0), np.where(present, share, 0.0)
            value += share * corner
            weight += share
        valid = self.inside if gapless else self.inside & ~np.isnan(flat[self.under])
        total += np.divide(value, weight, out=np.zeros_like(value), where=valid)
        count += valid


def _boxes(x: Positions, y: Positions) -> tuple[Positions, Positions]:
    """The least and the largest (x, y) of each pixel's four corners, as (2, h, w); NaN where no corner has any."""
    corners = np.stack([x, y])
    corners = np.stack([corners[:, :-1, :-1], corners[:, :-1, 1:], corners[:, 1:, :-1], corners[:, 1:, 1:]])
    return np.fmin.reduce(corners), np.fmax.reduce(corners)


def _bounds(keep: NDArray[np.bool_]) -> Window | None:
    """The smallest window around what is kept."""
    rows, cols = np.flatnonzero(keep.any(axis=1)), np.flatnonzero(keep.any(axis=0))
    if len(rows) == 0:
        return None
    top, left = int(rows[0]), int(cols[0])
    return Window(top, left, int(rows[-1]) + 1 - top, int(cols[-1]) + 1 - left)


def _samples(ratio: float) -> int:
    return min(max(1, ceil(ratio - 1e-6)), _MAX_SAMPLES)
