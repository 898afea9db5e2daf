"""The plugin out of its zip, in a fresh profile, in a folder with blanks and accents, in a QGIS without the engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("qgis.core")
from from_zip import first_map, install, unpack  # noqa: E402
from osgeo import gdal  # noqa: E402
from qgis_process import StepFailed  # noqa: E402


def has_torch() -> bool:
    """Whether the Python that QGIS is built for brings torch along."""
    code = "import importlib.util as u, sys; sys.exit(u.find_spec('torch') is None)"
    return subprocess.run(["/usr/bin/python3", "-c", code], env={"PATH": os.environ["PATH"]}).returncode == 0


def fresh(tmp_path: Path):
    try:
        return unpack(tmp_path / "Größe é")
    except StepFailed as reason:
        pytest.skip(str(reason))


def test_without_the_engine_it_says_what_to_do(tmp_path: Path, simulated_scene: Path) -> None:
    if has_torch():
        pytest.skip("QGIS's own Python has torch")
    (tmp_path / "Größe é").mkdir()
    qgis = fresh(tmp_path)
    report = tmp_path / "e.json"
    results = qgis.run("bdgf:environment", {"JSON": str(report)}).results
    document = json.loads(report.read_text("utf-8"))
    assert results["READY"] == "false" and "lacks torch" in document["problems"][0]
    rasters = {"SPECTRAL": str(simulated_scene / "hyperspectral.tif"), "OUTPUT": str(tmp_path / "p.bdgf")}
    with pytest.raises(StepFailed, match="run the algorithm Install the engine"):
        qgis.run("bdgf:pretrain", rasters)
    assert not (tmp_path / "Größe é" / "profile" / "profiles" / "default" / "bdgf").exists()


@pytest.mark.long
def test_from_the_zip_to_the_first_map(tmp_path: Path, simulated_scene: Path) -> None:
    wheels = os.environ.get("BDGF_WHEELS")
    if not wheels:
        pytest.skip("no folder of wheels; name one in BDGF_WHEELS")
    folder = tmp_path / "Größe é"
    shutil.copytree(simulated_scene, folder / "scene")
    qgis = fresh(tmp_path)
    shutil.copytree(wheels, folder / "Räder")
    steps = [*install(qgis, folder, folder / "Räder"), *first_map(qgis, folder)]
    print({step.name: round(step.seconds) for step in steps})
    document = json.loads((folder / "environment.json").read_text("utf-8"))
    places = {package["name"]: package["folder"] for package in document["packages"]}
    installed = Path(steps[0].results["FOLDER"])
    assert folder in installed.parents and Path(places["torch"]) == installed / "torch"
    assert Path(places["numpy"]).parent != installed and Path(places["osgeo"]).parent != installed
    mapped = gdal.Open(str(folder / "map.tif")).ReadAsArray()
    assert mapped.shape == (64, 64) and len(set(mapped.ravel().tolist())) > 2
