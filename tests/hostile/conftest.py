"""Real small models, a bound on memory, and the counts told at the end of the run."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Iterator

import pytest
from tally import Models, counts, slowest
from tiny_scene import TinyScene

from bdgf_core.pretrain import PretrainConfig, pretrain
from bdgf_core.progress import Progress
from bdgf_core.train import TrainConfig, train


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for kind, found in sorted(counts.items()):
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items()))
        seconds, name = slowest[kind]
        terminalreporter.write_line(f"{kind}: {sum(found.values())} ({told}); the slowest, {name}: {seconds:.2f} s")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    scene = TinyScene(tmp_path_factory.mktemp("hostile"))
    first, then = scene.path("pretrained.bdgf"), scene.path("classifier.bdgf")
    common = dict(second=scene.source("sar.tif"), device="cpu", memory_mb=1024)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bdgf_core.pretrain._RECALIBRATION_BATCHES", 2)
        pretrain(PretrainConfig(scene.source(), first, second_kind="sar_db", steps=2, **common), Progress())
    train(
        TrainConfig(first, scene.source(), scene.labels, then, epochs=1, validation="random", **common), Progress()
    )  # fmt: skip
    return Models(scene, Path(first), Path(then))


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """At most 3 GB more of address space than now: what allocates by a claim fails instead of harming the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (3 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
