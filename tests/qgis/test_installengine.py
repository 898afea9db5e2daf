"""Installing the engine's packages: real pip and real processes, with wheels of a few bytes and no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingException
from qgis.PyQt.QtCore import QSysInfo
from test_engine import Recorder
from tiny_wheels import FAILS, WORKS, write_wheel, write_wheels


@pytest.fixture
def home(engine, monkeypatch, tmp_path):
    """The folder of the installations in an empty profile, with blanks and accents."""
    from bdgf_qgis import packages

    home = tmp_path / "Profil für é" / "bdgf"
    monkeypatch.setattr(packages, "home", lambda: str(home))
    monkeypatch.setenv("PIP_USER", "1")  # settings of users that would lead pip elsewhere
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "wrong"))
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return home


def tree(folder: Path) -> set[str]:
    """All but what is held for a moment: locks."""
    return (
        {path.name for path in folder.iterdir() if not path.name.endswith((".lock", ".job"))}
        if folder.is_dir()
        else set()
    )


def installed(home: Path, *, works: bool = True) -> str:
    """An installation in use, made without pip."""
    from bdgf_qgis import packages

    folder = packages.new_folder()
    Path(folder, "tinytorch.py").write_text(
        WORKS.replace("import torch, einops, safetensors, sklearn", "pass") if works else "x y"
    )
    return packages.switch(folder, {"torch": "2.13.0+cpu", "installed": "2.13.0"})


def test_installs_verifies_and_switches(home, run, scene):
    from bdgf_qgis import interpreter, packages

    feedback = Recorder()
    wheels = write_wheels(scene.folder / "Räder aus é")
    results = run("installengine", WHEELS=wheels, feedback=feedback)
    folder = Path(results["FOLDER"])
    assert folder.parent == home and results["TORCH"] == "2.13.0" and packages.in_use() == str(folder)
    assert (folder / "torch" / "__init__.py").is_file() and not (folder / "numpy").exists()
    assert tree(home) == {folder.name, os.path.basename(packages._record_path())}  # nothing half-made is left
    told = [text for _, text in feedback.told]
    assert any("Successfully installed" in text for text in told) and "Self-test tensors: fine" in told
    percents = [percent for _, percent in feedback.beats]
    assert percents == sorted(percents) and percents[-1] <= 100
    assert interpreter.own().packages == str(folder) and str(folder) in interpreter.own().environment()["PYTHONPATH"]
    # a broken one is made anew, and the old one goes
    (folder / "einops" / "__init__.py").write_text("raise ImportError")
    anew = Path(run("installengine", WHEELS=wheels)["FOLDER"])
    assert anew != folder and not folder.exists() and packages.in_use() == str(anew)


def test_nothing_is_done_where_it_works(home, run):
    folder = installed(home)
    feedback = Recorder()
    assert run("installengine", feedback=feedback) == {"FOLDER": folder, "TORCH": "2.13.0+cpu"}
    assert ("info", "The engine is installed already, and works.") in feedback.told


def test_a_failing_self_test_changes_nothing(home, run, scene):
    from bdgf_qgis import packages

    present = installed(home, works=False)  # or nothing would be installed
    before = tree(home)
    with pytest.raises(QgsProcessingException, match="Visual C\\+\\+ runtime"):
        run("installengine", WHEELS=write_wheels(scene.folder / "bad", tinytorch=FAILS))
    with pytest.raises(QgsProcessingException, match="do not work here, and were removed: tinytorch: no luck"):
        run("installengine", WHEELS=write_wheels(scene.folder / "worse", tinytorch="raise ValueError('no luck')"))
    assert tree(home) == before and packages.in_use() == present


def test_no_wheel_that_fits_is_told_with_the_command_that_fetches_it(home, run, scene):
    wheels = write_wheels(scene.folder / "old", torch="2.3.0")
    with pytest.raises(QgsProcessingException) as error:
        run("installengine", WHEELS=wheels)
    assert f"{wheels} lacks a wheel" in str(error.value) and "pip download" in str(error.value)
    assert re.search(r"torch==\S+ einops safetensors scikit-learn numpy==\d", str(error.value))
    assert "torch==2.13.0" in str(error.value) and not tree(home)


def test_a_damaged_wheel_and_a_numpy_of_their_own(home, run, scene):
    wheels = Path(write_wheels(scene.folder / "damaged"))
    (wheels / "einops-0.8.0-py3-none-any.whl").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(QgsProcessingException, match="damaged"):
        run("installengine", WHEELS=str(wheels))
    wheels = Path(write_wheels(scene.folder / "with numpy", needs="numpy"))
    write_wheel(wheels, "numpy", "9.9.9", {"numpy/__init__.py": ""})
    with pytest.raises(QgsProcessingException, match="another numpy than QGIS's own"):  # QGIS's is of another version
        run("installengine", WHEELS=str(wheels))
    assert not tree(home)
    write_wheel(wheels, "numpy", "1.24.2", {"numpy/__init__.py": ""})  # the one that the fake engine tells
    folder = Path(run("installengine", WHEELS=str(wheels))["FOLDER"])
    assert not list(folder.glob("numpy*")) and list(folder.glob("tinytorch*"))  # QGIS's own stays the one in use


@pytest.mark.parametrize("after", ["Processing", "Successfully installed"])
def test_cancel_at_any_stage_leaves_nothing(home, run, scene, after):
    """While pip works, and while the packages are tested."""
    wheels = write_wheels(scene.folder / "w", tinytorch="import time\ntime.sleep(60)\n")
    feedback, canceled = Recorder(), []

    def cancel_when_told() -> None:
        while not any(after in text for _, text in feedback.told):
            time.sleep(0.02)
        time.sleep(0.2)
        canceled.append(time.monotonic())
        feedback.cancel()

    threading.Thread(target=cancel_when_told, daemon=True).start()
    with pytest.raises(QgsProcessingException, match="Canceled"):
        run("installengine", WHEELS=wheels, feedback=feedback)
    assert time.monotonic() - canceled[0] < 5 and not tree(home)


def test_a_cancel_between_two_steps_is_not_lost(home, run, scene):
    """One that comes after pip's last word, before the packages are tested."""

    class Impatient(Recorder):
        def pushConsoleInfo(self, info):  # noqa: N802
            super().pushConsoleInfo(info)
            if "Successfully installed" in info:
                self.cancel()

    wheels = write_wheels(scene.folder / "w", tinytorch="import time\ntime.sleep(60)\n")
    began = time.monotonic()
    with pytest.raises(QgsProcessingException, match="Canceled"):
        run("installengine", WHEELS=wheels, feedback=Impatient())
    assert time.monotonic() - began < 30 and not tree(home)


