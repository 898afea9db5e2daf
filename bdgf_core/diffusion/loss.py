"""The L1 loss of pretraining, and its parts that tell whether it converges."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DenoisingLoss:
    """Mean absolute errors, each a scalar tensor (nan where no voxel is of that kind).

    ``total`` is what is minimised. It falls as masks grow, because a masked voxel is pure noise whose prediction is
    trivial: watch ``second`` and ``unmasked`` instead.
    """

    total: Tensor
    unmasked: Tensor
    masked: Tensor
    second: Tensor


def denoising_loss(predicted: Tensor, target: Tensor, *, valid: Tensor, keep: Tensor, spectral: int) -> DenoisingLoss:
    """L1 over the voxels that have data.

    ``predicted``, ``target``, ``valid`` (1 where there is data), ``keep`` (1 where valid and unmasked):
    (B, U, h, w); the first ``spectral`` bands are the spectral ones.
    """
    error = (predicted - target).abs() * valid
    unmasked = keep[:, :spectral]
    masked = valid[:, :spectral] - unmasked
    return DenoisingLoss(
        total=error.sum() / valid.sum().clamp(min=1.0),
        unmasked=(error[:, :spectral] * unmasked).sum() / unmasked.sum(),
        masked=(error[:, :spectral] * masked).sum() / masked.sum(),
        second=error[:, spectral:].sum() / valid[:, spectral:].sum(),
    )
