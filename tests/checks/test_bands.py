"""Bands and values that are not what they should be are named; sound ones are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from shifted_scene import ShiftedScene

from bdgf_core.checks.band_figures import RasterFigures
from bdgf_core.input_checks import THOROUGH, raster_figures, raster_findings
from bdgf_core.progress import Progress
from bdgf_core.raster.stack import RasterStack


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> ShiftedScene:
    return ShiftedScene(tmp_path_factory.mktemp("bands"))


def figures(scene: ShiftedScene, array: np.ndarray, **how: Any) -> RasterFigures:
    with RasterStack.open({"a": scene.write("a.tif", array, **how)}) as stack:
        return raster_figures(stack, {"a": "a.tif"}, THOROUGH, Progress())["a"]


def found(scene: ShiftedScene, array: np.ndarray, kind: str = "optical", **how: Any) -> set[tuple[str, str, Any]]:
    """What is not fine: severity, topic and bands."""
    findings = raster_findings(figures(scene, array, **how), kind)
    return {(f.severity, f.topic, f.bands) for f in findings if f.severity != "fine"}


def test_sound_rasters_give_no_cause(scene: ShiftedScene) -> None:
    assert found(scene, scene.spectral()) == set()
    assert found(scene, scene.spectral() / 10_000) == set()
    assert found(scene, scene.sar(), "sar_db") == set()
    assert found(scene, 10 ** (scene.sar() / 10), "sar_linear") == set()
    assert found(scene, 10 ** (scene.sar() / 20), "sar_amplitude") == set()


def test_dead_bands(scene: ShiftedScene) -> None:
    array = np.concatenate([scene.spectral(), scene.spectral()])
    array[1], array[4:6], array[7] = 5.0, np.nan, np.nan
    array[7, 80, 80:85] = range(5)
    assert found(scene, array, bad=(6,)) == {
        ("warning", "bands", (2,)), ("warning", "bands", (5,)), ("note", "bands", (6,)), ("warning", "bands", (8,)),
    }  # fmt: skip
    assert found(scene, scene.spectral(), bad=(3,)) == {("note", "bands", (3,))}
    assert found(scene, np.full((2, 40, 40), np.nan)) == {("error", "bands", ())}


@pytest.mark.parametrize(("rows", "severity"), [(4, None), (40, "note"), (120, "warning")])
def test_missing_data(scene: ShiftedScene, rows: int, severity: str | None) -> None:
    array = scene.spectral()
    array[:, :rows] = -1.0
    raster = figures(scene, array, nodata=-1.0)
    assert raster.empty == pytest.approx(rows / 160, abs=0.01)
    assert found(scene, array, nodata=-1.0) == ({(severity, "missing data", ())} if severity else set())


def test_a_band_with_more_gaps_than_the_others(scene: ShiftedScene) -> None:
    array = scene.spectral()
    array[2, :50] = np.nan
    assert found(scene, array) == {("note", "missing data", (3,))}


@pytest.mark.parametrize("value", [-9999.0, -32768.0, 65535.0, 1e20])
def test_nodata_that_is_not_declared(scene: ShiftedScene, value: float) -> None:
    array = scene.spectral()
    array[:, :10, :10] = value
    assert found(scene, array) == {("warning", "nodata value", (1, 2, 3, 4))}
    assert found(scene, array, nodata=value) == set()


def test_zeros_in_all_bands(scene: ShiftedScene) -> None:
    array = scene.spectral()
    array[:, :10] = 0.0
    assert found(scene, array) == {("warning", "nodata value", ())}
    array = scene.spectral()
    array[0, :10] = 0.0  # in one only: cut off there
    assert found(scene, array) == {("note", "values", (1,))}


def test_noise_and_stripes(scene: ShiftedScene) -> None:
    rng = np.random.default_rng(0)
    array = scene.spectral()
    array[1] = rng.normal(0, 100, array[1].shape) + 1000
    array[2] += array[2].std() * rng.normal(0, 0.2, 160).astype(np.float32)  # columns
    array[3] += array[3].std() * rng.normal(0, 0.2, (160, 1)).astype(np.float32)  # rows
    raster = figures(scene, array)
    assert raster.bands[1].noise == pytest.approx(1.0, abs=0.05)
    assert [band.stripes == pytest.approx(0.2, rel=0.3) for band in raster.bands] == [False, False, True, True]
    assert found(scene, array) == {("warning", "noise", (2,)), ("warning", "noise", (3, 4))}
    assert not {topic for _, topic, _ in found(scene, array, "sar_db", bad=(2, 3, 4))} & {"noise"}


def test_nothing_but_noise(scene: ShiftedScene) -> None:
    noise = np.random.default_rng(0).normal(1000, 100, (3, 160, 160))
    assert found(scene, noise) == {("warning", "noise", (1, 2, 3))}


def test_saturation(scene: ShiftedScene) -> None:
    array = scene.spectral()
    for share, severity in ((0.02, "note"), (0.2, "warning")):
        clipped = np.minimum(array, np.quantile(array, 1 - share, axis=(1, 2), keepdims=True))
        assert found(scene, clipped) == {(severity, "values", (1, 2, 3, 4))}


def test_negative_and_mixed_scales(scene: ShiftedScene) -> None:
    array = scene.spectral()
    array[3] -= np.quantile(array[3], 0.1)
    assert found(scene, array) == {("note", "values", (4,))}
    assert ("warning", "values", (1, 2, 3, 4)) in found(scene, scene.spectral() - 5000)
    array = scene.spectral()
    array[0] /= 10_000
    assert found(scene, array) == {("note", "values", (1,))}


def test_few_values(scene: ShiftedScene) -> None:
    array = scene.spectral()
    array[1] = np.round(array[1] / 500)
    assert ("note", "values", (2,)) in found(scene, array)


@pytest.mark.parametrize(
    ("declared", "stored", "severity"),
    [
        ("sar_linear", "db", "error"),
        ("sar_amplitude", "db", "error"),
        ("sar_db", "linear", "error"),
        ("sar_db", "intensities", "warning"),
        ("sar_db", "temperatures", "warning"),
        ("sar_linear", "numbers", "warning"),
        ("other", "db", "note"),
        ("optical", "db", "warning"),
    ],
)
def test_wrong_units(scene: ShiftedScene, declared: str, stored: str, severity: str) -> None:
    db = scene.sar()
    array = {"db": db, "linear": 10 ** (db / 10), "numbers": np.round(300 * 10 ** (db / 20))}
    array = {**array, "intensities": 300 * array["linear"], "temperatures": 25 + db / 3 - db.mean() / 3}[stored]
    assert {(s, t) for s, t, _ in found(scene, array, declared)} >= {(severity, "unit")}


def test_little_of_a_large_raster_is_read(scene: ShiftedScene, monkeypatch: pytest.MonkeyPatch) -> None:
    from osgeo import gdal

    path = str(scene.folder / "large.tif")
    options = ["SPARSE_OK=YES", "TILED=YES"]
    gdal.GetDriverByName("GTiff").Create(path, 60_000, 60_000, 4, gdal.GDT_Float32, options).SetGeoTransform(
        (5e5, 10, 0, 5.8e6, 0, -10)
    )
    from bdgf_core.raster.stack import RasterSource

    sizes = []
    read = RasterStack.read
    monkeypatch.setattr(RasterStack, "read", lambda self, window: sizes.append(window) or read(self, window))
    with RasterStack.open({"a": RasterSource(path)}) as stack:
        raster = raster_figures(stack, {"a": "a"}, THOROUGH, Progress())["a"]
    pixels = sum(window.height * window.width for window in sizes)
    assert pixels == raster.pixels <= THOROUGH.windows * THOROUGH.side**2
    assert raster.values.size <= 1.1 * THOROUGH.kept
