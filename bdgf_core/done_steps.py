"""Which steps of a chain are done, so that the next run does again only what has changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Iterable, Optional

from .files import write_whole

Result = dict[str, Any]


class DoneSteps:
    """The steps in the JSON file ``path``: each with its job, its result and the checksums of the files it made. With
    ``trusted`` False it begins anew."""

    def __init__(self, path: Path, *, trusted: bool) -> None:
        self._path = path
        self._steps = _read(path) if trusted else {}

    def result(self, step: str, job: str) -> Optional[Result]:
        """What the step resulted in, if it was this job and its files are still those that it made."""
        entry = self._steps.get(step)
        if not isinstance(entry, dict) or entry.get("job") != job:
            return None
        made, result = entry.get("made"), entry.get("result")
        if not isinstance(made, dict) or not isinstance(result, dict):
            return None
        return result if all(_sha256(path) == checksum for path, checksum in made.items()) else None

    def note(self, step: str, job: str, result: Result, made: Iterable[str]) -> None:
        """``result`` must be strict JSON, ``made`` are paths."""
        self._steps[step] = {"job": job, "result": result, "made": {path: _sha256(path) for path in made}}
        write_whole(self._path, json.dumps(self._steps, indent=1).encode())


def _sha256(path: str) -> str:
    """Empty where there is no file."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""


def _read(path: Path) -> dict[str, Any]:
    try:
        steps = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return steps if isinstance(steps, dict) else {}
