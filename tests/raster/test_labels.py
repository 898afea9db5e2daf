from __future__ import annotations

import sqlite3
import tracemalloc
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osgeo import ogr, osr
from raster_scenes import NORTH_UP, UTM, crs_from, grid_from

from bdgf_core.errors import InputError
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.labels import PIXEL_BYTES, Labels, LabelSource, rasterize_labels
from bdgf_core.raster.window import Window

GRID = grid_from(30, 40)


def box(col: float, row: float, width: float, height: float) -> str:
    """A rectangle given in pixels of GRID."""
    left, top = NORTH_UP[0] + 10 * col, NORTH_UP[3] - 10 * row
    right, bottom = left + 10 * width, top - 10 * height
    return f"(({left} {top}, {right} {top}, {right} {bottom}, {left} {bottom}, {left} {top}))"


def polygon(col: float, row: float, width: float = 3, height: float = 2) -> str:
    return "POLYGON " + box(col, row, width, height)


def point(col: float, row: float) -> str:
    return f"POINT ({NORTH_UP[0] + 10 * col} {NORTH_UP[3] - 10 * row})"


def pixels(labels: Labels, name: str | None = None) -> set[tuple[int, int]]:
    chosen = [i for i, c in enumerate(labels.legend.classes) if name in (None, c.name)]
    keep = np.isin(labels.classes, chosen)
    return set(zip(labels.rows[keep].tolist(), labels.cols[keep].tolist()))


def block(col: int, row: int, width: int = 3, height: int = 2) -> set[tuple[int, int]]:
    return {(r, c) for r in range(row, row + height) for c in range(col, col + width)}


def test_polygons_and_points_take_the_pixels_they_hold(make_layer: Callable) -> None:
    path = make_layer([(polygon(4, 5), "wood"), (point(20.5, 9.9), "water"), (polygon(39, 29, 9, 9), "wood")])
    labels = rasterize_labels(LabelSource(path, "class"), GRID)
    assert pixels(labels, "wood") == block(4, 5) | {(29, 39)}
    assert pixels(labels, "water") == {(9, 20)}
    assert [(c.value, c.label, c.name) for c in labels.legend.classes] == [(1, "water", "water"), (2, "wood", "wood")]
    assert labels.counts().tolist() == [1, 7] and labels.warnings == ()
    assert {array.dtype for array in (labels.rows, labels.cols, labels.classes, labels.groups)} == {np.dtype(np.int32)}
    flat = labels.rows.astype(int) * 40 + labels.cols
    assert (np.diff(flat) > 0).all()
    assert labels.groups[(labels.rows == 9)].tolist() == [1]


eighths = st.integers(-24, 300).map(lambda i: i / 8 + 1 / 16)  # never on a pixel's centre


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(eighths, eighths, st.integers(8, 90), st.integers(8, 90))
def test_a_pixel_belongs_to_the_polygon_around_its_centre(
    make_layer: Callable, col: float, row: float, width: int, height: int
) -> None:
    path = make_layer([(point(0.5, 0.5), "a"), (polygon(col, row, width / 8, height / 8), "a")])
    centres = {
        (r, c) for r, c in block(0, 0, 40, 30) if 0 < c + 0.5 - col < width / 8 and 0 < r + 0.5 - row < height / 8
    }
    assert pixels(rasterize_labels(LabelSource(path, "class"), GRID)) == centres | {(0, 0)}


