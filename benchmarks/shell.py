"""Programs that a benchmark runs, and stops when it is stopped."""

from __future__ import annotations

import subprocess
import sys

from bdgf_core.errors import BdgfError
from bdgf_core.progress import Progress

_LOOK_S = 0.2


def run_engine(*arguments: object, progress: Progress) -> str:
    """What ``python -m bdgf_core`` prints. Raises :class:`BdgfError` with its last words where it fails."""
    command = [sys.executable, "-m", "bdgf_core", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=_LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    progress.check_canceled()
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise BdgfError(f"{arguments[0]} failed: {(out + err)[-400:]}")
    return out
