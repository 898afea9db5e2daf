"""What the training loop asks of a network that is none of ours.

B batch; S, R, C channels of the spectral, second-sensor and diffusion inputs; K classes; P patch side.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bdgf_core.network.config import GroupConfig


class OtherNetwork(nn.Module):
    """One that gives class logits (B, K) for patches, trained by cross-entropy.

    ``forward(spectral (B, S, P, P), second (B, R, P, P) or None, diffusion (B, C, P, P))``."""

    def __init__(self, config: GroupConfig) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weight: Optional[Tensor] = None) -> tuple[Tensor, dict[str, float]]:
        smoothing = self.config.label_smoothing
        found = F.cross_entropy(output.float(), target, weight, label_smoothing=smoothing)
        return found, {"cross-entropy": float(found.detach())}

    def members(self, output: Tensor) -> dict[str, Tensor]:
        return {"branches": torch.softmax(output.float(), 1)}

    def probabilities(self, output: Tensor) -> Tensor:
        return self.members(output)["branches"]


def conv_block(width_in: int, width_out: int, kernel: int = 3) -> nn.Sequential:
    """A padded convolution, batch norm and ReLU on maps."""
    conv = nn.Conv2d(width_in, width_out, kernel, padding=kernel // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(width_out), nn.ReLU())