def test_a_large_polygon_is_burnt_in_parts(make_layer: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    source = LabelSource(
        make_layer([("POLYGON " + box(-5, -5, 60, 60)[:-1] + ", " + box(3, 4, 5, 6)[1:], "a")]), "class"
    )
    whole = rasterize_labels(source, GRID)
    assert len(whole) == 30 * 40 - 30
    monkeypatch.setattr("bdgf_core.raster.shapes._TILE", 7)
    assert pixels(rasterize_labels(source, GRID)) == pixels(whole)


def test_a_tiny_polygon_takes_the_pixel_it_lies_in(make_layer: Callable) -> None:
    path = make_layer([(polygon(4.1, 5.6, 0.2, 0.2), "a"), (polygon(7.9, 8.9, 0.3, 0.05), "b")])
    labels = rasterize_labels(LabelSource(path, "class"), GRID)
    assert pixels(labels, "a") == {(5, 4)} and len(pixels(labels, "b")) == 1


def test_features_that_cannot_be_read_are_told(make_layer: Callable) -> None:
    path = make_layer([(polygon(4, 5), "wood"), (point(20.5, 9.9), "water")])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE gpkg_ogr_contents SET feature_count = 5")
    labels = rasterize_labels(LabelSource(path, "class"), GRID)
    assert len(labels) == 7 and "Only 2 of 5 features" in labels.warnings[0]


def test_a_multipart_feature_is_one_group(make_layer: Callable) -> None:
    path = make_layer([(f"MULTIPOLYGON ({box(1, 1, 2, 2)}, {box(8, 8, 2, 2)})", "a"), (polygon(20, 20), "a")])
    labels = rasterize_labels(LabelSource(path, "class"), GRID)
    assert pixels(labels) == block(1, 1, 2, 2) | block(8, 8, 2, 2) | block(20, 20)
    assert {(r, g) for r, g in zip(labels.rows.tolist(), labels.groups.tolist())} == {
        (1, 0), (2, 0), (8, 0), (9, 0), (20, 1), (21, 1)
    }  # fmt: skip


def test_odd_geometries_are_mended(make_layer: Callable) -> None:
    x, y = NORTH_UP[0], NORTH_UP[3]
    bow = f"POLYGON (({x} {y}, {x + 40} {y - 40}, {x + 40} {y}, {x} {y - 40}, {x} {y}))"
    curve = f"CURVEPOLYGON (CIRCULARSTRING ({x + 200} {y - 100}, {x + 220} {y - 100}, {x + 200} {y - 100}))"
    high = (
        f"POLYGON Z (({x + 100} {y} 5, {x + 120} {y} 5, {x + 120} {y - 20} 5, {x + 100} {y - 20} 5, {x + 100} {y} 5))"
    )
    mixed = f"GEOMETRYCOLLECTION ({polygon(30, 20, 1, 1)}, {point(35.5, 25.5)}, LINESTRING (0 0, 1 1))"
    labels = rasterize_labels(
        LabelSource(make_layer([(bow, "a"), (curve, "b"), (high, "c"), (mixed, "d")]), "class"), GRID
    )
    assert (
        len(pixels(labels, "a")) in range(4, 13) and (1, 0) in pixels(labels, "a") and (0, 2) not in pixels(labels, "a")
    )
    assert pixels(labels, "b") == block(20, 9, 2, 2)
    assert pixels(labels, "c") == block(10, 0, 2, 2)
    assert pixels(labels, "d") == {(20, 30), (25, 35)}


def test_other_crs_and_axis_orders(make_layer: Callable) -> None:
    shape = ogr.CreateGeometryFromWkt(polygon(4, 5))
    to_degrees = osr.CoordinateTransformation(crs_from(UTM), crs_from("EPSG:4326"))
    shape.Transform(to_degrees)
    assert 14 < shape.GetEnvelope()[0] < 16
    labels = rasterize_labels(LabelSource(make_layer([(shape.ExportToWkt(), "a")], crs="EPSG:4326"), "class"), GRID)
    assert pixels(labels) == block(4, 5)


def test_grids_in_degrees(make_layer: Callable) -> None:
    grid = grid_from(30, 40, (15.0, 1e-4, 0, 52.0, 0, -1e-4), "EPSG:4326")
    wkt = "POLYGON ((15.0010 51.9990, 15.0013 51.9990, 15.0013 51.9988, 15.0010 51.9988, 15.0010 51.9990))"
    assert pixels(rasterize_labels(LabelSource(make_layer([(wkt, "a")], crs="EPSG:4326"), "class"), grid)) == block(
        10, 10
    )


@pytest.mark.parametrize(
    "geotransform", [(500000.0, 8.0, 3.0, 5800000.0, 2.5, -9.0), (500000.0, 10.0, 0, 5799000.0, 0, 10.0)]
)
def test_grids_that_are_not_north_up(make_layer: Callable, geotransform: tuple[float, ...]) -> None:
    grid = grid_from(30, 40, geotransform)
    corners = [grid.to_world(np.array(c), np.array(r)) for c, r in ((4, 5), (7, 5), (7, 7), (4, 7), (4, 5))]
    wkt = "POLYGON ((" + ", ".join(f"{float(x)} {float(y)}" for x, y in corners) + "))"
    assert pixels(rasterize_labels(LabelSource(make_layer([(wkt, "a")]), "class"), grid)) == block(4, 5)


def test_a_layer_without_crs_is_taken_to_be_in_the_grids(make_layer: Callable) -> None:
    labels = rasterize_labels(LabelSource(make_layer([(polygon(4, 5), "a")], crs=""), "class"), GRID)
    assert pixels(labels) == block(4, 5) and "has no CRS" in labels.warnings[0]


def test_pixels_of_several_classes_are_left_out(make_layer: Callable) -> None:
    path = make_layer([(polygon(0, 0, 4, 1), "a"), (polygon(2, 0, 4, 1), "b"), (polygon(5, 0, 3, 1), "b")])
    labels = rasterize_labels(LabelSource(path, "class"), GRID)
    assert pixels(labels, "a") == block(0, 0, 2, 1) and pixels(labels, "b") == block(4, 0, 4, 1)
    assert labels.warnings == ("Pixels claimed by several classes (a, b) are left out: 2.",)
    assert labels.groups.tolist() == [0, 0, 1, 1, 2, 2]


def test_what_is_left_out_is_counted(make_layer: Callable) -> None:
    features = [(polygon(4, 5), "a"), (None, "a"), ("POLYGON EMPTY", "a"), (polygon(9, 9), None), (polygon(9, 9), "  ")]
    features += [(polygon(99, 99), "a"), (polygon(99, 99), "far"), ("LINESTRING (500000 5800000, 500100 5799900)", "a")]
    labels = rasterize_labels(LabelSource(make_layer(features), "class"), GRID)
    assert pixels(labels) == block(4, 5) and labels.legend.names == ("a",)
    told = " ".join(labels.warnings)
    for text in (
        "without a geometry are left out: 2",
        "without a value in 'class' are left out: 2",
        "outside of the raster",
    ):
        assert text in told
    assert "neither polygons nor points are left out: 1" in told and "dropped: far" in told


def legend_of(make_layer: Callable, values: list[Any], kind: int, **more: Any) -> list[tuple[int, str, str, str]]:
    path = make_layer([(polygon(4 * i % 36, i // 9 * 3), value) for i, value in enumerate(values)], kind)
    legend = rasterize_labels(LabelSource(path, "class", **more), GRID).legend
    return [(c.value, c.label, c.name, c.color) for c in legend.classes]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([17, 0, 3], ogr.OFTInteger, [(0, "0"), (3, "3"), (17, "17")]),
        ([65534, 1], ogr.OFTInteger64, [(1, "1"), (65534, "65534")]),
        ([70000, 5, -1], ogr.OFTInteger64, [(1, "-1"), (2, "5"), (3, "70000")]),
        ([2.0, 10.0], ogr.OFTReal, [(2, "2"), (10, "10")]),
        (
            ["10", "9", "b", "LCZ 10", "LCZ 9"],
            ogr.OFTString,
            [(1, "9"), (2, "10"), (3, "b"), (4, "LCZ 9"), (5, "LCZ 10")],
        ),
        (["wood", " wood ", "Ödland <&>"], ogr.OFTString, [(1, "wood"), (2, "Ödland <&>")]),
    ],
)
def test_values_of_the_legend(
    make_layer: Callable, values: list[Any], kind: int, expected: list[tuple[int, str]]
) -> None:
    assert [(value, label) for value, label, _, _ in legend_of(make_layer, values, kind)] == expected


def test_labels_of_one_name_are_one_class(make_layer: Callable) -> None:
    hints = (("3.0", "Wood", "#00FF00"), ("5", "Wood", "#123456"), ("8", "Water", ""))
    found = legend_of(make_layer, [8, 5, 3], ogr.OFTInteger, classes=hints)
    assert [entry[:3] for entry in found] == [(3, "3", "Wood"), (8, "8", "Water")] and found[0][3] == "#00ff00"


def test_names_and_colours_come_from_the_style(make_layer: Callable) -> None:
    hints = (("3.0", "Wood", "#00FF00"), ("5", "", ""), ("8", "Unused", "#123456"))
    first, second = legend_of(make_layer, [5, 3], ogr.OFTInteger, classes=hints)
    assert first == (3, "3", "Wood", "#00ff00")
    assert second[:3] == (5, "5", "5") and second[3].startswith("#")


@pytest.mark.parametrize(
    ("features", "kind", "text"),
    [
        ([(polygon(1, 1), 0.37)], ogr.OFTReal, "fractions such as 0.37; choose a field"),
        ([(polygon(1, 1), None)], ogr.OFTString, "is empty in every feature"),
        ([(polygon(99, 1), "a")], ogr.OFTString, "No feature of .*training.gpkg lies on the raster"),
        ([("LINESTRING (500000 5800000, 500100 5799900)", "a")], ogr.OFTString, "holds lines; draw polygons"),
        ([], ogr.OFTString, "no usable features"),
        ([(polygon(1, 1), "a"), (polygon(1, 1), "b")], ogr.OFTString, "All pixels of .* claimed by several"),
        ([(polygon(1, 1), "2024/01/01")], ogr.OFTDate, "of type Date; choose one with text or integers"),
    ],
)
def test_unusable_training_data(make_layer: Callable, features: list[Any], kind: int, text: str) -> None:
    with pytest.raises(InputError, match=text):
        rasterize_labels(LabelSource(make_layer(features, kind), "class"), GRID)


def test_unusable_files_layers_and_fields(
    make_layer: Callable, make_raster: Callable, tmp_path: Any, capfd: Any
) -> None:
    path = make_layer([(polygon(1, 1), "a")])
    lines = make_layer([], name="lines.gpkg", geometry=ogr.wkbMultiCurve)
    table = make_layer([], name="table.gpkg", geometry=ogr.wkbNone)
    raster = make_raster("a.tif", np.ones((2, 2), np.uint8))
    for source, text in (
        (LabelSource(path, "kind"), "no field 'kind'; its fields are class"),
        (LabelSource(path, "class", layer="x"), "no layer 'x'; its layers are training"),
        (LabelSource(tmp_path / "no.gpkg", "class"), "does not exist"),
        (LabelSource(raster, "class"), "is a raster, not a vector layer"),
        (LabelSource(lines, "class"), "holds lines"),
        (LabelSource(table, "class"), "without geometries"),
        (LabelSource("", "class"), "No training data"),
    ):
        with pytest.raises(InputError, match=text):
            rasterize_labels(source, GRID)
    assert capfd.readouterr().err == ""


def test_a_file_with_several_layers_wants_a_name(make_layer: Callable) -> None:
    path = make_layer([(polygon(4, 5), "a")])
    dataset = ogr.Open(str(path), 1)
    dataset.CopyLayer(dataset.GetLayer(0), "other")
    del dataset
    with pytest.raises(InputError, match="several layers .training, other.; name one"):
        rasterize_labels(LabelSource(path, "class"), GRID)
    assert len(rasterize_labels(LabelSource(path, "class", layer="other"), GRID)) == 6


def test_subsets_keep_the_legend(make_layer: Callable) -> None:
    labels = rasterize_labels(LabelSource(make_layer([(polygon(4, 5), "a"), (polygon(9, 9), "b")]), "class"), GRID)
    assert labels.subset(labels.classes == 1).counts().tolist() == [0, 6]
    assert pixels(labels.subset(np.array([0]))) == {(5, 4)}
    assert len(labels.subset(np.array([], np.int64))) == 0


def test_labels_of_a_raster_without_georeference(make_layer: Callable, make_raster: Callable) -> None:
    grid = Grid.of(make_raster("a.tif", np.zeros((30, 40), np.uint8), None, crs=""))
    path = make_layer([("POLYGON ((4 -5, 7 -5, 7 -7, 4 -7, 4 -5))", "a")], crs="")
    assert pixels(rasterize_labels(LabelSource(path, "class"), grid)) == block(4, 5)
    assert grid.window == Window(0, 0, 30, 40)


def test_a_pixel_takes_no_more_memory_than_it_is_counted_with(make_layer: Callable) -> None:
    grid = grid_from(600, 600)
    path = make_layer([(polygon(0, 0, 600, 300), "a"), (polygon(0, 290, 600, 310), "b")])
    rasterize_labels(LabelSource(path, "class"), GRID)  # what is made once
    tracemalloc.start()
    labels = rasterize_labels(LabelSource(path, "class"), grid)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(labels) == 600 * 590 and peak < PIXEL_BYTES * len(labels)


def test_more_pixels_than_fit_the_memory_are_refused(make_layer: Callable) -> None:
    source = LabelSource(make_layer([(polygon(0, 0, 10, 10), "a"), (polygon(10, 0, 10, 10), "b")]), "class")
    assert len(rasterize_labels(source, GRID, memory_bytes=200 * PIXEL_BYTES)) == 200
    for fitting in (199, 99):
        with pytest.raises(InputError, match=f"more than {fitting} pixels.*memory"):
            rasterize_labels(source, GRID, memory_bytes=fitting * PIXEL_BYTES)
