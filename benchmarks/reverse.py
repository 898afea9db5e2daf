"""The reverse process (Eqs. 3, 4 and 10): images out of noise, to look at what a denoiser has learnt.

B batch; U bands (spectral, then second sensor); h, w rows and columns.
"""

from __future__ import annotations

import math
from typing import Callable, Optional, Protocol

import torch
from torch import Tensor

from bdgf_core.diffusion.forward import ForwardProcess

SAR_FLOOR = 0.01  # of scaled intensity
_LEAST = 1e-30


class Denoiser(Protocol):
    """Predicts the noise in (B, 1, D, h, w) at timestep indices (B,)."""

    def __call__(self, x: Tensor, timestep: Tensor, /) -> Tensor: ...


@torch.no_grad()
def sample_images(
    denoiser: Denoiser,
    process: ForwardProcess,
    shape: tuple[int, int, int],
    *,
    generator: torch.Generator,
    device: Optional[torch.device] = None,
    on_step: Callable[[float], None] = lambda done: None,
) -> Tensor:
    """Scaled images (B, U, h, w) for ``shape`` (B, h, w), from pure noise; ``on_step`` gets the share that is done."""
    steps = len(process.schedule.betas)
    x = first_state(process, shape, generator=generator).to(device or torch.device("cpu"))
    for index in range(steps - 1, -1, -1):
        timestep = torch.full((len(x),), index, device=x.device)
        stacked = x[:, process.stack.order].unsqueeze(1).contiguous(memory_format=torch.channels_last_3d)
        predicted = denoiser(stacked, timestep).float()[:, 0, process.stack.places]
        normal = torch.randn(x.shape, generator=generator).to(x.device)
        x = reverse_step(process, x, predicted, index, normal)
        on_step(1.0 - index / steps)
    return x


def first_state(process: ForwardProcess, shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """x_T (B, U, h, w): Gaussian noise; on SAR full speckle on an image of middling brightness, of which little is
    left at T anyway."""
    batch, height, width = shape
    x = torch.randn((batch, process.stack.bands, height, width), generator=generator)
    split = _split(process)
    signal = float(process.schedule.alphas_cumprod[-1])
    speckle = torch.exp(process.speckle.log_mean[-1] + process.speckle.log_std[-1] * x[:, split:].double())
    x[:, split:] = (math.sqrt(signal * SAR_FLOOR) * speckle).float()
    return x


def reverse_step(process: ForwardProcess, x: Tensor, predicted: Tensor, index: int, normal: Tensor) -> Tensor:
    """x at timestep index ``index`` − 1 from that at ``index``, and the clean image from that at 0; all (B, U, h, w).

    Gaussian bands: mean by Eq. 4, variance that of the forward process given x_0. SAR: Eq. 10's Gamma is drawn as a
    log-normal, as in the forward process (:mod:`bdgf_core.diffusion.speckle`): the product of t speckles tells that of
    t − 1, its logarithm being a sum of independent terms; the clean image is kept within [δ, 1].
    """
    split = _split(process)
    betas, signals = process.schedule.betas, process.schedule.alphas_cumprod
    beta, signal = float(betas[index]), float(signals[index])
    before = float(signals[index - 1]) if index else 1.0
    mean = (x[:, :split] - beta / math.sqrt(1.0 - signal) * predicted[:, :split]) / math.sqrt(1.0 - beta)  # Eq. 4
    spread = math.sqrt(beta * (1.0 - before) / (1.0 - signal))
    optical = mean + spread * normal[:, :split]
    if split == x.shape[1]:
        return optical
    log_mean, log_std = float(process.speckle.log_mean[index]), float(process.speckle.log_std[index])
    seen = x[:, split:].clamp(min=_LEAST).log() - 0.5 * math.log(signal)  # log x_0 + log Π n
    clean = (seen - log_mean - log_std * predicted[:, split:]).clamp(math.log(SAR_FLOOR), 0.0)
    if not index:
        return torch.cat((optical, clean.exp()), 1)
    mean_before, std_before = float(process.speckle.log_mean[index - 1]), float(process.speckle.log_std[index - 1])
    share = std_before**2 / log_std**2
    speckle = mean_before + share * (seen - clean - log_mean) + std_before * math.sqrt(1.0 - share) * normal[:, split:]
    return torch.cat((optical, math.sqrt(before) * (clean + speckle).exp()), 1)


def _split(process: ForwardProcess) -> int:
    """The number of bands with Gaussian noise."""
    return process.stack.spectral if process.stack.speckle else process.stack.bands
