"""Programs that a benchmark runs, and stops when it is stopped."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time

from bdgf_core.errors import BdgfError
from bdgf_core.progress import Progress

_LOOK_S = 0.2


def run_engine(*arguments: object, progress: Progress) -> str:
    """What ``python -m bdgf_core`` prints. Raises :class:`BdgfError` with its last words where it fails."""
    return run_program(sys.executable, "-m", "bdgf_core", *arguments, progress=progress, told=str(arguments[0]))


def run_program(*command: object, progress: Progress, told: str, most_s: float = math.inf) -> str:
    """What a command prints. Raises :class:`BdgfError` with its last words where it fails, or where it takes more than
    ``most_s`` seconds; ``told`` names it."""
    end = time.monotonic() + most_s
    words, pipe = [str(word) for word in command], subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=_LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    progress.check_canceled()
                    if time.monotonic() > end:
                        raise BdgfError(f"{told} took more than {most_s:g} s.") from None
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
