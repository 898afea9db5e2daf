from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from osgeo import gdal

from bdgf_core.errors import InputError
from bdgf_core.raster.dataset import open_raster
from bdgf_core.raster.reader import BandReader
from bdgf_core.raster.window import Window


def read(path: Path | str, *numbers: int, window: Window | None = None) -> np.ndarray:
    dataset = open_raster(path)
    whole = Window(0, 0, dataset.RasterYSize, dataset.RasterXSize)
    return BandReader(dataset, numbers or range(1, dataset.RasterCount + 1)).read(window or whole)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", 0), ("int16", -32768), ("uint16", 65535), ("int32", -99999), ("uint32", 4294967295)]
    + [("float32", -9999.0), ("float32", -3.4028234663852886e38), ("float64", 1e20)]
    + [("float32", np.nan), ("float64", np.nan), ("float32", np.inf), ("float64", -1.7976931348623157e308)],
)
def test_nodata_reads_as_nan_and_nothing_else_does(make_raster: Callable, dtype: str, nodata: float) -> None:
    array = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    array[1, 2] = nodata
    values = read(make_raster("a.tif", array, nodata=nodata))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[0], [[1, 2, 3], [4, 5, np.nan]])


def test_a_huge_nodata_value_may_lack_digits(make_raster: Callable) -> None:
    array = np.array([[1, np.finfo(np.float32).min]], np.float32)
    for nodata in (-3.402e38, -1.7976931348623157e308):
        np.testing.assert_array_equal(read(make_raster("a.tif", array, nodata=nodata)), [[[1, np.nan]]])


def test_a_nodata_value_that_the_type_cannot_hold_hides_nothing(make_raster: Callable) -> None:
    array = np.array([[0, 241, 255]], np.uint8)  # -9999 wraps around to 241
    np.testing.assert_array_equal(read(make_raster("a.tif", array, nodata=-9999)), array[None])


def test_nan_and_infinities_are_missing_without_any_nodata_value(make_raster: Callable) -> None:
    array = np.array([[1, np.nan, np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(read(make_raster("a.tif", array)), [[[1, np.nan, np.nan, np.nan]]])


def test_each_band_has_its_own_nodata(make_raster: Callable, tmp_path: Path) -> None:
    path = make_raster("a.tif", np.array([[[1, 2]], [[1, 2]]], np.int16))
    virtual = gdal.BuildVRT(str(tmp_path / "a.vrt"), str(path))
    virtual.GetRasterBand(1).SetNoDataValue(1)
    virtual.GetRasterBand(2).SetNoDataValue(2)
    del virtual
    np.testing.assert_array_equal(read(tmp_path / "a.vrt"), [[[np.nan, 2]], [[1, np.nan]]])


def test_zero_is_a_value(make_raster: Callable) -> None:
    assert (read(make_raster("a.tif", np.zeros((2, 2), np.uint8))) == 0).all()


def test_alpha_and_mask_bands_hide(make_raster: Callable) -> None:
    def alpha(dataset: gdal.Dataset) -> None:
        dataset.GetRasterBand(3).SetColorInterpretation(gdal.GCI_AlphaBand)

    def mask(dataset: gdal.Dataset) -> None:
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        dataset.GetRasterBand(1).GetMaskBand().WriteArray(np.array([[255, 0]], np.uint8))

    array = np.array([[[1, 2]], [[3, 4]], [[255, 0]]], np.uint8)
    expected = [[[1, np.nan]], [[3, np.nan]]]
    np.testing.assert_array_equal(read(make_raster("alpha.tif", array, finish=alpha), 1, 2), expected)
    np.testing.assert_array_equal(read(make_raster("mask.tif", array[:2], finish=mask)), expected)


def test_scale_and_offset_are_applied(make_raster: Callable) -> None:
    def scale(dataset: gdal.Dataset) -> None:
        dataset.GetRasterBand(1).SetScale(0.5)
        dataset.GetRasterBand(1).SetOffset(-1.0)

    array = np.array([[0, 2, 8]], np.int16)
    np.testing.assert_array_equal(read(make_raster("a.tif", array, nodata=8, finish=scale)), [[[-1, 0, np.nan]]])


def test_bands_come_in_the_order_asked_for(make_raster: Callable) -> None:
    array = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((3, 2, 2), np.uint8)
    assert read(make_raster("a.tif", array), 3, 1)[:, 0, 0].tolist() == [2, 0]


def test_outside_of_the_raster_is_missing(make_raster: Callable) -> None:
    path = make_raster("a.tif", np.ones((2, 3), np.uint8))
    values = read(path, window=Window(-1, -2, 4, 7))
    assert np.argwhere(~np.isnan(values[0])).tolist() == [[r, c] for r in (1, 2) for c in (2, 3, 4)]
    assert np.isnan(read(path, window=Window(5, 5, 2, 2))).all()


@pytest.mark.parametrize("options", [(), ("TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"), ("INTERLEAVE=PIXEL",)])
def test_tile_layout_changes_nothing(make_raster: Callable, rng: np.random.Generator, options: tuple[str, ...]) -> None:
    array = rng.integers(0, 99, (2, 40, 50)).astype(np.int16)
    window = Window(7, 11, 20, 30)
    values = read(make_raster("a.tif", array, options=options), window=window)
    np.testing.assert_array_equal(values, array[(slice(None), *window.slices)])


def test_a_damaged_file_says_so(make_raster: Callable, rng: np.random.Generator, capfd: Any) -> None:
    path = make_raster("a.tif", rng.integers(0, 255, (200, 200)).astype(np.uint8), options=("COMPRESS=DEFLATE",))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match="damaged|cannot be read"):
        read(path)
    assert capfd.readouterr().err == ""
