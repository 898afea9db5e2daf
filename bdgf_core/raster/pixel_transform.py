"""Where the pixels of one grid lie on another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from osgeo import osr

from .gdal_errors import gdal_raises
from .grid import Grid, same_crs, transformation

Positions = NDArray[np.float64]

_SPACINGS = (16, 4, 1)  # pixels between the positions that PROJ transforms; between them: linear
_TOLERANCE = 0.02  # pixels of the coarser grid that the linear part may be off
_PROBES = 33  # positions along each side of the target at which pixel sizes are compared
_TORN = 4.0  # times its usual span: a cell of four such positions across a seam, such as the antimeridian


class PixelTransform:
    """Pixel positions of ``target`` → pixel positions of ``source``, NaN where the CRS do not meet.

    A position's image does not depend on the positions asked for with it, to the last bit. ``ratio`` is how many
    source pixels a target pixel spans along its columns and along its rows, where the grids overlap.
    """

    def __init__(self, target: Grid, source: Grid) -> None:
        self._target, self._source = target, source
        self._project: osr.CoordinateTransformation | None = None
        self._center: float | None = None
        target_crs, source_crs = target.crs, source.crs
        if target_crs is not None and source_crs is not None and not same_crs(target_crs, source_crs):
            self._project = transformation(target_crs, source_crs)
        if source_crs is not None and source_crs.IsGeographic():
            middle = source.to_world(np.array(source.width / 2), np.array(source.height / 2))
            self._center = float(middle[0])
        self.ratio = self._ratio()
        self._spacing = next((s for s in _SPACINGS if self._error(s) <= _TOLERANCE), _SPACINGS[-1])

    def lattice(self, cols: Positions, rows: Positions) -> tuple[Positions, Positions]:
        """The images (columns, rows) of all crossings of ``cols`` (w) and ``rows`` (h), as (h, w)."""
        if self._project is None:
            return self.exact(*np.meshgrid(cols, rows))
        return self._linear(cols, rows, self._spacing)

    def exact(self, cols: Positions, rows: Positions) -> tuple[Positions, Positions]:
        """The images of single positions, each transformed by PROJ."""
        x, y = self._target.to_world(cols, rows)
        if self._project is not None:
            points = np.stack([x.ravel(), y.ravel()], axis=1).tolist()
            with gdal_raises():
                moved = np.array(_projected(self._project, points), np.float64).reshape(-1, 3)
            moved[~np.isfinite(moved).all(axis=1)] = np.nan
            x, y = moved[:, 0].reshape(x.shape), moved[:, 1].reshape(x.shape)
        if self._center is not None:  # longitudes may count from -180 or from 0
            x = x - 360.0 * np.round((x - self._center) / 360.0)
        source_cols, source_rows = self._source.to_pixel(x, y)
        return source_cols, source_rows

    def _linear(self, cols: Positions, rows: Positions, spacing: int) -> tuple[Positions, Positions]:
        """The images between those of the positions at whole multiples of ``spacing``; exact in torn cells."""
        left, top = np.floor(cols / spacing).astype(np.intp), np.floor(rows / spacing).astype(np.intp)
        # only the nodes around the positions, which may lie far apart
        across, down = np.unique(np.concatenate([left, left + 1])), np.unique(np.concatenate([top, top + 1]))
        nodes = self.exact(*np.meshgrid(across * float(spacing), down * float(spacing)))
        right_part, lower_part = (cols / spacing - left)[None, :], (rows / spacing - top)[:, None]
        left, top = np.searchsorted(across, left)[None, :], np.searchsorted(down, top)[:, None]
        x, y = (
            (1 - lower_part) * ((1 - right_part) * node[top, left] + right_part * node[top, left + 1])
            + lower_part * ((1 - right_part) * node[top + 1, left] + right_part * node[top + 1, left + 1])
            for node in nodes
        )
        torn = _spans(*nodes) > _TORN * spacing * max(self.ratio)
        if torn.any() or not np.isfinite(nodes[0]).all():
            at = np.nonzero(torn[top, left] | ~np.isfinite(x))
            x[at], y[at] = self.exact(cols[at[1]], rows[at[0]])
        return x, y

    def _ratio(self) -> tuple[float, float]:
        steps = (np.arange(_PROBES) + 0.5) / _PROBES
        cols, rows = np.meshgrid(np.floor(steps * self._target.width), np.floor(steps * self._target.height))
        here, right, below = self.exact(cols, rows), self.exact(cols + 1.0, rows), self.exact(cols, rows + 1.0)
        spans = np.stack([np.hypot(to[0] - here[0], to[1] - here[1]) for to in (right, below)])
        inside = self._source.contains(*here)
        usable = np.isfinite(spans).all(axis=0) & (inside if inside.any() else True)
        if not usable.any():
            return 1.0, 1.0
        across, down = np.median(spans[:, usable], axis=1)
        return float(across), float(down)

    def _error(self, spacing: int) -> float:
        """The largest error of the linear part at the centres of cells spread over the target."""
        if self._project is None:
            return 0.0
        cols, rows = (
            (np.unique(np.linspace(0, size // spacing, 12).astype(int)) + 0.5) * spacing
            for size in (self._target.width, self._target.height)
        )
        linear, exact = self._linear(cols, rows, spacing), self.exact(*np.meshgrid(cols, rows))
        apart = np.hypot(linear[0] - exact[0], linear[1] - exact[1])
        return float(np.max(apart, where=np.isfinite(apart), initial=0.0)) / max(1.0, *self.ratio)


def _spans(x: Positions, y: Positions) -> Positions:
    """For each cell between four nodes the larger of its two diagonals; NaN where a node is."""
    one = np.hypot(x[1:, 1:] - x[:-1, :-1], y[1:, 1:] - y[:-1, :-1])
    other = np.hypot(x[1:, :-1] - x[:-1, 1:], y[1:, :-1] - y[:-1, 1:])
    return np.maximum(one, other)


def _projected(project: osr.CoordinateTransformation, points: list[list[float]]) -> list[tuple[float, ...]]:
    try:
        return list(project.TransformPoints(points))
    except RuntimeError:  # one impossible point spoils the call: narrow it down
        if len(points) == 1:
            return [(np.nan, np.nan, np.nan)]
        half = len(points) // 2
        return _projected(project, points[:half]) + _projected(project, points[half:])