def test_too_little_space_is_told_before_pip_starts(home, run, scene, monkeypatch):
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**12, 10**12, 1000 << 20))
    feedback = Recorder()
    with pytest.raises(QgsProcessingException, match="need 1900 MB, and 1000 MB are free"):
        run("installengine", WHEELS=write_wheels(scene.folder / "w"), feedback=feedback)
    assert not any(kind == "console" for kind, _ in feedback.told) and not tree(home)


def test_what_a_killed_one_left_is_removed_but_not_what_a_job_uses(home, run, scene):
    from bdgf_qgis import packages

    wheels = write_wheels(scene.folder / "w")
    used = installed(home, works=False)
    for left in ("ab12", "ab12.new", "cd34.tmp"):
        (home / left / "torch").mkdir(parents=True)
    (home / "notes").mkdir()  # of nobody knows whom
    with packages.kept(used):
        new = run("installengine", WHEELS=wheels)["FOLDER"]
        assert os.path.isdir(used) and tree(home) >= {os.path.basename(used), os.path.basename(new), "notes"}
        assert not tree(home) & {"ab12", "ab12.new", "cd34.tmp"}
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    lock = f"{dead.pid}\npython\n{QSysInfo.machineHostName()}\n"  # as a job leaves it that was killed
    (home / f"{os.path.basename(used)}.dead.job").write_text(lock)
    with packages.installing() as mine:
        assert mine and packages.remove_unused() == [] and not os.path.exists(used)


def test_two_at_once_are_told(home, run, scene):
    from bdgf_qgis import packages

    with packages.installing() as mine:
        assert mine
        with pytest.raises(QgsProcessingException, match="Another QGIS is installing"):
            run("installengine", WHEELS=write_wheels(scene.folder / "w"))


def test_a_wheel_of_pip_serves_where_there_is_no_pip(home, monkeypatch, scene):
    from bdgf_qgis import interpreter
    from bdgf_qgis.installing import pip

    wheels = Path(write_wheels(scene.folder / "w"))
    python = interpreter.own()
    assert pip.find(python, None) == [python.path, "-m", "pip"]
    answer = "import json; print(json.dumps({'pip': False, 'folders': [%r]}))"
    monkeypatch.setattr(pip, "_WHERE", answer % str(scene.folder))
    with pytest.raises(QgsProcessingException, match="apt install python3-pip.*as wheel folder"):
        pip.find(python, str(wheels))
    for folder in (scene.folder, wheels):  # the user's own comes first
        wheel = write_wheel(folder, "pip", "99.0", {"pip/__main__.py": "print('here I am')"})
        command = pip.find(python, str(wheels))
        assert command == [python.path, os.path.join(wheel, "pip")]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "here I am\n"


def test_wrong_wheel_folders_are_refused_early(home, check, scene):
    assert check("installengine", BUILD="auto") == ""
    assert "no wheel folder" in check("installengine", WHEELS=scene.path("nowhere"))
    assert "holds no wheels" in check("installengine", WHEELS=str(scene.folder))
    assert "BUILD" in check("installengine", BUILD="rocm")


def test_a_named_interpreter_is_told_of(home, run, scene, monkeypatch):
    monkeypatch.setenv("BDGF_PYTHON", sys.executable)
    installed(home)
    feedback = Recorder()
    run("installengine", feedback=feedback)
    assert any(kind == "warning" and sys.executable in text for kind, text in feedback.told)


def test_an_unreadable_record_is_none(home):
    from bdgf_qgis import packages

    home.mkdir(parents=True)
    for text in ("", "[]", "{", '{"folder": "../../etc"}', '{"folder": null}', '{"folder": "ab12"}'):
        Path(packages._record_path()).write_text(text)
        assert packages.in_use() is None


def test_environment_report_without_the_engine(engine, run, scene, monkeypatch):
    monkeypatch.setenv("BDGF_PYTHON", "/nowhere/python")
    results = run("environment", HTML=scene.path("e.html"), JSON=scene.path("e.json"))
    assert results["READY"] is False and results["PROBLEMS"] == 2
    text = Path(results["JSON"]).read_text()
    assert "/nowhere/python does not start" in text and "tinytorch" in text and '"QGIS"' in text
    for name in ("environment", "installengine"):
        algorithm = QgsApplication.processingRegistry().algorithmById(f"bdgf:{name}")
        assert algorithm.canExecute() == (True, "")
