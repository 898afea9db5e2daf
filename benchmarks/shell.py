"""Programs that a benchmark runs, and stops when it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from bdgf_core.errors import BdgfError
from bdgf_core.progress import Progress

_LOOK_S = 0.2


def run_engine(*arguments: object, progress: Progress) -> str:
    """What ``python -m bdgf_core`` prints. Raises :class:`BdgfError` with its last words where it fails."""
    return run_program(sys.executable, "-m", "bdgf_core", *arguments, progress=progress, told=str(arguments[0]))


def run_program(*command: object, progress: Progress, told: str) -> str:
    """What a command prints. Raises :class:`BdgfError` with its last words where it fails; ``told`` names it."""
    words, pipe = [str(word) for word in command], subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=_LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    progress.check_canceled()
        except BaseException:
            _stop(process)
            raise
    if process.returncode:
        raise BdgfError(f"{told} failed: {(out + err)[-400:]}")
    return out


def _stop(process: subprocess.Popen[str]) -> None:
    """With what it has started itself: Orfeo ToolBox's commands are scripts."""
    if sys.platform == "win32":
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGTERM)
