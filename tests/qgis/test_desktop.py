"""The dialogs of the real desktop, on a screen that nobody sees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
HERE = Path(__file__).parent


def test_run_cancel_and_draw(scene, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("markdown")
    if not (shutil.which("qgis") and shutil.which("xvfb-run")):
        pytest.skip("needs the QGIS desktop and xvfb-run")
    plugins, profile, answer = tmp_path / "plugins", tmp_path / "profile", tmp_path / "answer.json"
    lay_out = str(HERE.parents[1] / "scripts" / "dev_plugin.sh")
    subprocess.run(["bash", lay_out, str(plugins)], check=True, stdout=subprocess.DEVNULL)
    engine = plugins / "bdgf_qgis" / "engine" / "bdgf_core"
    engine.unlink()
    shutil.copytree(HERE / "fake_engine" / "bdgf_core", engine)
    settings = profile / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[PythonPlugins]\nbdgf_qgis=true\nprocessing=true\n")
    given = {
        "answer": str(answer),
        "classify": {"CLASSIFIER": scene.model("c.bdgf", "classifier", second=False), "SPECTRAL": scene.spectral},
        "traininglayer": {"CLASSES": ["Water", "", "Wood", ""], "CRS": "EPSG:32633"},
        "pretrain": {"SPECTRAL": scene.spectral, "OUTPUT": scene.path("p.bdgf")},
    }
    environment = {
        **{k: v for k, v in os.environ.items() if k != "QT_QPA_PLATFORM"},
        "QGIS_PLUGINPATH": str(plugins),
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "BDGF_PYTHON": sys.executable,
        "PYTHONPATH": str(HERE.parents[1] / "scripts"),
        "BDGF_SESSION": json.dumps(given),
        "FAKE_ENGINE_JOB": str(tmp_path / "job.json"),
        "LC_ALL": "C.UTF-8",
    }
    command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", "qgis", "--nologo", "--noversioncheck"]
    command += ["--code", str(HERE / "desktop_session.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert answer.exists(), done.stderr[-2000:]
    seen = json.loads(answer.read_text())
    assert "failure" not in seen, seen["failure"]
    assert list(seen["legends"].values()) == [[[3, "Open water", "#1122ee"], [9, "Wood", "#117733"]]], json.dumps(seen)
    assert seen["help"] == [str(plugins / "bdgf_qgis" / "help" / "algorithms" / "classify.html")]
    assert os.path.exists(seen["help"][0])
    assert seen["running"] and seen["canceled"] < 5, seen
    assert not os.path.exists(scene.path("p.bdgf"))
    titles = {name: shown[0] for name, shown in seen["menu"].items()}
    assert titles["Install the engine…"] == "Install the engine", titles
    assert titles["Environment report…"] == "Environment report", titles
    assert "ConfigOptionsPage" in seen["menu"]["Settings…"], seen["menu"]
    assert seen["designer"] == ["classify", "pretrain", "train"]
    assert seen["form"] == ["Class"] and seen["drawn"] == ["Wood"], seen
