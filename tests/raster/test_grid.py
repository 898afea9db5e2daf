from __future__ import annotations

from typing import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from osgeo import gdal
from raster_scenes import NORTH_UP, UTM, crs_from, grid_from

from bdgf_core.errors import InputError
from bdgf_core.raster.grid import Grid

ROTATED = (500000.0, 8.0, 3.0, 5800000.0, 2.5, -9.0)
SOUTH_UP = (500000.0, 10.0, 0.0, 5700000.0, 0.0, 10.0)


@pytest.mark.parametrize("geotransform", [NORTH_UP, SOUTH_UP, ROTATED])
def test_grid_of_a_raster_is_its_own(make_raster: Callable, geotransform: tuple[float, ...]) -> None:
    grid = Grid.of(make_raster("a.tif", np.zeros((3, 5), np.uint8), geotransform))
    assert (grid.height, grid.width, grid.geotransform) == (3, 5, geotransform)
    assert grid.is_georeferenced and "UTM zone 33N" in grid.crs_wkt


@given(st.sampled_from([NORTH_UP, SOUTH_UP, ROTATED]), st.floats(-100, 100), st.floats(-100, 100))
def test_to_pixel_inverts_to_world(geotransform: tuple[float, ...], col: float, row: float) -> None:
    grid = grid_from(3, 5, geotransform)
    back = grid.to_pixel(*grid.to_world(np.array(col), np.array(row)))
    np.testing.assert_allclose(back, (col, row), atol=1e-6)


def test_rasters_without_georeference_lie_as_qgis_draws_them(make_raster: Callable) -> None:
    grid = Grid.of(make_raster("a.tif", np.zeros((3, 5), np.uint8), None, crs=""))
    assert not grid.is_georeferenced and grid.crs is None
    assert grid.geotransform == (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("shift", "expected"),
    [((0.0, 0.0), (0, 0)), ((30.0, -20.0), (-2, -3)), ((30.04, 0.0), (0, -3)), ((5.0, 0.0), None)],
)
def test_offset_between_aligned_grids(shift: tuple[float, float], expected: tuple[int, int] | None) -> None:
    moved = (NORTH_UP[0] + shift[0], *NORTH_UP[1:3], NORTH_UP[3] + shift[1], *NORTH_UP[4:])
    assert grid_from(10, 10).offset_in(grid_from(4, 7, moved)) == expected


def test_no_offset_between_other_pixel_sizes_or_crs() -> None:
    assert grid_from(10, 10).offset_in(grid_from(10, 10, (500000.0, 10.1, 0, 5800000.0, 0, -10.1))) is None
    assert grid_from(10, 10).offset_in(grid_from(10, 10, crs="EPSG:32632")) is None


def test_equal_crs_in_other_words_are_the_same() -> None:
    assert grid_from(2, 2, crs=UTM).offset_in(grid_from(2, 2, crs="+proj=utm +zone=33 +datum=WGS84")) == (0, 0)


def test_area_of_a_pixel() -> None:
    assert grid_from(9, 9).pixel_area_m2 == pytest.approx(100)
    assert grid_from(9, 9, crs="+proj=utm +zone=33 +units=us-ft").pixel_area_m2 == pytest.approx(9.2903, rel=1e-4)
    assert grid_from(9, 9, crs="").pixel_area_m2 is None
    degree = grid_from(2, 2, (10.0, 0.001, 0, 60.001, 0, -0.001), crs="EPSG:4326").pixel_area_m2
    assert degree == pytest.approx(111.3 * 111.2 / 2, rel=0.005)


def test_degenerate_grids_are_refused() -> None:
    with pytest.raises(InputError, match="degenerate"):
        grid_from(2, 2, (0.0, 0.0, 0.0, 0.0, 0.0, -1.0))
    with pytest.raises(InputError, match="empty"):
        grid_from(0, 2)


def test_rasters_with_control_points_only_are_to_be_warped_first(make_raster: Callable) -> None:
    points = [gdal.GCP(500000 + 10 * c, 5800000 - 10 * r, 0, c, r) for c, r in ((0, 0), (5, 0), (0, 3))]
    crs = crs_from(UTM).ExportToWkt()
    path = make_raster("slant.tif", np.zeros((3, 5), np.uint8), None, "", finish=lambda d: d.SetGCPs(points, crs))
    with pytest.raises(InputError, match="slant.tif is placed by control points only; warp it"):
        Grid.of(path)
