"""The engine process itself: asked to stop, sent signals, left alone by its reader, out of disk space."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from same_result import same_model, same_rasters
from test_verbs import OUTPUTS, Chain, chain_of, run_chain
from tiny_scene import TinyScene

ROOT = Path(__file__).parent.parent.parent
LATENCY_S = 5.0


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = chain_of(TinyScene(tmp_path_factory.mktemp("endings")), "whole")
    chain.train = replace(chain.train, epochs=2)
    chain.classify = replace(chain.classify, tile=12)
    return run_chain(chain)


class Engine:
    """``python -m bdgf_core VERB --job -`` and what it says."""

    def __init__(self, verb: str, config: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bdgf_core", verb, "--job", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        self.say(json.dumps(asdict(config), default=str))

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, fraction: float) -> None:
        """Until it has come so far."""
        self.wait_until(lambda event: event["event"] == "progress" and event["fraction"] >= fraction)

    def wait_until(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            if reached(event):
                return
            assert event["event"] != "error", event
        raise AssertionError("it ended before")

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """Its exit code and its last events. Its input stays open: the end of it would ask for a stop."""
        assert self.process.stdout is not None
        events = [json.loads(line) for line in self.process.stdout]
        return self.process.wait(60), events


def job(chain: Chain, verb: str, mark: str) -> tuple[Any, set[str]]:
    """The verb's config with outputs of its own and long enough to be met on the way; what lies in the folder."""
    config = getattr(chain, verb)
    outputs = {n: getattr(config, n).replace("whole", mark) for n in OUTPUTS if hasattr(config, n)}
    longer = {"pretrain": {"steps": 60}, "train": {"epochs": 40}, "classify": {"tile": 2}}[verb]
    return replace(config, **outputs, **longer, checkpoint_s=1e9), {path.name for path in chain.scene.folder.iterdir()}


_VERBS = [pytest.param("pretrain", marks=pytest.mark.long), pytest.param("train", marks=pytest.mark.long), "classify"]
STAGES = [
    pytest.param(verb, fraction, marks=() if (verb, fraction) == ("classify", 0.06) else pytest.mark.long)
    for verb in ("pretrain", "train", "classify")
    for fraction in (0.0, 0.06, 0.3, 0.5)
    if not (verb == "pretrain" and fraction == 0.5)
]


def hold_latency(began: float, what: str, most: float, record_property: Callable[[str, object], None]) -> None:
    """No more than ``most`` seconds have gone since ``began``."""
    latency = time.monotonic() - began
    record_property("latency_s", round(latency, 2))
    print(f"latency {what}: {latency:.2f} s")
    if os.getloadavg()[0] <= (os.cpu_count() or 1) + 0.5:  # else it tells how long others keep the cores
        assert latency < most


