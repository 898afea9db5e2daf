"""The verb ``environment``: green where all is there, a sentence with a mend where not, and always a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bdgf_core import environment as module
from bdgf_core import self_test
from bdgf_core.environment import EnvironmentConfig, environment
from bdgf_core.errors import Canceled, InputError
from bdgf_core.installed import Package, look_at, version_of
from bdgf_core.machine import Gpu, Machine, parse_smi
from bdgf_core.progress import Progress

ROOT = Path(__file__).parents[1]


def test_green_with_page_and_json(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    html, told = tmp_path / "é.html", tmp_path / "é.json"
    config = EnvironmentConfig(str(html), str(told), device="cpu", facts=(("QGIS", "3.22 <b>"),))
    document = environment(config, Progress())["document"]
    assert document["ok"] and document["problems"] == [] and json.loads(told.read_text("utf-8")) == document
    assert {check["name"] for check in document["self_test"] if check["ok"]} == {
        "tensors", "denoiser", "scan", "model file", "raster",
    }  # fmt: skip
    page = html.read_text("utf-8")
    assert "The engine is ready." in page and "3.22 &lt;b&gt;" in page and "pooled" in page
    assert {p["name"]: p["version"] for p in document["packages"]}["torch"]


def test_the_self_test_does_not_depend_on_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(self_test, "_CHECKS", {"denoiser": self_test._CHECKS["denoiser"]})
    told = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        (check,) = self_test.self_test("cpu", Progress())
        told.add((check.ok, check.detail, torch.initial_seed() == seed))
    assert len(told) == 1 and told.pop()[::2] == (True, True)


def test_the_self_test_speaks_the_language_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    told = {}
    for language in ("en", "de", "zh"):
        monkeypatch.setenv("BDGF_LANGUAGE", language)
        checks = self_test.self_test("cpu", Progress())
        assert [check.name for check in checks] == ["tensors", "denoiser", "scan", "model file", "raster"]
        told[language] = {text for check in checks for text in (check.title, check.detail)}
    assert len(told["en"]) == 10 and not told["en"] & told["de"] and not told["en"] & told["zh"]


def test_without_any_package(tmp_path: Path) -> None:
    """As in a QGIS without torch, and even without numpy: -S leaves out all site-packages."""
    told = tmp_path / "e.json"
    command = [sys.executable, "-S", "-m", "bdgf_core", "environment", "--json", str(told)]
    base = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([base, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(told.read_text("utf-8"))
    (problem,) = document["problems"]
    assert not document["ok"]
    assert "lacks torch, numpy, osgeo, safetensors, einops, sklearn: run Install the engine" in problem
    assert document["python"]["version"] and document["machine"]["architecture"]


def test_a_broken_and_an_old_torch_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    dll = 'OSError: [WinError 126] Error loading "C:\\torch\\lib\\c10.dll"'
    unfit = "ImportError: numpy.core.multiarray failed to import"
    fake = {"torch": Package("torch", "2.1.0", "/x/torch", dll), "osgeo": Package("osgeo", "3.6.2", "/x", unfit)}
    monkeypatch.setattr(module, "look_at", lambda name, load: fake.get(name) or Package(name, "1", "/x", None))
    monkeypatch.setattr(module, "self_test", lambda device, progress: [])
    problems = environment(EnvironmentConfig(problems=("Told by QGIS.",)), Progress())["document"]["problems"]
    assert problems[0] == "Told by QGIS." and "c10.dll" in problems[1] and "numpy 1 in /x" in problems[2]
    assert "2.1.0" in problems[3] and "2.4" in problems[3]


def test_a_failing_part_is_a_problem_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def fail(device: str) -> str:
        raise RuntimeError("no PROJ\ndatabase")

    checks = {"raster": fail, "tensors": self_test._CHECKS["tensors"]}
    monkeypatch.setattr(self_test, "_CHECKS", checks)
    document = environment(EnvironmentConfig(device="cpu"), Progress())["document"]
    assert [check["ok"] for check in document["self_test"]] == [False, True]
    assert "raster failed: RuntimeError: no PROJ database" in document["problems"][0]


def test_a_gpu_asked_for_and_missing_is_a_problem() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    document = environment(EnvironmentConfig(device="cuda"), Progress())["document"]
    (problem,) = document["problems"]  # though several parts fail for it
    assert not document["ok"] and "is not there" in problem


def test_an_unused_gpu_is_remarked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu = Machine("Linux", "6", "x86_64", "glibc 2.36", 2, 800, "580.65.06", (Gpu("RTX <2000>", 8.6),))
    monkeypatch.setattr(module, "read_machine", lambda: gpu)
    monkeypatch.setattr(module, "self_test", lambda device, progress: [])
    document = environment(EnvironmentConfig(), Progress())["document"]
    assert document["ok"] and "580.65.06" in document["remarks"][0] and "800 MB" in document["remarks"][1]
    page = module.environment_report(document)
    assert "RTX &lt;2000&gt; (8.6)" in page and "580.65.06" in page


def test_names_of_people_stay_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "erika"))
    monkeypatch.setenv("USER", "erika")
    monkeypatch.setattr(module, "self_test", lambda device, progress: [])
    facts = (("Interpreter named", str(tmp_path / "home" / "erika" / "py")), ("Proxy", "http://erika:pw@proxy:1"))
    told = tmp_path / "e.json"
    environment(EnvironmentConfig(json=str(told), facts=facts), Progress())
    text = told.read_text("utf-8")
    assert "erika" not in text and "pw@" not in text and '"~/py"' in text


def test_cancel_leaves_no_file(tmp_path: Path) -> None:
    config = EnvironmentConfig(str(tmp_path / "e.html"), str(tmp_path / "e.json"), test=False)
    with pytest.raises(Canceled):
        environment(config, Progress(canceled=lambda: True))
    assert os.listdir(tmp_path) == []


def test_wrong_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two different files"):
        EnvironmentConfig(str(tmp_path / "a"), str(tmp_path / "a"))
    with pytest.raises(InputError, match="does not exist"):
        environment(EnvironmentConfig(html=str(tmp_path / "no" / "a.html")), Progress())


def test_what_nvidia_smi_says() -> None:
    two = "580.65.06, 8.6, NVIDIA RTX A2000\n580.65.06, 12.0, NVIDIA GeForce RTX 5090, Ti\n"
    assert parse_smi(two) == ("580.65.06", (Gpu("NVIDIA RTX A2000", 8.6), Gpu("NVIDIA GeForce RTX 5090, Ti", 12.0)))
    assert parse_smi("450.80.02, 00000000:01:00.0, Quadro P400") == ("450.80.02", (Gpu("Quadro P400", None),))
    for nothing in ("", "No devices were found\n", "NVIDIA-SMI has failed because it couldn't communicate, x, y"):
        assert parse_smi(nothing) == (None, ())


def test_packages_are_found_without_loading_them() -> None:
    assert look_at("no_such_package", load=True) == Package("no_such_package", None, None, None)
    found = look_at("pytest", load=False)
    assert found.version == pytest.__version__ and found.folder and found.failure is None
    assert [version_of(text) for text in ("2.13.0+cpu", "2.4", "2", "", None, "a.b")] == [
        (2, 13), (2, 4), None, None, None, None,
    ]  # fmt: skip
