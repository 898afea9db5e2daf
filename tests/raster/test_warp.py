"""Warping is checked against fields whose value is known everywhere, and against GDAL's own warper."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osgeo import gdal, osr
from raster_scenes import NORTH_UP, UTM, crs_from, grid_from

from bdgf_core.raster.dataset import open_raster
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.pixel_transform import PixelTransform
from bdgf_core.raster.reader import BandReader
from bdgf_core.raster.warp import WarpedReader
from bdgf_core.raster.window import Window

DEGREES = (15.0015, 1.2e-4, 0.0, 52.3482, 0.0, -8e-5)
COARSE = (499990.0, 35.0, 0.0, 5800020.0, 0.0, -35.0)
ROTATED = (500050.0, 9.0, 4.0, 5799900.0, 3.0, -8.0)
SOUTH_UP = (500003.0, 11.0, 0.0, 5799100.0, 0.0, 11.0)


def warped(path: Path, target: Grid) -> WarpedReader:
    dataset = open_raster(path)
    return WarpedReader.onto(target, Grid.of(dataset), BandReader(dataset, range(1, dataset.RasterCount + 1)))


def plane(grid: Grid) -> np.ndarray:
    """A plane over the pixel centres of a grid: bilinear interpolation has no error on it."""
    cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    return (0.7 * cols - 0.3 * rows + 5).astype(np.float32)


@pytest.mark.parametrize("geotransform", [NORTH_UP, SOUTH_UP, ROTATED])
@pytest.mark.parametrize(
    ("target", "crs"), [((500105.0, 7.0, 0, 5799880.0, 0, -7.0), UTM), (ROTATED, UTM), (DEGREES, "EPSG:4326")]
)
def test_a_plane_stays_a_plane(
    make_raster: Callable, geotransform: tuple[float, ...], target: tuple[float, ...], crs: str
) -> None:
    source, grid = grid_from(90, 80, geotransform), grid_from(60, 70, target, crs)
    reader = warped(make_raster("a.tif", plane(source), geotransform), grid)
    assert reader.samples == (1, 1)
    values = reader.read(grid.window)[0]
    cols, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = PixelTransform(grid, source).exact(cols, rows)
    inside = (x >= 0) & (y >= 0) & (x < source.width) & (y < source.height)
    assert inside.mean() > 0.2
    np.testing.assert_array_equal(~np.isnan(values), inside)
    inner = (x >= 0.5) & (y >= 0.5) & (x <= source.width - 0.5) & (y <= source.height - 0.5)
    np.testing.assert_allclose(values[inner], (0.7 * x - 0.3 * y + 5)[inner], atol=0.03)


def test_a_coarser_grid_takes_the_mean(make_raster: Callable, rng: np.random.Generator) -> None:
    array = rng.gamma(1.0, 1.0, (40, 60)).astype(np.float32)
    grid = grid_from(8, 12, (500000.0, 50.0, 0, 5800000.0, 0, -50.0))
    reader = warped(make_raster("a.tif", array), grid)
    assert reader.samples == (5, 5)
    means = array.reshape(8, 5, 12, 5).mean(axis=(1, 3))
    np.testing.assert_allclose(reader.read(grid.window)[0], means, rtol=1e-5)


def test_decibels_are_averaged_as_power(make_raster: Callable, rng: np.random.Generator) -> None:
    power = rng.gamma(1.0, 1.0, (40, 60)).astype(np.float32)
    power[:10, :10] = np.nan
    dataset = open_raster(make_raster("db.tif", 10 * np.log10(power)))
    source = Grid.of(dataset)
    grid = grid_from(8, 12, (500000.0, 50.0, 0, 5800000.0, 0, -50.0))
    reader = WarpedReader.onto(grid, source, BandReader(dataset, [1]), decibels=True)
    means = 10 * np.log10(power.reshape(8, 5, 12, 5).mean(axis=(1, 3)))
    np.testing.assert_allclose(reader.read(grid.window)[0], means, rtol=1e-4, atol=1e-4)


def test_a_mean_needs_half_of_its_pixels(make_raster: Callable) -> None:
    array = np.ones((8, 8), np.float32)
    array[:3, :4] = np.nan  # 12 of the 16 pixels
    array[4:6, 4:] = np.nan  # 8 of the 16 pixels
    grid = grid_from(2, 2, (500000.0, 40.0, 0, 5800000.0, 0, -40.0))
    values = warped(make_raster("a.tif", array), grid).read(grid.window)
    np.testing.assert_array_equal(values, [[[np.nan, 1], [1, 1]]])


def test_missing_stays_missing_and_spreads_no_further(make_raster: Callable, rng: np.random.Generator) -> None:
    array = np.full((2, 60, 60), 7.0, np.float32)
    gaps = rng.random((60, 60)) < 0.2
    array[0, gaps] = rng.choice([np.nan, np.inf, -np.inf, -9999.0], gaps.sum())
    grid = grid_from(100, 100, (500080.0, 4.1, 0, 5799930.0, 0, -3.7))
    values = warped(make_raster("a.tif", array, nodata=-9999.0), grid).read(grid.window)
    cols, rows = np.meshgrid(np.arange(100) + 0.5, np.arange(100) + 0.5)
    x, y = Grid.to_pixel(grid_from(60, 60), *grid.to_world(cols, rows))
    np.testing.assert_array_equal(np.isnan(values[0]), gaps[y.astype(int), x.astype(int)])
    np.testing.assert_allclose(values[0][~np.isnan(values[0])], 7.0)
    assert (values[1] == 7.0).all()


@pytest.mark.parametrize(
    ("target", "crs"),
    [(DEGREES, "EPSG:4326"), (COARSE, UTM), (ROTATED, UTM), ((9.0e5, 9.0, 0, 5.82e6, 0, -9.0), "EPSG:32632")],
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_window_is_the_slice_of_the_whole(
    make_raster: Callable, target: tuple[float, ...], crs: str, data: st.DataObject
) -> None:
    array = np.random.default_rng(3).normal(size=(2, 90, 80)).astype(np.float32)
    array[:, 20:30, 10:40] = np.nan
    if crs == "EPSG:32632":
        x, y, _ = gdal_point(500000.0, 5800000.0, UTM, crs)
        target = (x - 50, *target[1:3], y + 50, *target[4:])
    grid = grid_from(61, 73, target, crs)
    reader = warped(make_raster("a.tif", array), grid)
    whole = reader.read(grid.window)
    assert 0.02 < np.isnan(whole).mean() < 0.98
    row, col = data.draw(st.integers(0, 60)), data.draw(st.integers(0, 72))
    window = Window(row, col, data.draw(st.integers(1, 61 - row)), data.draw(st.integers(1, 73 - col)))
    np.testing.assert_array_equal(reader.read(window), whole[(slice(None), *window.slices)])


def test_a_small_memory_budget_changes_nothing(make_raster: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grid_from(30, 20, COARSE)
    path = make_raster("a.tif", np.random.default_rng(0).normal(size=(90, 80)).astype(np.float32))
    whole = warped(path, grid).read(grid.window)
    monkeypatch.setattr("bdgf_core.raster.warp._MAX_VALUES", 200)
    np.testing.assert_array_equal(warped(path, grid).read(grid.window), whole)


@pytest.mark.parametrize(("target", "crs"), [(DEGREES, "EPSG:4326"), ((500105.0, 9.0, 0, 5799880.0, 0, -9.0), UTM)])
def test_agrees_with_gdalwarp(make_raster: Callable, target: tuple[float, ...], crs: str) -> None:
    cols, rows = np.meshgrid(np.arange(80), np.arange(90))
    path = make_raster("a.tif", (np.sin(cols / 9) * np.cos(rows / 7)).astype(np.float32))
    grid = grid_from(60, 50, target, crs)
    result = gdal.GetDriverByName("MEM").Create("", 50, 60, 1, gdal.GDT_Float32)
    result.SetGeoTransform(target)
    result.SetSpatialRef(crs_from(crs))
    gdal.Warp(result, str(path), resampleAlg="bilinear", errorThreshold=0, dstNodata=np.nan)
    expected, values = result.ReadAsArray(), warped(path, grid).read(grid.window)[0]
    both = ~np.isnan(values) & (expected != 0) & ~np.isnan(expected)
    assert both.mean() > 0.3
    np.testing.assert_allclose(values[both], expected[both], atol=0.02)


def test_longitudes_may_count_from_zero_or_from_minus_180(make_raster: Callable) -> None:
    source = grid_from(20, 72, (0.0, 5.0, 0, 50.0, 0, -5.0), "EPSG:4326")
    path = make_raster("a.tif", plane(source), source.geotransform, "EPSG:4326")
    west = grid_from(4, 4, (-80.0, 1.0, 0, 20.0, 0, -1.0), "EPSG:4326")
    east = grid_from(4, 4, (280.0, 1.0, 0, 20.0, 0, -1.0), "EPSG:4326")
    np.testing.assert_allclose(warped(path, west).read(west.window), warped(path, east).read(east.window))


def test_the_seam_of_a_global_raster_leaves_no_garbage(make_raster: Callable) -> None:
    rows, cols = np.mgrid[:200, :3600]
    path = make_raster("a.tif", np.abs(cols - 1799.5).astype(np.float32), (-180.0, 0.1, 0, 10.0, 0, -0.1), "EPSG:4326")
    x, y, _ = gdal_point(180.0, 2.0, "EPSG:4326", "EPSG:32601")
    grid = grid_from(40, 60, (x - 60e3 + 500, 2000.0, 0, y, 0, -2000.0), "EPSG:32601")
    values = warped(path, grid).read(grid.window)[0]
    assert np.isnan(values).sum() < 3 * 40
    assert np.nanmin(values) > 1790  # the value near the seam; a mean across it would be near 0


def test_where_the_crs_do_not_meet_nothing_is_read(make_raster: Callable) -> None:
    grid = grid_from(100, 100, (-180.0, 3.6, 0, 100.0, 0, -2.0), "EPSG:4326")
    source = grid_from(50, 50, (-5.0e5, 4.0e4, 0, 6.8e6, 0, -4.0e4))
    values = warped(make_raster("a.tif", plane(source), source.geotransform), grid).read(grid.window)[0]
    assert 40 < (~np.isnan(values)).sum() < 160  # 2000 km of pixels of about 200 km


def gdal_point(x: float, y: float, source: str, target: str) -> tuple[float, float, float]:
    return osr.CoordinateTransformation(crs_from(source), crs_from(target)).TransformPoint(x, y)


def test_the_size_of_the_grid_costs_nothing_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, sizes = PixelTransform.exact, []

    def counted(self: PixelTransform, cols: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        sizes.append(cols.size)
        return exact(self, cols, rows)

    monkeypatch.setattr(PixelTransform, "exact", counted)
    PixelTransform(grid_from(200_000, 150_000), grid_from(900, 900, DEGREES, "EPSG:4326"))
    assert sum(sizes) < 10_000