@pytest.mark.parametrize("way", ["cancel", "end of input", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize(("verb", "fraction"), STAGES)
def test_asked_to_stop(chain: Chain, verb: str, fraction: float, way: str, record_property):
    config, known = job(chain, verb, f"stop_{way}_{fraction}".replace(" ", ""))
    engine = Engine(verb, config)
    if fraction:
        engine.wait_for(fraction)
    began = time.monotonic()
    if way == "cancel":
        engine.say("cancel")
    elif way == "end of input":
        engine.process.stdin.close()  # type: ignore[union-attr]
        engine.process.stdin = None
    else:
        if not fraction:
            time.sleep(1.0)  # Python itself must have begun
        engine.process.send_signal(getattr(signal, way))
    code, events = engine.end()
    most = LATENCY_S + (0 if fraction else 5)  # loading torch cannot be stopped
    hold_latency(began, f"{verb} {fraction} {way}", most, record_property)
    assert code == 130 and events[-1] == {
        "event": "error", "kind": "Canceled", "text": "Canceled; no output was written.",
    }, events[-1]  # fmt: skip
    assert not chain.scene.leftovers(known)


@pytest.mark.parametrize("verb", _VERBS)
def test_a_reader_that_goes_away_ends_the_job(chain: Chain, verb: str):
    config, known = job(chain, verb, "pipe")
    engine = Engine(verb, config)
    engine.wait_for(0.06)
    engine.process.stdout.close()  # type: ignore[union-attr]
    assert engine.process.wait(60) == 130
    assert not chain.scene.leftovers(known)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; call ``resize`` for its size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.name == "nt" or os.geteuid() or _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)):
        pytest.skip("mounting a small file system takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*options: str) -> int:
    return subprocess.run(["mount", *options], capture_output=True, check=False).returncode


@pytest.mark.parametrize("verb", _VERBS)
def test_a_disk_that_is_full_from_the_start_is_told_at_once(chain: Chain, verb: str, small_disk: Path):
    if verb == "classify":
        assert not _mount("-o", "remount,size=4k", str(small_disk))
    began = time.monotonic()
    config, _ = on(small_disk, getattr(chain, verb))
    code, events = Engine(verb, config).end()
    assert_disk_full(code, events)
    assert time.monotonic() - began < 30 and not list(small_disk.iterdir())


@pytest.mark.parametrize("verb", _VERBS)
def test_a_disk_that_becomes_full_costs_nothing_but_time(chain: Chain, verb: str, small_disk: Path):
    """Once there is space again the same job goes on, and ends as elsewhere."""
    assert not _mount("-o", "remount,size=400m", str(small_disk))
    config, outputs = on(small_disk, replace(getattr(chain, verb), checkpoint_s=0.0))
    engine = Engine(verb, config)
    engine.wait_for(0.32)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            with pytest.raises(OSError):
                while file.write(bytes(size)):
                    pass
    code, events = engine.end()
    assert_disk_full(code, events)
    left = {path.name for path in small_disk.iterdir()} - {"filler"}
    assert all(name.endswith(".unfinished") for name in left)
    filler.unlink()
    code, events = Engine(verb, config).end()
    assert code == 0, events[-1]
    assert not [path for path in small_disk.iterdir() if path.name.startswith(".")]
    for name, path in outputs.items():
        if name != "report":
            (same_rasters if verb == "classify" else same_model)(getattr(getattr(chain, verb), name), path)


def on(folder: Path, config: Any) -> tuple[Any, dict[str, str]]:
    """The config with its outputs in the folder, and these."""
    names = [n for n in OUTPUTS if hasattr(config, n)]
    outputs = {name: str(folder / Path(getattr(config, name)).name) for name in names}
    return replace(config, **outputs), outputs


def assert_disk_full(code: int, events: list[dict[str, Any]]) -> None:
    assert code == 1 and events[-1]["kind"] == "ResourceError", events[-1]
    text = events[-1]["text"]
    assert any(word in text for word in ("space", "disk", "free")) and text.endswith(".") and "\n" not in text


@pytest.mark.long
def test_states_that_do_not_fit_cost_a_warning_not_the_job(chain: Chain, small_disk: Path):
    config = replace(chain.pretrain, output=str(small_disk / "whole_pre.bdgf"), checkpoint_s=0.0)
    assert not _mount("-o", "remount,size=30m", str(small_disk))  # the model has 17 MB, the state three times as much
    code, events = Engine("pretrain", config).end()
    assert code == 0, events[-1]
    assert len([e for e in events if e["event"] == "warning" and "could not be saved" in e["text"]]) == 1
    same_model(chain.pretrain.output, config.output)


@pytest.mark.long
def test_the_second_to_claim_an_output_is_told(chain: Chain):
    config, known = job(chain, "train", "twice")
    first = Engine("train", config)
    first.wait_for(0.06)
    code, events = Engine("train", config).end()
    assert code == 1 and "Another job is writing" in events[-1]["text"]
    other = replace(config, output=chain.scene.path("elsewhere.bdgf"))
    code, events = Engine("train", other).end()
    assert code == 1 and f"writing {config.report}" in events[-1]["text"]
    first.say("cancel")
    assert first.end()[0] == 130 and not chain.scene.leftovers(known)


@pytest.mark.long
def test_jobs_on_the_same_inputs_side_by_side(chain: Chain):
    """They end as each does alone."""
    engines, outputs = [], []
    for i in range(3):
        config = chain.classify
        names = [name for name in OUTPUTS if hasattr(config, name)]
        config = replace(config, **{n: getattr(config, n).replace("whole", f"beside{i}") for n in names})
        outputs += [(getattr(chain.classify, n), getattr(config, n)) for n in names if n != "report"]
        engines.append(Engine("classify", config))
    assert [engine.end()[0] for engine in engines] == [0, 0, 0]
    for one, other in outputs:
        same_rasters(one, other)
