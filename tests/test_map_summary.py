"""What is gathered of a map tile by tile, its picture and its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, osr
from test_report import EVIL, WellFormed

from bdgf_core.accuracy import Accuracy
from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.map_summary import MapSummary
from bdgf_core.png import png
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.window import tiles
from bdgf_core.report_map import map_report

LEGEND = Legend(
    (
        LandCoverClass(7, "w", "Water", "#3b7dd8"),
        LandCoverClass(2, "f", "Forest", "#1b7837"),
        LandCoverClass(900, "t", EVIL, "#d7301f"),
    )
)
NODATA = 65535


def grid(height: int, width: int, *, size: tuple[float, float] = (10.0, 10.0)) -> Grid:
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32633)
    return Grid(crs.ExportToWkt(), (500000.0, size[0], 0.0, 5800000.0, 0.0, -size[1]), height, width)


def a_map(height: int, width: int) -> np.ndarray:
    values = np.random.default_rng(0).choice([7, 2, NODATA], (height, width), p=[0.5, 0.3, 0.2])
    return values.astype(np.int32)


def summary_of(values: np.ndarray, tile: int, on: Grid) -> MapSummary:
    summary = MapSummary(LEGEND, on)
    for window in tiles(*values.shape, tile):
        part = values[window.slices]
        sums = np.array([0.9 * (part == 7).sum(), 0.5 * (part == 2).sum(), 0.0])
        summary.add(window, {"output": part, "confidence_sums": sums})
    return summary


@pytest.mark.parametrize("height, width", [(50, 70), (700, 1300)])
def test_the_tiling_makes_no_difference(height: int, width: int) -> None:
    values, on = a_map(height, width), grid(height, width)
    one, other = summary_of(values, 64, on), summary_of(values, 2000, on)
    assert one.to_json() == {**other.to_json(), "per_class": one.to_json()["per_class"]}
    assert np.array_equal(one.picture, other.picture)
    index = {7: 0, 2: 1, NODATA: -1}
    expected = [[index[value] for value in row] for row in values[:: one.step, :: one.step].tolist()]
    assert one.picture.tolist() == expected and max(one.picture.shape) <= 640
    assert one.counts.tolist() == [(values == 7).sum(), (values == 2).sum(), 0]
    confidences = [found["confidence"] for found in one.to_json()["per_class"]]
    assert confidences[:2] == pytest.approx([0.9, 0.5]) and confidences[2] is None
    assert one.mapped_share == pytest.approx((values != NODATA).mean())


def test_the_picture_has_the_colours_of_the_classes(tmp_path: Path) -> None:
    values = np.array([[7, 2, NODATA], [2, 2, 900]], np.int32)
    path = tmp_path / "picture.png"
    path.write_bytes(png(summary_of(values, 2, grid(2, 3)).colored()))
    shown = gdal.Open(str(path)).ReadAsArray().transpose(1, 2, 0)
    water, forest, town = ([*entry.rgb, 255] for entry in LEGEND.classes)
    assert shown.tolist() == [[water, forest, [0, 0, 0, 0]], [forest, forest, town]]


def test_the_picture_has_the_proportions_of_the_ground() -> None:
    values = np.full((10, 20), 7, np.int32)
    sizes = {
        size: summary_of(values, 8, grid(10, 20, size=size)).to_json()["picture_size"] for size in ((10, 10), (5, 20))
    }
    assert sizes == {(10, 10): [20, 10], (5, 20): [20, 40]}


def document(**changes: object) -> dict:
    values = a_map(40, 60)
    accuracy = Accuracy(((5, 3, 0), (0, 8, 2), (0, 0, 0))).to_json()
    facts = {
        "created_with": "BDGF 0.1.0", "output": "/data/map.tif", "further": ["/data/c.tif"], "classifier": EVIL,
        "trained_with": "BDGF 0.1.0", "spectral": "a.tif", "second": None, "temperature": 1.3, "min_data": 0.5,
        "accuracy": {"protocol": "polygon", "folds": 3, "gap": 9, **accuracy},
        "size": [60, 40], "crs": "WGS 84 / UTM zone 33N", "pixel_hectares": 0.01, "device": "cpu", "seconds": 12.0,
    }  # fmt: skip
    return {**facts, **summary_of(values, 16, grid(40, 60)).to_json(), **changes}


def check(page: str) -> None:
    parser = WellFormed(images=True)
    parser.feed(page)
    assert parser.open == [] and parser.images == 1
    assert "NaN" not in page and "None" not in page and "<script" not in page


def test_the_page_of_a_map() -> None:
    told = document()
    page = map_report(told, png(np.zeros((4, 6, 4), np.uint8)))
    check(page)
    water, forest = (found["pixels"] for found in told["per_class"][:2])
    assert f"{water:,}" in page and f"{100 * water / (water + forest):.1f} %" in page
    facts = ("Mapped area (ha)", "Forest", "100.0 %", "72.2 %", "gap of 9 pixels", "1.30", "12 s", "/data/c.tif", "cpu")
    for words in facts:
        assert words in page, words


def test_a_page_without_areas_or_accuracy() -> None:
    page = map_report(
        document(pixel_hectares=None, accuracy=None, crs=None, temperature=1.0), png(np.zeros((1, 1, 4), np.uint8))
    )
    check(page)
    assert "Area (ha)" not in page and "not validated" in page and "not scaled" in page and "no areas" in page
