"""What became of strange inputs: each ends well or with a sentence, and all are counted."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from tiny_scene import TinyScene

from bdgf_core.errors import BdgfError

counts: dict[str, Counter[str]] = defaultdict(Counter)
slowest: dict[str, tuple[float, str]] = {}


class Tally:
    """What became of the cases of one kind. A case ends well, or with one sentence; anything else fails the test."""

    def __init__(self, kind: str, *, patience_s: float = 10.0) -> None:
        self.kind = kind
        self.patience_s = patience_s  # of computing, for one case
        self.failures: list[str] = []
        self.cases = 0

    @contextmanager
    def case(self, name: str, well: str = "right result") -> Iterator[None]:
        began = time.process_time()
        try:
            try:
                yield
                outcome = well
            except BdgfError as error:
                check_sentence(str(error))
                outcome = "refused in a sentence"
        except AssertionError as error:
            outcome = "WRONG"
            self.failures.append(f"{name}: {str(error)[:300]}")
        except Exception as error:
            outcome = "TRACEBACK"
            self.failures.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        spent = time.process_time() - began
        self.cases += 1
        counts[self.kind][outcome] += 1
        slowest[self.kind] = max(slowest.get(self.kind, (0.0, "")), (spent, name))
        if spent > self.patience_s:
            self.failures.append(f"{name}: took {spent:.0f} s")

    def check(self, least: int = 1) -> None:
        shown = "\n".join(self.failures[:40])
        assert self.cases >= least, f"{self.cases} cases only"
        assert not self.failures, f"{len(self.failures)} cases went wrong:\n{shown}"


def check_sentence(text: str) -> None:
    """One line for people, that no trace of the inside shows through."""
    assert text and len(text) < 10_000 and text.rstrip().endswith((".", "…")) or ":" in text, text
    assert all(character >= " " for character in text), text
    for trace in ("Traceback", "DefaultCPUAllocator", " object at 0x"):
        assert trace not in text, text


@dataclass(frozen=True)
class Models:
    """The tiny scene with a pretrained model and a classifier of it."""

    scene: TinyScene
    pretrained: Path
    classifier: Path
