"""Fusion-HCT (Zhao et al. 2022, hierarchical CNN and transformer), re-implemented after its title and what the BDGF
paper says of it.

From the text: CNNs for local and transformers for global features of both sensors, joined by cross-attention between
class and patch tokens. Assumed: 3-D then 2-D convolutions on the spectral image and 2-D ones on the second sensor (8
maps of 3³, 64 of 3²), the tokeniser of four tokens that BDGF uses as well, one encoder block for each sensor, the class
token of one asking the patch tokens of the other, both class tokens' logits added, the patch of 9 pixels.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from bdgf_core.convolution import Conv3d
from bdgf_core.network.attention import CrossAttention, SelfAttention
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import EMBEDDING
from bdgf_core.network.transformer import TOKENS, Tokenizer

from .other import OtherNetwork, conv_block

_MAPS = 8


class FusionHCT(OtherNetwork):
    """Without a second sensor it is its spectral half."""

    def __init__(self, config: GroupConfig) -> None:
        super().__init__(config)
        self.volume = nn.Sequential(Conv3d(1, _MAPS, 3, padding=1), nn.BatchNorm3d(_MAPS), nn.ReLU())
        self.flat = conv_block(_MAPS * config.spectral, EMBEDDING)
        streams = ["spectral"]
        if config.second:
            self.height = nn.Sequential(
                conv_block(config.second, EMBEDDING // 2), conv_block(EMBEDDING // 2, EMBEDDING)
            )
            streams.append("second")
            self.cross = nn.ModuleDict({name: CrossAttention(EMBEDDING) for name in streams})
        self.tokenizers = nn.ModuleDict(
            {name: Tokenizer(EMBEDDING, embedding=EMBEDDING, patch=config.patch) for name in streams}
        )
        self.cls = nn.ParameterDict({name: nn.Parameter(0.02 * torch.randn(EMBEDDING)) for name in streams})
        self.position = nn.ParameterDict(
            {name: nn.Parameter(0.02 * torch.randn(TOKENS + 1, EMBEDDING)) for name in streams}
        )
        self.encode = nn.ModuleDict({name: SelfAttention(EMBEDDING, feed_forward=True) for name in streams})
        self.heads = nn.ModuleDict({name: nn.Linear(EMBEDDING, config.classes) for name in streams})

    def forward(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> Tensor:
        maps = {"spectral": self.flat(self.volume(spectral.unsqueeze(1)).flatten(1, 2))}  # (B, E, P, P)
        if second is not None:
            maps["second"] = self.height(second)
        streams = {}
        for name, f in maps.items():
            tokens = self.tokenizers[name](f).flatten(0, 2)  # (B, TOKENS, E)
            first = self.cls[name].expand(len(tokens), 1, -1)
            streams[name] = self.encode[name](torch.cat((first, tokens), 1) + self.position[name])
        logits = []
        for name, stream in streams.items():
            cls = stream[:, 0]
            for other, seen in streams.items():
                if other != name:
                    cls = self.cross[name](cls, seen[:, 1:])
            logits.append(self.heads[name](cls))
        return torch.stack(logits).sum(0)
