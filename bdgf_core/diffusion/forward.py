"""The forward process on a stack of two modalities (Eq. 8, repaired) and what the denoiser has to predict.

B batch; U bands (spectral, then second sensor); D ≥ U bands after padding to a multiple of 8; h, w rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .schedule import NoiseSchedule
from .speckle import SpeckleTable
from .unet import DEPTH_DIVISOR


@dataclass(frozen=True)
class BandStack:
    """What stands on the denoiser's depth axis: ``spectral`` bands, then ``second`` bands.

    The noise model is a property of the modality: ``speckle`` says that the second one is SAR intensity.
    """

    spectral: int
    second: int
    speckle: bool

    @property
    def bands(self) -> int:
        return self.spectral + self.second

    @property
    def depth(self) -> int:
        return -(-self.bands // DEPTH_DIVISOR) * DEPTH_DIVISOR

    @property
    def order(self) -> list[int]:
        """For each of the D places the band that stands there; the last spectral band is repeated as padding."""
        padding = [self.spectral - 1] * (self.depth - self.bands)
        return [*range(self.spectral), *padding, *range(self.spectral, self.bands)]

    @property
    def places(self) -> list[int]:
        """For each of the U bands its place among the D."""
        padding = self.depth - self.bands
        return [*range(self.spectral), *range(self.spectral + padding, self.depth)]


@dataclass(frozen=True)
class ForwardProcess:
    """Noising of a :class:`BandStack`: Gaussian on optical bands, Gamma speckle on SAR."""

    stack: BandStack
    schedule: NoiseSchedule
    speckle: SpeckleTable

    @classmethod
    def of(cls, stack: BandStack, looks: float = 1.0) -> ForwardProcess:
        schedule = NoiseSchedule.linear()
        return cls(stack, schedule, SpeckleTable.of(schedule.betas, looks))

    def noise(self, x0: Tensor, keep: Tensor, timestep: Tensor, normal: Tensor) -> Tensor:
        """x_t on the depth axis, (B, 1, D, h, w).

        ``x0`` (B, U, h, w) scaled bands; ``keep`` (B, U, h, w) is 1 where the voxel is there and unmasked;
        ``timestep`` (B,) table indices; ``normal`` (B, U, h, w) standard normal noise. A masked spectral voxel is
        pure noise, a missing SAR voxel is 0.
        """
        split = self.stack.spectral if self.stack.speckle else self.stack.bands
        shown = x0 * keep
        signal = _at(self.schedule.alphas_cumprod.sqrt(), timestep, x0)
        spread = _at((1.0 - self.schedule.alphas_cumprod).sqrt(), timestep, x0)
        additive = signal * shown[:, :split] + spread * normal[:, :split]
        if self.stack.speckle:
            log_mean = _at(self.speckle.log_mean, timestep, x0)
            log_std = _at(self.speckle.log_std, timestep, x0)
            multiplicative = signal * shown[:, split:] * torch.exp(log_mean + log_std * normal[:, split:])
            additive = torch.cat((additive, multiplicative), 1)
        return additive[:, self.stack.order].unsqueeze(1)

    def target(self, x0: Tensor, keep: Tensor, timestep: Tensor, normal: Tensor) -> Tensor:
        """What the denoiser predicts, (B, U, h, w): ε on Gaussian bands and, on SAR, the standardised log-speckle
        (log Π n − μ_t) / s_t, of unit variance at every t and x_0. With ``normal`` drawn as above both are ``normal``,
        whatever the other arguments of :meth:`noise`.
        """
        return normal


def _at(table: Tensor, timestep: Tensor, like: Tensor) -> Tensor:
    return table.to(like.device)[timestep].to(like.dtype)[:, None, None, None]
