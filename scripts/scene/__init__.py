"""A simulated scene: a hyperspectral raster, a SAR raster on another grid, training polygons and the truth.

A landscape is drawn at 5 m and seen by two sensors. Some of its classes differ in their spectra only (the two forests,
water and asphalt), some in the radar mostly (cereals and maize); pixels are mixed where things are small. The same seed
gives the same files. Needs numpy and GDAL only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .landscape import draw_landscape
from .sensors import write_hyperspectral, write_sar
from .training import coarse_classes, write_training_polygons, write_truth


def simulate_scene(folder: Path, *, size: int = 300, seed: int = 7) -> Path:
    """Write a square scene of ``size`` hyperspectral pixels a side into ``folder``, and return the folder:

    - ``hyperspectral.tif``: 36 bands of reflectance × 10,000 at 15 m, UTM 33N, with wavelengths and a bad-band list
    - ``sar.tif``: VV and VH in linear power at 10 m, UTM 32N, four looks of speckle
    - ``training_polygons.gpkg``: fields ``class`` (name) and ``class_id``, with the classes' colours as default style
    - ``truth.tif``: every pixel's class value on the hyperspectral grid, 0 where none
    """
    if size < 64:
        raise ValueError(f"A scene of {size} pixels a side has no room for a town; use 64 or more.")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    landscape = draw_landscape(size, rng)
    write_hyperspectral(folder / "hyperspectral.tif", landscape, rng)
    write_sar(folder / "sar.tif", landscape, rng)
    truth = coarse_classes(landscape)
    write_truth(folder / "truth.tif", truth)
    write_training_polygons(folder / "training_polygons.gpkg", truth, rng)
    return folder
