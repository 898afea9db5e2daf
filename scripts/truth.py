"""How well a map agrees with a raster that knows the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from osgeo import gdal, ogr

from bdgf_core.accuracy import Accuracy, confusion_matrix

gdal.UseExceptions()


def accuracy_against(land_cover: Path, truth: Path, labels: Path) -> Accuracy:
    """The accuracy of the map's pixels outside the training polygons ``labels``, in the truth's classes.

    Both rasters lie on one grid and name their classes; the names are what is compared.
    """
    mapped, mapped_names = _classes(land_cover)
    true, true_names = _classes(truth)
    number = {name: index for index, name in enumerate(true_names.values())}
    as_truth = np.full(65536, -1)
    for value, name in mapped_names.items():
        as_truth[value] = number[name]
    as_number = np.full(65536, -1)
    for value, name in true_names.items():
        as_number[value] = number[name]
    predicted, reference = as_truth[mapped], as_number[true]
    compared = (predicted >= 0) & (reference >= 0) & ~_covered(labels, truth)
    return Accuracy.of(confusion_matrix(reference[compared], predicted[compared], len(number)))


def _classes(path: Path) -> tuple[np.ndarray, dict[int, str]]:
    dataset = gdal.Open(str(path))
    dataset.GetMetadata()  # GDAL 3.6 reads the side file, where the names are, no sooner
    band = dataset.GetRasterBand(1)
    return band.ReadAsArray(), {value: name for value, name in enumerate(band.GetCategoryNames()) if name}


def _covered(labels: Path, like: Path) -> np.ndarray:
    """Which pixels of the raster ``like`` the polygons touch."""
    raster = gdal.Open(str(like))
    burned = gdal.GetDriverByName("MEM").Create("", raster.RasterXSize, raster.RasterYSize, 1)
    burned.SetGeoTransform(raster.GetGeoTransform())
    burned.SetProjection(raster.GetProjection())
    polygons = ogr.Open(str(labels))
    gdal.RasterizeLayer(burned, [1], polygons.GetLayer(0), burn_values=[1], options=["ALL_TOUCHED=TRUE"])
    return burned.ReadAsArray() > 0
