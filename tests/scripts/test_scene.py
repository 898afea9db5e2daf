"""The simulated scene is what its description says, and the same for the same seed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, ogr
from scene import simulate_scene
from scene.classes import CLASSES, MATERIALS, reflectance

gdal.UseExceptions()


def read(path: Path) -> np.ndarray:
    dataset = gdal.Open(str(path))
    return dataset.ReadAsArray()


def test_same_seed_gives_the_same_rasters(simulated_scene: Path, tmp_path: Path) -> None:
    simulate_scene(tmp_path, size=64)
    for name in ("hyperspectral.tif", "sar.tif", "truth.tif"):
        one, other = (hashlib.sha256((folder / name).read_bytes()).digest() for folder in (simulated_scene, tmp_path))
        assert one == other, name


def test_reflectances_are_fractions() -> None:
    spectra = reflectance(np.linspace(400, 2500, 200))
    assert spectra.shape == (len(MATERIALS), 200)
    assert (spectra > 0).all() and (spectra < 0.7).all()


def test_bad_bands_are_told_and_two_are_empty(simulated_scene: Path) -> None:
    dataset = gdal.Open(str(simulated_scene / "hyperspectral.tif"))
    bands = [dataset.GetRasterBand(i + 1) for i in range(dataset.RasterCount)]
    bad = [band.GetMetadataItem("bbl") == "0" for band in bands]
    empty = [bool((band.ReadAsArray() == band.GetNoDataValue()).all()) for band in bands]
    assert len(bands) == 36 and sum(bad) == 4 and sum(empty) == 2
    assert all(told for told, nothing in zip(bad, empty) if nothing)


def test_sar_lies_on_another_grid_in_linear_power(simulated_scene: Path) -> None:
    spectral, sar = (gdal.Open(str(simulated_scene / name)) for name in ("hyperspectral.tif", "sar.tif"))
    assert not spectral.GetSpatialRef().IsSame(sar.GetSpatialRef())
    power = sar.ReadAsArray()
    assert power.min() >= 0
    vv, vh = power[:, (power > 0).all(axis=0)]
    assert np.log10(vv).mean() > np.log10(vh).mean()


def test_polygons_lie_in_their_class(simulated_scene: Path) -> None:
    truth = gdal.Open(str(simulated_scene / "truth.tif"))
    burned = gdal.GetDriverByName("MEM").Create("", truth.RasterXSize, truth.RasterYSize, 1)
    burned.SetGeoTransform(truth.GetGeoTransform())
    burned.SetProjection(truth.GetProjection())
    polygons = ogr.Open(str(simulated_scene / "training_polygons.gpkg"))
    gdal.RasterizeLayer(burned, [1], polygons.GetLayer(0), options=["ATTRIBUTE=class_id"])
    labels, classes = burned.ReadAsArray(), truth.ReadAsArray()
    assert (labels == classes)[labels > 0].mean() > 0.98
    assert set(np.unique(labels)) - {0} == {c.value for c in CLASSES}


def test_refuses_a_scene_without_room(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="64 or more"):
        simulate_scene(tmp_path, size=20)
