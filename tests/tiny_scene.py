"""A scene of 44×40 pixels with three classes, two rasters and training polygons, and how the verbs are run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np
from osgeo import gdal, ogr, osr

from bdgf_core.raster.labels import LabelSource
from bdgf_core.raster.stack import RasterSource

HEIGHT, WIDTH = 44, 40
NODATA = -9999.0
CLASSES = ((10, "Water"), (20, "Forest"), (30, "Town"))
_GEOTRANSFORM = (500000.0, 10.0, 0.0, 5800000.0, 0.0, -10.0)


class Events:
    """Collects what a verb tells; cancels at the ``stop``-th time that it asks."""

    def __init__(self, stop: Optional[int] = None) -> None:
        self.seen: list[dict[str, Any]] = []
        self.asked, self._stop = 0, stop

    def __call__(self, event: dict[str, Any]) -> None:
        self.seen.append(event)

    def canceled(self) -> bool:
        self.asked += 1
        return self._stop is not None and self.asked > self._stop

    def texts(self, kind: str) -> list[str]:
        return [event["text"] for event in self.seen if event["event"] == kind]


class TinyScene:
    """Files in ``folder``: spectral.tif (6 bands, a gap), sar.tif (2 bands, dB), labels.gpkg (field ``class``)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rng = np.random.default_rng(0)
        zones = np.zeros((HEIGHT, WIDTH), int)
        zones[:, 14:27], zones[:, 27:] = 1, 2
        means = rng.normal(0, 1, (6, 3))
        self.spectral = (1000 + 200 * (means[:, zones] + 0.4 * rng.normal(0, 1, (6, HEIGHT, WIDTH)))).astype(np.float32)
        self.spectral[:, 30:35, 2:6] = NODATA  # no data at all
        self.spectral[:2, 5:8, 30:34] = NODATA  # two of six bands
        self.spectral[:4, 15:18, 30:34] = NODATA  # four of six bands
        backscatter = np.array([[-20.0, -12, -6], [-26.0, -18, -14]])
        self.sar = (backscatter[:, zones] + rng.normal(0, 1.5, (2, HEIGHT, WIDTH))).astype(np.float32)
        self.write("spectral.tif", self.spectral)
        self.write("sar.tif", self.sar)
        self.labels = self.write_labels("labels.gpkg", range(3))

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def source(self, name: str = "spectral.tif", bands: Optional[tuple[int, ...]] = None) -> RasterSource:
        return RasterSource(self.path(name), bands)

    def write(self, name: str, array: np.ndarray, shift: float = 0.0, names: bool = True) -> str:
        bands, height, width = array.shape
        dataset = gdal.GetDriverByName("GTiff").Create(self.path(name), width, height, bands, gdal.GDT_Float32)
        dataset.SetGeoTransform((_GEOTRANSFORM[0] + shift, *_GEOTRANSFORM[1:]))
        dataset.SetProjection(_utm().ExportToWkt())
        for number, values in enumerate(array, start=1):
            band = dataset.GetRasterBand(number)
            band.SetNoDataValue(NODATA)
            band.WriteArray(values)
            if names:
                band.SetDescription(f"B{number}")
        del band, dataset
        return self.path(name)

    def write_labels(self, name: str, classes: Any, size: int = 5) -> LabelSource:
        """Two squares of ``size`` pixels a class, at the upper and the lower end of its zone."""
        dataset = ogr.GetDriverByName("GPKG").CreateDataSource(self.path(name))
        layer = dataset.CreateLayer("training", _utm(), ogr.wkbPolygon)
        layer.CreateField(ogr.FieldDefn("class", ogr.OFTInteger))
        for index in classes:
            for row in (0, 36):
                col = (4, 17, 30)[index]
                x0, y0 = _GEOTRANSFORM[0] + 10 * col, _GEOTRANSFORM[3] - 10 * row
                x1, y1 = x0 + 10 * size, y0 - 10 * size
                feature = ogr.Feature(layer.GetLayerDefn())
                wkt = f"POLYGON (({x0} {y0}, {x1} {y0}, {x1} {y1}, {x0} {y1}, {x0} {y0}))"
                feature.SetGeometry(ogr.CreateGeometryFromWkt(wkt))
                feature.SetField("class", CLASSES[index][0])
                layer.CreateFeature(feature)
        del layer, dataset
        hints = tuple((str(value), text, "#102030") for value, text in CLASSES[:1])
        return LabelSource(self.path(name), "class", None, hints)

    def leftovers(self, known: set[str]) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - known


def read(path: str) -> np.ndarray:
    array = gdal.Open(str(path)).ReadAsArray()
    return array if array.ndim == 3 else array[None]


def _utm() -> osr.SpatialReference:
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32633)
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs
