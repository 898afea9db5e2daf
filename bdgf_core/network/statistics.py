"""Patches in a few numbers a channel: centres, means and deviations. Not in the paper.

B batch; P patch side.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor
from torch.nn import functional as F

_DEVIATION_SCALE = 3.0  # brings the deviations within standardised patches to the size of the values themselves
_FLOOR = 1e-4  # a variance is a difference: keeps its rounding out of the root
_WINDOWS = (3, 5)  # pixels a side, besides the whole patch


def patch_statistics(spectral: Tensor, second: Optional[Tensor], patch: int) -> Tensor:
    """Centre, mean and deviation of every full patch: (B, channels, rows, cols) → (B · patches, 3 · channels)."""
    x = _joined(spectral, second)
    mean, deviation = _moments(x, patch)
    return as_rows([inner(x, patch // 2), mean, _DEVIATION_SCALE * deviation])


def window_statistics(
    spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor], *, patch: int, widest: int
) -> list[Tensor]:
    """Of every full patch, maps (B, channels, rows − P + 1, cols − P + 1): of the sensors the centre, and mean and
    deviation in 3×3, 5×5 and all pixels, but for windows of more than ``widest`` a side; of the diffusion features
    centre and mean. :func:`statistics_count` channels in all."""
    x = _joined(spectral, second)
    found = [inner(x, patch // 2)]
    for side in _windows(patch, widest):
        found += _moments(inner(x, (patch - side) // 2), side)
    if diffusion is not None:
        found += [inner(diffusion.float(), patch // 2), box_mean(diffusion.float(), patch)]
    return found


def statistics_count(sensors: int, diffusion: int, *, patch: int, widest: int) -> int:
    """The channels of :func:`window_statistics`, for so many channels of both sensors and of the diffusion features."""
    return sensors * (1 + 2 * len(_windows(patch, widest))) + 2 * diffusion


def box_mean(x: Tensor, side: int) -> Tensor:
    """Means over windows of ``side`` × ``side``, rows first: 2 · side additions instead of side²."""
    return F.avg_pool2d(F.avg_pool2d(x, (side, 1), 1), (1, side), 1)


def _windows(patch: int, widest: int) -> list[int]:
    return [side for side in (*_WINDOWS, patch) if side <= widest]


def _moments(x: Tensor, side: int) -> tuple[Tensor, Tensor]:
    mean = box_mean(x, side)
    variance = (box_mean(x.square(), side) - mean.square()).clamp(min=0.0)
    return mean, (variance + _FLOOR).sqrt()


def _joined(spectral: Tensor, second: Optional[Tensor]) -> Tensor:
    return (spectral if second is None else torch.cat((spectral, second), 1)).float()


def inner(x: Tensor, margin: int) -> Tensor:
    """(…, rows, cols) without so many pixels on every side."""
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]


def as_rows(maps: list[Tensor]) -> Tensor:
    """(B, channels, rows, cols) each → (B · rows · cols, all channels)."""
    return torch.cat(maps, 1).movedim(1, 3).flatten(0, 2)
