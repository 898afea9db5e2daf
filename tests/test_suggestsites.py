"""The verb ``suggestsites``: on a map whose doubtful places are known."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal
from test_assess import LEGEND, NORTH, WEST, box, grid, layer
from tiny_scene import Events

from bdgf_core.errors import Canceled, InputError
from bdgf_core.progress import Progress
from bdgf_core.raster.class_raster import ClassRaster
from bdgf_core.raster.site_layer import LAYER
from bdgf_core.raster.stack import RasterSource, RasterStack
from bdgf_core.raster.window import Window
from bdgf_core.raster.writer import create_raster
from bdgf_core.site_candidates import find_candidates
from bdgf_core.suggestsites import SuggestsitesConfig, suggestsites

ROOT = Path(__file__).parents[1]
HEIGHT, WIDTH = 90, 120
GRID = grid(height=HEIGHT, width=WIDTH)
MAP = np.repeat(np.array([[3, 5, 8]], np.uint8), 40, axis=1).repeat(HEIGHT, axis=0)
MAP[:, 110:] = 255


def write(folder: Path, name: str, values: np.ndarray, **how: Any) -> str:
    path = folder / f"{name}.tif"
    bands = values[None] if values.ndim == 2 else values
    how = {"dtype": "float32", "nodata": -1.0, "bands": len(bands), **how}
    with create_raster(path, how.pop("grid", GRID), **how) as writer:
        writer.write(Window(0, 0, *values.shape[-2:]), bands)
    return str(path)


@pytest.fixture()
def config(tmp_path: Path) -> SuggestsitesConfig:
    """Doubtful are: the borders of the classes, most of all; a place in each class; one that is unlike all samples."""
    rng = np.random.default_rng(0)
    entropy = 0.05 * rng.random((HEIGHT, WIDTH), np.float32)
    entropy[:, 39:41] = entropy[:, 79:81] = 1.0
    for row, col, height in ((20, 20, 0.8), (60, 60, 0.7), (30, 95, 0.6)):
        entropy[row - 6 : row + 7, col - 6 : col + 7] = height
    disagreement = np.where(entropy > 0.65, 0.2, 0.01).astype(np.float32)
    ood = np.full((HEIGHT, WIDTH), 0.3, np.float32)
    ood[70:85, 10:25] = 1.6
    for values in (entropy, disagreement, ood):
        values[MAP == 255] = np.nan
    return SuggestsitesConfig(
        write(tmp_path, "map", MAP, dtype="uint8", nodata=255, legend=LEGEND), str(tmp_path / "sites.gpkg"),
        entropy=write(tmp_path, "entropy", entropy), disagreement=write(tmp_path, "disagreement", disagreement),
        ood=write(tmp_path, "ood", ood), number=4, distance=12,
    )  # fmt: skip


def run(config: SuggestsitesConfig, events: Events | None = None) -> list[dict[str, Any]]:
    """The sites in the layer's order, with the pixel that each lies on."""
    events = events or Events()
    result = suggestsites(config, Progress(events, events.canceled))
    sites = read_sites(config.output)
    assert result["sites"] == len(sites)
    return sites


def read_sites(path: str) -> list[dict[str, Any]]:
    dataset = gdal.OpenEx(path, gdal.OF_VECTOR)
    sites = []
    for feature in dataset.GetLayerByName(LAYER):
        point = feature.GetGeometryRef()
        row, col = (NORTH - point.GetY()) / 10, (point.GetX() - WEST) / 10
        assert row % 1 == col % 1 == 0.5, "the middle of a pixel"
        sites.append({**feature.items(), "row": int(row), "col": int(col)})
    return sites


def test_doubtful_places_come_first_and_borders_do_not(config):
    sites = run(config)
    assert [site["rank"] for site in sites] == [1, 2, 3, 4]
    where = [(site["row"], site["col"], site["predicted_name"]) for site in sites]
    assert [name for _, _, name in where] == ["Water", "Forest", "=Town", "Water"]
    for (row, col, _), (near_row, near_col) in zip(where, ((20, 20), (60, 60), (30, 95), (77, 17))):
        assert abs(row - near_row) <= 8 and abs(col - near_col) <= 8, where
    assert not [col for _, col, _ in where if 36 <= col <= 43 or 76 <= col <= 83]


def test_edges_of_the_map_count_less(config, tmp_path):
    """Patches are cut there, so any classifier is doubtful; labels would tell it little."""
    entropy = np.full((HEIGHT, WIDTH), 0.2, np.float32)
    entropy[:, 107:], entropy[:5] = 0.7, 0.7  # beside nodata, and at the raster's end
    entropy[40:55, 50:65] = 0.6
    path = write(tmp_path, "edges", entropy)
    (site,) = run(replace(config, entropy=path, disagreement=None, ood=None, number=1))
    assert 40 <= site["row"] < 55 and 50 <= site["col"] < 65


