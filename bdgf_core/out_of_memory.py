"""Doing in smaller parts what a GPU's memory does not hold."""

from __future__ import annotations

from typing import Any, Callable, Optional, TypeVar

import numpy as np
import torch

from .progress import Progress
from .raster.window import Window, tiles
from .translation import tr

Result = TypeVar("Result")
Arrays = dict[str, "np.ndarray[Any, Any]"]

_SMALLEST = 32  # pixels a side


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
                    self.count = 1  # it was not the batch
                    raise
                self.count *= 2
                self._progress.message(
                    tr("The GPU's memory ran out; a batch is worked on in {count} parts now.", count=self.count)
                )
            torch.cuda.empty_cache()  # outside of the handler, whose traceback holds on to the tensors


class Pieces:
    """In how large pieces tiles are worked on: whole, then of half the side whenever a GPU's memory runs out."""

    def __init__(self, progress: Progress) -> None:
        self.side: Optional[int] = None
        self._progress = progress

    def run(self, work: Callable[[Window], Arrays], window: Window) -> Arrays:
        """``work`` of a window or of its pieces, joined: arrays whose last two axes are the window's rows and columns,
        and one-dimensional ones, which are sums over its pixels."""
        longest = max(window.height, window.width)
        if self.side is None or longest <= self.side:
            try:
                return work(window)
            except torch.cuda.OutOfMemoryError:
                if longest <= _SMALLEST:
                    raise
                self.side = -(-longest // 2)
                self._progress.message(
                    tr("The GPU's memory ran out; tiles are worked on in pieces of {side} pixels now.", side=self.side)
                )
            torch.cuda.empty_cache()  # outside of the handler, as above
        assert self.side is not None
        joined: Arrays = {}
        for piece in tiles(window.height, window.width, self.side):
            part = self.run(work, Window(window.row + piece.row, window.col + piece.col, piece.height, piece.width))
            for name, array in part.items():
                if array.ndim == 1:
                    joined[name] = joined.get(name, 0) + array
                    continue
                shape = (*array.shape[:-2], window.height, window.width)
                whole = joined.setdefault(name, np.empty(shape, array.dtype))
                whole[..., piece.row : piece.row + piece.height, piece.col : piece.col + piece.width] = array
        return joined
