"""Dropout that networks fitted on several threads do not share."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Dropout with a ``generator`` of its own in place of torch's global one."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.generator: Optional[torch.Generator] = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.probability:
            return x
        keep = torch.rand(x.shape, generator=self.generator) >= self.probability
        return x * keep.to(x.device) / (1.0 - self.probability)


def seed_dropout(network: nn.Module, generator: torch.Generator) -> None:
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
