"""SpectralDiff's classifier (Chen et al. 2023), re-implemented after the description in the BDGF paper.

From the text: a second stage on frozen single-step diffusion features after full down-sampling, an "attention-based
classification module" trained by cross-entropy. Assumed: a token per pixel of the patch by a 1×1 map of the features, a
class token, position embeddings, two pre-norm transformer blocks of width 64, a linear head on the class token. Its
public form concatenates the features with themselves, which adds nothing that a linear map cannot do.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from bdgf_core.network.attention import SelfAttention
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import EMBEDDING

from .other import OtherNetwork

BLOCKS = 2


class SpectralDiffClassifier(OtherNetwork):
    """Sees the diffusion features only."""

    def __init__(self, config: GroupConfig) -> None:
        super().__init__(config)
        self.embed = nn.Conv2d(config.diffusion, EMBEDDING, 1)
        self.cls = nn.Parameter(0.02 * torch.randn(EMBEDDING))
        self.position = nn.Parameter(0.02 * torch.randn(config.patch**2 + 1, EMBEDDING))
        self.blocks = nn.Sequential(*(SelfAttention(EMBEDDING, feed_forward=True) for _ in range(BLOCKS)))
        self.head = nn.Sequential(nn.LayerNorm(EMBEDDING), nn.Linear(EMBEDDING, config.classes))

    def forward(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> Tensor:
        assert diffusion is not None
        tokens = self.embed(diffusion).flatten(2).transpose(1, 2)  # (B, P·P, E)
        first = self.cls.expand(len(tokens), 1, -1)
        seen = self.blocks(torch.cat((first, tokens), 1) + self.position)
        out: Tensor = self.head(seen[:, 0])
        return out
