"""How much of one grid another one covers."""

from __future__ import annotations

import numpy as np

from .grid import Grid
from .pixel_transform import PixelTransform

_POINTS = 64


def overlap_share(grid: Grid, other: Grid) -> float:
    """The share of ``grid`` that lies inside ``other``, in [0, 1], from a lattice of points; a tiny positive number
    where ``other`` slips between the points, 0 where they lie apart."""
    share = _share_inside(grid, other)
    return share or (1e-6 if _share_inside(other, grid) else 0.0)


def _share_inside(grid: Grid, other: Grid) -> float:
    cols, rows = ((np.arange(_POINTS) + 0.5) / _POINTS * size for size in (grid.width, grid.height))
    return float(other.contains(*PixelTransform(grid, other).exact(*np.meshgrid(cols, rows))).mean())
