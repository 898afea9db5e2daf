"""Places for the tests' scenes."""

from __future__ import annotations

from typing import Sequence

from osgeo import osr

from bdgf_core.raster.grid import Grid

UTM = "EPSG:32633"
NORTH_UP = (500000.0, 10.0, 0.0, 5800000.0, 0.0, -10.0)


def crs_from(text: str) -> osr.SpatialReference:
    crs = osr.SpatialReference()
    crs.SetFromUserInput(text)
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs


def grid_from(height: int, width: int, geotransform: Sequence[float] = NORTH_UP, crs: str = UTM) -> Grid:
    return Grid(crs_from(crs).ExportToWkt(["FORMAT=WKT2_2019"]) if crs else "", tuple(geotransform), height, width)
