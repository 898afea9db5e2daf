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

import numpy as np
import pytest
import torch
from light_engine import lighten
from same_result import same_rasters
from tiny_scene import Events, TinyScene, read

import bdgf_core.pretrain
import bdgf_core.train
from bdgf_core.checkpoint import load_model
from bdgf_core.classify import FURTHER, ClassifyConfig, classify
from bdgf_core.errors import Canceled
from bdgf_core.files import hidden_folder
from bdgf_core.job import read_job
from bdgf_core.landcover import LandcoverConfig, landcover
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
    yield from _light(monkeypatch)


@pytest.fixture(scope="module")
def one(scene: TinyScene):
    """What one process makes of the scene: the jobs, and the path of the pretrained model and the classifier."""
    with pytest.MonkeyPatch.context() as patch:
        for lighten in _light(patch):
            lighten("smooth")
            pretrained = pretrain(read_job(PretrainConfig, pretraining(scene, "one.bdgf")), Progress())["output"]
            job = land_cover(scene, "one.tif", pretrained=pretrained)
            yield pretrained, job, landcover(read_job(LandcoverConfig, job), Progress())


def _light(patch):
    patch.setattr(bdgf_core.pretrain, "_RECALIBRATION_BATCHES", 0)
    patch.setattr(torch.optim, "Adam", torch.optim.Adam)
    for module in (bdgf_core.pretrain, bdgf_core.train):
        patch.setattr(module, "PRESETS", copy.copy(module.PRESETS))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield lighten
    torch.set_num_threads(threads)


def job_of(scene: TinyScene, output: str, **more: Any) -> Job:
    rasters = {"spectral": {"path": scene.path("spectral.tif")}, "second": {"path": scene.path("sar.tif")}}
    return {**rasters, "output": scene.path(output), "device": "cpu", "memory_mb": 1024, **more}


def pretraining(scene: TinyScene, output: str, **more: Any) -> Job:
    return job_of(scene, output, second_kind="sar_db", **{"steps": 3, **more})


def land_cover(scene: TinyScene, output: str, **more: Any) -> Job:
    labels = {"path": scene.labels.path, "field": "class"}
    return job_of(
        scene, output, second_kind="sar_db", labels=labels, samples_per_class=10, epochs=1,
        confidence=scene.path(f"confidence_{output}"), **more,
    )  # fmt: skip


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


def test_pretrained_weights_agree(scene, one):
    """Within rounding, with an optimizer that does not enlarge it."""
    two = run_two(scene.folder, "pretrain", pretraining(scene, "two.bdgf"), "smooth")
    assert distance(one[0], two.result["output"]) < 1e-4
    assert losses(one[0]) == pytest.approx(losses(two.result["output"]), rel=1e-3)
    told = [event["text"] for event in two.events if event["event"] == "message"]
    assert len(told) == len(set(told)) and "Warning" not in two.log


@pytest.mark.long
def test_adam_enlarges_rounding_no_more_than_between_numbers_of_threads(scene, light):
    """Its first steps follow the sign of a gradient however small it is."""
    light("none")
    alone = [pretrain(read_job(PretrainConfig, pretraining(scene, "adam.bdgf")), Progress())["output"]]
    torch.set_num_threads(2)
    alone.append(pretrain(read_job(PretrainConfig, pretraining(scene, "adam_two.bdgf")), Progress())["output"])
    two = run_two(scene.folder, "pretrain", pretraining(scene, "two.bdgf")).result["output"]
    assert losses(alone[0])[0] == losses(two)[0]
    assert distance(alone[0], two) < min(0.15, 2 * distance(*alone))


def test_they_train_and_map_to_the_last_bit(scene, one):
    pretrained, job, alone = one
    two = run_two(scene.folder, "landcover", land_cover(scene, "two.tif", pretrained=pretrained)).result
    for name in ("overall_accuracy", "average_accuracy", "kappa", "pixels", "classes", "device"):
        assert two[name] == alone[name]
    first, second = (load_model(result["classifier"]) for result in (alone, two))
    assert all(tensor.equal(second.tensors[name]) for name, tensor in first.tensors.items())
    for name in ("accuracy", "calibration", "features", "class_counts"):
        assert first.document[name] == second.document[name]
    assert second.document["training"]["processes"] == 2
    for name in ("output", "confidence"):
        assert np.array_equal(read(two[name]), read(alone[name]))


def test_they_go_on_with_the_map_that_one_has_begun(scene, one):
    """All its rasters are the same whoever has made a tile."""
    further = {name: scene.path(f"two_{name}.tif") for name in FURTHER}
    job = job_of(scene, "two_map.tif", classifier=one[2]["classifier"], tile=24, checkpoint_s=0.0, **further)
    events = Events()
    alone = {**job, **{name: scene.path(f"one_{name}.tif") for name in ("output", *FURTHER)}}
    told = classify(read_job(ClassifyConfig, alone), Progress(events, events.canceled))
    stopping = Events(events.asked // 2)
    with pytest.raises(Canceled):
        classify(read_job(ClassifyConfig, job), Progress(stopping, stopping.canceled))
    assert 0 < len(list(hidden_folder(Path(job["output"])).glob("tile-*"))) < 4
    two = run_two(scene.folder, "classify", job).result
    assert {name: two[name] for name in ("pixels", "mean_confidence")} == {
        name: told[name] for name in ("pixels", "mean_confidence")
    }
    for name in ("output", *FURTHER):
        same_rasters(alone[name], job[name])
    assert not hidden_folder(Path(job["output"])).exists()


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


@pytest.mark.long
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


def test_a_job_that_went_well_is_not_undone_by_the_end_of_the_interpreter(scene, one):
    job = job_of(scene, "aborted.tif", classifier=one[2]["classifier"])
    assert Path(run_two(scene.folder, "classify", job, "aborts").result["output"]).exists()


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
