"""How far one goes over the ground by a pixel."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from .grid import Grid


def pixel_steps(grid: Grid) -> tuple[NDArray[np.float64], bool]:
    """The way east and north (rows) by one column and one row (columns), (2, 2), in the middle of the grid; and whether
    that is in metres, rather than in a unit that is not known for want of a CRS. In a projected CRS metres are those of
    the map."""
    _, a, b, _, d, e = grid.geotransform
    steps = np.array([[a, b], [d, e]])
    crs = grid.crs
    if crs is None or not grid.is_georeferenced or not (crs.IsProjected() or crs.IsGeographic()):
        return steps, False
    if crs.IsProjected():
        return steps * crs.GetLinearUnits(), True
    _, middle = grid.to_world(np.array(grid.width / 2), np.array(grid.height / 2))
    turn = crs.GetAngularUnits()  # radians in a degree
    latitude = min(max(float(middle) * turn, -pi / 2), pi / 2)
    flattening = 1 / crs.GetInvFlattening() if crs.GetInvFlattening() else 0.0
    eccentricity = flattening * (2 - flattening)  # squared
    bend = 1 - eccentricity * sin(latitude) ** 2
    east = crs.GetSemiMajor() / sqrt(bend) * cos(latitude)
    north = crs.GetSemiMajor() * (1 - eccentricity) / bend**1.5
    return steps * turn * np.array([[east], [north]]), True


def pixel_sides(grid: Grid) -> tuple[float, float, bool]:
    """Width and height of a pixel, and whether they are in metres; see :func:`pixel_steps`."""
    steps, metres = pixel_steps(grid)
    width, height = np.hypot(steps[0], steps[1])
    return float(width), float(height), metres
