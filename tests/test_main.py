"""The engine process: events and nothing else on standard output, and a stop whenever it is asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bdgf_core.__main__ import _told
from bdgf_core.console import Console
from bdgf_core.duration import duration
from bdgf_core.processes import Lost

ROOT = Path(__file__).parents[1]
FAKE = """
import errno, os, sys, time, types, warnings
from dataclasses import dataclass
from bdgf_core import errors

@dataclass(frozen=True)
class TrainConfig:
    what: str
    seed: int = 0

def train(config, progress):
    if config.what == "noise":
        print("stray print")
        os.write(1, b"stray bytes\\n")
        os.system("echo stray child")
        warnings.warn("stray warning")
        progress.message("Grüße")
        progress.warning("careful")
    elif config.what == "wait":
        progress.message("waiting")
        while True:
            progress.update(0.5)
            time.sleep(0.01)
    elif config.what == "deaf":
        progress.message("waiting")
        while True:
            time.sleep(0.01)
    elif config.what == "chatter":
        while True:
            progress.message("x" * 1000)
            progress.check_canceled()
    elif config.what == "nan":
        return {"kappa": float("nan")}
    elif config.what == "cuda":
        raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")
    elif config.what != "nothing":
        raise {
            "input": errors.InputError("The raster is upside down; turn it."), "memory": MemoryError(),
            "cpu": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            "disk": OSError(errno.ENOSPC, "No space left on device"), "bug": ZeroDivisionError("a secret"),
        }[config.what]
    progress.update(1.0)
    return {"output": "m.bdgf", "kappa": None}

sys.modules["bdgf_core.train"] = module = types.ModuleType("bdgf_core.train")
module.TrainConfig, module.train = TrainConfig, train
TrainConfig.__module__ = module.__name__
from bdgf_core.__main__ import main
sys.exit(main())
"""


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    code = [sys.executable, "-c", FAKE.replace("main())", f"main({list(arguments)!r}))")]
    return subprocess.Popen(code, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, **options)


def send(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()


def finish(process: subprocess.Popen[bytes]) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, events and standard error; standard input stays open until the end."""
    assert process.stdin and process.stdout and process.stderr
    events = [json.loads(line) for line in process.stdout]
    log = process.stderr.read().decode()
    status = process.wait(20)
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    return status, events, log


def run(what: str) -> tuple[int, list[dict[str, Any]], str]:
    process = start("train", "--job", "-")
    send(process, json.dumps({"what": what}).encode())
    return finish(process)


def first_event(process: subprocess.Popen[bytes]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_noise_does_not_reach_the_events() -> None:
    status, events, log = run("noise")
    assert status == 0
    assert [event["event"] for event in events] == ["message", "warning", "progress", "result"]
    assert events[0]["text"] == "Grüße"
    assert events[-1] == {"event": "result", "output": "m.bdgf", "kappa": None}
    assert all(f"stray {noise}" in log for noise in ("print", "bytes", "child", "warning"))


@pytest.mark.parametrize(
    "what, kind, words",
    [
        ("input", "InputError", "The raster is upside down; turn it."),
        ("memory", "ResourceError", "memory ran out"),
        ("cuda", "ResourceError", "memory ran out"),
        ("cpu", "ResourceError", "memory ran out"),
        ("disk", "ResourceError", "disk is full"),
        ("bug", "InternalError", "ZeroDivisionError: a secret (please report)"),
        ("nan", "InternalError", "please report"),
    ],
)
def test_errors_are_the_last_event(what: str, kind: str, words: str) -> None:
    status, events, log = run(what)
    assert status == 1
    assert events[-1]["event"] == "error" and events[-1]["kind"] == kind and words in events[-1]["text"]
    assert ("Traceback" in log) == (what != "input")


@pytest.mark.parametrize("job", [b"", b"{", b"[]", b'{"what": 1}', b'{"waht": "x"}'])
def test_a_bad_job_is_an_input_error(job: bytes) -> None:
    process = start("train", "--job", "-")
    send(process, job)
    status, events, _ = finish(process)
    assert status == 1 and [event["kind"] for event in events] == ["InputError"]


def test_a_job_file(tmp_path: Path) -> None:
    place = tmp_path / "jöb.json"
    place.write_text('{"what": "nothing"}')
    process = start("train", f"--job={place}")
    output, _ = process.communicate()  # closes its input, which means nothing here
    assert process.returncode == 0 and json.loads(output.splitlines()[-1])["event"] == "result"
    status, events, _ = finish(start("train", "--job", str(tmp_path / "none.json")))
    assert status == 1 and events[0]["kind"] == "InputError"


@pytest.mark.parametrize("how", ["cancel", "end of input", "SIGINT", "SIGTERM"])
def test_a_stop_is_heard(how: str) -> None:
    process = start("train", "--job", "-")
    send(process, b'{"what": "wait"}')
    assert first_event(process)["text"] == "waiting"
    asked = time.monotonic()
    if how == "cancel":
        send(process, b"cancel")
    elif how == "end of input":
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = open(os.devnull, "wb")
    else:
        process.send_signal(getattr(signal, how))
    status, events, _ = finish(process)
    assert status == 130 and events[-1]["kind"] == "Canceled"
    assert time.monotonic() - asked < 3


def test_a_second_signal_ends_it_at_once() -> None:
    process = start("train", "--job", "-")
    send(process, b'{"what": "deaf"}')
    first_event(process)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == -signal.SIGTERM


def test_a_reader_that_is_gone_stops_it() -> None:
    process = start("train", "--job", "-")
    send(process, b'{"what": "chatter"}')
    first_event(process)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(10) == 130
    for stream in (process.stdin, process.stderr):
        assert stream is not None
        stream.close()


def test_people_get_text() -> None:
    process = start("train", "--what", "noise")
    output, log = process.communicate()
    assert process.returncode == 0
    text = output.decode()
    assert "Grüße" in text and "output: m.bdgf" in text and "{" not in text
    assert "Warning: careful" in log.decode() and "100%" in log.decode()
    process = start("train", "--what", "input")
    assert process.communicate()[1].decode().endswith("Error: The raster is upside down; turn it.\n")
    assert process.returncode == 1


def test_people_get_text_in_their_language(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BDGF_LANGUAGE", "de")
    console = Console(threading.Event())
    for event in (
        {"event": "progress", "fraction": 0.1, "eta_s": 600.0}, {"event": "warning", "text": "{Obacht}"},
        {"event": "result", "resumed": True, "classes": [{"user": None}]}, {"event": "error", "text": "Aus."},
    ):  # fmt: skip
        console.emit(event)
    told, log = capsys.readouterr()
    assert told.splitlines() == ["resumed: ja", "classes:", "  - user k. A."]
    assert log.splitlines() == [" 10%  noch etwa 10 min", "Warnung: {Obacht}", "Fehler: Aus."]


@pytest.mark.parametrize("arguments, status", [((), 0), (("--help",), 0), (("--version",), 0), (("fly",), 2)])
def test_usage(arguments: tuple[str, ...], status: int) -> None:
    process = start(*arguments)
    output, _ = process.communicate()
    assert process.returncode == status and output


def test_duration() -> None:
    assert [duration(s) for s in (8.4, 200, 7500)] == ["8 s", "3 min", "2 h 05 min"]


def test_only_several_processes_can_lose_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError("Connection to the tile server was reset")
    assert _told(error)[0] == "InternalError" and "tile server" in _told(error)[1]
    assert _told(error, several=True) == ("Lost", str(Lost()))
