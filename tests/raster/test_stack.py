from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osgeo import gdal
from raster_scenes import NORTH_UP, UTM

from bdgf_core.errors import InputError
from bdgf_core.raster.stack import RasterSource, RasterStack
from bdgf_core.raster.warp import WarpedReader
from bdgf_core.raster.window import Window


def moved(cols: float, rows: float, size: float = 10.0) -> tuple[float, ...]:
    return (NORTH_UP[0] + 10.0 * cols, size, 0.0, NORTH_UP[3] - 10.0 * rows, 0.0, -size)


@pytest.fixture
def scene(make_raster: Callable, rng: np.random.Generator) -> dict[str, RasterSource]:
    """A spectral raster with gaps, and a second one elsewhere on another grid."""
    spectral = rng.integers(1, 1000, (3, 40, 50)).astype(np.uint16)
    spectral[:, 5:9, 30:] = 0
    second = rng.normal(size=(2, 30, 40)).astype(np.float32)
    second[1, 10:12] = np.nan
    return {
        "spectral": RasterSource(make_raster("spectral.tif", spectral, nodata=0)),
        "second": RasterSource(make_raster("second.tif", second, moved(3.3, 5.7, 14.0))),
    }


def test_all_modalities_come_on_the_first_grid(scene: dict[str, RasterSource]) -> None:
    with RasterStack.open(scene) as stack:
        image = stack.read(stack.grid.window)
        assert {name: array.shape for name, array in image.arrays.items()} == {
            "spectral": (3, 40, 50),
            "second": (2, 40, 50),
        }
        assert all(array.dtype == np.float32 for array in image.arrays.values())
        assert [band.number for band in stack.bands["second"]] == [1, 2]
        assert np.isnan(image.arrays["spectral"][:, 5:9, 30:]).all()
        assert (
            np.isnan(image.arrays["second"][0, :5]).all()
            and not np.isnan(image.arrays["second"][0, 10:30, 10:40]).any()
        )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-9, 45), st.integers(-9, 55), st.integers(1, 60), st.integers(1, 70))
def test_any_window_reads_like_the_whole(
    scene: dict[str, RasterSource], row: int, col: int, height: int, width: int
) -> None:
    with RasterStack.open(scene) as stack:
        around = Window(-10, -10, 130, 150)
        whole, window = stack.read(around), Window(row, col, height, width)
        rows, cols = window.shift(10, 10).slices
        for name, array in stack.read(window).arrays.items():
            np.testing.assert_array_equal(array, whole.arrays[name][:, rows, cols])
        outside = np.ones((130, 150), bool)
        outside[10:50, 10:60] = False
        assert all(np.isnan(array[:, outside]).all() for array in whole.arrays.values())


def test_coinciding_pixels_are_not_resampled(make_raster: Callable, rng: np.random.Generator) -> None:
    array = rng.normal(size=(20, 20)).astype(np.float32)
    sources = {
        "spectral": RasterSource(make_raster("a.tif", np.ones((10, 10), np.uint8), moved(4, 7))),
        "second": RasterSource(make_raster("b.tif", array)),
    }
    with RasterStack.open(sources) as stack:
        assert not any(isinstance(reader, WarpedReader) for reader in stack._readers.values())
        np.testing.assert_array_equal(stack.read(stack.grid.window).arrays["second"][0], array[7:17, 4:14])
        assert stack.warnings == ()


def test_bands_are_chosen_by_number(make_raster: Callable) -> None:
    path = make_raster("a.tif", np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((4, 2, 2), np.uint8))
    with RasterStack.open({"spectral": RasterSource(path, (4, 2))}) as stack:
        assert [band.number for band in stack.bands["spectral"]] == [4, 2]
        assert stack.read(stack.grid.window).arrays["spectral"][:, 0, 0].tolist() == [3, 1]
    for bands, text in (
        ((5,), "no band 5; its bands are 1 to 4"),
        ((0,), "no band 0"),
        ((1, 1), "twice"),
        ((), "No band"),
    ):
        with pytest.raises(InputError, match=text):
            RasterStack.open({"spectral": RasterSource(path, bands)})


