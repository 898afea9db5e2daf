"""Doing in smaller parts what a GPU's memory does not hold."""

from __future__ import annotations

from typing import Callable, TypeVar

import torch

from .progress import Progress
from .translation import tr

Result = TypeVar("Result")


class Parts:
    """In how many parts a batch is worked on: one, doubled whenever a GPU's memory runs out."""

    def __init__(self, progress: Progress, most: int) -> None:
        self.count = 1
        self._progress, self._most = progress, most

    def run(self, work: Callable[[int], Result]) -> Result:
        """``work`` of the number of parts, tried again with more while memory runs out and there can be more."""
        while True:
            try:
                return work(self.count)
            except torch.cuda.OutOfMemoryError:
                if 2 * self.count > self._most:
                    raise
                self.count *= 2
                self._progress.message(
                    tr("The GPU's memory ran out; a batch is worked on in {count} parts now.", count=self.count)
                )
            torch.cuda.empty_cache()  # outside of the handler, whose traceback holds on to the tensors
