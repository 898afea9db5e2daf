"""Suggested sites as a GeoPackage layer of points, with the style in which QGIS shows them."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Optional, Sequence, Union

from osgeo import gdal, ogr

from bdgf_core.errors import InputError, ResourceError, one_line
from bdgf_core.files import check_writable, publish, temporary_path
from bdgf_core.legend import Legend
from bdgf_core.translation import tr

from .gdal_errors import gdal_raises, gdal_silent
from .grid import Grid
from .site_style import site_style

LAYER = "suggested_sites"
TO_FILL_IN = "class"
_STYLES = "layer_styles"  # the table in which QGIS looks for a layer's style
_STYLE_FIELDS = (
    "f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column", "styleName", "styleQML", "styleSLD",
    "description", "owner", "ui",
)  # fmt: skip
_KINDS = {"int": ogr.OFTInteger, "float": ogr.OFTReal, "Optional[float]": ogr.OFTReal, "str": ogr.OFTString}


@dataclass(frozen=True)
class Site:
    """A place to label, in the CRS of the map: why, what the map says, and what classify told, None where it did
    not."""

    x: float
    y: float
    score: float
    reason: str
    predicted: int
    predicted_name: str
    confidence: Optional[float]
    entropy: Optional[float]
    disagreement: Optional[float]
    ood: Optional[float]


def check_site_layer(path: Union[str, Path], *, inputs: Sequence[Union[str, Path]] = ()) -> None:
    """Raises InputError where a layer of sites cannot be written to ``path`` or something would be lost with what is
    there: other layers, or classes filled in."""
    final = Path(path)
    if final.suffix.lower() != ".gpkg":
        raise InputError(tr("{path} is not named as a GeoPackage; give it a name that ends in .gpkg.", path=final))
    check_writable(final, inputs=inputs)
    if not final.exists():
        return
    if Path(f"{final}-wal").exists():
        raise InputError(tr("{path} is in use by another program; close it there or choose another name.", path=final))
    with gdal_raises():
        try:
            dataset = gdal.OpenEx(str(final), gdal.OF_VECTOR | gdal.OF_READONLY)
            names = {dataset.GetLayer(i).GetName() for i in range(dataset.GetLayerCount())}
            sites = dataset.GetLayerByName(LAYER)
            filled_in = 0
            if sites is not None:
                sites.SetAttributeFilter(f'"{TO_FILL_IN}" IS NOT NULL')
                filled_in = sites.GetFeatureCount()
        except (RuntimeError, AttributeError):  # None where the caller's GDAL does not raise
            names, filled_in = {""}, 0
    if names - {LAYER, _STYLES} or filled_in:
        raise InputError(tr("{path} exists, and what it holds would be lost; choose another file name.", path=final))


def write_sites(path: Union[str, Path], sites: Sequence[Site], legend: Legend, grid: Grid) -> None:
    """Write the sites in their order, as ``rank`` from 1, with an empty field ``class`` to fill in; the file appears
    complete or not at all. Raises ResourceError where the disk is full."""
    final = Path(path)
    made = temporary_path(final, ".gpkg")
    try:
        with gdal_raises() as failures:
            try:
                dataset = ogr.GetDriverByName("GPKG").CreateDataSource(str(made))
                _write_points(dataset, sites, grid)
                _write_style(dataset, site_style(len(sites), legend))
                dataset = None  # closes the file
            except RuntimeError as error:
                dataset = None
                failures.append(str(error))
        if failures:
            raise ResourceError(
                tr("Writing {path} failed ({reason}); check that the disk is not full.", path=final,
                   reason=failures[0].rstrip("."))
            )  # fmt: skip
        publish(made, final)
    except PermissionError as error:
        raise InputError(
            tr("{path} is in use by another program; close it there or choose another name.", path=final)
        ) from error
    finally:
        with gdal_silent():
            for left in made.parent.glob(f"{made.stem}.*"):
                os.unlink(left)


def _write_points(dataset: ogr.DataSource, sites: Sequence[Site], grid: Grid) -> None:
    layer = dataset.CreateLayer(LAYER, grid.crs, ogr.wkbPoint)
    kinds = {"rank": "int", **{f.name: str(f.type) for f in fields(Site)}, TO_FILL_IN: "str"}
    for place in ("x", "y"):
        del kinds[place]
    for name, kind in kinds.items():
        layer.CreateField(ogr.FieldDefn(name, _KINDS[kind]))
    layer.StartTransaction()
    for rank, site in enumerate(sites, start=1):
        feature = ogr.Feature(layer.GetLayerDefn())
        for name, value in {"rank": rank, **asdict(site)}.items():
            if name in kinds and value is not None:
                feature.SetField(name, one_line(value) if isinstance(value, str) else value)
        point = ogr.Geometry(ogr.wkbPoint)
        point.AddPoint_2D(site.x, site.y)
        feature.SetGeometry(point)
        layer.CreateFeature(feature)
    layer.CommitTransaction()


def _write_style(dataset: ogr.DataSource, qml: str) -> None:
    table = dataset.CreateLayer(_STYLES, None, ogr.wkbNone, ["FID=id"])
    for name in _STYLE_FIELDS:
        table.CreateField(ogr.FieldDefn(name, ogr.OFTString))
    default = ogr.FieldDefn("useAsDefault", ogr.OFTInteger)
    default.SetSubType(ogr.OFSTBoolean)
    table.CreateField(default)
    table.CreateField(ogr.FieldDefn("update_time", ogr.OFTDateTime))
    style = ogr.Feature(table.GetLayerDefn())
    told = {"f_table_name": LAYER, "f_geometry_column": "geom", "styleName": LAYER, "styleQML": qml}
    for name, value in {**dict.fromkeys(_STYLE_FIELDS, ""), **told, "useAsDefault": 1}.items():
        style.SetField(name, value)
    table.CreateFeature(style)
