"""Maps are compared by the names of their classes, outside the training polygons."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from osgeo import gdal
from truth import accuracy_against

gdal.UseExceptions()


def test_the_truth_agrees_with_itself_in_other_values(simulated_scene: Path, tmp_path: Path) -> None:
    truth, labels = simulated_scene / "truth.tif", simulated_scene / "training_polygons.gpkg"
    renumbered = tmp_path / "map.tif"
    shutil.copy(truth, renumbered)
    original = gdal.Open(str(truth))
    original.GetMetadata()  # GDAL 3.6 reads the side file, where the names are, no sooner
    dataset = gdal.Open(str(renumbered), gdal.GA_Update)
    dataset.GetRasterBand(1).SetCategoryNames(["", *original.GetRasterBand(1).GetCategoryNames()])
    values = original.ReadAsArray()
    dataset.GetRasterBand(1).WriteArray((values + 1).astype(np.uint8))
    dataset = None
    assert accuracy_against(renumbered, truth, labels).overall == 1.0

    dataset = gdal.Open(str(renumbered), gdal.GA_Update)
    values[: len(values) // 2] = 1  # one class all over the upper half
    dataset.GetRasterBand(1).WriteArray((values + 1).astype(np.uint8))
    dataset = None
    assert 0.3 < accuracy_against(renumbered, truth, labels).overall < 0.9
