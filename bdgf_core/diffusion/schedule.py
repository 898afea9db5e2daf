"""The variance schedule of the diffusion process.

T = 500 diffusion steps; timesteps t run 1…T and are stored as table index t − 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

STEPS = 500
FEATURE_TIMESTEP = 5  # the paper's "t = 5", a table index


@dataclass(frozen=True)
class NoiseSchedule:
    """``betas`` and ``alphas_cumprod`` (ᾱ_t of Eq. 1), float64, shape (T,)."""

    betas: Tensor

    @classmethod
    def linear(cls, steps: int = STEPS, *, first: float = 1e-4, last: float = 0.02) -> NoiseSchedule:
        """The linear schedule of DDPM, as the paper uses it."""
        return cls(torch.linspace(first, last, steps, dtype=torch.float64))

    @property
    def alphas_cumprod(self) -> Tensor:
        return torch.cumprod(1.0 - self.betas, 0)
