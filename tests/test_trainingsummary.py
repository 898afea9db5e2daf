"""What the summary of drawn polygons counts, finds and advises."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from osgeo import ogr
from tiny_scene import Events, TinyScene

from bdgf_core.drawn import resolve
from bdgf_core.errors import Canceled, InputError
from bdgf_core.progress import Progress
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.labels import LabelSource, claim_pixels, rasterize_labels
from bdgf_core.trainingsummary import TrainingsummaryConfig, trainingsummary

ROOT = Path(__file__).parents[1]


@pytest.fixture()
def scene(tmp_path: Path) -> TinyScene:
    return TinyScene(tmp_path)


def draw(scene: TinyScene, *squares: tuple[str, float, float, float]) -> LabelSource:
    """Squares (class, first row, first column, side), in pixels of the scene."""
    path = scene.path("drawn.gpkg")
    like = ogr.Open(scene.labels.path)
    dataset = ogr.GetDriverByName("GPKG").CreateDataSource(path)
    layer = dataset.CreateLayer("drawn", like.GetLayer(0).GetSpatialRef(), ogr.wkbPolygon)
    layer.CreateField(ogr.FieldDefn("class", ogr.OFTString))
    for label, row, col, side in squares:
        x0, y0 = 500000 + 10 * col, 5800000 - 10 * row
        x1, y1 = x0 + 10 * side, y0 - 10 * side
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(
            ogr.CreateGeometryFromWkt(f"POLYGON (({x0} {y0}, {x1} {y0}, {x1} {y1}, {x0} {y1}, {x0} {y0}))")
        )
        feature.SetField("class", label)
        layer.CreateFeature(feature)
    del layer, dataset
    return LabelSource(path, "class")


def summary(scene: TinyScene, labels: LabelSource, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = trainingsummary(TrainingsummaryConfig(scene.source(), labels, **options), Progress())
    return found["summary"]


def told(found: dict[str, Any], *words: str) -> bool:
    return any(all(word in sentence for word in words) for sentence in found["advice"])


def test_counts_and_area(scene: TinyScene) -> None:
    found = summary(scene, scene.labels)
    assert [(c["name"], c["polygons"], c["pixels"]) for c in found["classes"]] == [
        ("Water", 2, 50), ("20", 2, 50), ("30", 2, 50),
    ]  # fmt: skip
    assert [c["area_ha"] for c in found["classes"]] == [0.5, 0.5, 0.5]


def test_pixels_with_data_in_less_than_half_of_the_bands_do_not_count(scene: TinyScene) -> None:
    (found,) = summary(scene, draw(scene, ("a", 14, 30, 5)))["classes"]
    assert (found["pixels"], found["pixels_without_data"], found["smallest_polygon"]) == (13, 12, 25)


def test_well_drawn_classes_need_nothing(scene: TinyScene) -> None:
    squares = [(name, row, col, 4) for name, col in (("a", 8), ("b", 20), ("c", 34)) for row in (0, 12, 24)]
    found = summary(scene, draw(scene, *squares), second=scene.source("sar.tif"))
    assert found["advice"] == ["The training data have all they need: go on and train."]


def test_what_is_counted_is_what_training_takes(scene: TinyScene) -> None:
    labels = draw(scene, ("a", 0, 8, 6), ("b", 4, 8, 6), ("a", 2, 10, 6), ("b", 20, 20, 0.2), ("c", 4, 9, 3))
    grid = Grid.of(scene.path("spectral.tif"))
    taken, resolved = rasterize_labels(labels, grid), resolve(claim_pixels(labels, grid))
    assert (taken.rows * grid.width + taken.cols).tolist() == resolved.pixels.tolist()
    assert [taken.legend.names[i] for i in taken.classes] == ["abc"[i] for i in resolved.classes]


def test_few_places_and_few_pixels(scene: TinyScene) -> None:
    found = summary(scene, draw(scene, ("a", 0, 0, 4), ("b", 0, 20, 2), ("b", 9, 20, 2)))
    assert told(found, "Draw more of b (8)") and not told(found, "Draw more of", "a (16)")
    assert told(found, "at least 2 more polygons of a,") and told(found, "at least 1 more polygon of b,")
    assert not told(summary(scene, scene.labels, minimum_pixels=46), "Draw more of")


def test_one_class_only(scene: TinyScene) -> None:
    found = summary(scene, draw(scene, ("a", 0, 0, 4)))
    assert told(found, "another class", "(a)") and not found["separability"]


def test_overlaps_belong_to_pairs(scene: TinyScene) -> None:
    found = summary(scene, draw(scene, ("a", 0, 8, 6), ("b", 4, 8, 6), ("c", 0, 12, 4), ("a", 0, 8, 6)))
    assert [(p["one"], p["other"], p["value"]) for p in found["overlaps"]] == [("a", "b", 12), ("a", "c", 8)]
    assert [c["pixels"] for c in found["classes"]] == [16, 24, 8]
    assert told(found, "Mend the overlaps of a and b (12 pixels); a and c (8 pixels)")


def test_flawed_features_are_named(scene: TinyScene) -> None:
    squares = [("a", 0, 8, 5), ("a", 0, 20, 0.3), ("a", -90, 20, 5), ("b", 31, 2.0, 3), ("b", 20, 20, 5)]
    found = summary(scene, draw(scene, *squares))
    flaws = {key: [(f["name"], f["x"], f["y"]) for f in found[key]] for key in ("tiny", "outside", "without_data")}
    assert flaws == {
        "tiny": [("a", 500201.5, 5799998.5)],
        "outside": [("a", 500225.0, 5800875.0)],
        "without_data": [("b", 500035.0, 5799675.0)],
    }
    for words, feature in (("fewer than 9 pixels", "1 of a"), ("outside of", "1 of a"), ("no data", "1 of b")):
        assert told(found, words, feature)
    assert found["classes"][0]["smallest_polygon"] == 1


def test_everything_overlapping_is_still_told(scene: TinyScene) -> None:
    found = summary(scene, draw(scene, ("a", 0, 8, 5), ("b", 0, 8, 5), ("c", 0, 8, 5)))
    assert [pair["value"] for pair in found["overlaps"]] == [25, 25, 25]
    assert [c["pixels"] for c in found["classes"]] == [0, 0, 0] and told(found, "Mend the overlaps")


def test_classes_that_look_alike(scene: TinyScene) -> None:
    squares = [("left", 0, 8, 5), ("right", 20, 8, 5), ("wood", 0, 18, 5)]
    found = summary(scene, draw(scene, *squares))
    assert {found["separability"][0][key] for key in ("one", "other")} == {"left", "right"}
    assert told(found, "left and right", "look alike")
    by_name = {c["name"]: c for c in found["classes"]}
    assert by_name["left"]["closest_class"] == "right" and by_name["wood"]["separability"] > 1.9


def test_classes_of_the_style_that_are_not_drawn(scene: TinyScene) -> None:
    labels = LabelSource(scene.labels.path, "class", None, (("10", "Water", ""), ("77", "Ice", "")))
    found = summary(scene, labels)
    assert found["undrawn"] == ("Ice",) and told(found, "Nothing is drawn yet of Ice")


def test_files(scene: TinyScene) -> None:
    hostile = '<b>&,"x'
    labels = draw(scene, (hostile, 0, 8, 6), ("=é", 4, 8, 6))
    known = {path.name for path in scene.folder.iterdir()}
    places = {key: scene.path(f"out.{key}") for key in ("report", "json", "csv")}
    found = summary(scene, labels, **places)
    page = Path(places["report"]).read_text("utf-8")
    assert hostile not in page and "&lt;b&gt;&amp;,&quot;x" in page and "NaN" not in page
    assert page.index(found["advice"][0].split("<")[0]) < page.index("Jeffries")
    assert json.loads(Path(places["json"]).read_text("utf-8"))["advice"] == found["advice"]
    with open(places["csv"], encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [hostile, "'=é"] and rows[1]["pixels"] == "24"
    assert Path(places["csv"]).read_bytes().startswith(b"\xef\xbb\xbf"), "Excel would read é as Ã©"
    assert scene.leftovers(known) == {"out.report", "out.json", "out.csv"}


def test_cancel_leaves_nothing(scene: TinyScene) -> None:
    known = {path.name for path in scene.folder.iterdir()}
    events = Events(stop=1)
    config = TrainingsummaryConfig(scene.source(), scene.labels, report=scene.path("out.html"))
    with pytest.raises(Canceled):
        trainingsummary(config, Progress(events, events.canceled))
    assert scene.leftovers(known) == set()


def test_bad_requests(scene: TinyScene) -> None:
    with pytest.raises(InputError, match="three different files"):
        TrainingsummaryConfig(scene.source(), scene.labels, report="a", json="a")
    with pytest.raises(InputError, match="at least 1"):
        TrainingsummaryConfig(scene.source(), scene.labels, minimum_pixels=0)
    with pytest.raises(InputError, match="one of the inputs"):
        summary(scene, scene.labels, csv=scene.path("spectral.tif"))
    with pytest.raises(InputError, match="No feature of .* lies on the raster"):
        summary(scene, draw(scene, ("a", -90, 0, 4)))


def test_as_a_process_without_torch(scene: TinyScene) -> None:
    code = "import sys; from bdgf_core.__main__ import main; status = main(sys.argv[1:]); "
    code += "sys.exit(status + 40 * ('torch' in sys.modules))"
    options = [
        "--spectral",
        scene.path("spectral.tif"),
        "--labels",
        scene.path("labels.gpkg"),
        "--class-field",
        "class",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, "trainingsummary", *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Draw at least 1 more polygon of" in done.stdout
