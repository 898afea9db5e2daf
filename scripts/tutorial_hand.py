"""Where a person would click to draw the tutorial's training polygons, as JSON: ``tutorial_hand.py SCENE_FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from osgeo import gdal
from scene.classes import CLASSES
from scene.sensors import ORIGIN, swath
from scene.training import PIXEL, outlines

# The classes that the dialog proposes, by those of the scene.
DRAWN = {
    "Water": ["Water"],
    "Forest": ["Deciduous forest", "Coniferous forest"],
    "Grassland": ["Meadow"],
    "Cropland": ["Cereals", "Maize", "Bare soil"],
    "Built-up": ["Residential", "Industry", "Asphalt"],
}
POLYGONS = 6  # of a class


def clicks(scene: Path) -> list[tuple[str, list[tuple[float, float]]]]:
    """Class and corners in the hyperspectral raster's CRS, polygon by polygon; none lies where the scene's own training
    polygons are, which are to judge the map."""
    gdal.UseExceptions()
    truth = gdal.Open(str(scene / "truth.tif")).ReadAsArray()
    taken = _like(scene / "truth.tif")
    polygons = str(scene / "training_polygons.gpkg")
    gdal.Rasterize(taken, polygons, layers=["training_polygons"], burnValues=[1], allTouched=True)
    free = swath(truth.shape[0]) & ~_grown(taken.ReadAsArray() > 0, 3)
    values = {c.name: c.value for c in CLASSES}
    rng = np.random.default_rng(5)
    drawn = []
    for name, members in DRAWN.items():
        count = -(-POLYGONS // len(members))
        for member in members:
            for outline in outlines((truth == values[member]) & free, count, rng):
                drawn.append((name, [(ORIGIN[0] + col * PIXEL, ORIGIN[1] - row * PIXEL) for row, col in outline]))
    return drawn


def _like(path: Path) -> gdal.Dataset:
    """An empty raster in memory on the grid of another."""
    source = gdal.Open(str(path))
    empty = gdal.GetDriverByName("MEM").Create("", source.RasterXSize, source.RasterYSize, 1)
    empty.SetGeoTransform(source.GetGeoTransform())
    empty.SetProjection(source.GetProjection())
    return empty


def _grown(area: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        padded = np.pad(area, 1)
        area = area | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return area


if __name__ == "__main__":
    print(json.dumps(clicks(Path(sys.argv[1]))))
