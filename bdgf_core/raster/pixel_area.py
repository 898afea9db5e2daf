"""How much ground a pixel covers."""

from __future__ import annotations

from math import isfinite, pi

import numpy as np
from numpy.typing import NDArray
from osgeo import osr

from .grid import Grid
from .pixel_transform import PixelTransform

_MOST_DISTORTED = 0.01  # by which areas in the CRS may differ from those on the ellipsoid, anywhere on the grid


def pixel_hectares(grid: Grid) -> float | None:
    """The area of every pixel in hectares; None where it differs over the grid, as in degrees or in Mercator's
    projection, or is not known for want of a CRS."""
    crs = grid.crs
    if crs is None or not crs.IsProjected():
        return None
    _, a, b, _, d, e = grid.geotransform
    area = abs(a * e - b * d) * crs.GetLinearUnits() ** 2
    distorted = np.abs(_square_metres(grid, crs) / area - 1)
    return area / 1e4 if (distorted <= _MOST_DISTORTED).all() else None  # also not where there is no place on Earth


def middle_pixel_hectares(grid: Grid) -> float | None:
    """The same where areas differ over the grid, for the pixel in its middle; None where that has no place on Earth."""
    hectares, crs = pixel_hectares(grid), grid.crs
    if hectares is not None or crs is None or not grid.is_georeferenced:
        return hectares
    if not crs.IsProjected() and not crs.IsGeographic():
        return None
    middle = float(_square_metres(grid, crs)[1, 1]) / 1e4
    return middle if isfinite(middle) else None


def _square_metres(grid: Grid, crs: osr.SpatialReference) -> NDArray[np.float64]:
    """The areas on the ellipsoid of nine pixels spread over the grid."""
    degrees = crs.CloneGeogCS()
    on_earth = Grid(degrees.ExportToWkt(["FORMAT=WKT2_2019"]), (0.0, 1.0, 0.0, 0.0, 0.0, 1.0), 1, 1)
    transform = PixelTransform(grid, on_earth)
    spread = np.array([0.0, 0.5, 1.0])
    cols, rows = np.meshgrid(spread * (grid.width - 1), spread * (grid.height - 1))
    turn = 2 * pi / degrees.GetAngularUnits()

    def diagonal(start: float, end: float) -> tuple[NDArray[np.float64], ...]:
        longitude, latitude = transform.exact(cols + start, rows)
        to_longitude, to_latitude = transform.exact(cols + end, rows + 1.0)
        east = (to_longitude - longitude + turn / 2) % turn - turn / 2
        return east * 2 * pi / turn, (to_latitude - latitude) * 2 * pi / turn, (latitude + to_latitude) * pi / turn

    east, north, latitude = diagonal(0.0, 1.0)
    other_east, other_north, _ = diagonal(1.0, 0.0)
    flattening = 1 / crs.GetInvFlattening() if crs.GetInvFlattening() else 0.0
    eccentricity = flattening * (2 - flattening)  # squared
    # radii of curvature along the meridian and across it, whose product with cos φ turns angles into areas
    bend = 1 - eccentricity * np.sin(latitude) ** 2
    radii = crs.GetSemiMajor() ** 2 * (1 - eccentricity) / bend**2
    area: NDArray[np.float64] = np.abs(east * other_north - north * other_east) / 2 * radii * np.cos(latitude)
    return area
