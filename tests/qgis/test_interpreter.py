"""Finding a Python for the engine, and saying what it lacks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingException


@pytest.fixture
def interpreter(engine):
    from bdgf_qgis import interpreter

    return interpreter


def test_own_python_is_proven_by_its_prefix(interpreter, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/env")  # as useless as inside QGIS
    found = interpreter.find()
    assert found.own and found.version == sys.version_info[:2] and not found.missing


def test_named_interpreter_comes_first(interpreter, monkeypatch):
    monkeypatch.setenv("BDGF_PYTHON", sys.executable)
    assert interpreter.find().path == sys.executable and not interpreter.find().own


def test_setting_comes_before_the_environment(interpreter, monkeypatch):
    from qgis.core import QgsSettings

    monkeypatch.setenv("BDGF_PYTHON", "/nowhere/python")
    key = "Processing/Configuration/BDGF_INTERPRETER"
    QgsSettings().setValue(key, sys.executable)
    try:
        assert interpreter.find().path == sys.executable
    finally:
        QgsSettings().remove(key)


@pytest.mark.parametrize("path", ["/nowhere/python", "/bin/false", "/bin/true", "/etc/passwd"])
def test_wrong_interpreter_is_named(interpreter, monkeypatch, path):
    monkeypatch.setenv("BDGF_PYTHON", path)
    with pytest.raises(QgsProcessingException, match=f"{path} does not start.*Providers ▸ BDGF"):
        interpreter.find()


def test_missing_packages_are_named_with_the_mend(interpreter, monkeypatch, run, scene):
    monkeypatch.setattr(interpreter, "REQUIRED", ("json", "tensorfountain"))
    algorithm = QgsApplication.processingRegistry().algorithmById("bdgf:pretrain")
    possible, message = algorithm.canExecute()
    assert not possible and "tensorfountain" in message and "BDGF_PYTHON" in message
    with pytest.raises(QgsProcessingException, match="tensorfountain"):
        run("pretrain", SPECTRAL=scene.spectral, OUTPUT=scene.path("m.bdgf"))


def test_what_needs_no_network_runs_before_the_engine_is_installed(interpreter, monkeypatch):
    monkeypatch.setattr(interpreter, "REQUIRED", (*interpreter.IN_EVERY_QGIS, "tensorfountain"))
    ready = {
        algorithm.name()
        for algorithm in QgsApplication.processingRegistry().providerById("bdgf").algorithms()
        if algorithm.canExecute()[0]
    }
    assert {"checkinputs", "trainingsummary", "assess", "suggestsites", "modelinfo", "installengine"} <= ready
    assert not {"pretrain", "train", "classify", "landcover"} & ready


def test_answer_is_remembered(interpreter):
    interpreter.find()
    started = time.monotonic()
    for _ in range(20):
        interpreter.find()
    assert time.monotonic() - started < 0.2


def test_algorithms_are_ready(engine):
    for algorithm in QgsApplication.processingRegistry().providerById("bdgf").algorithms():
        assert algorithm.canExecute() == (True, "")


def test_torch_stays_out_of_qgis(qgis_app):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import bdgf_qgis.provider; print('torch' in sys.modules or 'bdgf_core' in sys.modules)"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
