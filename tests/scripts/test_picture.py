"""The picture is drawn from files alone, by a process of its own as in the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from osgeo import gdal

gdal.UseExceptions()
pytest.importorskip("qgis.core")

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("sensors", [1, 2])
def test_every_class_color_is_in_the_picture(simulated_scene: Path, tmp_path: Path, sensors: int) -> None:
    output = tmp_path / "Bild.png"
    options = {"map": "truth.tif", "spectral": "hyperspectral.tif", "labels": "training_polygons.gpkg"}
    if sensors == 2:
        options["second"] = "sar.tif"
    command = [sys.executable, str(ROOT / "scripts" / "picture.py"), str(output), "--class-field=class"]
    command += [f"--{name}={simulated_scene / file}" for name, file in options.items()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path / "profile")}
    done = subprocess.run([*command, "--second-kind=sar_linear"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    picture = gdal.Open(str(output))
    height, width = picture.RasterYSize, picture.RasterXSize
    pixels = picture.ReadAsArray()[:3].reshape(3, -1).T
    colors = {tuple(pixel) for pixel in pixels.tolist()}
    table = gdal.Open(str(simulated_scene / "truth.tif"))
    table.GetMetadata()  # GDAL 3.6 reads the side file, where the names are, no sooner
    entries = table.GetRasterBand(1).GetColorTable()
    names = table.GetRasterBand(1).GetCategoryNames()
    assert all(entries.GetColorEntry(value)[:3] in colors for value, name in enumerate(names) if name)
    assert height > 1200 and width > 1200
