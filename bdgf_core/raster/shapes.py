"""Geometries → the pixels that they claim."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, ogr

from bdgf_core.errors import InputError
from bdgf_core.translation import tr

from .grid import Grid
from .window import Window, tiles

_MEMORY = "MEM" if int(gdal.VersionInfo()) >= 3110000 else "Memory"  # one driver for both since 3.11
MOST_PIXELS = 50_000_000  # of all training data
_TILE = 1024  # pixels a side burnt at once, however large the polygon


def parts_of(geometry: ogr.Geometry) -> tuple[list[ogr.Geometry], list[ogr.Geometry], int]:
    """The valid polygons and the points in a geometry of any kind, flat and without curves, and the number of its
    other parts."""
    geometry = geometry.GetLinearGeometry()
    geometry.FlattenTo2D()
    kind = geometry.GetGeometryType()
    if kind == ogr.wkbPoint:
        return [], [geometry], 0
    if kind in (ogr.wkbPolygon, ogr.wkbTriangle):
        return _valid_polygons(ogr.ForceToPolygon(geometry)), [], 0  # GDAL burns no triangles
    polygons: list[ogr.Geometry] = []
    points: list[ogr.Geometry] = []
    others = int(kind in (ogr.wkbLineString, ogr.wkbLinearRing))
    if not others:
        for i in range(geometry.GetGeometryCount()):
            more_polygons, more_points, more_others = parts_of(geometry.GetGeometryRef(i))
            polygons += more_polygons
            points += more_points
            others += more_others
    return polygons, points, others


def burn(polygons: list[ogr.Geometry], points: list[ogr.Geometry], grid: Grid, *, most: int) -> NDArray[np.int64]:
    """The pixels (row · width + column, sorted, each once) whose centre lies in a polygon or that hold a point.
    Where the polygons hold no pixel centre: the pixels under their inner points. InputError for more than ``most``."""
    found = [_centres_inside(polygon, grid, most) for polygon in polygons]
    if not any(len(pixels) for pixels in found):
        points = points + [polygon.PointOnSurface() or polygon.Centroid() for polygon in polygons]
    found += [_under(point, grid) for point in points]
    pixels: NDArray[np.int64] = np.concatenate(found)
    found.clear()
    pixels.sort()
    once = np.ones(len(pixels), bool)
    np.not_equal(pixels[1:], pixels[:-1], out=once[1:])
    return pixels if once.all() else pixels[once]


def too_many(most: int) -> InputError:
    return InputError(
        tr(
            "The training data cover more than {most} pixels; draw smaller polygons, or raise the memory limit if it "
            "is low.",
            most=most,
        )
    )


def _valid_polygons(polygon: ogr.Geometry) -> list[ogr.Geometry]:
    if polygon.IsEmpty():
        return []
    if polygon.IsValid():
        return [polygon]
    mended = polygon.MakeValid()
    if mended is None:
        return []
    kind = ogr.GT_Flatten(mended.GetGeometryType())
    parts = [mended] if kind == ogr.wkbPolygon else [mended.GetGeometryRef(i) for i in range(mended.GetGeometryCount())]
    flat: list[ogr.Geometry] = []
    for part in parts:
        kind = ogr.GT_Flatten(part.GetGeometryType())
        if kind == ogr.wkbPolygon:
            flat.append(part.Clone())
        elif kind == ogr.wkbMultiPolygon:
            flat += [part.GetGeometryRef(i).Clone() for i in range(part.GetGeometryCount())]
    return flat


def _centres_inside(polygon: ogr.Geometry, grid: Grid, most: int) -> NDArray[np.int64]:
    left, right, bottom, top = polygon.GetEnvelope()
    cols, rows = grid.to_pixel(np.array([left, left, right, right]), np.array([bottom, top, bottom, top]))
    nothing = np.empty(0, np.int64)
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):
        return nothing
    first_row, first_col = floor(max(rows.min(), -1)), floor(max(cols.min(), -1))
    last_row, last_col = ceil(min(rows.max(), grid.height + 1)), ceil(min(cols.max(), grid.width + 1))
    if last_row <= first_row or last_col <= first_col:
        return nothing
    box = Window(first_row, first_col, last_row - first_row, last_col - first_col).intersection(grid.window)
    if box is None:
        return nothing
    _, a, b, _, d, e = grid.geotransform
    if min(polygon.GetArea() / abs(a * e - b * d), box.height * box.width) > most:
        raise too_many(most)
    found = [_burn_tile(polygon, tile.shift(box.row, box.col), grid) for tile in tiles(box.height, box.width, _TILE)]
    return np.concatenate(found)


def _burn_tile(polygon: ogr.Geometry, window: Window, grid: Grid) -> NDArray[np.int64]:
    raster = gdal.GetDriverByName("MEM").Create("", window.width, window.height, 1, gdal.GDT_Byte)
    x0, a, b, y0, d, e = grid.geotransform
    x, y = x0 + a * window.col + b * window.row, y0 + d * window.col + e * window.row
    raster.SetGeoTransform((x, a, b, y, d, e))
    vector = gdal.GetDriverByName(_MEMORY).Create("", 0, 0, 0, gdal.GDT_Unknown)
    layer = vector.CreateLayer("", None, ogr.wkbPolygon)
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometry(polygon)
    layer.CreateFeature(feature)
    gdal.RasterizeLayer(raster, [1], layer, burn_values=[1])
    data = raster.GetRasterBand(1).ReadRaster(0, 0, window.width, window.height, buf_type=gdal.GDT_Byte)
    rows, cols = np.nonzero(np.frombuffer(data, np.uint8).reshape(window.height, window.width))
    pixels: NDArray[np.int64] = (rows.astype(np.int64) + window.row) * grid.width + cols + window.col
    return pixels


def _under(point: ogr.Geometry, grid: Grid) -> NDArray[np.int64]:
    if point is None or point.IsEmpty():
        return np.empty(0, np.int64)
    cols, rows = grid.to_pixel(np.array([point.GetX()]), np.array([point.GetY()]))
    inside = grid.contains(cols, rows)
    pixels: NDArray[np.int64] = (np.floor(rows) * grid.width + np.floor(cols))[inside].astype(np.int64)
    return pixels
