"""The denoiser: the 3-D U-Net of SpectralDiff, unchanged; 4,299,633 parameters.

B batch; D bands on the depth axis (a multiple of 8); H, W rows and columns; T_e = 32 width of the time embedding.
Three poolings halve the depth; rows and columns keep their size, so the network runs on whole images.
"""

from __future__ import annotations

import math
from typing import Tuple

import torch
from torch import Tensor, nn

from bdgf_core.convolution import Conv3d

WIDTHS = (16, 32, 64, 128)
TIME_WIDTH = 32
DEPTH_DIVISOR = 8
_BLOCK_HALO = 4  # rows and columns that a block's output sees to each side: 1 + 1 + 2
HALO = 1 + 3 * _BLOCK_HALO  # those of an encoder output, with the stem
Halo = Tuple[int, int, int, int]  # rows above and below, columns to the left and right


class DenoisingUNet(nn.Module):
    """Predicts the noise in a stack of bands: (B, 1, D, H, W) at timestep indices (B,) → (B, 1, D, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Linear(TIME_WIDTH, TIME_WIDTH)
        self.stem = nn.Conv3d(1, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList(_Block(i, o, up=False) for i, o in zip(WIDTHS, WIDTHS[1:]))
        self.up = nn.ModuleList(_Block(i, o, up=True) for i, o in zip(WIDTHS[:0:-1], WIDTHS[-2::-1]))
        self.out = nn.Conv3d(WIDTHS[0], 1, 1)

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        time = self._embed(timestep)
        h = self.stem(x)  # (B, 16, D, H, W)
        skips = []
        for block in self.down:
            h = block(h, time)  # (B, 32·2^i, D/2^(i+1), H, W)
            skips.append(h)
        for block in self.up:
            h = block(torch.cat((h, skips.pop()), 1), time)
        out: Tensor = self.out(h)
        return out

    def encode(
        self, x: Tensor, timestep: Tensor, *, blocks: int = len(WIDTHS) - 1, halo: Halo = (0, 0, 0, 0)
    ) -> Tensor:
        """The tensor after full down-sampling: (B, 128, D/8, H, W), three quarters of the work of a full pass; or that
        after so many ``blocks``. The ``halo`` of ``x`` does not come back: it is cut off as far as nothing inside
        depends on it any more."""
        time = self._embed(timestep)
        h: Tensor = self.stem(x)
        for done, block in enumerate(self.down[:blocks]):
            h, halo = _trim(h, halo, _BLOCK_HALO * (blocks - done))
            h = block(h, time)
        return _trim(h, halo, 0)[0]

    def _embed(self, timestep: Tensor) -> Tensor:
        half = TIME_WIDTH // 2
        rates = torch.exp(torch.arange(half, device=timestep.device) * (-math.log(10_000) / (half - 1)))
        angles = timestep.float()[:, None] * rates[None]
        return torch.relu(self.time(torch.cat((angles.sin(), angles.cos()), 1)))  # (B, 32)


def channels_last(denoiser: DenoisingUNet) -> DenoisingUNet:
    """The denoiser with its weights laid out for the faster convolutions; the numbers stay the same."""
    return denoiser.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


class _Block(nn.Module):
    """conv → ReLU → BN, plus the time embedding, conv → ReLU → BN, then halve or double the depth."""

    def __init__(self, width_in: int, width_out: int, *, up: bool) -> None:
        super().__init__()
        self.time = nn.Linear(TIME_WIDTH, width_out)
        self.conv1 = Conv3d(2 * width_in if up else width_in, width_out, 3, padding=1)
        self.norm1 = nn.BatchNorm3d(width_out)
        self.conv2 = Conv3d(width_out, width_out, 3, padding=1)
        self.norm2 = nn.BatchNorm3d(width_out)
        transform = nn.ConvTranspose3d if up else nn.Conv3d
        self.transform = transform(width_out, width_out, (4, 5, 5), stride=(2, 1, 1), padding=(1, 2, 2))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.norm1(torch.relu_(self.conv1(x)))
        h = h + torch.relu(self.time(time))[:, :, None, None, None]
        h = self.norm2(torch.relu_(self.conv2(h)))
        out: Tensor = self.transform(h)
        return out


def _trim(h: Tensor, halo: Halo, most: int) -> tuple[Tensor, Halo]:
    """``h`` (…, H, W) with at ``most`` so much of its halo, and what is left of that."""
    above, below, before, after = (max(0, side - most) for side in halo)
    rows, cols = slice(above, h.shape[-2] - below), slice(before, h.shape[-1] - after)
    return h[..., rows, cols], (halo[0] - above, halo[1] - below, halo[2] - before, halo[3] - after)
