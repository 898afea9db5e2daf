"""The report on rasters and labels, and the warnings at the start of the verbs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import ogr, osr
from same_result import same_model
from shifted_scene import DEGREES, SIZE, ShiftedScene
from tiny_scene import Events, TinyScene

from bdgf_core import input_checks
from bdgf_core.checkinputs import CheckinputsConfig, checkinputs
from bdgf_core.checks.finding import Finding, percent, ranges
from bdgf_core.errors import Canceled, InputError
from bdgf_core.pretrain import PretrainConfig, pretrain
from bdgf_core.progress import Progress
from bdgf_core.raster.labels import LabelSource
from bdgf_core.raster.stack import RasterSource
from bdgf_core.train import TrainConfig, train

ROOT = Path(__file__).parents[1]


@pytest.fixture()
def scene(tmp_path: Path) -> ShiftedScene:
    return ShiftedScene(tmp_path)


def check(scene: ShiftedScene, spectral: RasterSource, second: RasterSource | None = None, **how: Any) -> dict:
    path = scene.folder / "found.json"
    result = checkinputs(
        CheckinputsConfig(spectral, second, **{"second_kind": "sar_db", **how}, json=str(path)), Progress()
    )
    document: dict = json.loads(path.read_text("utf-8"))
    document["result"] = result
    assert result["errors"] == sum(f["severity"] == "error" for f in document["findings"])
    assert all(f["mend"] for f in document["findings"] if f["severity"] != "fine")
    return document


def told(document: dict, topic: str, layer: str = "") -> list[tuple[str, str]]:
    """Severity and sentence of what was found on the topic."""
    of_topic = [f for f in document["findings"] if f["topic"] == topic and f["layer"].startswith(layer)]
    return [(f["severity"], f"{f['text']} {f['mend']}") for f in of_topic]


def draw(scene: ShiftedScene, *places: tuple[float, float], epsg: int = 32633) -> LabelSource:
    """Points (row, column) of a class."""
    path = str(scene.folder / "points.gpkg")
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(epsg)
    dataset = ogr.GetDriverByName("GPKG").CreateDataSource(path)
    layer = dataset.CreateLayer("points", crs, ogr.wkbPoint)
    layer.CreateField(ogr.FieldDefn("class", ogr.OFTString))
    for row, col in places:
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(ogr.CreateGeometryFromWkt(f"POINT ({500005 + 10 * col} {5799995 - 10 * row})"))
        feature["class"] = "wood"
        layer.CreateFeature(feature)
    del layer, dataset
    return LabelSource(path, "class")


def test_sound_inputs_are_fine(scene: ShiftedScene) -> None:
    document = check(scene, *scene.both(), labels=draw(scene, (5, 5), (100, 20)))
    assert document["counts"] == {"errors": 0, "warnings": 0, "notes": 0}
    topics = {"CRS", "grid", "overlap", "bands", "missing data", "values", "unit", "shift", "labels"}
    assert {f["topic"] for f in document["findings"]} == topics


@pytest.mark.parametrize(("cols", "rows", "way"), [(3, 0, "30 m west"), (-2, 2, "20 m east, 20 m north")])
def test_a_shift_is_told_with_its_mend(scene: ShiftedScene, cols: int, rows: int, way: str) -> None:
    document = check(scene, *scene.both(cols=cols, rows=rows))
    ((severity, sentence),) = told(document, "shift")
    found = document["registration"]
    assert severity == "warning" and "sar.tif" == document["findings"][0]["layer"]
    assert (found["cols"], found["rows"]) == pytest.approx((cols, rows), abs=0.2)
    assert (found["east"], found["north"]) == pytest.approx((10 * cols, -10 * rows), abs=2)
    assert document["result"]["shift_m"] == pytest.approx(10 * np.hypot(cols, rows), abs=2)
    assert all(number in sentence for number in ("confidence", "gdal_translate")) and way.split()[1] in sentence


def test_shifts_in_degrees_are_in_metres(scene: ShiftedScene) -> None:
    spectral = scene.write("spectral.tif", scene.spectral(), place=DEGREES)
    found = check(scene, spectral, scene.write("sar.tif", scene.sar(3, 2), place=DEGREES))["registration"]
    # a degree of longitude at 52° is 68.7 km, one of latitude 111.3 km
    assert (found["east"], found["north"]) == pytest.approx((3 * 6.87, -2 * 11.13), rel=0.1)


def test_shifts_of_coarser_rasters_are_in_pixels_of_the_spectral_one(scene: ShiftedScene) -> None:
    def blocks(array: np.ndarray) -> np.ndarray:
        return array.reshape(len(array), SIZE // 2, 2, SIZE // 2, 2).mean((2, 4))

    fine, coarse = scene.write("a.tif", scene.spectral()), scene.write("b.tif", blocks(scene.sar(4, -6)), pixel=2.0)
    found = check(scene, fine, coarse)["registration"]
    assert (found["cols"], found["rows"]) == pytest.approx((4, -6), abs=0.5)
    coarse, fine = scene.write("a.tif", blocks(scene.spectral()), pixel=2.0), scene.write("b.tif", scene.sar(4, -6))
    found = check(scene, coarse, fine)["registration"]
    assert (found["cols"], found["rows"]) == pytest.approx((2, -3), abs=0.3)


def test_a_shift_that_cannot_be_measured_is_said(scene: ShiftedScene) -> None:
    noise = np.random.default_rng(0).normal(-12, 3, (1, SIZE, SIZE))
    document = check(scene, scene.write("a.tif", scene.spectral()), scene.write("b.tif", noise))
    ((severity, sentence),) = told(document, "shift")
    assert severity == "note" and "cannot be measured" in sentence
    assert document["result"]["shift_m"] is None and document["result"]["shift_pixels"] is None


def test_rasters_that_do_not_meet_are_an_error_of_the_report(scene: ShiftedScene) -> None:
    far = scene.write("far.tif", scene.sar(), place=(32633, 900000.0, 10.0, 5800000.0, -10.0))
    document = check(scene, scene.write("a.tif", scene.spectral()), far)
    assert told(document, "overlap")[0][0] == "error" and "do not overlap" in told(document, "overlap")[0][1]
    assert told(document, "unit", "far.tif") and document["registration"] is None


def test_crs_and_grids(scene: ShiftedScene) -> None:
    spectral = scene.write("a.tif", scene.spectral(), place=DEGREES)
    assert told(check(scene, spectral), "CRS")[0][0] == "note"
    lacking = scene.write("b.tif", scene.sar(), place=(0, 500000.0, 10.0, 5800000.0, -10.0))
    document = check(scene, scene.write("a.tif", scene.spectral()), lacking)
    assert told(document, "CRS", "b.tif")[0][0] == "warning" and "assign" in told(document, "overlap")[0][1].lower()
    turned = check(scene, scene.write("a.tif", scene.spectral(), turned=1.0))
    assert told(turned, "grid")[0][0] == "note" and "turned by 5.71°" in told(turned, "grid")[0][1]
    plain = check(scene, scene.write("a.tif", scene.spectral(), place=(0, 0.0, 1.0, 0.0, 1.0)))
    assert told(plain, "CRS")[0][0] == "warning" and "georeference" in told(plain, "CRS")[0][1]


@pytest.mark.parametrize(("pixel", "severity"), [(2.0, None), (4.0, "note"), (12.0, "warning")])
def test_pixels_of_other_sizes(scene: ShiftedScene, pixel: float, severity: str | None) -> None:
    side = int(SIZE / pixel) + 1
    second = scene.write("b.tif", scene.sar()[:, :side, :side], pixel=pixel)
    document = check(scene, scene.write("a.tif", scene.spectral()), second)
    found = [s for s, sentence in told(document, "grid", "b.tif") if "times as wide" in sentence]
    assert found == ([severity] if severity else [])


@pytest.mark.parametrize(("cut", "severity"), [(0, "fine"), (60, "note"), (100, "warning")])
def test_overlap(scene: ShiftedScene, cut: int, severity: str) -> None:
    second = scene.write("b.tif", scene.sar()[:, cut:], place=(32633, 500000.0, 10.0, 5800000.0 - 10 * cut, -10.0))
    ((found, sentence),) = told(check(scene, scene.write("a.tif", scene.spectral()), second), "overlap")
    assert found == severity and f"{100 - 100 * cut / SIZE:.0f} %" in sentence


def test_labels(scene: ShiftedScene) -> None:
    array = scene.spectral()
    array[:, :40] = np.nan
    spectral = scene.write("a.tif", array)
    half = check(scene, spectral, labels=draw(scene, (50, 5), (60, 70), (10, 10), (-90, 0)))
    assert [severity for severity, _ in told(half, "labels")] == ["warning", "warning", "fine"]
    assert any("25 %" in sentence for _, sentence in told(half, "labels"))
    assert any("3 features looked at, 1" in sentence for _, sentence in told(half, "labels"))
    outside = check(scene, spectral, labels=draw(scene, (-90, 0)))
    ((severity, sentence),) = told(outside, "labels")
    assert severity == "error" and "lies on the raster" in sentence and outside["findings"][0]["layer"] == "points.gpkg"
    other = check(scene, spectral, labels=draw(scene, (50, 5), epsg=25833))
    assert "25833" in told(other, "labels")[0][1]
    wrong = LabelSource(draw(scene, (50, 5)).path, "kind")
    assert "no field" in told(check(scene, spectral, labels=wrong), "labels")[0][1]


def test_a_raster_that_cannot_be_read_leaves_the_other(scene: ShiftedScene) -> None:
    broken = scene.folder / "broken.tif"
    broken.write_bytes(b"II*\0nothing")
    document = check(scene, scene.write("a.tif", scene.spectral()), RasterSource(broken))
    assert (
        told(document, "file")
        and document["findings"][0]["layer"] == "broken.tif"
        and "spectral" in document["rasters"]
    )
    with pytest.raises(InputError, match="broken.tif"):
        check(scene, RasterSource(broken))


def test_what_one_finding_explains_is_not_told_again(scene: ShiftedScene) -> None:
    labels = draw(scene, (50, 5))
    far = scene.write("far.tif", scene.sar(), place=(32633, 900000.0, 10.0, 5800000.0, -10.0))
    for second in (
        far,
        RasterSource(scene.folder / "nowhere.tif"),
        scene.write("empty.tif", np.full((1, 9, 9), np.nan)),
    ):
        document = check(scene, scene.write("a.tif", scene.spectral()), second, labels=labels)
        assert document["counts"]["errors"] == 1 and not told(document, "shift")
        of_labels = [severity for severity, _ in told(document, "labels")]
        assert "error" not in of_labels and "fine" in of_labels


def test_files(scene: ShiftedScene) -> None:
    spectral = scene.write("<b>&é ü.tif", scene.spectral())
    report = scene.folder / "out.html"
    known = {path.name for path in scene.folder.iterdir()}
    config = CheckinputsConfig(spectral, scene.write("<b>&.tif", scene.sar(3, 0)), "sar_db", report=str(report))
    result = checkinputs(config, Progress())
    page = report.read_text("utf-8")
    assert "<b>&" not in page and "&lt;b&gt;&amp;é ü.tif" in page and "NaN" not in page
    assert page.index("confidence") < page.index("north up") and result["warnings"] == 1
    assert {path.name for path in scene.folder.iterdir()} - known == {"out.html", "<b>&.tif"}


def test_cancel_leaves_nothing(scene: ShiftedScene) -> None:
    spectral, second = scene.both()
    known = {path.name for path in scene.folder.iterdir()}
    for stop in (0, 3, 8):
        events = Events(stop=stop)
        with pytest.raises(Canceled):
            config = CheckinputsConfig(spectral, second, "sar_db", report=str(scene.folder / "out.html"))
            checkinputs(config, Progress(events, events.canceled))
        assert {path.name for path in scene.folder.iterdir()} == known


def test_bad_requests(scene: ShiftedScene) -> None:
    spectral = scene.write("a.tif", scene.spectral())
    with pytest.raises(InputError, match="two different files"):
        CheckinputsConfig(spectral, report="a", json="a")
    with pytest.raises(InputError, match="not known"):
        CheckinputsConfig(spectral, second_kind="optical")
    with pytest.raises(InputError, match="one of the inputs"):
        checkinputs(CheckinputsConfig(spectral, json=str(spectral.path)), Progress())
    with pytest.raises(ValueError, match="mend"):
        Finding("warning", "CRS", "a", "It has none.")


def test_words() -> None:
    assert ranges((7, 1, 2, 3, 9, 10)) == "1–3, 7, 9–10"
    assert [percent(share) for share in (0, 0.0002, 0.014, 0.5, 1)] == [
        "0 %",
        "less than 0.1 %",
        "1.4 %",
        "50 %",
        "100 %",
    ]


def test_as_a_process_without_torch(scene: ShiftedScene) -> None:
    code = "import sys; from bdgf_core.__main__ import main; status = main(sys.argv[1:]); "
    code += "sys.exit(status + 40 * ('torch' in sys.modules))"
    spectral, second = scene.both(cols=3)
    options = ["--spectral", str(spectral.path), "--second", str(second.path), "--second-kind", "sar_db"]
    done = subprocess.run(
        [sys.executable, "-c", code, "checkinputs", *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "warnings: 1" in done.stdout and "3.0 right" in done.stdout + done.stderr


# At the start of the other verbs


class _Reached(Exception):
    pass


def test_what_is_wrong_is_told_at_the_start_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bdgf_core.pretrain._RECALIBRATION_BATCHES", 1)
    scene = TinyScene(tmp_path)
    scene.spectral[5, :2] = 1e6
    scene.write("spectral.tif", scene.spectral)
    common = dict(second=scene.source("sar.tif"), device="cpu", memory_mb=1024)

    def pretrained(name: str) -> tuple[str, list[str]]:
        events = Events()
        config = PretrainConfig(scene.source(), scene.path(name), second_kind="sar_db", steps=1, **common)
        pretrain(config, Progress(events))
        return config.output, events.texts("warning")

    one, (sentence,) = pretrained("checked.bdgf")
    assert sentence.startswith("spectral.tif, bands 6: The value 1000000 lies far")
    monkeypatch.setattr("bdgf_core.pretrain.warn_of_inputs", lambda *given, **how: None)
    other, silence = pretrained("plain.bdgf")
    assert not silence
    same_model(one, other)

    def reached(stack: Any, *given: Any, second_kind: str, known: Any) -> None:
        raise _Reached(second_kind, list(known))

    monkeypatch.setattr("bdgf_core.train.warn_of_inputs", reached)
    with pytest.raises(_Reached) as stopped:
        train(TrainConfig(one, scene.source(), scene.labels, scene.path("c.bdgf"), **common), Progress())
    assert stopped.value.args == ("sar_db", ["spectral", "second"])


def test_verbs_are_not_told_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bdgf_core.pretrain._RECALIBRATION_BATCHES", 1)
    scene = TinyScene(tmp_path)
    scene.spectral[[1, 4]] = 7.0
    dead = RasterSource(scene.write("dead.tif", scene.spectral))
    events = Events()
    config = PretrainConfig(dead, scene.path("m.bdgf"), second=scene.source("sar.tif"), second_kind="sar_linear")
    with pytest.raises(InputError, match="as in dB"):
        pretrain(config, Progress(events))
    assert not events.texts("warning")
    config = PretrainConfig(dead, scene.path("m.bdgf"), steps=1)
    events = Events()
    pretrain(config, Progress(events))
    assert len(events.texts("warning")) == 1 and "2, 5" in events.texts("warning")[0]


def warned(scene: ShiftedScene, spectral: RasterSource, second: RasterSource | None = None, **known: Any) -> list[str]:
    from bdgf_core.sensors import open_stack

    events = Events()
    with open_stack(spectral, second, Progress(), second_kind="sar_db") as stack:
        input_checks.warn_of_inputs(stack, spectral, second, Progress(events), second_kind="sar_db", **known)
    return events.texts("warning")


def test_the_start_tells_a_shift_quickly(scene: ShiftedScene) -> None:
    assert warned(scene, *scene.both()) == []
    spectral, second = scene.both(cols=3, rows=-2)
    began = time.process_time()
    (sentence,) = warned(scene, spectral, second)
    assert time.process_time() - began < 2.0
    assert sentence.startswith("sar.tif: It lies 3.6 pixels") and "m west" in sentence and "m south" in sentence


def test_the_start_tells_temperatures_that_are_said_to_be_decibels(scene: ShiftedScene) -> None:
    sar = scene.sar()
    spectral, second = scene.write("a.tif", scene.spectral()), scene.write("b.tif", 25 + (sar - sar.mean()) / 3)
    (sentence,) = warned(scene, spectral, second)
    assert sentence.startswith("b.tif: Declared as sar_db, but") and "choose other" in sentence


def test_the_start_tells_what_is_missing_and_much_coarser(scene: ShiftedScene) -> None:
    array, side = scene.spectral(), SIZE // 12 + 1
    array[:, :120] = np.nan
    coarse = scene.write("coarse.tif", scene.sar()[:, :side, :side], pixel=12.0)
    missing, wide = warned(scene, scene.write("a.tif", array), coarse)
    assert missing.startswith("a.tif: Pixels without data: 75 %") and "12 times as wide" in wide
    spectral = scene.write("b.tif", scene.spectral())
    assert warned(scene, spectral, scene.write("c.tif", scene.sar()[:, :40])) == [], "the stack tells what it covers"
    sar = scene.sar()
    sar[:, 40:] = np.nan
    (missing,) = warned(scene, spectral, scene.write("d.tif", sar))
    assert missing.startswith("d.tif: Pixels without data: 75 %")


def test_bands_that_a_model_misses_are_told(scene: ShiftedScene) -> None:
    from bdgf_core.sensors import measure_sensors, open_stack

    spectral = scene.write("a.tif", scene.spectral())
    with open_stack(spectral, None, Progress(), second_kind="") as stack:
        sensors = measure_sensors(
            stack, {"spectral": spectral}, second_kind="", depth_limit=8, seed=0, progress=Progress()
        )
    array = scene.spectral()
    array[2] = 0.0
    (sentence,) = warned(scene, scene.write("b.tif", array), known=sensors)
    assert sentence.startswith("b.tif, bands 3: The model goes by them")


def test_what_cannot_be_read_is_left_to_the_verb(scene: ShiftedScene, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*given: Any) -> None:
        raise InputError("The file may be damaged.")

    monkeypatch.setattr(input_checks, "raster_figures", damaged)
    assert warned(scene, *scene.both()) == []


# On real data


@pytest.mark.long
@pytest.mark.parametrize("moved", [(0, 0), (3, -2)])
@pytest.mark.parametrize(
    ("spectral", "second", "kind", "bands"),
    [
        ("s1s2_spain/sentinel2_l1c.tif", "s1s2_spain/sentinel1_db.tif", "sar_db", (None, None)),
        ("lcz_hong_kong/oli.tif", "lcz_hong_kong/tirs.tif", "other", (None, None)),
        ("enmap_potsdam/enmap_l2a.tif", "enmap_potsdam/enmap_l2a.tif", "other", (range(1, 91), range(100, 225))),
    ],
)
def test_real_scenes(data_folder: Path, tmp_path: Path, spectral, second, kind, bands, moved) -> None:
    from osgeo import gdal

    source = gdal.Open(str(data_folder / second))
    x, width, _, y, _, height = source.GetGeoTransform()
    x, y = x + moved[0] * width, y + moved[1] * height
    corners = [x, y, x + width * source.RasterXSize, y + height * source.RasterYSize]
    gdal.Translate(str(tmp_path / "moved.tif"), source, outputBounds=corners)
    sources = [
        RasterSource(path, tuple(numbers) if numbers else None)
        for path, numbers in zip((data_folder / spectral, tmp_path / "moved.tif"), bands)
    ]
    config = CheckinputsConfig(sources[0], sources[1], kind, json=str(tmp_path / "found.json"))
    result = checkinputs(config, Progress())
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    shift = found["registration"]
    # Sentinel-1 and -2 lie half a pixel apart both ways, as their pixels were placed
    assert (shift["cols"], shift["rows"]) == pytest.approx(moved, abs=0.8) and shift["confidence"] > 0.9
    assert [f["severity"] for f in found["findings"] if f["topic"] == "shift"] in (
        [["fine"], ["note"]] if moved == (0, 0) else [["warning"]]
    )
    assert result["errors"] == 0
    if "enmap" in second:
        dead = [tuple(f["bands"]) for f in found["findings"] if f["topic"] == "bands" and f["severity"] == "note"]
        assert dead == [tuple(range(130, 136))]
