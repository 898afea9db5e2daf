"""The ledger of results: JSON lines that are only ever added to, each the measurement of one configuration and seed.

Every figure of the results page is computed from these lines alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional

import torch

from bdgf_core.accuracy import Accuracy
from bdgf_core.device import Device
from bdgf_core.errors import InputError

ROOT = Path(__file__).parents[1]
LEDGER = ROOT / "docs" / "results" / "ledger.jsonl"


@dataclass(frozen=True)
class Entry:
    """One line. ``differences`` are those of ``configuration`` from its preset, ``settings`` all that it comes down to;
    ``folds`` hold confusion matrices (rows reference), ``blanked`` the same with one sensor hidden, by its name;
    ``seconds`` of fitting and judging; ``pretraining`` what went before, or empty."""

    scene: str
    scene_identity: str
    protocol: str
    configuration: str
    differences: dict[str, Any]
    settings: dict[str, Any]
    seed: int
    classes: list[str]
    folds: list[list[list[int]]]
    blanked: dict[str, list[list[list[int]]]]
    seconds: float
    pretraining: dict[str, Any]
    commit: str
    machine: str

    @property
    def key(self) -> str:
        return entry_key(self.scene, self.scene_identity, self.protocol, self.settings, self.seed)

    @property
    def accuracies(self) -> list[Accuracy]:
        """By fold."""
        return [Accuracy.of(fold) for fold in self.folds]

    @property
    def accuracy(self) -> Accuracy:
        """Over all folds."""
        return pooled(self.folds)


def pooled(folds: list[list[list[int]]]) -> Accuracy:
    return Accuracy.of([[sum(cells) for cells in zip(*rows)] for rows in zip(*folds)])


def entry_key(scene: str, identity: str, protocol: str, settings: Mapping[str, Any], seed: int) -> str:
    """What makes two measurements the same; the commit and the machine are not part of it."""
    whole = json.dumps([scene, identity, protocol, settings, seed], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


class Ledger:
    """The file at ``path``, which need not exist yet."""

    def __init__(self, path: Path = LEDGER) -> None:
        self.path = path

    def entries(self) -> list[Entry]:
        """In the order of the file; of the same measurement made twice the later one. A last line that was cut off
        by a crash is left out; any other that cannot be read is an :class:`InputError`."""
        found: dict[str, Entry] = {}
        for entry in self._lines():
            found.pop(entry.key, None)
            found[entry.key] = entry
        return list(found.values())

    def keys(self) -> set[str]:
        return {entry.key for entry in self._lines()}

    def append(self, entry: Entry) -> None:
        """On the disk when this returns; two processes may append at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(entry), separators=(",", ":"), allow_nan=False) + "\n"
        with self.path.open("ab+") as file:
            _lock(file)
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # a line that was cut off
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> Iterator[Entry]:
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        for number, line in enumerate(content.split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                yield Entry(**json.loads(line))
            except (ValueError, TypeError) as error:
                if _is_cut_off(line):
                    continue
                raise InputError(f"Line {number} of {self.path} is no measurement ({error}).") from None


def current_commit() -> str:
    """The commit that is checked out, with a + where files differ from it; "unknown" outside of a repository."""

    def git(*arguments: str) -> Optional[str]:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--", "bdgf_core", "benchmarks")
    except OSError:
        return "unknown"
    return "unknown" if commit is None else commit + ("+" if changed else "")


def machine(device: Optional[Device]) -> str:
    """The machine in neutral words."""
    cpu = torch.backends.cpu.get_cpu_capability()
    if device is not None and device.is_cuda:
        return f"{torch.cuda.get_device_name(device.torch)}, torch {torch.__version__}"
    bfloat16 = ", bfloat16" if device is not None and device.bfloat16 else ""
    units = " matrix units" if bfloat16 and device.matrix_units else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {cpu}{bfloat16}{units}, torch {torch.__version__}"


def _is_cut_off(line: bytes) -> bool:
    """Whether a line ends before its JSON does."""
    return line.startswith(b'{"scene"') and not line.rstrip().endswith(b"}")


def _lock(file: Any) -> None:
    """Until the file is closed, where the system has such locks."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_EX)
