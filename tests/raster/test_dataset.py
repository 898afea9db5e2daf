from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from osgeo import gdal, ogr, osr

from bdgf_core.errors import InputError
from bdgf_core.raster.dataset import is_local, open_raster


def test_a_missing_file(tmp_path: Path, capfd: Any) -> None:
    with pytest.raises(InputError, match="nothing.tif does not exist; check the path"):
        open_raster(tmp_path / "nothing.tif")
    assert capfd.readouterr().err == ""


def test_a_file_that_is_no_raster(tmp_path: Path, make_layer: Callable) -> None:
    (tmp_path / "a.tif").write_text("no raster at all")
    with pytest.raises(InputError, match="cannot be read as a raster"):
        open_raster(tmp_path / "a.tif")
    with pytest.raises(InputError, match="vector data"):
        open_raster(make_layer([("POINT (0 0)", "a")]))
    with pytest.raises(InputError, match="No raster was given"):
        open_raster("")


def test_complex_numbers(make_raster: Callable) -> None:
    with pytest.raises(InputError, match="complex numbers .CFloat32.; convert it to intensity"):
        open_raster(make_raster("slc.tif", np.ones((2, 2), np.complex64)))


def test_a_container_names_its_rasters(make_raster: Callable, tmp_path: Path) -> None:
    options = ("APPEND_SUBDATASET=YES",)
    for name in ("one", "two"):
        array = np.full((2, 2), 1, np.uint8)
        source = gdal.Open(str(make_raster(f"{name}.tif", array)))
        gdal.GetDriverByName("GPKG").CreateCopy(
            str(tmp_path / "both.gpkg"), source, options=[f"RASTER_TABLE={name}", *options]
        )
    with pytest.raises(InputError, match="container of 2 rasters; name one of them"):
        open_raster(tmp_path / "both.gpkg")
    assert open_raster(f"GPKG:{tmp_path / 'both.gpkg'}:two").RasterCount >= 1


def test_any_gdal_source_opens(make_raster: Callable) -> None:
    gdal.FileFromMemBuffer("/vsimem/a.tif", make_raster("a.tif", np.ones((2, 2), np.uint8)).read_bytes())
    assert open_raster("/vsimem/a.tif").RasterXSize == 2
    gdal.Unlink("/vsimem/a.tif")


def test_exceptions_are_as_they_were_afterwards(tmp_path: Path) -> None:
    before = [module.GetUseExceptions() for module in (gdal, ogr, osr)]
    with pytest.raises(InputError):
        open_raster(tmp_path / "nothing.tif")
    assert [module.GetUseExceptions() for module in (gdal, ogr, osr)] == before


@pytest.mark.parametrize(
    ("text", "local"),
    [("a.tif", True), ("/a b/ä.tif", True), ("C:\\a\\b.tif", True), ("C:/a.tif", True)]
    + [("/vsizip/a.zip/b.tif", False), ('NETCDF:"a.nc":x', False), ("https://a/b.tif", False)],
)
def test_local_files_are_told_from_connection_strings(text: str, local: bool) -> None:
    assert is_local(text) is local
