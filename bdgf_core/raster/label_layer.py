"""Opening a vector layer with training data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Union

from osgeo import gdal, ogr

from bdgf_core.errors import InputError

from .dataset import is_local, is_special
from .gdal_errors import gdal_raises


def open_label_layer(path: Union[str, Path], name: str | None, field: str) -> tuple[gdal.Dataset, ogr.Layer]:
    """The dataset, which must outlive the layer, and its layer. Raises InputError where either cannot be used, the
    field does not exist or holds neither text nor numbers."""
    text = os.fspath(path)
    if is_special(text):
        raise InputError(f"{text} is neither a file nor a folder; choose a layer of polygons or points.")
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
            known = f"its fields are {', '.join(fields)}" if fields else "it has no fields"
            raise InputError(f"{text} has no field {field!r}; {known}.")
        kind = definition.GetFieldDefn(fields.index(field)).GetType()
        if kind not in (ogr.OFTInteger, ogr.OFTInteger64, ogr.OFTReal, ogr.OFTString):
            raise InputError(
                f"Field {field!r} of {text} is of type {ogr.GetFieldTypeName(kind)}; choose one with text or integers."
            )
    return dataset, layer


def _layer(text: str, dataset: gdal.Dataset, name: str | None) -> ogr.Layer:
    layers = [dataset.GetLayer(i) for i in range(dataset.GetLayerCount())]
    names = [layer.GetName() for layer in layers]
    if name is not None:
        if name not in names:
            raise InputError(f"{text} has no layer {name!r}; its layers are {', '.join(names)}.")
        layers = [layers[names.index(name)]]
    drawn = [layer for layer in layers if layer.GetGeomType() != ogr.wkbNone]
    if not drawn:
        raise InputError(f"{text} holds a table without geometries; choose a layer of polygons or points.")
    if len(drawn) > 1:
        raise InputError(f"{text} holds several layers ({', '.join(layer.GetName() for layer in drawn)}); name one.")
    kind = ogr.GT_GetLinear(ogr.GT_Flatten(drawn[0].GetGeomType()))
    if kind in (ogr.wkbLineString, ogr.wkbMultiLineString, ogr.wkbCurve, ogr.wkbMultiCurve):
        raise InputError(f"{text} holds lines; draw polygons or points as training data, or buffer the lines.")
    return drawn[0]


def _why_not(text: str, failures: list[str]) -> str:
    if not text:
        return "No training data was given; choose a layer of polygons or points."
    if is_local(text) and not os.path.exists(text):
        return f"The training data {text} does not exist; check the path."
    try:
        raster = gdal.OpenEx(text, gdal.OF_RASTER | gdal.OF_READONLY)
    except RuntimeError:
        raster = None
    if raster is not None:
        return f"{text} is a raster, not a vector layer; choose a layer of polygons or points."
    reason = f" ({failures[0].rstrip('.')})" if failures else ""
    return f"{text} cannot be read as a vector layer{reason}; choose a format that GDAL knows."
