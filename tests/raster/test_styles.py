"""The styles are judged by QGIS itself, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from raster_scenes import grid_from

from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.raster.styles import ramp_style
from bdgf_core.raster.writer import create_raster

GRID = grid_from(20, 30)

_LOOK = """
import json, os, sys
from qgis.core import QgsApplication, QgsRasterLayer
application = QgsApplication([], False)
application.initQgis()
layer = QgsRasterLayer(sys.argv[1], "map")
renderer = layer.renderer()
told = {"valid": layer.isValid(), "type": renderer.type(), "legend": [
    [str(label), color.name()] for label, color in renderer.legendSymbologyItems()]}
if renderer.type() == "paletted":
    told["values"] = [entry.value for entry in renderer.classes()]
    told["labels"] = [entry.label for entry in renderer.classes()]
else:
    shader = renderer.shader().rasterShaderFunction()
    told["range"] = [renderer.classificationMin(), renderer.classificationMax()]
    told["colors"] = [list(shader.shade(value)) for value in (0.0, 0.5, 1.0)]
print("TOLD " + json.dumps(told), flush=True)
os._exit(0)  # what QGIS does on its way out does not matter here, and may crash
"""


def look(path: Path) -> dict:
    """What QGIS makes of a raster file when it loads it."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import qgis.core"], capture_output=True, env=environment).returncode == 0:
            done = subprocess.run([python, "-c", _LOOK, str(path)], capture_output=True, env=environment, text=True)
            return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("TOLD "))[5:])
    pytest.skip("QGIS is not installed")


@pytest.mark.parametrize(("dtype", "nodata", "last"), [("uint8", 255, 9), ("uint16", 65535, 40000)])
def test_qgis_shows_the_classes(tmp_path: Path, dtype: str, nodata: int, last: int) -> None:
    legend = Legend(
        (
            LandCoverClass(0, "0", 'Wäter <&> "x"', "#0010ff"),
            LandCoverClass(4, "4", "Wood", "#00ff00"),
            LandCoverClass(last, "9", "石", "#d7301f"),
        )
    )
    with create_raster(tmp_path / "map.tif", GRID, dtype=dtype, nodata=nodata, legend=legend) as out:
        out.write(GRID.window, np.full((20, 30), 4, dtype))
    told = look(tmp_path / "map.tif")
    assert told["valid"] and told["type"] == "paletted"
    assert told["values"] == [0, 4, last] and told["labels"] == list(legend.names)
    assert told["legend"] == [[c.name, c.color] for c in legend.classes]


def test_qgis_shows_a_ramp(tmp_path: Path) -> None:
    with create_raster(tmp_path / "a.tif", GRID, dtype="float32", nodata=np.nan, style=ramp_style()) as out:
        out.write(GRID.window, np.full((20, 30), 0.4, np.float32))
    told = look(tmp_path / "a.tif")
    assert told["valid"] and told["type"] == "singlebandpseudocolor" and told["range"] == [0.0, 1.0]
    assert told["colors"] == [[True, 0, 34, 78, 255], [True, 112, 113, 115, 255], [True, 254, 232, 56, 255]]
