"""The truth on the hyperspectral grid, and training polygons as a person would draw them over the image."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from osgeo import gdal, ogr

from .classes import CLASSES
from .landscape import FACTOR, FINE, MARGIN, Landscape
from .sensors import ORIGIN, projection, reference, swath

ogr.UseExceptions()

PER_CLASS = (6, 10)
PIXEL = FINE * FACTOR


def coarse_classes(landscape: Landscape) -> np.ndarray:
    """The class that covers most of each hyperspectral pixel, (size, size), index into CLASSES."""
    inner = landscape.classes[MARGIN:-MARGIN, MARGIN:-MARGIN]
    blocks = inner.reshape(landscape.size, FACTOR, landscape.size, FACTOR)
    counts = np.stack([(blocks == index).sum(axis=(1, 3)) for index in range(len(CLASSES))])
    return counts.argmax(axis=0)


def write_truth(path: Path, truth: np.ndarray) -> None:
    """Class values as Byte, with the classes' names and colours."""
    size = truth.shape[0]
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), size, size, 1, gdal.GDT_Byte, ["COMPRESS=DEFLATE"])
    dataset.SetGeoTransform((ORIGIN[0], PIXEL, 0, ORIGIN[1], 0, -PIXEL))
    dataset.SetProjection(projection(32633))
    colors, names = gdal.ColorTable(), [""] * (max(c.value for c in CLASSES) + 1)
    for c in CLASSES:
        colors.SetColorEntry(c.value, (*(int(c.color[i : i + 2], 16) for i in (1, 3, 5)), 255))
        names[c.value] = c.name
    band = dataset.GetRasterBand(1)
    band.SetNoDataValue(0)
    band.SetColorTable(colors)
    band.SetCategoryNames(names)
    band.WriteArray(np.array([c.value for c in CLASSES], np.uint8)[truth])


def write_training_polygons(path: Path, truth: np.ndarray, rng: np.random.Generator) -> None:
    """Six to ten polygons a class, scattered over the scene."""
    path.unlink(missing_ok=True)
    dataset = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
    layer = dataset.CreateLayer("training_polygons", reference(32633), ogr.wkbPolygon)
    layer.CreateField(ogr.FieldDefn("class", ogr.OFTString))
    layer.CreateField(ogr.FieldDefn("class_id", ogr.OFTInteger))
    seen = swath(truth.shape[0])
    for index, scene_class in enumerate(CLASSES):
        for outline in outlines((truth == index) & seen, int(rng.integers(PER_CLASS[0], PER_CLASS[1] + 1)), rng):
            feature = ogr.Feature(layer.GetLayerDefn())
            feature["class"], feature["class_id"] = scene_class.name, scene_class.value
            feature.SetGeometry(polygon(outline))
            layer.CreateFeature(feature)
    dataset = layer = None
    save_style(path)


def outlines(area: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Corners (n, 2) in pixels (row, column) of up to ``count`` polygons inside ``area`` (bool), apart from each other:
    from a point well inside, look around and stop short of the border."""
    size = area.shape[0]
    inside = core = eroded(area)
    while eroded(core).sum() > 0.25 * area.sum():
        core = eroded(core)
    places = np.argwhere(core if core.any() else area)
    apart, chosen = 0.22 * size, []
    while len(chosen) < count and apart > 5:
        for place in places[rng.permutation(len(places))[:2000]]:
            if len(chosen) < count and all(np.hypot(*(place - other)) > apart for other in chosen):
                chosen.append(place)
        apart *= 0.8
    return [look_around(place + 0.5, inside, rng) for place in chosen]


def look_around(start: np.ndarray, area: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    corners = int(rng.integers(7, 12))
    angles = np.sort(np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(-0.2, 0.2, corners))
    reach = rng.uniform(5, 10)
    points = []
    for angle in angles:
        step = np.array([np.sin(angle), np.cos(angle)])
        far = 0.7
        while far < reach * rng.uniform(0.75, 1.0):
            row, col = np.floor(start + (far + 0.25) * step).astype(int)
            if not (0 <= row < len(area) and 0 <= col < len(area) and area[row, col]):
                break
            far += 0.25
        points.append(start + far * step)
    return np.array(points)


def eroded(area: np.ndarray) -> np.ndarray:
    padded = np.pad(area, 1)
    return area & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def polygon(outline: np.ndarray) -> ogr.Geometry:
    ring = ogr.Geometry(ogr.wkbLinearRing)
    for row, col in [*outline, outline[0]]:
        ring.AddPoint_2D(ORIGIN[0] + col * PIXEL, ORIGIN[1] - row * PIXEL)
    geometry = ogr.Geometry(ogr.wkbPolygon)
    geometry.AddGeometry(ring)
    return geometry


def save_style(path: Path) -> None:
    """Store the classes' names and colours as the layer's default style, where QGIS looks for it."""
    categories = "".join(
        f'<category value={quoteattr(c.name)} label={quoteattr(c.name)} symbol="{i}" render="true" type="string"/>'
        for i, c in enumerate(CLASSES)
    )
    symbols = "".join(
        f'<symbol name="{i}" type="fill" alpha="0.7"><layer class="SimpleFill" enabled="1"><prop k="style" v="solid"/>'
        f'<prop k="color" v="{",".join(str(int(c.color[k : k + 2], 16)) for k in (1, 3, 5))},255"/></layer></symbol>'
        for i, c in enumerate(CLASSES)
    )
    style = (
        '<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM"><qgis version="3.22" styleCategories="Symbology">'
        f'<renderer-v2 type="categorizedSymbol" attr="class"><categories>{categories}</categories>'
        f"<symbols>{symbols}</symbols></renderer-v2></qgis>"
    )
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),"
            " f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30),"
            " styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),"
            " update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
        )
        database.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
            " styleQML, useAsDefault) VALUES ('', '', 'training_polygons', 'geom', 'classes', ?, 1)",
            (style,),
        )
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier)"
            " VALUES ('layer_styles', 'attributes', 'layer_styles')"
        )
    database.close()
