"""Ending a long forward pass at the user's wish."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from torch import nn

from .progress import Progress


@contextmanager
def stoppable(network: nn.Module, progress: Progress) -> Iterator[None]:
    """Lets ``network``'s forward pass raise :class:`~bdgf_core.errors.Canceled` before any layer: one of a large tile
    takes many seconds on a CPU."""
    layers = [module for module in network.modules() if not any(module.children())]
    hooks = [layer.register_forward_pre_hook(lambda *_: progress.check_canceled()) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
