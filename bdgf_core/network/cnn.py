"""Local feature guidance: the CNN branch (Eqs. 11 and 12).

B batch; S spectral channels; R second-sensor channels; C diffusion channels; E = 64; P patch side.
Feature maps keep (B, channels, S', rows, cols).

The convolutions are valid along rows and columns (``padded=False``): a 9×9 patch becomes 3×3 positions, each of
which has seen 7×7 pixels, and the branch gives the same numbers on patches as on a whole image at an eighth of
the work. ``padded=True`` is the reading of the paper with zero-padded patches.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from bdgf_core.convolution import Conv3d

WIDTHS = (8, 16, 32)


class GuidedCNN(nn.Module):
    """Maps of local features, guided by diffusion features: (B, E, rows, cols), 6 rows and columns fewer than the
    input unless ``padded``. ``guidance_kernel`` 3 is the paper-sized guidance, 1 the lean one."""

    def __init__(
        self, spectral: int, second: int, *, diffusion: int, embedding: int, padded: bool, guidance_kernel: int
    ) -> None:
        super().__init__()
        around = 1 if padded else 0
        # Few bands cannot spare two per convolution.
        depth = 0 if spectral > 6 else 1
        self.crop = 0 if padded else 1
        self.bands = [spectral - 2 * (1 - depth) * i for i in range(4)]
        padding = (depth, around, around)
        self.w1_3d = Conv3d(1, WIDTHS[0], 3, padding=padding)
        self.w2_3d = Conv3d(WIDTHS[0], WIDTHS[1], 3, padding=padding)
        self.w3_3d = Conv3d(WIDTHS[1], WIDTHS[2], 3, padding=padding)
        self.norm1 = nn.BatchNorm3d(WIDTHS[0])
        self.norm2 = nn.BatchNorm3d(WIDTHS[1])
        merged = WIDTHS[2] * self.bands[3]
        self.norm_merged = nn.BatchNorm2d(merged)
        self.beta, self.gamma, self.alpha = (nn.Parameter(torch.tensor(0.5)) for _ in range(3))
        self.w1_2d = _guidance(diffusion, WIDTHS[0] * self.bands[1], guidance_kernel)
        self.w2_2d = _guidance(diffusion, WIDTHS[1] * self.bands[2], guidance_kernel)
        self.w3_2d = _guidance(diffusion, embedding, guidance_kernel) if second else None
        side = 3 if padded else 1
        self.w4: Optional[nn.Conv2d] = None
        if second:
            self.w4 = nn.Conv2d(second, embedding, 3, padding=1)
            self.norm3 = nn.BatchNorm2d(embedding)
            self.w5 = nn.Conv2d(embedding, merged, side, padding=side // 2)
        self.w6 = nn.Conv2d(merged, embedding, side, padding=side // 2)
        self.norm = nn.BatchNorm2d(embedding)

    def forward(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> Tensor:
        f1 = self.w1_3d(spectral.unsqueeze(1))  # (B, 8, S1, rows, cols)
        f1 = torch.relu(self.norm1(self._guide(f1, self.beta, self.w1_2d, diffusion, 1)))
        f2 = self.w2_3d(f1)  # (B, 16, S2, …)
        f2 = torch.relu(self.norm2(self._guide(f2, self.gamma, self.w2_2d, diffusion, 2)))
        merged = self.w3_3d(f2).flatten(1, 2)  # (B, 32·S3, …)
        if second is not None and self.w4 is not None:
            f3 = self._guide(_crop(self.w4(second), 3 * self.crop), self.alpha, self.w3_2d, diffusion, 3)
            merged = merged + self.w5(torch.relu(self.norm3(f3)))
        out: Tensor = torch.relu(self.norm(self.w6(torch.relu(self.norm_merged(merged)))))
        return out

    def _guide(
        self, f: Tensor, scale: Tensor, conv: Optional[nn.Module], diffusion: Optional[Tensor], cut: int
    ) -> Tensor:
        """scale · f + (1 − scale) · conv(f_dif), Eq. 11."""
        if conv is None or diffusion is None:
            return f
        guide = _crop(conv(diffusion), cut * self.crop)
        return scale * f + (1.0 - scale) * guide.view_as(f)


def _guidance(diffusion: int, channels: int, kernel: int) -> Optional[nn.Conv2d]:
    return nn.Conv2d(diffusion, channels, kernel, padding=kernel // 2) if diffusion else None


def _crop(x: Tensor, margin: int) -> Tensor:
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin].contiguous() if margin else x
