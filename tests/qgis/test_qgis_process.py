"""The provider through QGIS's own command line, as a child process."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from qgis_process import QgisProcess, StepFailed

ROOT = Path(__file__).parents[2]
ALGORITHMS = (
    "bdgf:assess",
    "bdgf:checkinputs",
    "bdgf:classify",
    "bdgf:environment",
    "bdgf:installengine",
    "bdgf:landcover",
    "bdgf:modelinfo",
    "bdgf:pretrain",
    "bdgf:suggestsites",
    "bdgf:train",
    "bdgf:traininglayer",
    "bdgf:trainingsummary",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> QgisProcess:
    """The plugin laid out as installed, on an empty profile, with the fake engine in it."""
    folder = tmp_path_factory.mktemp("plugins with blanks")
    subprocess.run(
        ["bash", str(ROOT / "scripts" / "dev_plugin.sh"), str(folder)], check=True, stdout=subprocess.DEVNULL
    )
    engine = folder / "bdgf_qgis" / "engine" / "bdgf_core"
    engine.unlink()
    shutil.copytree(Path(__file__).parent / "fake_engine" / "bdgf_core", engine)
    try:
        return QgisProcess.find(folder, tmp_path_factory.mktemp("profile"), python=Path(sys.executable))
    except StepFailed as reason:
        pytest.skip(str(reason))


def with_engine(qgis: QgisProcess, mode: str, record: Path) -> QgisProcess:
    environment = {**qgis.environment, "FAKE_ENGINE": mode, "FAKE_ENGINE_JOB": str(record)}
    return dataclasses.replace(qgis, environment=environment)


def test_provider_is_listed(installed):
    listed = subprocess.run([installed.executable, "list"], env=installed.environment, capture_output=True, text=True)
    assert all(algorithm in listed.stdout for algorithm in ALGORITHMS)


def test_names_and_numbers_as_text(installed, scene, tmp_path):
    pytest.importorskip("torch")  # the plugin looks for it in the interpreter
    record = tmp_path / "job.json"
    step = with_engine(installed, "", record).run(
        "bdgf:pretrain",
        {
            "SPECTRAL": scene.spectral, "SPECTRAL_BANDS": "1;3", "SECOND": scene.second, "SECOND_KIND": "sar_amplitude",
            "PRESET": "standard", "SEED": "5", "OUTPUT": scene.path("p.bdgf"),
        },
    )  # fmt: skip
    job = json.loads(record.read_text())["job"]
    assert step.results["OUTPUT"] == scene.path("p.bdgf") == job["output"]
    assert (job["preset"], job["second_kind"], job["seed"]) == ("standard", "sar_amplitude", 5)
    assert job["spectral"] == {"path": scene.spectral, "bands": [1, 3]}


def test_a_training_layer_without_a_window_or_an_engine(installed, scene):
    path = scene.path("training.gpkg")
    classes = {"CLASSES": "Water,#1122ee,Wood,#117733", "GRID": scene.spectral, "OUTPUT": path}
    without = {**installed.environment, "BDGF_PYTHON": scene.path("no_python")}
    step = dataclasses.replace(installed, environment=without).run("bdgf:traininglayer", classes)
    assert step.results["OUTPUT"] == path
    (style,) = sqlite3.connect(path).execute("SELECT styleQML FROM layer_styles WHERE useAsDefault").fetchone()
    assert "ValueMap" in style and 'label="Wood"' in style


def test_error_is_the_sentence_and_the_exit_code(installed, scene, tmp_path):
    pytest.importorskip("torch")
    parameters = {"SPECTRAL": scene.spectral, "OUTPUT": scene.path("p.bdgf")}
    with pytest.raises(StepFailed, match="Band 7 of Größe.tif holds no data; choose others."):
        with_engine(installed, "error", tmp_path / "job.json").run("bdgf:pretrain", parameters)
    assert not os.path.exists(scene.path("p.bdgf"))


def test_interrupt_ends_it_within_seconds(installed, scene, tmp_path):
    pytest.importorskip("torch")
    record = tmp_path / "job.json"
    qgis = with_engine(installed, "slow", record)
    process = subprocess.Popen(
        [qgis.executable, "run", "bdgf:pretrain", f"--SPECTRAL={scene.spectral}", f"--OUTPUT={scene.path('p.bdgf')}"],
        env=qgis.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    started = time.monotonic()
    while not record.exists() and time.monotonic() - started < 30:
        time.sleep(0.1)
    time.sleep(1.0)
    interrupted = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0 and time.monotonic() - interrupted < 5
    with pytest.raises(ProcessLookupError):
        os.kill(json.loads(record.read_text())["pid"], 0)
