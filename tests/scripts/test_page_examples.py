"""Every command on the pages of docs/ runs, one after the other as a reader would type them, on the simulated scene."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Mapping

import numpy as np
import pytest
from osgeo import gdal
from qgis_process import QgisProcess, StepFailed
from scene import simulate_scene

pytest.importorskip("qgis.core")
pytest.importorskip("torch")
pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
IN_ORDER = (
    "checkinputs", "traininglayer", "trainingsummary", "pretrain", "train", "classify", "suggestsites", "assess",
    "landcover", "modelinfo", "environment", "scripting", "cluster", "data", "tutorial",
)  # fmt: skip
ELSEWHERE = ("installengine", "chains")  # one downloads, the others take minutes; they have tests of their own
SHORT = {
    "pretrain": {"STEPS": 2},
    "train": {"EPOCHS": 1, "SAMPLES_PER_CLASS": 20},
    "landcover": {"STEPS": 2, "EPOCHS": 1, "SAMPLES_PER_CLASS": 20},
}  # in place of minutes
IN_QGIS = """
import os, sys
sys.path.insert(0, {root!r})
from qgis.core import QgsApplication
application = QgsApplication([], False)
application.initQgis()
sys.path.append(os.path.join(QgsApplication.pkgDataPath(), "python", "plugins"))
from processing.core.Processing import Processing
Processing.initialize()
from bdgf_qgis.plugin import BdgfPlugin
plugin = BdgfPlugin()
plugin.initProcessing()
import processing
def run(name, parameters, run=processing.run, short={short!r}):
    return run(name, {{**short.get(name[5:], {{}}), **parameters}})
processing.run = run
exec(compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec"))
"""


def examples(page: str) -> list[tuple[str, str]]:
    """Language and text of the page's examples, in order."""
    path = ROOT / "docs" / f"{page}.md"
    path = path if path.exists() else ROOT / "docs" / "algorithms" / f"{page}.md"
    return re.findall(r"^```(sh|python)\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = simulate_scene(tmp_path_factory.mktemp("the reader's folder"), size=112)
    shutil.copy(folder / "training_polygons.gpkg", folder / "reference.gpkg")
    shutil.copy(folder / "hyperspectral.tif", folder / "spectral.tif")
    shutil.copy(folder / "sar.tif", folder / "sar_db.tif")
    sar = gdal.Open(str(folder / "sar_db.tif"), gdal.GA_Update)
    for band in range(1, sar.RasterCount + 1):
        power = sar.GetRasterBand(band).ReadAsArray()
        sar.GetRasterBand(band).WriteArray(10 * np.log10(np.maximum(power, 1e-6)))
    (folder / "scripts").symlink_to(ROOT / "scripts")
    return folder


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> tuple[str, Mapping[str, str]]:
    """The name of QGIS's command line, and an environment in which ``python`` has the engine's packages."""
    plugins = tmp_path_factory.mktemp("plugins")
    subprocess.run(["bash", str(ROOT / "scripts" / "dev_plugin.sh"), str(plugins)], check=True, capture_output=True)
    try:
        qgis = QgisProcess.find(plugins, tmp_path_factory.mktemp("profile"), python=Path(sys.executable))
    except StepFailed as reason:
        pytest.skip(str(reason))
    commands = tmp_path_factory.mktemp("commands")
    for name in ("python", "python3"):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (commands / name).chmod(0o755)
    path = f"{commands}{os.pathsep}{qgis.environment['PATH']}"
    return qgis.executable, {**qgis.environment, "PATH": path, "PYTHONPATH": str(ROOT)}


def shortened(command: str) -> str:
    for name, options in SHORT.items():
        shell = " ".join(f"--{key}={value}" for key, value in options.items())
        core = " ".join(f"--{key.lower().replace('_', '-')} {value}" for key, value in options.items())
        command = command.replace(f"run bdgf:{name} ", f"run bdgf:{name} {shell} ")
        command = command.replace(f"bdgf_core {name} -", f"bdgf_core {name} {core} -")
    return command


@pytest.mark.parametrize("page", IN_ORDER)
def test_examples_run(page, folder, shell, tmp_path):
    executable, environment = shell
    found = examples(page)
    assert found
    for language, text in found:
        if language == "sh":
            lines = re.sub(r"^qgis_process plugins enable.*\n", "", text, flags=re.MULTILINE)  # is done
            command = ["bash", "-euc", shortened(lines).replace("qgis_process ", f"{executable} ")]
        else:
            (tmp_path / "example.py").write_text(text, "utf-8")
            (tmp_path / "in_qgis.py").write_text(IN_QGIS.format(root=str(ROOT), short=SHORT), "utf-8")
            command = [sys.executable, str(tmp_path / "in_qgis.py"), str(tmp_path / "example.py")]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode in (0, -11), f"{text}\n{done.stdout}\n{done.stderr}"  # QGIS may fall as it ends
        assert "Traceback" not in done.stderr, f"{text}\n{done.stderr}"


def test_every_page_with_examples_is_run():
    names = [path.stem for path in (ROOT / "docs").rglob("*.md") if "```" in path.read_text("utf-8")]
    assert sorted(names) == sorted(IN_ORDER + ELSEWHERE)
