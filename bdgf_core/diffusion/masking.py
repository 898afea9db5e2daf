"""Adaptive modality masking (Eq. 7): hide ever more of the spectral image, so that the SAR is not drowned.

The masks here are *keep* masks: 1 keeps a voxel, 0 blanks it. The printed polarity (m ~ Bernoulli(p) with p rising,
multiplied onto the image) would start blank and end whole, against the text; so keep = 1 − Bernoulli(p).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def masking_probability(progress: float) -> float:
    """p = tanh(e), e being the progress of pretraining in [0, 1] (Eq. 7)."""
    return math.tanh(progress)


def draw_keep(shape: tuple[int, ...], probability: float, *, generator: torch.Generator) -> Tensor:
    """Sample mask times structure mask, as 0/1 float32 of ``shape`` (B, bands, rows, cols).

    The sample mask blanks a sample's whole spectral cube, the structure mask single voxels (1×1×1 blocks); both
    with the same ``probability``, both drawn anew at every step.
    """
    samples = torch.rand((shape[0], 1, 1, 1), generator=generator) >= probability
    voxels = torch.rand(shape, generator=generator) >= probability
    return (samples & voxels).float()
