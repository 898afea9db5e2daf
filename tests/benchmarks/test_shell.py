"""The engine as a benchmark runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bdgf_core.errors import BdgfError, Canceled
from bdgf_core.progress import Progress
from benchmarks.shell import run_engine, run_program


def test_a_verb_that_fails_tells_why() -> None:
    with pytest.raises(BdgfError, match="info failed: .*none.bdgf"):
        run_engine("info", "--model", "none.bdgf", progress=Progress())


def test_a_benchmark_that_is_stopped_leaves_no_engine_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    with pytest.raises(Canceled):
        run_engine("environment", progress=Progress(canceled=lambda: True))
    assert started[0].returncode


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_nor_what_that_program_has_started(tmp_path: Path) -> None:
    begun, later = tmp_path / "begun", tmp_path / "later"
    script = f"(sleep 1; touch {later}) & touch {begun}; wait"
    with pytest.raises(Canceled):
        run_program("sh", "-c", script, progress=Progress(canceled=begun.exists), told="sleep")
    time.sleep(1.5)
    assert not later.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_program_that_never_ends_is_stopped() -> None:
    with pytest.raises(BdgfError, match="sleep took more than 0.1 s"):
        run_program("sh", "-c", "sleep 60", progress=Progress(), told="sleep", most_s=0.1)
