"""Class rasters: what they say of their classes, and their values on another grid."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from osgeo import gdal
from raster_scenes import NORTH_UP, grid_from

from bdgf_core.errors import InputError
from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.raster.class_raster import ClassRaster, RegriddedClasses
from bdgf_core.raster.window import Window
from bdgf_core.raster.writer import create_raster

LEGEND = Legend((LandCoverClass(3, "w", "Wässer", "#3b7dd8"), LandCoverClass(9, "f", "Forest", "#1b7837")))


@pytest.mark.parametrize("dtype, nodata", [("uint8", 255), ("uint16", 65535)])
def test_a_written_legend_is_read_again(tmp_path: Path, dtype: str, nodata: int) -> None:
    with create_raster(tmp_path / "m.tif", grid_from(4, 5), dtype=dtype, nodata=nodata, legend=LEGEND) as writer:
        writer.write(Window(0, 0, 2, 5), np.full((2, 5), 9, dtype))
    raster = ClassRaster(tmp_path / "m.tif")
    assert raster.legend([9]) == LEGEND
    assert raster.read(raster.grid.window)[:, 0].tolist() == [9, 9, -1, -1]


def test_category_names_and_colours_alone(make_raster: Callable[..., Path]) -> None:
    def finish(dataset: gdal.Dataset) -> None:
        colors = gdal.ColorTable()
        colors.SetColorEntry(1, (16, 32, 48, 255))
        dataset.GetRasterBand(1).SetColorTable(colors)
        dataset.GetRasterBand(1).SetCategoryNames(["", "Lake"])

    raster = ClassRaster(make_raster("m.tif", np.array([[1, 2]], np.uint8), finish=finish))
    assert raster.legend([1, 2]).classes[0] == LandCoverClass(1, "1", "Lake", "#102030")
    assert raster.legend([1, 2]).names == ("Lake", "2")


def test_values_that_are_no_classes(make_raster: Callable[..., Path]) -> None:
    for name, array, words in (
        ("a.tif", np.array([[1.0, 2.5]], np.float32), "holds 2.5"),
        ("b.tif", np.array([[1, -7]], np.int16), "holds -7"),
        ("c.tif", np.array([[1, 70000]], np.int32), "holds 70000"),
        ("d.tif", np.ones((3, 1, 2), np.uint8), "has 3 bands"),
    ):
        with pytest.raises(InputError, match=words):
            raster = ClassRaster(make_raster(name, array))
            raster.read(raster.grid.window)
    whole = ClassRaster(make_raster("e.tif", np.array([[1, np.nan, 65534]], np.float32)))
    assert whole.read(whole.grid.window).tolist() == [[1, -1, 65534]]


def test_another_grid_takes_the_class_under_each_centre(
    make_raster: Callable[..., Path], rng: np.random.Generator
) -> None:
    values = rng.integers(0, 200, (12, 16)).astype(np.uint8)
    finer = (NORTH_UP[0] - 20, 5.0, 0.0, NORTH_UP[3] + 10, 0.0, -5.0)
    raster = ClassRaster(make_raster("fine.tif", values, geotransform=finer, nodata=7))
    read = RegriddedClasses(raster, grid_from(8, 9)).read(Window(0, 0, 8, 9))
    expected = np.full((8, 9), -1)
    expected[:5, :6] = np.where(values == 7, -1, values.astype(int))[2:, 4:][1::2, 1::2]
    assert read.tolist() == expected.tolist()


def test_windows_do_not_matter(
    make_raster: Callable[..., Path], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = (NORTH_UP[0] + 30, 7.0, 3.0, NORTH_UP[3] - 10, 3.0, -7.0)
    raster = ClassRaster(make_raster("t.tif", rng.integers(0, 9, (20, 20)).astype(np.uint8), geotransform=turned))
    classes = RegriddedClasses(raster, grid_from(20, 24))
    whole = classes.read(Window(0, 0, 20, 24))
    assert (classes.read(Window(3, 4, 9, 11)) == whole[3:12, 4:15]).all() and (whole >= 0).any()
    monkeypatch.setattr("bdgf_core.raster.class_raster._MOST_READ", 30)
    assert (classes.read(Window(0, 0, 20, 24)) == whole).all()


def test_rasters_apart(make_raster: Callable[..., Path]) -> None:
    raster = ClassRaster(make_raster("m.tif", np.ones((2, 2), np.uint8)))
    with pytest.raises(InputError, match="does not overlap the map"):
        RegriddedClasses(raster, grid_from(5, 5, (600000.0, 10.0, 0.0, 5800000.0, 0.0, -10.0)))
