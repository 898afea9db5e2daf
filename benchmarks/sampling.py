"""Images that a pretrained denoiser makes of noise, and how far their bands are from the scene's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bdgf_core.memory import memory_bound
from bdgf_core.progress import Progress
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.window import Window
from bdgf_core.raster.writer import create_raster
from bdgf_core.samples.pool import PatchPool

from .configurations import Configuration
from .measure import Workshop, pretrained_of
from .open_scene import OpenScene
from .reverse import sample_images

_UNREFERENCED = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def sample(
    opened: OpenScene,
    configuration: Configuration,
    *,
    count: int,
    side: int,
    seed: int,
    shop: Workshop,
    output: Path,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Writes ``count`` images beside each other as a GeoTIFF of the denoiser's scaled bands; for each band the
    quartiles of the samples and of as many real patches."""
    settings = configuration.settings()
    pretrained = pretrained_of(opened, settings, seed, shop, progress.part(0.0, 0.4))
    denoiser = pretrained.denoiser.to(shop.device.torch).eval()
    process = pretrained.process
    generator = torch.Generator().manual_seed(seed)
    on_step = progress.part(0.4, 0.95).update
    with shop.device.autocast():
        images = sample_images(
            denoiser, process, (count, side, side), generator=generator, device=shop.device.torch, on_step=on_step
        )
    made = images.float().cpu().numpy()
    strip = np.concatenate(list(made), 2)  # (U, side, count · side)
    grid = Grid("", _UNREFERENCED, side, count * side)
    with create_raster(output, grid, dtype=np.float32, bands=len(strip), nodata=float("nan")) as writer:
        writer.write(Window(0, 0, side, count * side), strip)
    pool = PatchPool(
        opened.stack, pretrained.sensors, memory_bytes=memory_bound(None) // 2, rng=np.random.default_rng(seed),
        progress=progress.silent(),
    )  # fmt: skip
    real, valid = (x.numpy() for x in pool.draw(max(count, 16), side))
    rows = []
    for band in range(len(strip)):
        there = real[:, band][valid[:, band] > 0]
        quartiles = [np.quantile(values, (0.25, 0.5, 0.75)).round(4).tolist() for values in (made[:, band], there)]
        rows.append({"band": band + 1, "sampled": quartiles[0], "real": quartiles[1]})
    progress.update(1.0)
    return rows
