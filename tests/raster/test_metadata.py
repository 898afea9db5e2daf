from __future__ import annotations

from typing import Callable

import pytest
from osgeo import gdal

from bdgf_core.raster.metadata import BandInfo, band_infos


def infos(describe: Callable[[gdal.Dataset], None], count: int = 2) -> tuple[BandInfo, ...]:
    dataset = gdal.GetDriverByName("MEM").Create("", 2, 2, count, gdal.GDT_Byte)
    describe(dataset)
    return band_infos(dataset, range(1, count + 1))


def test_nothing_is_said() -> None:
    assert infos(lambda dataset: None, 1) == (BandInfo(1, "Band 1", None, False),)


def test_envi_lists_of_the_dataset() -> None:
    def describe(dataset: gdal.Dataset) -> None:
        items = {"wavelength": "{ 0.45 , 2.2 }", "wavelength_units": "Micrometers", "bbl": "{1, 0}"}
        dataset.SetMetadata(items, "ENVI")
        dataset.GetRasterBand(1).SetDescription(" Blue ")

    assert infos(describe) == (BandInfo(1, "Blue", 450.0, False), BandInfo(2, "Band 2", 2200.0, True))


def test_a_list_of_another_length_is_not_used() -> None:
    assert not any(info.bad for info in infos(lambda d: d.SetMetadataItem("bbl", "{0, 0, 0}", "ENVI")))


def test_metadata_of_each_band() -> None:
    def describe(dataset: gdal.Dataset) -> None:
        dataset.GetRasterBand(1).SetMetadata({"wavelength": "1331.22", "wavelength_units": "Nanometers", "bbl": "0"})
        dataset.GetRasterBand(2).SetMetadata({"CENTRAL_WAVELENGTH_UM": "0.865"}, "IMAGERY")

    assert [(i.wavelength_nm, i.bad) for i in infos(describe)] == [(1331.22, True), (865.0, False)]


@pytest.mark.parametrize(
    ("value", "units", "nanometres"),
    [("0.5", "", 500.0), ("500", "", 500.0), ("500", "nm", 500.0), ("0.5", "µm", 500.0), ("10.9", "Micrometres", 10900)]
    + [("5000", "Angstroms", 500.0), ("5e-7", "m", 500.0), ("3", "Index", None), ("x", "nm", None), ("nan", "", None)],
)
def test_units_of_wavelengths(value: str, units: str, nanometres: float | None) -> None:
    items = {"wavelength": value, "wavelength_units": units}
    assert infos(lambda dataset: dataset.GetRasterBand(1).SetMetadata(items), 1)[0].wavelength_nm == nanometres


@pytest.mark.parametrize(
    ("name", "nanometres"),
    [
        ("band 1 (418.24 Nanometers)", 418.24),
        ("B4 665 nm", 665.0),
        ("0.665 µm", 665.0),
        ("VV", None),
        ("4 number", None),
    ],
)
def test_wavelengths_in_names(name: str, nanometres: float | None) -> None:
    assert infos(lambda dataset: dataset.GetRasterBand(1).SetDescription(name), 1)[0].wavelength_nm == nanometres


@pytest.mark.parametrize(
    ("key", "value", "bad"), [("bad_band", "true", True), ("bad_band", "0", False), ("BBL", "1", False)]
)
def test_bad_bands(key: str, value: str, bad: bool) -> None:
    assert infos(lambda dataset: dataset.GetRasterBand(1).SetMetadataItem(key, value), 1)[0].bad is bad
