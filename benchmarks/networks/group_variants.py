"""The group network with one structural choice made otherwise.

B batch; E = 64; P patch side.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import EMBEDDING, GroupNetwork
from bdgf_core.network.mamba import MambaBlock


class PixelSequenceEncoder(nn.Module):
    """A Mamba block along the P·P pixels of a patch, row by row: (B, bands, P, P) → (B, E, P, P). The other reading of
    Eq. 20, where our token is the patch of a band or several."""

    def __init__(self, bands: int, *, embedding: int, states: int, expand: int) -> None:
        super().__init__()
        self.embed = nn.Linear(bands, embedding)
        self.mamba = MambaBlock(embedding, d_state=states, expand=expand)
        self.restore = nn.Linear(embedding, bands)
        self.mix = nn.Conv2d(bands, embedding, 1)
        self.norm = nn.BatchNorm2d(embedding)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x.flatten(2).transpose(1, 2))  # (B, P·P, E)
        restored = self.restore(self.mamba(tokens)).transpose(1, 2).reshape(x.shape)
        out: Tensor = torch.relu(self.norm(self.mix(restored + x)))
        return out


def with_pixel_tokens(config: GroupConfig, units: Optional[NDArray[np.float32]] = None) -> GroupNetwork:
    network = GroupNetwork(config, units)
    if config.mamba:
        how = {"embedding": EMBEDDING, "states": config.mamba_states, "expand": config.mamba_expand}
        network.mamba.spectral = PixelSequenceEncoder(config.spectral, **how)  # type: ignore[assignment]
        if config.second:
            network.mamba.second = PixelSequenceEncoder(config.second, **how)  # type: ignore[assignment]
    return network


def with_shared_tokenizers(config: GroupConfig, units: Optional[NDArray[np.float32]] = None) -> GroupNetwork:
    """One W_att (Eq. 13) and one self-attention for all streams; their maps differ, as their channels do."""
    network = GroupNetwork(config, units)
    if config.transformer:
        branch = network.transformer
        for tokenizer in branch.tokenizers.values():
            tokenizer.attention = branch.tokenizers["spectral"].attention
        for name in list(branch.attend):
            branch.attend[name] = branch.attend["spectral"]
    return network
