"""Diffusion features: what the denoiser's encoder makes of the slightly noised image.

One noise draw at timestep index 5; the noise is a function of the pixel's position in the raster, so that the
features, and with them the map, do not depend on the tiling.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .forward import ForwardProcess
from .schedule import FEATURE_TIMESTEP
from .unet import DEPTH_DIVISOR, WIDTHS, DenoisingUNet, Halo

_NOISE_BLOCK = 64


def feature_channels(depth: int) -> int:
    """C = 128 · D / 8."""
    return WIDTHS[-1] * depth // DEPTH_DIVISOR


def position_noise(bands: int, row: int, col: int, height: int, width: int, *, seed: int) -> Tensor:
    """Standard normal noise (bands, height, width) for the pixels from (row, col) on, the same whatever the window."""
    noise = np.empty((bands, height, width), np.float32)
    for block_row in range(row // _NOISE_BLOCK, (row + height - 1) // _NOISE_BLOCK + 1):
        for block_col in range(col // _NOISE_BLOCK, (col + width - 1) // _NOISE_BLOCK + 1):
            random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, block_row, block_col))))
            block = random.standard_normal((bands, _NOISE_BLOCK, _NOISE_BLOCK), np.float32)
            top, left = block_row * _NOISE_BLOCK, block_col * _NOISE_BLOCK
            rows = slice(max(row, top), min(row + height, top + _NOISE_BLOCK))
            cols = slice(max(col, left), min(col + width, left + _NOISE_BLOCK))
            noise[:, rows.start - row : rows.stop - row, cols.start - col : cols.stop - col] = block[
                :, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left
            ]
    return torch.from_numpy(noise)


def extract_features(
    denoiser: DenoisingUNet,
    process: ForwardProcess,
    x0: Tensor,
    valid: Tensor,
    noise: Tensor,
    *,
    halo: Halo = (0, 0, 0, 0),
) -> Tensor:
    """Features, channel-major over (128, D/8), of one image without its ``halo``: (C, H, W) less so many rows and
    columns.

    ``x0``, ``valid`` and ``noise``: (U, H, W). The denoiser must be in eval mode. No masks here: a voxel is hidden
    only where there is no data. Exact with a halo of 13 px, or less where the raster ends.
    """
    timestep = torch.tensor([FEATURE_TIMESTEP], device=x0.device)
    noised = process.noise(x0[None], valid[None], timestep, noise[None])
    noised = noised.contiguous(memory_format=torch.channels_last_3d)
    encoded = denoiser.encode(noised, timestep, halo=halo)  # (1, 128, D/8, H, W)
    return encoded.flatten(1, 2)[0].float()


@torch.no_grad()
def recalibrate_batchnorm(denoiser: DenoisingUNet) -> list[torch.nn.BatchNorm3d]:
    """Reset the running statistics and let them become the plain average over the batches that follow in train mode.

    Late in pretraining most batches are blanked, so the statistics gathered there do not fit whole images.
    """
    norms = [m for m in denoiser.modules() if isinstance(m, torch.nn.BatchNorm3d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    return norms
