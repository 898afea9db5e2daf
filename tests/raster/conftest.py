"""Tiny rasters and label layers, made where a test needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import pytest
from osgeo import gdal, gdal_array, ogr
from raster_scenes import NORTH_UP, UTM, crs_from


@pytest.fixture
def make_raster(tmp_path: Path) -> Callable[..., Path]:
    """A GeoTIFF of ``array`` (bands, height, width); ``nodata`` one for all bands."""

    def make(
        name: str,
        array: np.ndarray,
        geotransform: Sequence[float] | None = NORTH_UP,
        crs: str = UTM,
        nodata: float | None = None,
        options: Sequence[str] = (),
        finish: Callable[[gdal.Dataset], Any] = lambda dataset: None,
    ) -> Path:
        array = array if array.ndim == 3 else array[None]
        path = tmp_path / name
        kind = gdal_array.NumericTypeCodeToGDALTypeCode(array.dtype)
        bands, height, width = array.shape
        dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, kind, list(options))
        if geotransform is not None:
            dataset.SetGeoTransform(geotransform)
        if crs:
            dataset.SetSpatialRef(crs_from(crs))
        for number, values in enumerate(array, start=1):
            if nodata is not None:
                dataset.GetRasterBand(number).SetNoDataValue(nodata)
            dataset.GetRasterBand(number).WriteArray(values)
        finish(dataset)
        del dataset
        return path

    return make


@pytest.fixture
def make_layer(tmp_path: Path) -> Callable[..., Path]:
    """A GeoPackage with one layer; ``features`` are (WKT or None, class value or None)."""

    def make(
        features: Sequence[tuple[str | None, Any]],
        kind: int = ogr.OFTString,
        crs: str = UTM,
        name: str = "training.gpkg",
        geometry: int = ogr.wkbUnknown,
    ) -> Path:
        path = tmp_path / name
        dataset = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
        layer = dataset.CreateLayer("training", crs_from(crs) if crs else None, geometry)
        layer.CreateField(ogr.FieldDefn("class", kind))
        for wkt, value in features:
            feature = ogr.Feature(layer.GetLayerDefn())
            if wkt is not None:
                feature.SetGeometry(ogr.CreateGeometryFromWkt(wkt))
            if value is not None:
                feature.SetField("class", value)
            layer.CreateFeature(feature)
        del layer, dataset
        return path

    return make


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