def test_every_site_tells_why(config):
    first, _, third, fourth = run(config)
    assert first["entropy"] == pytest.approx(0.8, abs=1e-6) and first["disagreement"] == pytest.approx(0.2)
    assert first["confidence"] is None and first["class"] is None and first["predicted"] == 3
    assert first["score"] == pytest.approx((0.8 + np.sqrt(0.2) + 0.15) / 3, abs=1e-4)
    assert "less certain than 9" in first["reason"] and "branches disagree more than on 9" in first["reason"]
    assert "unlike" not in first["reason"] and "disagree" not in third["reason"]
    assert fourth["reason"].startswith("unlike the training samples (1.60 ×")


def test_confidence_alone_is_enough(config, tmp_path):
    confidence = np.full((HEIGHT, WIDTH), 0.95, np.float32)
    confidence[40:55, 50:65] = 0.3
    path = write(tmp_path, "confidence", confidence)
    (site,) = run(replace(config, confidence=path, entropy=None, disagreement=None, ood=None, number=1))
    assert 40 <= site["row"] < 55 and 50 <= site["col"] < 65 and site["entropy"] is None
    assert site["confidence"] == pytest.approx(0.3, abs=1e-6) and "less certain" in site["reason"]


def test_sites_keep_their_distance(config):
    events = Events()
    sites = run(replace(config, number=300, distance=9), events)
    places = np.array([(site["row"], site["col"]) for site in sites])
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))[~np.eye(len(places), dtype=bool)]
    assert 30 < len(sites) < 300 and apart.min() >= 9
    assert any("lower the least distance" in text for text in events.texts("warning"))
    by_class = {name: [s["predicted_name"] for s in sites[:30]].count(name) for name in ("Water", "Forest", "=Town")}
    assert min(by_class.values()) >= 6, by_class
    assert all(MAP[site["row"], site["col"]] == site["predicted"] for site in sites)


def test_nothing_is_suggested_where_one_has_drawn(config, tmp_path):
    drawn = layer(tmp_path / "drawn.gpkg", [(box(10, 10, 20, 20), "Water"), (box(88, 22, 15, 16), "=Town")])
    sites = run(replace(config, labels=drawn, number=200, distance=3))
    assert len(sites) > 100 and not [s for s in sites if 7 <= s["row"] < 34 and 7 <= s["col"] < 34]
    for site in sites:
        row, col = site["row"], site["col"]
        assert not (6 <= row < 34 and 6 <= col < 34) and not (18 <= row < 42 and 84 <= col < 107)


def test_tiles_make_no_difference_and_memory_is_bounded(config, monkeypatch):
    whole = run(config)
    monkeypatch.setattr("bdgf_core.site_candidates._TILE", 17)
    assert run(config) == whole
    land_cover = ClassRaster(config.map)
    sources = {"map": RasterSource(config.map), "entropy": RasterSource(config.entropy)}
    with RasterStack.open(sources) as stack:
        few = find_candidates(land_cover, stack, np.empty(0, np.int64), most_cells=20, progress=Progress())
    assert 8 <= len(few.score) <= 30 and few.mapped == HEIGHT * 110
    for row, col in ((20, 20), (60, 60), (30, 95)):
        near = np.maximum(abs(few.rows - row), abs(few.cols - col)) <= 8
        assert near.any() and few.score[near].max() > 0.5


