"""The patch in three numbers a band: its centre, mean and standard deviation. Not in the paper.

What a random forest on window statistics knows; on few polygons it generalises better than textures do.
B batch; C channels of both sensors; E = 64; P = 9 patch side.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .dropout import Dropout

_DEVIATION_SCALE = 3.0  # brings the deviations within standardised patches to the size of the values themselves
_FLOOR = 1e-4  # a variance is a difference: keeps its rounding out of the root


class PatchStatistics(nn.Module):
    """A perceptron on the statistics of every full patch: (B, channels, rows, cols) → (B · patches, E)."""

    def __init__(self, channels: int, *, embedding: int, patch: int, dropout: float) -> None:
        super().__init__()
        self.patch = patch
        self.layers = nn.Sequential(
            nn.Linear(3 * channels, 2 * embedding), nn.ReLU(), Dropout(dropout),
            nn.Linear(2 * embedding, embedding), nn.ReLU(),
        )  # fmt: skip

    def forward(self, spectral: Tensor, second: Optional[Tensor]) -> Tensor:
        out: Tensor = self.layers(patch_statistics(spectral, second, self.patch))
        return out


def patch_statistics(spectral: Tensor, second: Optional[Tensor], patch: int) -> Tensor:
    """Centre, mean and deviation of every full patch: (B, channels, rows, cols) → (B · patches, 3 · channels)."""
    x = (spectral if second is None else torch.cat((spectral, second), 1)).float()
    margin = patch // 2
    centre = x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]
    mean = box_mean(x, patch)
    variance = (box_mean(x.square(), patch) - mean.square()).clamp(min=0.0)
    statistics = torch.cat((centre, mean, _DEVIATION_SCALE * (variance + _FLOOR).sqrt()), 1)
    return statistics.movedim(1, 3).flatten(0, 2)


def box_mean(x: Tensor, side: int) -> Tensor:
    """Means over windows of ``side`` × ``side``, rows first: 2 · side additions instead of side²."""
    return F.avg_pool2d(F.avg_pool2d(x, (side, 1), 1), (1, side), 1)
