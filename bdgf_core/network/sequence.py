"""Sequential feature guidance: the Mamba branch with group channel attention (Eqs. 20–24).

B batch; S, R channels of the spectral and second-sensor inputs; C diffusion channels; E = 64; P = 9 patch side.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .attention import ChannelAttention
from .mamba import MambaBlock


class SequenceEncoder(nn.Module):
    """A Mamba block along the bands (Eq. 20): (B, bands, P, P) → (B, E, P, P).

    A token is the patch of one band, or of ``token_bands`` neighbours: fewer tokens, and as much less work. The tokens
    go back to patches, are added to the input, and a 1×1 convolution brings the bands to E channels.
    """

    def __init__(self, bands: int, *, embedding: int, patch: int, states: int, expand: int, token_bands: int) -> None:
        super().__init__()
        self.token_bands = min(token_bands, bands)
        self.embed = nn.Linear(self.token_bands * patch * patch, embedding)
        self.mamba = MambaBlock(embedding, d_state=states, expand=expand)
        self.restore = nn.Linear(embedding, self.token_bands * patch * patch)
        self.mix = nn.Conv2d(bands, embedding, 1)
        self.norm: nn.Module = nn.BatchNorm2d(embedding)

    def forward(self, x: Tensor) -> Tensor:
        bands = x.flatten(2)  # (B, bands, P·P)
        short = -bands.shape[1] % self.token_bands
        whole = F.pad(bands, (0, 0, 0, short)) if short else bands
        tokens = whole.reshape(len(x), whole.shape[1] // self.token_bands, self.embed.in_features)
        restored = self.restore(self.mamba(self.embed(tokens))).view(whole.shape)[:, : bands.shape[1]] + bands
        mixed = self.mix(restored.view(x.shape).contiguous(memory_format=torch.channels_last))
        return torch.relu_(self.norm(mixed))

    def fold(self) -> None:
        """Let the convolution do the batch norm's work, in eval mode for good: one pass less over the patches."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.mix, self.norm = fuse_conv_bn_eval(self.mix, self.norm), nn.Identity()


class GuidedMamba(nn.Module):
    """Sequential features (B, E) of patches, guided by diffusion features and the CNN's maps.

    The group attention looks at ``cells`` × ``cells`` positions a patch, each the mean of its pixels: P is the
    paper's form; 3 has the CNN's own positions and leaves out three quarters of the branch's work.
    ``guided=False`` leaves the group attention out.
    """

    def __init__(
        self,
        spectral: int,
        second: int,
        *,
        diffusion: int,
        local: bool,
        guided: bool,
        embedding: int,
        patch: int,
        cells: int,
        states: int,
        expand: int,
        token_bands: int,
    ) -> None:
        super().__init__()
        self.cells = cells
        how = {
            "embedding": embedding, "patch": patch, "states": states, "expand": expand, "token_bands": token_bands,
        }  # fmt: skip
        self.spectral = SequenceEncoder(spectral, **how)
        self.second = SequenceEncoder(second, **how) if second else None
        self.reduce = nn.Conv2d(diffusion, embedding, 1) if guided and diffusion else None
        names = ["spectral", *(["diffusion"] if self.reduce else []), *(["local"] if local else [])] if guided else []
        self.group = nn.ModuleDict({name: ChannelAttention(embedding) for name in names})
        self.w11 = nn.Conv2d(len(names) * embedding, embedding, 1) if names else None
        self.out = nn.Linear((2 if second else 1) * embedding, embedding)
        self.norm = nn.LayerNorm(embedding)

    def forward(
        self, spectral: Tensor, second: Optional[Tensor], reduced: Optional[Tensor], local: Optional[Tensor]
    ) -> Tensor:
        """``reduced`` is :attr:`reduce` of the diffusion features, (B, E, P, P); ``local`` are the CNN's maps."""
        f = self._to_cells(self.spectral(spectral))  # (B, E, cells, cells)
        if self.w11 is not None:
            given = {"spectral": f, "diffusion": reduced, "local": local}
            attended = [attention(self._to_cells(given[name])) for name, attention in self.group.items()]
            f = self.w11(torch.cat(attended, 1)) * f + f  # Eq. 24
        pooled = [f.mean((2, 3))]
        if self.second is not None and second is not None:
            pooled.append(self.second(second).mean((2, 3)))
        out: Tensor = self.norm(self.out(torch.cat(pooled, 1)))
        return out

    def _to_cells(self, x: Optional[Tensor]) -> Tensor:
        """(B, E, p, p) → (B, E, cells, cells): means, or repeats where ``x`` is coarser."""
        assert x is not None
        if x.shape[-1] < self.cells:
            return F.interpolate(x, size=(self.cells, self.cells), mode="nearest")
        if x.shape[-1] % self.cells:
            return F.adaptive_avg_pool2d(x, self.cells)
        return x if x.shape[-1] == self.cells else F.avg_pool2d(x, x.shape[-1] // self.cells)