def test_an_alpha_band_is_no_data_band(make_raster: Callable) -> None:
    def alpha(dataset: gdal.Dataset) -> None:
        dataset.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)

    path = make_raster("a.tif", np.array([[[5, 6]], [[0, 255]]], np.uint8), finish=alpha)
    with RasterStack.open({"spectral": RasterSource(path)}) as stack:
        assert len(stack.bands["spectral"]) == 1
        np.testing.assert_array_equal(stack.read(stack.grid.window).arrays["spectral"], [[[np.nan, 6]]])


def pair(make_raster: Callable, first: dict[str, Any], second: dict[str, Any]) -> dict[str, RasterSource]:
    shape = (10, 10)
    return {
        "spectral": RasterSource(make_raster("a.tif", np.ones(first.pop("shape", shape), np.uint8), **first)),
        "second": RasterSource(make_raster("b.tif", np.ones(second.pop("shape", shape), np.uint8), **second)),
    }


def test_rasters_of_different_places(make_raster: Callable) -> None:
    with pytest.raises(InputError, match="a.tif and .*b.tif do not overlap"):
        RasterStack.open(pair(make_raster, {}, {"geotransform": moved(100, 0)}))
    with pytest.raises(InputError, match="do not overlap"):
        RasterStack.open(pair(make_raster, {}, {"geotransform": (10.0, 0.1, 0, 20.0, 0, -0.1), "crs": "EPSG:4326"}))


def test_partial_overlap_is_told(make_raster: Callable) -> None:
    half = RasterStack.open(pair(make_raster, {}, {"geotransform": moved(5, 0)}))
    assert len(half.warnings) == 1 and "covers 50%" in half.warnings[0]
    sliver = RasterStack.open(pair(make_raster, {"shape": (900, 900)}, {"geotransform": moved(450.1, 450.1, 0.1)}))
    assert "less than 1%" in sliver.warnings[0]


def test_a_missing_crs(make_raster: Callable) -> None:
    both = RasterStack.open(pair(make_raster, {"crs": ""}, {"crs": "", "geotransform": moved(0.5, 0)}))
    assert "same plane" in both.warnings[0]
    for first, second, lacking in (("", UTM, "a.tif"), (UTM, "", "b.tif")):
        with pytest.raises(InputError, match=f"{lacking} has no CRS while the other raster has one; assign"):
            RasterStack.open(pair(make_raster, {"crs": first}, {"crs": second}))


def test_a_missing_georeference(make_raster: Callable) -> None:
    bare = {"geotransform": None, "crs": ""}
    stack = RasterStack.open(pair(make_raster, {}, {**bare}))
    assert "b.tif has no georeference" in stack.warnings[0]
    assert (stack.read(stack.grid.window).arrays["second"] == 1).all()
    with pytest.raises(InputError, match="b.tif has no georeference and the sizes"):
        RasterStack.open(pair(make_raster, {}, {**bare, "shape": (9, 10)}))


def test_sample_windows_are_spread_over_the_grid(make_raster: Callable, rng: np.random.Generator) -> None:
    stack = RasterStack.open({"spectral": RasterSource(make_raster("a.tif", np.ones((300, 200), np.uint8)))})
    windows = stack.sample_windows(24, 16, rng)
    assert 20 <= len(windows) <= 30
    assert all(window.inside(stack.grid.window) and window.height == window.width == 16 for window in windows)
    assert len({(window.row // 75, window.col // 67) for window in windows}) == 12
    assert windows == stack.sample_windows(24, 16, np.random.default_rng(0))
    everything = stack.sample_windows(1000, 64, rng)
    assert sum(window.height * window.width for window in everything) == 300 * 200


def test_gdal_is_left_as_it_was(scene: dict[str, RasterSource]) -> None:
    cache = gdal.GetCacheMax()
    with RasterStack.open(scene) as stack:
        assert gdal.GetCacheMax() <= 256 << 20
        stack.read(Window(0, 0, 5, 5))
    assert gdal.GetCacheMax() == cache
