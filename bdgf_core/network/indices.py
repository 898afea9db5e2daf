"""What a spectrum tells whatever the light: ratios of bands. Not in the paper; slopes, haze and dates brighten and
darken all bands together, and few polygons do not show in how many ways.

S spectral bands; B batch; n pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .statistics import box_mean, inner

_FLOOR = 0.05  # of a band's mean: less light than that has no shape
_WINDOW = 3  # pixels a side
_TINY = 1e-12


def index_count(bands: int) -> int:
    """How many pairs so many bands make."""
    return bands * (bands - 1) // 2


def normalised_differences(spectral: Tensor, units: Tensor, *, patch: int) -> Tensor:
    """(a − b) / (|a| + |b|) of every pair of bands, each the mean of 3×3 pixels, for every full patch: the form of the
    NDVI (Rouse et al. 1974). Channels (B, S, rows, cols), ``units`` (2, S) → (B, pairs, rows − P + 1, cols − P + 1)."""
    near = inner(spectral, (patch - _WINDOW) // 2).float()
    return differences_of_pairs(band_values(box_mean(near, _WINDOW), units[:, :, None, None]))


def differences_of_pairs(values: Tensor) -> Tensor:
    """(a − b) / (|a| + |b|) of every pair of values (n, S, …) → (n, pairs, …)."""
    size = values.abs().clamp_(min=_TINY)
    pairs = [
        (values[:, i : i + 1] - values[:, :i]).div_(size[:, i : i + 1] + size[:, :i]) for i in range(values.shape[1])
    ]
    return torch.cat(pairs, 1)


def shape_and_brightness(pixels: Tensor, units: Tensor) -> Tensor:
    """The logarithms of the bands less their mean, and that mean: channels (n, S), ``units`` (2, S) → (n, S + 1)."""
    floor = (_FLOOR * units[0].abs()).clamp(min=_TINY)
    logarithms = band_values(pixels.float(), units).maximum(floor).log()
    brightness = logarithms.mean(1, keepdim=True)
    return torch.cat((logarithms - brightness, brightness), 1)


def band_values(channels: Tensor, units: Tensor) -> Tensor:
    """In the raster's own unit what :meth:`Sensor.network_input` has standardised; ``units`` are mean and deviation."""
    return torch.sinh(channels) * units[1] + units[0]
