"""Rasters matched to what a model knows, and sensors measured for a new one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_scene import Events, TinyScene

from bdgf_core.errors import InputError, ModelFileError
from bdgf_core.progress import Progress
from bdgf_core.raster.stack import RasterSource
from bdgf_core.sensors import match_source, match_sources, measure_sensors, open_stack


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> TinyScene:
    return TinyScene(tmp_path_factory.mktemp("sensors"))


def measured(spectral: RasterSource, second: RasterSource | None = None, events: Events | None = None, limit: int = 64):
    progress = Progress(events or Events())
    sources = {"spectral": spectral, **({"second": second} if second else {})}
    with open_stack(spectral, second, progress, second_kind="sar_db") as stack:
        return measure_sensors(stack, sources, second_kind="sar_db", depth_limit=limit, seed=0, progress=progress)


def test_bands_are_found_by_name_in_any_order(scene):
    sensor = measured(scene.source(bands=(2, 5)))["spectral"]
    assert match_source(sensor, scene.source(), "spectral").bands == (2, 5)
    turned = Path(scene.write("turned.tif", scene.spectral[::-1], names=False))
    from osgeo import gdal

    dataset = gdal.Open(str(turned), gdal.GA_Update)
    for number in range(1, 7):
        dataset.GetRasterBand(number).SetDescription(f"B{7 - number}")
    del dataset
    assert match_source(sensor, RasterSource(turned), "spectral").bands == (5, 2)


def test_without_names_the_number_of_bands_decides(scene):
    sensor = measured(scene.source(bands=(2, 5)))["spectral"]
    whole = scene.write("whole.tif", scene.spectral, names=False)
    pair = scene.write("pair.tif", scene.spectral[[1, 4]], names=False)
    three = scene.write("three.tif", scene.spectral[:3], names=False)
    assert match_source(sensor, RasterSource(whole), "spectral").bands == (2, 5)
    assert match_source(sensor, RasterSource(pair), "spectral").bands == (1, 2)
    assert match_source(sensor, RasterSource(three, (3, 1)), "spectral").bands == (3, 1)
    with pytest.raises(ModelFileError, match="has 3 bands"):
        match_source(sensor, RasterSource(three), "spectral")
    with pytest.raises(ModelFileError, match="3 are chosen"):
        match_source(sensor, RasterSource(whole, (1, 2, 3)), "spectral")


def test_another_wavelength_is_refused(scene):
    from osgeo import gdal

    for name, shift in (("one.tif", 0), ("same.tif", 5), ("other.tif", 100)):
        path = scene.write(name, scene.spectral, names=False)
        dataset = gdal.Open(path, gdal.GA_Update)
        for number in range(1, 7):
            dataset.GetRasterBand(number).SetMetadataItem("wavelength_nm", str(400 + 50 * number + shift))
        del dataset
    sensor = measured(scene.source("one.tif"))["spectral"]
    match_source(sensor, scene.source("same.tif"), "spectral")
    with pytest.raises(ModelFileError, match="nm"):
        match_source(sensor, scene.source("other.tif"), "spectral")


def test_a_sensor_too_many_or_too_few(scene):
    both, alone = measured(scene.source(), scene.source("sar.tif")), measured(scene.source())
    with pytest.raises(ModelFileError, match="sar.tif"):
        match_sources(both, scene.source(), None)
    with pytest.raises(ModelFileError, match="one raster only"):
        match_sources(alone, scene.source(), scene.source("sar.tif"))


def test_the_second_sensor_takes_its_part_of_the_depth(scene):
    cube = scene.write("cube.tif", np.random.default_rng(0).normal(0, 1, (40, 44, 40)).astype(np.float32))
    sensors = measured(RasterSource(cube), scene.source("sar.tif"), limit=16)
    assert list(sensors) == ["spectral", "second"]
    assert (sensors["spectral"].depth_bands, sensors["second"].depth_bands) == (14, 2)


def test_dead_bands_are_told(scene):
    array = scene.spectral.copy()
    array[[1, 2, 4]] = 3.0
    events = Events()
    sensor = measured(RasterSource(scene.write("dead.tif", array)), events=events)["spectral"]
    assert sensor.used.sum() == 3
    assert any("2–3, 5" in text for text in events.texts("warning"))


def test_no_data_is_said(scene):
    empty = scene.write("empty.tif", np.full_like(scene.spectral, -9999.0))
    with pytest.raises(InputError, match="no data"):
        measured(RasterSource(empty))


def test_many_bands_are_measured_on_fewer_pixels(scene, monkeypatch):
    import bdgf_core.sensors as sensors

    exact = measured(scene.source())["spectral"]
    monkeypatch.setattr(sensors, "_SAMPLE_VALUES", 3000)
    thinned = measured(scene.source())["spectral"]
    assert not np.array_equal(exact.mean, thinned.mean)
    assert np.allclose(exact.mean, thinned.mean, rtol=0.05)
