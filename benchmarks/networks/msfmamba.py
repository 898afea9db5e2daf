"""MSFMamba (Gao et al. 2024), re-implemented after its abstract.

From the text: multi-scale spatial Mamba, whose scanning routes are shared out between full and reduced scale; spectral
Mamba along the channels of the spectral image; fusion Mamba, a Mamba extended to two inputs so that the modalities
interact. Assumed: one block of each of width 64, four routes (rows, columns and their reverses, the reverses at half
scale), the fusion by taking B and C of the state space from the other modality, the patch of 9 pixels instead of 11.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import EMBEDDING
from bdgf_core.network.mamba import MambaBlock, causal_conv
from bdgf_core.network.scan import selective_scan

from .other import OtherNetwork, conv_block


class MultiScaleSpatialMamba(nn.Module):
    """(B, E, P, P) → (B, E, P, P), residual: four routes through the pixels, the two backward ones at half scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fine, self.coarse = MambaBlock(width), MambaBlock(width)

    def forward(self, f: Tensor) -> Tensor:
        x = self.norm(f.movedim(1, 3)).movedim(3, 1)
        small = F.adaptive_avg_pool2d(x, (x.shape[2] + 1) // 2)
        found = [self._route(self.fine, y) for y in (x, x.mT)]
        coarse = [self._route(self.coarse, y.flip(2, 3)).flip(2, 3) for y in (small, small.mT)]
        found += [F.interpolate(y, size=x.shape[2:], mode="nearest") for y in coarse]
        rows, columns, back_rows, back_columns = found
        return f + rows + columns.mT + back_rows + back_columns.mT

    def _route(self, block: MambaBlock, x: Tensor) -> Tensor:
        tokens = block(x.flatten(2).transpose(1, 2))  # (B, pixels, E)
        return tokens.transpose(1, 2).reshape(x.shape)


class SpectralMamba(nn.Module):
    """(B, E, P, P) → (B, E, P, P), residual: along the channels, a token being one channel's pixels."""

    def __init__(self, pixels: int, width: int) -> None:
        super().__init__()
        self.embed, self.restore = nn.Linear(pixels, width), nn.Linear(width, pixels)
        self.block = MambaBlock(width)

    def forward(self, f: Tensor) -> Tensor:
        return f + self.restore(self.block(self.embed(f.flatten(2)))).view_as(f)


class FusionMamba(MambaBlock):
    """(B, L, E) and the other modality's tokens (B, L, E) → (B, L, E): B and C come from the other."""

    def forward(self, tokens: Tensor, other: Optional[Tensor] = None) -> Tensor:
        x, z = self.in_proj(tokens).chunk(2, dim=-1)
        y = x if other is None else self.in_proj(other).chunk(2, dim=-1)[0]
        x, y = (F.silu(causal_conv(v, self.conv1d.weight, self.conv1d.bias)) for v in (x, y))
        low = self.x_proj(x)[..., : self.dt_rank]
        _, B, C = self.x_proj(y).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        delta = F.linear(low, self.dt_proj.weight)
        A = -torch.exp(self.A_log.float())
        x, delta, B, C, z = (v.transpose(1, 2) for v in (x, delta, B, C, z))
        found = selective_scan(x, delta, A, B, C, self.D.float(), z, delta_bias=self.dt_proj.bias.float())
        out: Tensor = self.out_proj(found.transpose(1, 2))
        return out


class MSFMamba(OtherNetwork):
    """Without a second sensor it has no fusion."""

    def __init__(self, config: GroupConfig) -> None:
        super().__init__(config)
        self.spectral_stem = conv_block(config.spectral, EMBEDDING)
        self.spectral_space = MultiScaleSpatialMamba(EMBEDDING)
        self.spectral_bands = SpectralMamba(config.patch**2, EMBEDDING)
        streams = 1
        if config.second:
            streams = 2
            self.second_stem = conv_block(config.second, EMBEDDING)
            self.second_space = MultiScaleSpatialMamba(EMBEDDING)
            self.fuse_spectral, self.fuse_second = FusionMamba(EMBEDDING), FusionMamba(EMBEDDING)
        self.head = nn.Sequential(nn.LayerNorm(streams * EMBEDDING), nn.Linear(streams * EMBEDDING, config.classes))

    def forward(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> Tensor:
        one = self.spectral_bands(self.spectral_space(self.spectral_stem(spectral))).flatten(2).transpose(1, 2)
        if second is None:
            alone: Tensor = self.head(one.mean(1))
            return alone
        two = self.second_space(self.second_stem(second)).flatten(2).transpose(1, 2)  # (B, P·P, E)
        fused = torch.cat((one + self.fuse_spectral(one, two), two + self.fuse_second(two, one)), 2)
        out: Tensor = self.head(fused.mean(1))
        return out
