"""Opening a vector layer with training data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union

from osgeo import gdal, ogr, osr

from bdgf_core.errors import InputError
from bdgf_core.translation import tr

from .dataset import is_local, is_special
from .gdal_errors import gdal_raises
from .grid import crs_of, is_real


def open_label_layer(path: Union[str, Path], name: str | None, field: str) -> tuple[gdal.Dataset, ogr.Layer]:
    """The dataset, which must outlive the layer, and its layer. Raises InputError where either cannot be used, the
    field does not exist or holds neither text nor numbers."""
    text = os.fspath(path)
    if is_special(text):
        raise InputError(tr("{path} is neither a file nor a folder; choose a layer of polygons or points.", path=text))
    with gdal_raises() as failures:
        try:
            dataset = gdal.OpenEx(text, gdal.OF_VECTOR | gdal.OF_READONLY)
        except RuntimeError:
            dataset = None
        if dataset is None:
            raise InputError(_why_not(text, failures))
        layer = _layer(text, dataset, name)
        definition = layer.GetLayerDefn()
        fields = [definition.GetFieldDefn(i).GetName() for i in range(definition.GetFieldCount())]
        if field not in fields:
            known = ", ".join(fields)
            raise InputError(
                tr("{path} has no field {field!r}; its fields are {known}.", path=text, field=field, known=known)
                if known
                else tr("{path} has no fields; choose a layer with a class field.", path=text)
            )
        kind = definition.GetFieldDefn(fields.index(field)).GetType()
        if kind not in (ogr.OFTInteger, ogr.OFTInteger64, ogr.OFTReal, ogr.OFTString):
            raise InputError(
                tr(
                    "Field {field!r} of {path} is of type {kind}; choose one with text or integers.",
                    field=field,
                    path=text,
                    kind=ogr.GetFieldTypeName(kind),
                )
            )
    return dataset, layer


def label_crs(path: Union[str, Path], name: str | None, field: str) -> osr.SpatialReference | None:
    """The CRS of the layer in x, y order, None without one; raises as :func:`open_label_layer`."""
    dataset, layer = open_label_layer(path, name, field)
    with gdal_raises():
        crs = layer.GetSpatialRef()
        found = crs_of(crs.ExportToWkt(["FORMAT=WKT2_2019"])) if is_real(crs) else None
    del layer, dataset
    return found


def _layer(text: str, dataset: gdal.Dataset, name: str | None) -> ogr.Layer:
    layers = [dataset.GetLayer(i) for i in range(dataset.GetLayerCount())]
    names = [layer.GetName() for layer in layers]
    if name is not None:
        if name not in names:
            raise InputError(
                tr(
                    "{path} has no layer {name!r}; its layers are {layers}.",
                    path=text,
                    name=name,
                    layers=", ".join(names),
                )
            )
        layers = [layers[names.index(name)]]
    drawn = [layer for layer in layers if layer.GetGeomType() != ogr.wkbNone]
    if not drawn:
        raise InputError(
            tr("{path} holds a table without geometries; choose a layer of polygons or points.", path=text)
        )
    if len(drawn) > 1:
        raise InputError(
            tr(
                "{path} holds several layers ({layers}); name one.",
                path=text,
                layers=", ".join(layer.GetName() for layer in drawn),
            )
        )
    kind = ogr.GT_GetLinear(ogr.GT_Flatten(drawn[0].GetGeomType()))
    if kind in (ogr.wkbLineString, ogr.wkbMultiLineString, ogr.wkbCurve, ogr.wkbMultiCurve):
        raise InputError(
            tr("{path} holds lines; draw polygons or points as training data, or buffer the lines.", path=text)
        )
    return drawn[0]


def _why_not(text: str, failures: list[str]) -> str:
    if not text:
        return tr("No training data was given; choose a layer of polygons or points.")
    if is_local(text) and not os.path.exists(text):
        return tr("The training data {path} does not exist; check the path.", path=text)
    try:
        raster = gdal.OpenEx(text, gdal.OF_RASTER | gdal.OF_READONLY)
    except RuntimeError:
        raster = None
    if raster is not None:
        return tr("{path} is a raster, not a vector layer; choose a layer of polygons or points.", path=text)
    reason = failures[0].rstrip(".") if failures else tr("unknown format")
    return tr(
        "{path} cannot be read as a vector layer ({reason}); choose a format that GDAL knows.", path=text, reason=reason
    )
