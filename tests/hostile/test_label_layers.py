"""Strange training layers give the pixels that they hold, counted one by one, or are refused in a sentence."""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

import numpy as np
import pytest
from osgeo import gdal, ogr
from strange_rasters import CRSS, GEOTRANSFORMS, NORTH_UP, UTM, crs_from
from tally import Tally

from bdgf_core.legend import Legend
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.labels import Labels, LabelSource, claim_pixels, rasterize_labels
from bdgf_core.raster.styles import class_style
from bdgf_core.raster.writer import create_raster

HEIGHT, WIDTH = 20, 24
X, Y = NORTH_UP[0], NORTH_UP[3]
pytestmark = pytest.mark.usefixtures("bounded_memory")
Features = Sequence[tuple[Optional[str], Any]]


def grid_of(geotransform: Sequence[float] = NORTH_UP, crs: str = UTM, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Grid:
    wkt = crs_from(crs).ExportToWkt(["FORMAT=WKT2_2019"]) if crs else ""
    return Grid(wkt, tuple(geotransform), *size)  # type: ignore[arg-type]


def ring(*corners: tuple[float, float], more: str = "") -> str:
    """Corners in pixels (column, row), closed; ``more`` stands behind each, such as a height."""
    return "(" + ", ".join(f"{X + 10 * c} {Y - 10 * r}{more}" for c, r in (*corners, corners[0])) + ")"


def box(col: float, row: float, width: float = 5.2, height: float = 4.2, more: str = "") -> str:
    return ring((col, row), (col + width, row), (col + width, row + height), (col, row + height), more=more)


def at(col: float, row: float) -> str:
    return f"{X + 10 * col} {Y - 10 * row}"


A, B = box(2.1, 3.1), box(9.1, 8.1)
ROUND = [(10 + 8 * np.cos(i / 1592), 10 + 8 * np.sin(i / 1592)) for i in range(10_000)]
SMALL = ", ".join(f"({box(i % 25 * 0.6 + 0.01, i // 25 * 0.45 + 0.01, 0.3, 0.3)})" for i in range(1000))
SHAPES: dict[str, Optional[str]] = {
    "a box": f"POLYGON ({A})", "two boxes": f"MULTIPOLYGON (({A}), ({B}))",
    "a hole": f"POLYGON ({box(1.1, 1.1, 9, 9)}, {A})",
    "a hole outside": f"POLYGON ({A}, {B})", "a hole that is all": f"POLYGON ({A}, {A})",
    "holes in each other": f"POLYGON ({box(1.1, 1.1, 15, 15)}, {box(2.2, 2.2, 12, 12)}, {box(4.3, 4.3, 5, 5)})",
    "a bow tie": f"POLYGON ({ring((2.1, 2.2), (10.3, 10.1), (10.3, 2.2), (2.1, 10.1))})",
    "a spike": f"POLYGON ({ring((2.1, 2.2), (7.3, 2.2), (20.1, 2.2), (7.3, 2.2), (7.3, 7.1), (2.1, 7.1))})",
    "a star that crosses itself": f"POLYGON ({ring((5.1, 1.2), (8.3, 12.1), (1.2, 5.3), (10.1, 5.2), (2.3, 12.2))})",
    "a line as a polygon": f"POLYGON ({ring((2.1, 2.2), (9.3, 2.2))})",
    "a point as a polygon": f"POLYGON (({at(3.3, 3.3)}, {at(3.3, 3.3)}, {at(3.3, 3.3)}, {at(3.3, 3.3)}))",
    "corners twice": f"POLYGON ({ring(*[c for c in ((2.1, 2.2), (7.3, 2.2), (7.3, 7.1)) for _ in range(3)])})",
    "the other way round": f"POLYGON ({ring((2.1, 7.1), (7.3, 7.1), (7.3, 2.2), (2.1, 2.2))})",
    "not closed": f"POLYGON (({at(2.1, 2.2)}, {at(7.3, 2.2)}, {at(7.3, 7.1)}))",
    "two corners": f"POLYGON (({at(2.1, 2.2)}, {at(7.3, 2.2)}))",
    "overlapping parts": f"MULTIPOLYGON (({A}), ({box(4.1, 4.1)}))",
    "the same part twice": f"MULTIPOLYGON (({A}), ({A}))",
    "parts that touch": f"MULTIPOLYGON (({A}), ({box(7.3, 3.1, 5.3)}))",
    "Z": f"POLYGON Z ({box(2.1, 3.1, more=' 7')})", "M": f"POLYGON M ({box(2.1, 3.1, more=' 7')})",
    "ZM": f"POLYGON ZM ({box(2.1, 3.1, more=' 7 8')})", "Z is NaN": f"POLYGON Z ({box(2.1, 3.1, more=' nan')})",
    "a curve": f"CURVEPOLYGON (CIRCULARSTRING ({at(2.1, 5.2)}, {at(9.3, 5.2)}, {at(2.1, 5.2)}))",
    "a compound curve": f"CURVEPOLYGON (COMPOUNDCURVE (CIRCULARSTRING ({at(2.1, 5)}, {at(6, 9.1)}, {at(9.9, 5)}), "
    f"({at(9.9, 5)}, {at(2.1, 5)})))",
    "a surface": f"MULTISURFACE (({A}), CURVEPOLYGON (CIRCULARSTRING ({at(9.1, 9)}, {at(15.3, 9)}, {at(9.1, 9)})))",
    "a triangle": f"TRIANGLE ({ring((2.1, 2.2), (9.3, 2.2), (5.1, 9.4))})",
    "a TIN": f"TIN Z (({ring((2.1, 2.2), (9.3, 2.2), (5.1, 9.4), more=' 1')}))",
    "a polyhedron": f"POLYHEDRALSURFACE Z (({box(2.1, 3.1, more=' 1')}), ({box(9.1, 8.1, more=' 2')}))",
    "a point": f"POINT ({at(5.3, 5.3)})", "points": f"MULTIPOINT ({at(5.3, 5.3)}, {at(7.7, 1.2)}, {at(5.4, 5.4)})",
    "a point Z": f"POINT Z ({at(5.3, 5.3)} 3)", "a point on a corner": f"POINT ({at(5, 5)})",
    "a point on the edge": f"POINT ({at(0, 0)})",
    "a point on the far edge": f"POINT ({at(WIDTH, HEIGHT)})",
    "points inside and outside": f"MULTIPOINT ({at(5.3, 5.3)}, {at(99, 99)})",
    "a mixture": f"GEOMETRYCOLLECTION (POLYGON ({A}), POINT ({at(15.5, 15.5)}), LINESTRING ({at(0, 0)}, {at(9, 9)}))",
    "mixtures in mixtures": "GEOMETRYCOLLECTION (" * 12 + f"POLYGON ({A})" + ")" * 12,
    "a line": f"LINESTRING ({at(1, 1)}, {at(9, 9)})", "lines": f"MULTILINESTRING (({at(1, 1)}, {at(9, 9)}))",
    "a circular line": f"CIRCULARSTRING ({at(1, 1)}, {at(5, 5)}, {at(9, 1)})", "nothing": None,
    "an empty polygon": "POLYGON EMPTY",
    "an empty point": "POINT EMPTY", "an empty mixture": "GEOMETRYCOLLECTION EMPTY",
    "an empty part": f"MULTIPOLYGON (EMPTY, ({A}))",
    "NaN in a corner": f"POLYGON (({at(2.1, 2.2)}, nan nan, {at(7.3, 7.1)}, {at(2.1, 2.2)}))",
    "a point of NaN": "POINT (nan nan)",
    "infinite": f"POLYGON (({at(2.1, 2.2)}, inf {Y}, {at(7.3, 7.1)}, {at(2.1, 2.2)}))",
    "a point at infinity": "POINT (inf -inf)",
    "far corners": "POLYGON ((-1e300 -1e300, 1e300 -1e300, 1e300 1e300, -1e300 1e300, -1e300 -1e300))",
    "all the world": "POLYGON ((-1e9 -1e9, 1e9 -1e9, 1e9 1e9, -1e9 1e9, -1e9 -1e9))",
    "partly outside": f"POLYGON ({box(-9.9, -9.9, 14, 14)})", "outside": f"POLYGON ({box(99, 99)})",
    "smaller than a pixel": f"POLYGON ({box(5.1, 5.1, 0.2, 0.2)})", "a sliver": f"POLYGON ({box(5.1, 0.1, 0.001, 15)})",
    "a comb": f"POLYGON ({ring(*[(2.1 + i * 0.1, 2.2 + 9 * (i % 2)) for i in range(150)], (17.2, 18.3), (2.1, 18.3))})",
    "ten thousand corners": f"POLYGON ({ring(*ROUND)})", "a thousand parts": f"MULTIPOLYGON ({SMALL})",
}  # fmt: skip


def made_valid(geometry: ogr.Geometry) -> ogr.Geometry | None:
    try:
        return geometry.MakeValid()
    except RuntimeError:  # likewise
        return None


def is_shape(wkt: str) -> bool:
    try:
        return ogr.CreateGeometryFromWkt(wkt) is not None
    except RuntimeError:  # where a module collected before has switched GDAL's exceptions on
        return False


def write_layer(
    path: Path,
    features: Features,
    kind: int = ogr.OFTString,
    crs: str = UTM,
    field: str = "class",
    driver: str = "GPKG",
) -> Path:
    Path(path).unlink(missing_ok=True)
    dataset = ogr.GetDriverByName(driver).CreateDataSource(str(path))
    layer = dataset.CreateLayer("training", crs_from(crs) if crs else None, ogr.wkbUnknown)
    layer.CreateField(ogr.FieldDefn(field, kind))
    layer.StartTransaction()
    for wkt, value in features:
        feature = ogr.Feature(layer.GetLayerDefn())
        if wkt is not None:
            feature.SetGeometry(ogr.CreateGeometryFromWkt(wkt))
        if value is not None:
            feature.SetField(0, value)
        layer.CreateFeature(feature)
    layer.CommitTransaction()
    del layer, dataset
    return path


def brute_force(features: Features, grid: Grid) -> dict[tuple[int, int], str]:
    """Pixel by pixel and feature by feature, with the geometry engine's own word for what lies in what."""
    claims: dict[tuple[int, int], set[str]] = {}
    for wkt, value in features:
        if wkt is None or value is None:
            continue
        shape = ogr.CreateGeometryFromWkt(wkt).GetLinearGeometry()
        shape.FlattenTo2D()
        found = set()
        for row, col in itertools.product(range(grid.height), range(grid.width)):
            x, y = grid.to_world(np.array(col + 0.5), np.array(row + 0.5))
            centre = ogr.CreateGeometryFromWkt(f"POINT ({float(x)!r} {float(y)!r})")
            if any(part.Contains(centre) for part in _areas(shape)):
                found.add((row, col))
        for px, py in _points(shape):
            cols, rows = grid.to_pixel(np.array(px), np.array(py))
            if grid.contains(cols, rows):
                found.add((int(rows), int(cols)))
        for pixel in found:
            claims.setdefault(pixel, set()).add(str(value))
    return {pixel: classes.pop() for pixel, classes in claims.items() if len(classes) == 1}


def joined(one: dict[tuple[int, int], str], other: dict[tuple[int, int], str]) -> dict[tuple[int, int], str]:
    return {pixel: value for pixel, value in {**one, **other}.items() if not (pixel in one and pixel in other)}


def _areas(shape: ogr.Geometry) -> Iterator[ogr.Geometry]:
    kind = ogr.GT_Flatten(shape.GetGeometryType())
    if kind in (ogr.wkbPolygon, ogr.wkbTriangle):
        area = shape if shape.IsValid() else made_valid(shape)
        if area is not None:
            yield area
    elif kind != ogr.wkbPoint:
        for i in range(shape.GetGeometryCount()):
            yield from _areas(shape.GetGeometryRef(i))


def _points(shape: ogr.Geometry) -> Iterator[tuple[float, float]]:
    if ogr.GT_Flatten(shape.GetGeometryType()) == ogr.wkbPoint and not shape.IsEmpty():
        yield shape.GetX(), shape.GetY()
    elif shape.GetGeometryCount() and ogr.GT_Flatten(shape.GetGeometryType()) != ogr.wkbPolygon:
        for i in range(shape.GetGeometryCount()):
            yield from _points(shape.GetGeometryRef(i))


def as_map(labels: Labels) -> dict[tuple[int, int], str]:
    check_legend(labels.legend)
    pixels = list(zip(labels.rows.tolist(), labels.cols.tolist()))
    assert len(set(pixels)) == len(pixels), "a pixel stands twice"
    assert (labels.counts() > 0).all(), "a class without pixels"
    return {pixel: labels.legend.classes[index].label for pixel, index in zip(pixels, labels.classes.tolist())}


def check_legend(legend: Legend) -> None:
    """It survives JSON, and a style of it is sound XML."""
    assert Legend.from_json(json.loads(json.dumps(legend.to_json()))) == legend
    import xml.etree.ElementTree as ElementTree

    ElementTree.fromstring(class_style(legend).split("\n", 1)[1])


# What a geometry engine calls inside is not told apart where a shape has no inside, or claims are mended by its parts.
UNTOLD = (
    "a line as a polygon",
    "a point as a polygon",
    "two corners",
    "smaller than a pixel",
    "a sliver",
    "a hole that is all",
    "not closed",
    "far corners",
)


@pytest.mark.parametrize(
    "driver, suffix", [("GPKG", ".gpkg"), pytest.param("GeoJSON", ".geojson", marks=pytest.mark.long)]
)
def test_shapes(tmp_path: Path, driver: str, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each alone; and each beside a sound one of another class, which it must not spoil."""
    tally, grid = Tally("label layers"), grid_of()
    crs = UTM if driver == "GPKG" else ""
    sound = (f"POLYGON ({box(17.1, 14.1)})", "sound")
    apart = brute_force([sound], grid)
    for name, wkt in SHAPES.items():
        if wkt is not None and not is_shape(wkt):
            continue  # not even the writer takes it
        alone = {} if wkt is None else brute_force([(wkt, "odd")], grid)
        for features in ([(wkt, "odd")], [(wkt, "odd"), sound]):
            with tally.case(f"{driver}, {name}, {len(features)}"):
                path = write_layer(tmp_path / f"a{suffix}", features, crs=crs, driver=driver)
                found = as_map(rasterize_labels(LabelSource(path, "class"), grid))
                if "arc" not in name and name not in UNTOLD and "infinit" not in name and "NaN" not in name:
                    wanted = alone if len(features) == 1 else joined(alone, apart)
                    assert found == wanted, f"{len(found)} pixels, not {len(wanted)}"
                if len(features) > 1 and "world" not in name and "far corners" not in name:
                    assert sum(label == "sound" for label in found.values()) == 20, "the sound polygon is spoilt"
            path.unlink(missing_ok=True)
    tally.check(80)


def test_claims_lie_somewhere(tmp_path: Path) -> None:
    """Whatever the shape, a claim has a place that JSON can hold, and the summary counts what training takes."""
    grid, sound = grid_of(), (f"POLYGON ({box(17.1, 14.1)})", "sound")
    beyond = ("MULTIPOINT (1.7e308 1.7e308, 1.6e308 1.6e308)", "beyond")
    for name, wkt in SHAPES.items():
        if wkt is not None and not is_shape(wkt):
            continue
        source = LabelSource(write_layer(tmp_path / "a.gpkg", [sound, beyond, (wkt, "odd")]), "class")
        claims, labels = claim_pixels(source, grid).claims, rasterize_labels(source, grid)
        assert np.isfinite([(claim.x, claim.y) for claim in claims]).all(), name
        claimed, times = np.unique(np.concatenate([claim.pixels for claim in claims]), return_counts=True)
        assert (labels.rows * WIDTH + labels.cols).tolist() == claimed[times == 1].tolist(), name


STRINGS = ("a", " a ", "", "  ", "NULL", "nan", "inf", "1e5",
           "-1", "٣", "½", "9" * 5000, "x" * 10_000, "it's", 'say "a"',
           "a\nb", "a\tb", "<script>alert(1)</script>", "&amp;", "{0}%s", "' OR 1=1 --", "مرحبا", "\u202efdgb",
           "e\u0301",
           "😀👩‍👩‍👧", "\u200b",
           "\x1b[31m", "a\u2028b", "..", "C:\\x", "LCZ 10", "Ödland", "\x01")  # fmt: skip


def test_class_values(tmp_path: Path) -> None:
    tally, grid = Tally("label layers"), grid_of()
    values: list[tuple[int, Any]] = [(ogr.OFTString, text) for text in STRINGS]
    values += [(ogr.OFTInteger, v) for v in (0, -1, 65534, 65535, 2**31 - 1, -(2**31))]
    values += [(ogr.OFTInteger64, v) for v in (2**63 - 1, -(2**63), 2**53 + 1)]
    values += [
        (ogr.OFTReal, v) for v in (0.0, -0.0, 3.0, 0.5, 1e300, -1e300, float("nan"), float("inf"), 1e-300, 2.0**63)
    ]
    values += [
        (ogr.OFTDate, "2024/01/01"),
        (ogr.OFTBinary, None),
        (ogr.OFTInteger, None),
        (ogr.OFTReal, None),
        (ogr.OFTString, None),
    ]
    for kind, value in values:
        path = write_layer(tmp_path / "a.gpkg", [(SHAPES["a box"], value), (f"POLYGON ({B})", value)], kind)
        with tally.case(f"{ogr.GetFieldTypeName(kind)} {str(value)[:20]!r}"):
            labels = rasterize_labels(LabelSource(path, "class"), grid)
            assert len(as_map(labels)) == 40 and len(labels.legend) == 1, "not two boxes of one class"
            label = labels.legend.classes[0].label
            assert label == (value.strip() if isinstance(value, str) else str(int(value))), label
        path.unlink()
    tally.check(45)


def test_numbers_of_classes(tmp_path: Path) -> None:
    tally = Tally("label layers")
    grid = grid_of(size=(100, 100))
    for count, kind in itertools.product((1, 2, 300, 7000), (ogr.OFTString, ogr.OFTInteger)):
        numbers = range(7, 7 + count)
        features = [
            (f"POINT ({at(i % 100 + 0.5, i // 100 + 0.5)})", n if kind == ogr.OFTInteger else f"c{n}")
            for i, n in enumerate(numbers)
        ]
        path = write_layer(tmp_path / "a.gpkg", features, kind)
        with tally.case(f"{count} classes, {ogr.GetFieldTypeName(kind)}"):
            labels = rasterize_labels(LabelSource(path, "class"), grid)
            assert len(labels) == count == len(labels.legend)
            assert len({entry.color for entry in labels.legend.classes}) >= min(count, 300), "colours are not distinct"
        path.unlink()
    tally.check()


def test_places_and_crs(tmp_path: Path) -> None:
    tally = Tally("label layers")
    features = [(f"POLYGON ({A})", "a"), (f"POINT ({at(15.5, 15.5)})", "b")]
    for name, text in CRSS.items():
        path = write_layer(tmp_path / "a.gpkg", features, crs=text)
        with tally.case(f"labels in {name}"):
            found = as_map(rasterize_labels(LabelSource(path, "class"), grid_of()))
            assert name not in ("UTM", "none") or found == brute_force(features, grid_of())
        path.unlink()
        path = write_layer(tmp_path / "a.gpkg", features)
        with tally.case(f"a raster in {name}"):
            as_map(rasterize_labels(LabelSource(path, "class"), grid_of(crs=text)))
        path.unlink()
    for name, place in GEOTRANSFORMS.items():
        with tally.case(f"a raster that is {name}"):
            grid = grid_of(place or (0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
            corners = [
                grid.to_world(np.array(c), np.array(r))
                for c, r in ((2.1, 3.1), (7.3, 3.1), (7.3, 7.3), (2.1, 7.3), (2.1, 3.1))
            ]
            wkt = "POLYGON ((" + ", ".join(f"{float(x)!r} {float(y)!r}" for x, y in corners) + "))"
            path = write_layer(tmp_path / "b.gpkg", [(wkt, "a")])
            found = as_map(rasterize_labels(LabelSource(path, "class"), grid))
            assert found == {(r, c): "a" for r in range(3, 7) for c in range(2, 7)}
        (tmp_path / "b.gpkg").unlink(missing_ok=True)
    for size in ((1, 1), (1, 24), (20, 1), (2**31 - 1, 2**31 - 1)):
        path = write_layer(tmp_path / "a.gpkg", [*features, ("POINT (500001 5799999)", "c")])
        with tally.case(f"a raster of {size}"):
            assert (0, 0) in as_map(rasterize_labels(LabelSource(path, "class"), grid_of(size=size)))
        path.unlink()
    path = write_layer(tmp_path / "a.gpkg", [(SHAPES["all the world"], "a")])
    with tally.case("all of a vast raster"):
        rasterize_labels(LabelSource(path, "class"), grid_of(size=(2**31 - 1, 2**31 - 1)))
    tally.check(45)


def odd_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Sound files cut and changed at many places, and files of other kinds."""
    dice = random.Random(0)
    features = [(f"POLYGON ({box(i % 5 * 4.1, i // 5 * 4.1, 3, 3)})", f"class {i}") for i in range(20)]
    for driver, suffix in (
        ("GPKG", ".gpkg"),
        ("GeoJSON", ".geojson"),
        ("FlatGeobuf", ".fgb"),
        ("CSV", ".csv"),
        ("GML", ".gml"),
    ):
        if ogr.GetDriverByName(driver) is None:
            continue
        path = folder / f"sound{suffix}"
        if driver == "CSV":
            path.write_text("WKT,class\n" + "".join(f'"{wkt}",{value}\n' for wkt, value in features))
        else:
            write_layer(path, features, driver=driver)
        data, changed = path.read_bytes(), folder / f"odd{suffix}"
        for cut in (0, 1, 10, len(data) // 4, len(data) // 2, len(data) - 1):
            changed.write_bytes(data[:cut])
            yield f"{driver} cut at {cut}", changed
        for number in range(14):
            spoilt = bytearray(data)
            for _ in range(dice.choice((1, 10, 200))):
                spoilt[dice.randrange(len(data))] = dice.randrange(256)
            changed.write_bytes(bytes(spoilt))
            yield f"{driver} changed, {number}", changed
        changed.unlink()
    polygon = '{"type":"Polygon","coordinates":[[[500021,5799969],[500073,5799969],[500073,5799927],[500021,5799969]]]}'
    feature = '{"type":"Feature","properties":{"class":"W\xe4ld"},"geometry":' + polygon + "}"
    for name, text in {
        "Latin-1": '{"type":"FeatureCollection","features":[' + feature + "]}",
        "deep": '{"type":"FeatureCollection","features":' + "[" * 100_000,
        "no features": '{"type":"FeatureCollection","features":[]}',
        "features of null": '{"type":"FeatureCollection","features":[null, 1, "x"]}',
        "deep coordinates": feature.replace("[[[", "[" * 500), "texts as coordinates": feature.replace("500021", '"x"'),
        "one number as coordinate": feature.replace("[500021,5799969]", "[500021]"),
        "huge numbers": feature.replace("500021", "1e999"),
        "a class that is a list": feature.replace('"W\xe4ld"', '["a", {"b": 1}]'),
    }.items():  # fmt: skip
        (folder / "a.geojson").write_bytes(text.encode("latin-1"))
        yield f"GeoJSON: {name}", folder / "a.geojson"
    for name, data in {
        "empty": b"",
        "text": b"class\na\n",
        "zip": b"PK\x03\x04" + bytes(60),
        "pickle": b"\x80\x04.",
        "XML": b"<a>" * 99,
    }.items():
        (folder / "a.dat").write_bytes(data)
        yield name, folder / "a.dat"
    os.mkfifo(folder / "pipe.gpkg")
    (folder / "loop.gpkg").symlink_to(folder / "loop.gpkg")
    yield from (
        ("a pipe", folder / "pipe.gpkg"),
        ("a link to itself", folder / "loop.gpkg"),
        ("a folder", folder / "none"),
    )
    for text in (
        "",
        "/dev/zero",
        "a\0b",
        "x" * 5000,
        "\udcff.gpkg",
        "/vsimem/none.gpkg",
        "PG:dbname=none",
        "<OGRVRTDataSource/>",
    ):
        yield f"the source {text[:20]!r}", text  # type: ignore[misc]


def test_odd_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tally = Tally("label layers")
    for name, path in odd_files(tmp_path):
        with tally.case(name, "read, as far as it goes"):
            found = as_map(rasterize_labels(LabelSource(path, "class"), grid_of()))
            assert name != "GeoJSON: Latin-1" or set(found.values()) == {"Wäld"}
    tally.check(90)


def test_fields_and_styles(tmp_path: Path) -> None:
    tally = Tally("label layers")
    features = [(f"POLYGON ({A})", "a"), (f"POINT ({at(15.5, 15.5)})", "b")]
    for field in ('it\'s "x"', "select", "a b", "Größe", "😀", "fid ", "x" * 200, "class\n", "{0}"):
        path = write_layer(tmp_path / "a.gpkg", features, field=field)
        with tally.case(f"the field {field[:20]!r}"):
            assert len(as_map(rasterize_labels(LabelSource(path, field), grid_of()))) == 21
        with tally.case(f"another field than {field[:20]!r}"):
            rasterize_labels(LabelSource(path, "nothing"), grid_of())
            raise AssertionError("it was found")
        path.unlink()
    path = write_layer(tmp_path / "a.gpkg", features)
    for text in STRINGS:
        for hints in (
            (("a", text, "#ff0000"), ("b", "B", "")),
            (("a", "A", text), ("b", "B", "#00FF00")),
            ((text, "A", "#ff0000"),),
        ):
            with tally.case(f"a style with {text[:20]!r}"):
                legend = rasterize_labels(LabelSource(path, "class", None, hints), grid_of()).legend
                check_legend(legend)
    tally.check(90)


def test_names_reach_the_raster(tmp_path: Path) -> None:
    """Class names of any text come back out of the map's own table, without what is no text."""
    path = write_layer(
        tmp_path / "a.gpkg", [(f"POINT ({at(i % 20 + 0.5, i // 20 + 0.5)})", s) for i, s in enumerate(STRINGS)]
    )
    labels = rasterize_labels(LabelSource(path, "class"), grid_of())
    tags = {"a": "\udcff\n\0", "<b>": "x" * 100_000}
    with create_raster(
        tmp_path / "a.tif",
        grid_of(),
        dtype="uint8",
        nodata=255,
        legend=labels.legend,
        tags=tags,
        descriptions=("\x1b\n",),
    ):
        pass
    dataset = gdal.Open(str(tmp_path / "a.tif"))
    table = dataset.GetRasterBand(1).GetDefaultRAT()
    names = [table.GetValueAsString(row, 1) for row in range(table.GetRowCount())]
    assert len(names) == len(labels.legend) > 25
    for name in ("😀👩‍👩‍👧", "مرحبا", "a b", "<script>alert(1)</script>", 'say "a"', "Ödland"):
        assert name in names, name