def test_rasters_on_another_grid_are_brought_onto_the_map(config, tmp_path):
    coarse = np.zeros((HEIGHT // 2, WIDTH // 2), np.float32)
    coarse[10:20, 35:45] = 0.9
    half = grid(geotransform=(WEST, 20.0, 0.0, NORTH, 0.0, -20.0), height=HEIGHT // 2, width=WIDTH // 2)
    path = write(tmp_path, "coarse", coarse, grid=half)
    (site,) = run(replace(config, entropy=path, disagreement=None, ood=None, number=1))
    assert 20 <= site["row"] < 40 and 70 <= site["col"] < 90


def test_values_without_end_do_no_harm(config, tmp_path):
    ood = np.full((HEIGHT, WIDTH), 0.3, np.float32)
    ood[40:55, 50:65], ood[0, 0] = 1e30, np.inf
    first = run(replace(config, ood=write(tmp_path, "far", ood)))[0]
    assert 36 <= first["row"] < 59 and 46 <= first["col"] < 69 and "unlike" in first["reason"]


def test_a_map_without_georeference(config, tmp_path):
    bare = grid(crs_wkt="", geotransform=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0), height=HEIGHT, width=WIDTH)
    land_cover = write(tmp_path, "bare", MAP, dtype="uint8", nodata=255, grid=bare)
    entropy = write(tmp_path, "bare_entropy", np.where(MAP == 5, 0.5, 0.1).astype(np.float32), grid=bare)
    plain = SuggestsitesConfig(land_cover, config.output, entropy=entropy, number=1)
    assert suggestsites(plain, Progress())["sites"] == 1
    dataset = gdal.OpenEx(config.output, gdal.OF_VECTOR)
    feature = dataset.GetLayerByName(LAYER).GetNextFeature()
    assert 40 < feature.GetGeometryRef().GetX() < 80 and -HEIGHT < feature.GetGeometryRef().GetY() < 0
    assert feature["predicted_name"] == "5"


def test_the_layer_brings_its_style(config):
    run(config)
    dataset = gdal.OpenEx(config.output, gdal.OF_VECTOR)
    assert dataset.GetLayerByName(LAYER).GetSpatialRef().GetAuthorityCode(None) == "32633"
    style = dataset.GetLayerByName("layer_styles").GetNextFeature()
    assert style["f_table_name"] == LAYER and style["useAsDefault"] == 1 and "graduatedSymbol" in style["styleQML"]
    assert "=Town" in style["styleQML"]


def test_what_is_there_is_not_lost(config):
    first = run(config)
    assert run(config) == first, "what nobody has touched is written anew"
    dataset = gdal.OpenEx(config.output, gdal.OF_VECTOR | gdal.OF_UPDATE)
    sites = dataset.GetLayerByName(LAYER)
    feature = sites.GetNextFeature()
    feature["class"] = "w"
    sites.SetFeature(feature)
    del feature, sites, dataset
    with pytest.raises(InputError, match="would be lost"):
        run(config)
    other = str(Path(config.output).with_name("drawn.gpkg"))
    layer(Path(other), [(box(1, 1, 3, 3), "Water")])
    with pytest.raises(InputError, match="would be lost"):
        run(replace(config, output=other))
    Path(other).write_bytes(b"no database")
    with pytest.raises(InputError, match="would be lost"):
        run(replace(config, output=other))
    assert Path(other).read_bytes() == b"no database"


def test_what_cannot_be_used_is_told(config, tmp_path):
    percent = write(tmp_path, "percent", np.full((HEIGHT, WIDTH), 80, np.float32))
    bands = write(tmp_path, "bands", np.zeros((3, HEIGHT, WIDTH), np.float32))
    empty = write(tmp_path, "empty", np.full((HEIGHT, WIDTH), 255, np.uint8), dtype="uint8", nodata=255)
    nothing = write(tmp_path, "nothing", np.full((HEIGHT, WIDTH), np.nan, np.float32))
    everywhere = layer(tmp_path / "all.gpkg", [(box(0, 0, WIDTH, HEIGHT), "Water")])
    before = sorted(tmp_path.iterdir())
    for words, changes in (
        ("holds 80, which it cannot", {"entropy": percent}),
        ("has 3 bands", {"disagreement": bands}),
        ("holds no class", {"map": empty}),
        ("whole numbers", {"map": config.entropy}),
        ("No place is left", {"labels": everywhere}),
        ("No place is left", {"entropy": nothing, "disagreement": None, "ood": None}),
        ("does not exist", {"ood": str(tmp_path / "none.tif")}),
        (".gpkg", {"output": str(tmp_path / "sites.shp")}),
        ("does not exist", {"output": str(tmp_path / "none" / "sites.gpkg")}),
        ("one of the inputs", {"labels": everywhere, "output": str(everywhere.path)}),
    ):
        with pytest.raises(InputError, match=words):
            run(replace(config, **changes))
        assert sorted(tmp_path.iterdir()) == before
    for changes in ({"number": 0}, {"distance": -1}, {"entropy": None, "disagreement": None, "ood": ""}):
        with pytest.raises(InputError):
            replace(config, **changes)


def test_canceling_leaves_nothing(config, tmp_path):
    before, events = sorted(tmp_path.iterdir()), Events()
    run(config, events)
    Path(config.output).unlink()
    for stop in range(events.asked):
        with pytest.raises(Canceled):
            run(config, Events(stop))
        assert sorted(tmp_path.iterdir()) == before


def test_as_a_process_without_torch(config, tmp_path):
    code = "import sys; from bdgf_core.__main__ import main; status = main(sys.argv[1:]); "
    code += "sys.exit(status + 40 * ('torch' in sys.modules))"
    job = {"map": config.map, "entropy": config.entropy, "output": config.output, "number": 2}
    (tmp_path / "job.json").write_text(json.dumps(job))
    options = [word for name, value in job.items() for word in (f"--{name}", str(value))]
    for arguments in (["--job", str(tmp_path / "job.json")], options):
        done = subprocess.run([sys.executable, "-c", code, "suggestsites", *arguments], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert len(read_sites(config.output)) == 2


def test_names_from_anywhere_stay_texts(config, tmp_path):
    evil = LEGEND.classes[0], replace(LEGEND.classes[1], name="<b>&\"'\x07]]>"), LEGEND.classes[2]
    land_cover = write(tmp_path, "evil", MAP, dtype="uint8", nodata=255, legend=replace(LEGEND, classes=evil))
    sites = run(replace(config, map=land_cover))
    assert sites[1]["predicted_name"] == "<b>&\"' ]]>"
    dataset = gdal.OpenEx(config.output, gdal.OF_VECTOR)
    style = dataset.GetLayerByName("layer_styles").GetNextFeature()["styleQML"]
    assert "<b>&" not in style and "&lt;b&gt;&amp;" in style
