"""A verb in a process of its own that dies by SIGKILL at a chosen moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any, Callable

# Forked from a server that has everything imported: a process costs milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["bdgf_core.pretrain", "bdgf_core.train", "bdgf_core.classify"])

BEFORE, AFTER = "before", "after"
MOMENTS = {  # the functions that a job calls at the moment in question
    "progress": ("bdgf_core.progress", "Progress.update"),
    "read": ("bdgf_core.raster.stack", "RasterStack.read"),
    "write": ("bdgf_core.raster.writer", "RasterWriter.write"),
    "claim": ("bdgf_core.files", "_locked"),
    "state": ("bdgf_core.unfinished", "State.save"),
    "fsync": ("os", "fsync"),
    "rename": ("os", "replace"),
    "clear": ("bdgf_core.files", "_clear"),
    "remove states": ("bdgf_core.unfinished", "Unfinished.remove"),
}


def run(verb: str, config: Any, moment: str | None = None, when: str = BEFORE, nth: int = 1) -> int:
    """The exit code: 0, −9 where it died at the ``nth`` such moment, 1 after an exception."""
    process = _CONTEXT.Process(target=_work, args=(verb, config, moment, when, nth))
    process.start()
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"{verb} hangs")
    return process.exitcode


def _work(verb: str, config: Any, moment: str | None, when: str, nth: int) -> None:
    import importlib

    from bdgf_core.progress import Progress

    if moment is not None:
        _arm(*MOMENTS[moment], when, nth)
    pretrain = importlib.import_module("bdgf_core.pretrain")
    pretrain._RECALIBRATION_BATCHES = 2  # type: ignore[attr-defined]
    module = importlib.import_module(f"bdgf_core.{verb}")
    getattr(module, verb)(config, Progress())


def _arm(module: str, name: str, when: str, nth: int) -> None:
    import importlib

    owner: Any = importlib.import_module(module)
    *outer, last = name.split(".")
    for part in outer:
        owner = getattr(owner, part)
    function: Callable[..., Any] = getattr(owner, last)
    calls = 0

    def deadly(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and when == BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **named)
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, last, deadly)
