"""Bringing a raster onto another grid, window by window, so that no pixel depends on the window it is read in.

GDAL's warper estimates its kernel anew for each chunk and knows one missing value a band. Here each pixel is
computed from its position alone, and from every kind of missing value that :class:`BandReader` finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from osgeo import osr

from .gdal_errors import gdal_raises
from .grid import Grid, crs_of, same_crs
from .reader import Array, BandReader
from .window import Window

Positions = NDArray[np.float64]

_SPACINGS = (16, 4, 1)  # pixels between the positions that PROJ transforms; between them: linear
_TOLERANCE = 0.02  # pixels that the linear part may be off
_MAX_SAMPLES = 16  # along each side of a pixel
_MAX_VALUES = 1 << 24  # source values held at once


class PixelTransform:
    """Pixel positions of ``target`` → pixel positions of ``source``; NaN where the CRS do not meet."""

    def __init__(self, target: Grid, source: Grid) -> None:
        self._target, self._source = target, source
        self._project: osr.CoordinateTransformation | None = None
        self._spacing = 0
        target_crs, source_crs = crs_of(target.crs_wkt), crs_of(source.crs_wkt)
        if not same_crs(target_crs, source_crs):
            with gdal_raises():
                self._project = osr.CoordinateTransformation(target_crs, source_crs)
            self._spacing = next((s for s in _SPACINGS if self._error(s) <= _TOLERANCE), _SPACINGS[-1])

    def lattice(self, cols: Positions, rows: Positions) -> tuple[Positions, Positions]:
        """Positions (columns, rows) in the source of each crossing of ``cols`` (w) and ``rows`` (h), as (h, w)."""
        if self._project is None:
            return self.exact(cols[None, :], rows[:, None])
        return self._linear(cols, rows, self._spacing)

    def exact(self, cols: Positions, rows: Positions) -> tuple[Positions, Positions]:
        x, y = self._target.to_world(cols, rows)
        if self._project is not None:
            points = np.stack([x.ravel(), y.ravel()], axis=1).tolist()
            with gdal_raises():
                moved = np.array(_project(self._project, points), np.float64)[:, :2]
            moved[~np.isfinite(moved).all(axis=1)] = np.nan
            x, y = moved[:, 0].reshape(x.shape), moved[:, 1].reshape(x.shape)
        source_cols, source_rows = self._source.to_pixel(x, y)
        return source_cols, source_rows

    def _linear(self, cols: Positions, rows: Positions, spacing: int) -> tuple[Positions, Positions]:
        first_col, first_row = floor(cols.min() / spacing), floor(rows.min() / spacing)
        node_cols = np.arange(first_col, floor(cols.max() / spacing) + 2, dtype=np.float64)
        node_rows = np.arange(first_row, floor(rows.max() / spacing) + 2, dtype=np.float64)
        nodes = self.exact(*np.meshgrid(node_cols * spacing, node_rows * spacing))
        left, top = np.floor(cols / spacing).astype(np.intp), np.floor(rows / spacing).astype(np.intp)
        right_part, lower_part = (cols / spacing - left)[None, :], (rows / spacing - top)[:, None]
        left, top = (left - first_col)[None, :], (top - first_row)[:, None]
        x, y = (
            (1 - lower_part) * ((1 - right_part) * node[top, left] + right_part * node[top, left + 1])
            + lower_part * ((1 - right_part) * node[top + 1, left] + right_part * node[top + 1, left + 1])
            for node in nodes
        )
        return x, y

    def _error(self, spacing: int) -> float:
        """The largest error of the linear part at the centres of cells spread over the target, in pixels of
        whichever grid is coarser; infinite where positions cannot be transformed."""
        cols, rows = (
            (np.floor(np.linspace(0, max(size - spacing, 0), 12) / spacing) + 0.5) * spacing
            for size in (self._target.width, self._target.height)
        )
        linear, exact = self._linear(cols, rows, spacing), self.exact(*np.meshgrid(cols, rows))
        error = max(float(np.abs(a - b).max()) for a, b in zip(linear, exact))
        return error / max(1.0, *pixel_ratio(self)) if np.isfinite(error) else np.inf


def pixel_ratio(transform: PixelTransform) -> tuple[float, float]:
    """How many source pixels a target pixel spans (along its columns, along its rows): the median over the target."""
    target = transform._target
    cols = (np.floor(np.linspace(0, target.width - 1, 9)) + 0.5)[None, :].repeat(9, 0)
    rows = (np.floor(np.linspace(0, target.height - 1, 9)) + 0.5)[:, None].repeat(9, 1)
    here, right, below = transform.exact(cols, rows), transform.exact(cols + 1, rows), transform.exact(cols, rows + 1)
    spans = (np.hypot(to[0] - here[0], to[1] - here[1]) for to in (right, below))
    across, down = (float(np.median(s[np.isfinite(s)])) if np.isfinite(s).any() else 1.0 for s in spans)
    return across, down


@dataclass(frozen=True)
class WarpedReader:
    """Reads ``source`` on another grid: bilinear; where a target pixel spans more than two source pixels, the mean
    of bilinear samples spread over it (at most 16 × 16).

    A pixel is missing where the source pixel under it is (of several samples: under more than half of them);
    otherwise missing neighbours only lose their weight.
    """

    source: BandReader
    transform: PixelTransform
    samples: tuple[int, int]

    @classmethod
    def onto(cls, target: Grid, grid: Grid, source: BandReader) -> WarpedReader:
        transform = PixelTransform(target, grid)
        across, down = pixel_ratio(transform)
        samples = (1, 1)
        if max(across, down) > 2.0 + 1e-6:
            samples = (_samples(across), _samples(down))
        return cls(source, transform, samples)

    def read(self, window: Window) -> Array:
        """The window of the target grid as (bands, height, width)."""
        cols, rows = np.arange(window.width + 1.0) + window.col, np.arange(window.height + 1.0) + window.row
        needed = _around(*self.transform.lattice(cols, rows))
        needed = needed and needed.intersection(self.source.whole.expand(1))
        if needed is None:
            return np.full((self.source.count, window.height, window.width), np.nan, np.float32)
        if needed.height * needed.width * self.source.count > _MAX_VALUES and (window.height > 1 or window.width > 1):
            axis = 1 if window.height >= window.width else 2
            return np.concatenate([self.read(half) for half in window.halves()], axis=axis)
        return self._sample(self.source.read(needed), needed, cols[:-1], rows[:-1])

    def _sample(self, values: Array, origin: Window, cols: Positions, rows: Positions) -> Array:
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

    def add(self, band: Array, total: Positions, count: NDArray[np.int32], gapless: bool) -> None:
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


def _project(project: osr.CoordinateTransformation, points: list[list[float]]) -> list[tuple[float, ...]]:
    try:
        return list(project.TransformPoints(points))
    except RuntimeError:  # one impossible point spoils the call: narrow it down
        if len(points) == 1:
            return [(np.nan, np.nan, 0.0)]
        half = len(points) // 2
        return _project(project, points[:half]) + _project(project, points[half:])


def _around(x: Positions, y: Positions) -> Window | None:
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return None
    x, y = np.clip(x[finite], -2e9, 2e9), np.clip(y[finite], -2e9, 2e9)
    left, top = floor(x.min()) - 2, floor(y.min()) - 2
    return Window(top, left, ceil(y.max()) + 2 - top, ceil(x.max()) + 2 - left)


def _samples(ratio: float) -> int:
    return min(max(1, ceil(ratio - 1e-6)), _MAX_SAMPLES)
