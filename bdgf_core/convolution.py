"""A 3-D convolution whose gradients can be trusted."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Conv3d(nn.Conv3d):
    """In float32 where a CPU learns from a depth of two: there oneDNN's bfloat16 gradient of a padded weight 3 deep
    holds what lay in memory before (seen with AVX512-BF16 in oneDNN 3.12)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda or x.shape[2] != 2 or not torch.is_grad_enabled():
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())
