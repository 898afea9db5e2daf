"""The engine as a benchmark runs it."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from bdgf_core.errors import BdgfError, Canceled
from bdgf_core.progress import Progress
from benchmarks.shell import run_engine


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
