"""The verb ``assess``: a map whose errors are known, held against polygons, points and another raster."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import pytest
from osgeo import gdal, ogr
from test_report import EVIL, check
from tiny_scene import Events

from bdgf_core.assess import AssessConfig, assess
from bdgf_core.errors import Canceled, InputError
from bdgf_core.files import claim
from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.progress import Progress
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.labels import LabelSource
from bdgf_core.raster.window import Window
from bdgf_core.raster.writer import create_raster

ROOT = Path(__file__).parents[1]
WEST, NORTH = 500000.0, 5800000.0
LEGEND = Legend(
    (
        LandCoverClass(3, "w", "Water", "#3b7dd8"),
        LandCoverClass(5, "f", "Forest", "#1b7837"),
        LandCoverClass(8, "t", "=Town", "#d7301f"),
    )
)
# three columns of 10 pixels, in which every fifth row of the forest is mapped as town; the last row has no data
MAP = np.repeat(np.array([[3, 5, 8]], np.uint8), 10, axis=1).repeat(30, axis=0)
MAP[::5, 10:20] = 8
MAP[29] = 255


def grid(crs: str = "EPSG:32633", **changed: Any) -> Grid:
    reference = gdal.osr.SpatialReference()
    reference.SetFromUserInput(crs)
    wkt = reference.ExportToWkt(["FORMAT=WKT2_2019"])
    return Grid(**{
        "crs_wkt": wkt, "geotransform": (WEST, 10.0, 0.0, NORTH, 0.0, -10.0), "height": 30, "width": 30, **changed
    })  # fmt: skip


@pytest.fixture()
def land_cover(tmp_path: Path) -> str:
    path = tmp_path / "map.tif"
    with create_raster(path, grid(), dtype="uint8", nodata=255, legend=LEGEND) as writer:
        writer.write(Window(0, 0, 30, 30), MAP)
    return str(path)


def layer(path: Path, features: Sequence[tuple[str, Any]], kind: int = ogr.OFTString) -> LabelSource:
    """``features`` are (WKT in pixels of the map, class)."""
    dataset = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
    table = dataset.CreateLayer("reference", grid().crs)
    table.CreateField(ogr.FieldDefn("kind", kind))
    for wkt, value in features:
        feature = ogr.Feature(table.GetLayerDefn())
        geometry = ogr.CreateGeometryFromWkt(wkt)
        for ring in [geometry.GetGeometryRef(0)] if geometry.GetGeometryCount() else [geometry]:
            for i in range(ring.GetPointCount()):
                ring.SetPoint_2D(i, WEST + 10 * ring.GetX(i), NORTH - 10 * ring.GetY(i))
        feature.SetGeometry(geometry)
        feature.SetField("kind", value)
        table.CreateFeature(feature)
    del table, dataset
    return LabelSource(str(path), "kind")


def box(col: int, row: int, width: int, height: int) -> str:
    right, bottom = col + width, row + height
    return f"POLYGON (({col} {row}, {right} {row}, {right} {bottom}, {col} {bottom}, {col} {row}))"


BOXES = [box(col, row, 4, 5) for col in (2, 12, 22) for row in (0, 6, 12, 18)]
NAMES = ["WATER"] * 4 + ["forest"] * 4 + ["=town"] * 4


def run(land_cover: str, *features: Any, events: Events | None = None, **config: Any) -> dict[str, Any]:
    events = events or Events()
    source = (
        layer(Path(land_cover).with_name("reference.gpkg"), *features) if features else config.pop("reference", None)
    )
    config["json"] = config.get("json") or str(Path(land_cover).with_name("told.json"))
    result = assess(AssessConfig(land_cover, source, **config), Progress(events, events.canceled))
    return {**result, "summary": json.loads(Path(config["json"]).read_text("utf-8"))}


def test_polygons_by_name(land_cover: str) -> None:
    result = run(land_cover, list(zip(BOXES, NAMES)))
    summary = result["summary"]
    assert summary["accuracy"]["confusion"] == [[80, 0, 0], [0, 64, 16], [0, 0, 80]]
    assert (result["overall_accuracy"], result["average_accuracy"]) == pytest.approx((224 / 240, (2 + 0.8) / 3))
    assert (summary["kind"], summary["samples"], summary["features"]) == ("polygons", 240, 12)
    assert summary["warnings"] == []
    by_class = summary["cluster_intervals"]["per_class"]
    assert by_class[0]["producers_accuracy"] is None, "all polygons agree"
    assert by_class[2]["users_accuracy"][0] < 80 / 96 < by_class[2]["users_accuracy"][1]


def test_areas_are_those_of_the_whole_map(land_cover: str) -> None:
    areas = run(land_cover, list(zip(BOXES, NAMES)))["summary"]["areas"]
    assert areas["unit"] == "ha" and areas["covered"] == 1.0
    mapped = [entry["mapped"] for entry in areas["per_class"]]
    assert mapped == pytest.approx([2.9, 2.3, 3.5])  # 290, 230 and 350 pixels of 0.01 ha
    adjusted = [entry["adjusted"] for entry in areas["per_class"]]
    assert adjusted == pytest.approx([2.9, 2.3 + 3.5 * 16 / 96, 3.5 * 80 / 96])
    assert sum(adjusted) == pytest.approx(sum(mapped))
    low, high = areas["per_class"][1]["cluster_interval"]
    assert low < adjusted[1] < high


def test_points_by_value_are_no_clusters(land_cover: str) -> None:
    points = [(f"POINT ({col}.5 {row}.5)", value) for col, value in ((5, 3), (15, 5), (25, 8)) for row in range(9)]
    summary = run(land_cover, points, ogr.OFTInteger)["summary"]
    assert summary["accuracy"]["confusion"] == [[9, 0, 0], [0, 7, 2], [0, 0, 9]]
    assert summary["kind"] == "points" and summary["cluster_intervals"] is None and summary["draws"] == 0


def test_what_has_no_partner_is_told(land_cover: str) -> None:
    events = Events()
    features = [(BOXES[0], "water"), (BOXES[4], "wood"), (BOXES[8], "glacier"), (box(2, 27, 3, 3), "water")]
    summary = run(land_cover, features, events=events, pairs=(("Wood", "5"), ("swamp", "8")))["summary"]
    assert summary["accuracy"]["confusion"] == [[26, 0, 0], [0, 16, 4], [0, 0, 0]]
    warnings = events.texts("warning")
    assert events.texts("message") == ["wood of the reference is Forest of the map."]
    assert warnings == summary["warnings"] and len(warnings) == 3
    assert (
        "glacier (20)" in warnings[0] and warnings[1].endswith("no data are left out: 3.") and "swamp=8" in warnings[2]
    )
    assert {entry["reference"]: entry["name"] for entry in summary["matches"]} == {
        "glacier": None, "water": "Water", "wood": "Forest",
    }  # fmt: skip
    assert summary["areas"]["covered"] == 1.0 and summary["areas"]["per_class"][1]["adjusted"] is not None


def test_a_map_of_bare_numbers_takes_the_names_of_the_reference(tmp_path: Path) -> None:
    place, events = str(tmp_path / "bare.tif"), Events()
    with create_raster(place, grid(), dtype="uint8", nodata=255) as writer:
        writer.write(Window(0, 0, 30, 30), MAP)
    source = layer(tmp_path / "r.gpkg", [(BOXES[0], 3), (BOXES[4], 5)], ogr.OFTInteger)
    styled = replace(source, classes=(("3", "Lake", "#123456"),))
    legend = run(place, reference=styled, events=events)["summary"]["legend"]
    assert [(c["value"], c["name"]) for c in legend] == [(3, "Lake"), (5, "5"), (8, "8")]
    assert legend[0]["color"] == "#123456"
    assert events.texts("message") == []


def test_a_class_of_the_map_without_reference_has_no_area(land_cover: str) -> None:
    features = [(BOXES[0], "water"), (BOXES[1], "water"), (box(12, 1, 4, 4), "forest")]
    areas = run(land_cover, features)["summary"]["areas"]
    assert areas["covered"] == pytest.approx(520 / 870) and areas["per_class"][2]["adjusted"] is None
    assert areas["per_class"][0]["adjusted"] == pytest.approx(2.9)


def test_a_reference_raster_on_another_grid(land_cover: str) -> None:
    path = Path(land_cover).with_name("truth.tif")
    truth = np.repeat(np.repeat(np.array([[3, 5, 8]], np.uint8), 20, axis=1), 60, axis=0)
    truth[:, :20] = 255
    half = grid(geotransform=(WEST, 5.0, 0.0, NORTH, 0.0, -5.0), height=60, width=60)
    with create_raster(path, half, dtype="uint8", nodata=255) as writer:
        writer.write(half.window, truth)
    summary = run(land_cover, reference_raster=str(path))["summary"]
    assert summary["accuracy"]["confusion"] == [[0, 0, 0], [0, 230, 60], [0, 0, 290]]
    assert summary["kind"] == "raster" and summary["features"] is None and summary["cluster_intervals"] is None


def test_tiles_do_not_matter(land_cover: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = layer(Path(land_cover).with_name("r.gpkg"), list(zip(BOXES, NAMES)))
    whole = run(land_cover, reference=source)
    monkeypatch.setattr("bdgf_core.tally._TILE", 7)
    assert run(land_cover, reference=source) == whole


def test_degrees_are_told_in_pixels(tmp_path: Path) -> None:
    place = str(tmp_path / "degrees.tif")
    degrees = grid("EPSG:4326", geotransform=(15.0, 1e-4, 0.0, 52.34, 0.0, -1e-4))
    for path in (place, str(tmp_path / "truth.tif")):
        with create_raster(path, degrees, dtype="uint8", nodata=255) as writer:
            writer.write(degrees.window, MAP)
    areas = run(place, reference_raster=str(tmp_path / "truth.tif"), html=str(tmp_path / "r.html"))["summary"]["areas"]
    assert areas["unit"] == "pixels" and areas["per_class"][0]["mapped"] == 290
    assert "reproject the map" in (tmp_path / "r.html").read_text("utf-8")


def test_page_table_and_json(land_cover: str, tmp_path: Path) -> None:
    page, table, document = (tmp_path / f"out.{suffix}" for suffix in ("html", "csv", "json"))
    files = {"html": str(page), "csv": str(table), "json": str(document)}
    result = run(land_cover, list(zip(BOXES, NAMES)), **files)
    assert {name: result[name] for name in files} == files
    check(page.read_text("utf-8"))
    for words in ("93.3 %", "12 polygons", "no random sample", "Reference ↓", "Olofsson et al. 2014", "2.88 ±"):
        assert words in page.read_text("utf-8"), words
    assert [c["samples"] for c in result["classes"]] == [80, 80, 80] and result["classes"][1]["users_accuracy"] == 1.0
    rows = list(csv.reader(io.StringIO(table.read_text("utf-8-sig"))))
    assert rows[0][1:] == ["Water", "Forest", "'=Town", "All"]
    assert [row[:5] for row in rows[1:5]] == [
        ["Water", "80", "0", "0", "80"],
        ["Forest", "0", "64", "16", "80"],
        ["'=Town", "0", "0", "80", "80"],
        ["All", "80", "64", "96", "240"],
    ]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    assert len(set(map(len, rows[-4:]))) == 1, "as many cells as titles"


def test_every_text_is_escaped(tmp_path: Path) -> None:
    place, page = str(tmp_path / "m.tif"), tmp_path / "r.html"
    evil = Legend((LandCoverClass(3, "w", EVIL, "#3b7dd8"), LandCoverClass(5, "f", "Forest", "#1b7837")))
    with create_raster(place, grid(), dtype="uint8", nodata=255, legend=evil) as writer:
        writer.write(Window(0, 0, 30, 30), np.where(MAP == 8, 5, MAP))
    run(place, [(BOXES[0], EVIL), (BOXES[5], "forest"), (BOXES[8], "<script>none")], html=str(page))
    assert "<script" not in page.read_text("utf-8")
    check(page.read_text("utf-8"))


def test_what_cannot_be_compared(land_cover: str, tmp_path: Path) -> None:
    source = layer(tmp_path / "r.gpkg", [(BOXES[0], "water")])
    outside = layer(tmp_path / "o.gpkg", [(box(50, 50, 3, 3), "water")])
    unknown = layer(tmp_path / "u.gpkg", [(BOXES[0], "lake")])
    bare = layer(tmp_path / "b.gpkg", [(box(2, 29, 3, 1), "water")])
    empty = tmp_path / "empty.tif"
    with create_raster(empty, grid(), dtype="uint8", nodata=255):
        pass
    for words, config in (
        ("both have a class", {"reference_raster": str(empty)}),
        ("None of the reference classes .lake. is a class of the map", {"reference": unknown}),
        ("both have a class", {"reference": bare}),
        ("lies on the raster", {"reference": outside}),
        ("has no field 'class'", {"reference": LabelSource(source.path, "class")}),
        ("one of the inputs", {"reference": source, "json": land_cover}),
        ("does not exist", {"reference": source, "html": str(tmp_path / "none" / "x.html")}),
    ):
        with pytest.raises(InputError, match=words):
            run(land_cover, **config)
    for config in ({}, {"reference": source, "reference_raster": land_cover}, {"reference": source, "seed": -1}):
        with pytest.raises(InputError):
            AssessConfig(land_cover, **config)
    with pytest.raises(InputError, match="same name"):
        AssessConfig(land_cover, source, csv="a", json="a")


def test_a_picture_is_no_map(tmp_path: Path) -> None:
    place = tmp_path / "picture.tif"
    with create_raster(place, grid(), dtype="uint16", nodata=65535) as writer:
        writer.write(grid().window, np.arange(900, dtype=np.uint16).reshape(30, 30))
    with pytest.raises(InputError, match="more than 256 different values"):
        run(str(place), [(BOXES[0], "water")])


def test_an_output_belongs_to_one_job(land_cover: str, tmp_path: Path) -> None:
    source = layer(tmp_path / "r.gpkg", list(zip(BOXES, NAMES)))
    before = sorted(tmp_path.iterdir())
    outputs = {name: str(tmp_path / f"out.{name}") for name in ("html", "csv", "json")}
    for taken in outputs.values():
        with claim(taken), pytest.raises(InputError, match="Another job"):
            run(land_cover, reference=source, **outputs)
    assert sorted(tmp_path.iterdir()) == before


def test_canceling_leaves_nothing(land_cover: str, tmp_path: Path) -> None:
    source = layer(tmp_path / "r.gpkg", list(zip(BOXES, NAMES)))
    before = sorted(tmp_path.iterdir())
    for stop in (0, 3, 900):
        with pytest.raises(Canceled):
            run(land_cover, reference=source, events=Events(stop), csv=str(tmp_path / "t.csv"))
    assert sorted(tmp_path.iterdir()) == before


def test_as_a_process_without_torch(land_cover: str, tmp_path: Path) -> None:
    source = layer(tmp_path / "r.gpkg", [(BOXES[0], "lake"), (BOXES[5], "forest")])
    code = "import sys; from bdgf_core.__main__ import main; status = main(sys.argv[1:]); "
    code += "sys.exit(status + 40 * ('torch' in sys.modules))"
    job = {"map": land_cover, "reference": {"path": source.path, "field": "kind"}, "pairs": [["lake", "Water"]]}
    (tmp_path / "job.json").write_text(json.dumps(job))
    options = ["--map", land_cover, "--reference", str(source.path), "--class-field", "kind", "--pair", "lake=Water"]
    for arguments in (["--job", str(tmp_path / "job.json")], options):
        done = subprocess.run([sys.executable, "-c", code, "assess", *arguments], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert b"kappa" in done.stdout and b"0.9" in done.stdout
