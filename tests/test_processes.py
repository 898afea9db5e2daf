"""Several processes of torchrun do a job together, and end with what one process makes of it."""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from light_engine import lighten
from tiny_scene import TinyScene

import bdgf_core.pretrain
import bdgf_core.train
from bdgf_core.checkpoint import load_model
from bdgf_core.files import hidden_folder
from bdgf_core.job import read_job
from bdgf_core.pretrain import PretrainConfig, pretrain
from bdgf_core.processes import Processes
from bdgf_core.progress import Progress

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="torchrun is for Linux")

ROOT = Path(__file__).parents[1]
Job = dict[str, Any]


class Ended:
    """A command that has ended: its status, its events and what it said to standard error."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        output, log = process.communicate(timeout=300)
        self.status, self.log = process.returncode, log.decode()
        self.events = [json.loads(line) for line in output.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        assert self.status == 0, self.log
        assert [event["event"] for event in self.events].count("result") == 1
        return self.events[-1]

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "error"]


def start_two(folder: Path, verb: str, job: Job, trick: str = "none") -> subprocess.Popen[bytes]:
    """Two processes of torchrun, with a thread each."""
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    command += [f"--master-port={_free_port()}", str(ROOT / "tests" / "light_engine.py"), trick]
    cores = sorted(os.sched_getaffinity(0))[:2]
    return subprocess.Popen(
        [*command, verb, "--job", str(folder / "job.json")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # the name of a machine without a network leads nowhere
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip


def run_two(folder: Path, verb: str, job: Job, trick: str = "none") -> Ended:
    return Ended(start_two(folder, verb, job, trick))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> TinyScene:
    return TinyScene(tmp_path_factory.mktemp("two processes"))


@pytest.fixture
def light(monkeypatch):
    """This process as the others are: a function that takes the trick."""
    monkeypatch.setattr(bdgf_core.pretrain, "_RECALIBRATION_BATCHES", 0)
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.Adam)
    for module in (bdgf_core.pretrain, bdgf_core.train):
        monkeypatch.setattr(module, "PRESETS", copy.copy(module.PRESETS))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield lighten
    torch.set_num_threads(threads)


def job_of(scene: TinyScene, output: str, **more: Any) -> Job:
    rasters = {"spectral": {"path": scene.path("spectral.tif")}, "second": {"path": scene.path("sar.tif")}}
    return {**rasters, "output": scene.path(output), "device": "cpu", "memory_mb": 1024, **more}


def pretraining(scene: TinyScene, output: str, **more: Any) -> Job:
    return job_of(scene, output, second_kind="sar_db", **{"steps": 5, **more})


def distance(one: str, other: str) -> float:
    """Between the weights and statistics of two models, relative to their size."""
    first, second = (load_model(path).tensors for path in (one, other))
    assert first.keys() == second.keys()
    numbers = [name for name, tensor in first.items() if tensor.is_floating_point()]
    assert all(first[name].equal(second[name]) for name in first.keys() - set(numbers))
    whole = torch.cat([first[name].flatten().double() for name in numbers])
    return float((whole - torch.cat([second[name].flatten().double() for name in numbers])).norm() / whole.norm())


def losses(model: str) -> list[float]:
    return [entry["total"] for entry in load_model(model).document["training"]["losses"]]


@pytest.mark.parametrize("trick, tolerance", [("smooth", 1e-4), pytest.param("none", 0.15, marks=pytest.mark.long)])
def test_pretrained_weights_agree(scene, light, trick, tolerance):
    """Within rounding where the optimizer is a smooth one; with Adam as well as those of one and of two threads."""
    light(trick)
    alone = pretrain(read_job(PretrainConfig, pretraining(scene, "one.bdgf")), Progress())
    two = run_two(scene.folder, "pretrain", pretraining(scene, "two.bdgf"), trick)
    assert two.result.keys() - {"event"} == alone.keys() and two.result["device"] == alone["device"]
    assert distance(alone["output"], two.result["output"]) < tolerance
    one, other = losses(alone["output"]), losses(two.result["output"])
    assert one[0] == other[0] and one == pytest.approx(other, rel=0.05)
    told = [event["text"] for event in two.events if event["event"] == "message"]
    assert len(told) == len(set(told)) and "Warning" not in two.log


@pytest.mark.long
def test_after_a_stop_they_go_on(scene, light):
    light("smooth")
    job = pretraining(scene, "stopped.bdgf", steps=20, checkpoint_s=0.0)
    process = start_two(scene.folder, "pretrain", job, "smooth")
    assert process.stdout is not None
    event: dict[str, Any] = {}
    while event.get("fraction", 0.0) < 0.3:
        event = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    ended = Ended(process)
    assert ended.status != 0 and time.monotonic() - asked < 10
    assert [error["kind"] for error in ended.errors] == ["Canceled"]
    assert not Path(job["output"]).exists() and list(hidden_folder(Path(job["output"])).glob("*.bdgf"))
    again = run_two(scene.folder, "pretrain", job, "smooth")
    assert any("Going on from step" in event.get("text", "") for event in again.events)
    whole = pretrain(read_job(PretrainConfig, {**job, "output": scene.path("whole.bdgf")}), Progress())
    assert distance(again.result["output"], whole["output"]) < 1e-4
    assert not hidden_folder(Path(job["output"])).exists()


def test_a_failure_of_all_is_told_once(scene):
    ended = run_two(scene.folder, "pretrain", {**pretraining(scene, "none.bdgf"), "spectral": {"path": "nowhere.tif"}})
    assert ended.status == 1 and [error["kind"] for error in ended.errors] == ["InputError"]
    assert "nowhere.tif" in ended.errors[0]["text"] and "InputError" not in ended.log


def test_a_failure_of_one_is_told_by_the_first(scene):
    ended = run_two(scene.folder, "pretrain", pretraining(scene, "none.bdgf"), "fails")
    assert [error["text"] for error in ended.errors] == ["The second one is upside down; turn it."]
    assert ended.status == 1 and "InputError" not in ended.log
    assert not Path(scene.path("none.bdgf")).exists()


@pytest.mark.long
def test_the_death_of_one_ends_the_job(scene):
    ended = run_two(scene.folder, "pretrain", pretraining(scene, "none.bdgf", steps=50), "dies")
    assert ended.status == 1 and len(ended.errors) == 1 and not Path(scene.path("none.bdgf")).exists()


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "4"}, {"RANK": "0", "WORLD_SIZE": "a"}])
def test_without_torchrun_there_is_one(monkeypatch, environment):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Processes.here().count == 1 and Processes.here().is_first


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
