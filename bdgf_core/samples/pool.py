"""A bounded pool of raster regions from which pretraining draws its patches.

U bands on the denoiser's depth axis (spectral, then second sensor); p patch side.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bdgf_core.errors import InputError
from bdgf_core.progress import Progress
from bdgf_core.raster.stack import RasterStack
from bdgf_core.raster.window import Window, tiles
from bdgf_core.translation import tr

from .sensor import Sensor

_Region = tuple[NDArray[np.float32], NDArray[np.bool_]]
_REGION = 256
_TRIES = 20


class PatchPool:
    """Scaled regions of the rasters: all of them where ``memory_bytes`` allow, else random ones, renewed as one goes.

    ``state`` is what :meth:`state` told of a pool of the same rasters: this one goes on as that would have, whatever
    the memory, unless it held more than fits now; then it begins anew with what fits.
    Raises :class:`InputError` where no place has data in half of its bands.
    """

    def __init__(
        self,
        stack: RasterStack,
        sensors: Mapping[str, Sensor],
        *,
        memory_bytes: int,
        rng: np.random.Generator,
        progress: Progress,
        state: Optional[dict[str, Any]] = None,
    ) -> None:
        self._stack, self._sensors, self._rng = stack, sensors, rng
        grid = stack.grid
        bands = sum(s.depth_bands for s in sensors.values())
        regions = -(-grid.height // _REGION) * -(-grid.width // _REGION)
        fitting = max(4, memory_bytes // (bands * _REGION**2 * 5))
        self._renews, self._draws = regions > fitting, 0
        windows = [Window(*window) for window in state["windows"]] if state else []
        if state is not None:
            self._draws, self._rng.bit_generator.state = state["draws"], state["rng"]
        self._silent = progress.silent()
        self._windows: list[Window] = []
        self._regions: list[_Region] = []
        renewed = len(windows) > 1  # a single one is the whole rasters
        if windows and (len(windows) <= fitting if renewed else not self._renews):
            self._renews = renewed
            self._windows, self._regions = windows, [self._load(window, progress) for window in windows]
        elif self._renews:
            for i in range(fitting):
                self._load_random(i, progress)
                progress.update((i + 1) / fitting)
        else:
            self._windows.append(Window(0, 0, grid.height, grid.width))
            self._regions.append(self._load(self._windows[0], progress))
        if not any(valid.any() for _, valid in self._regions):
            raise InputError(tr("The rasters have no data where they overlap; check their extents and nodata values."))

    def state(self) -> dict[str, Any]:
        """As strict JSON."""
        windows = [[w.row, w.col, w.height, w.width] for w in self._windows]
        return {"windows": windows, "draws": self._draws, "rng": self._rng.bit_generator.state}

    def draw(self, count: int, side: int) -> tuple[Tensor, Tensor]:
        """``count`` patches (count, U, p, p), float32, and where they have data (1 or 0); p = ``side`` or the
        raster's own size where it is smaller. Patches with at least half of their voxels are preferred."""
        if self._renews:
            self._draws += 1
            if self._draws % 8 == 0:
                self._load_random(self._draws // 8 % len(self._regions), self._silent)
        picked = [self._draw_one(side) for _ in range(count)]
        x0, valid = (np.stack(arrays) for arrays in zip(*picked))
        return torch.from_numpy(x0), torch.from_numpy(valid.astype(np.float32))

    def _draw_one(self, side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        best = None
        for _ in range(_TRIES):
            x0, valid = self._regions[self._rng.integers(len(self._regions))]
            height, width = min(side, x0.shape[1]), min(side, x0.shape[2])
            row = self._rng.integers(x0.shape[1] - height + 1)
            col = self._rng.integers(x0.shape[2] - width + 1)
            cut = (slice(None), slice(row, row + height), slice(col, col + width))
            share = valid[cut].mean()
            if best is None or share > best[0]:
                best = (share, x0[cut], valid[cut])
            if share >= 0.5:
                break
        assert best is not None
        return best[1], best[2]

    def _random_window(self) -> Window:
        grid = self._stack.grid
        height, width = min(_REGION, grid.height), min(_REGION, grid.width)
        row, col = self._rng.integers(grid.height - height + 1), self._rng.integers(grid.width - width + 1)
        return Window(int(row), int(col), height, width)

    def _load_random(self, place: int, progress: Progress) -> None:
        """Fill or renew a place of the pool by a region with data: a raster may be mostly empty."""
        for _ in range(_TRIES):
            window = self._random_window()
            region = self._load(window, progress)
            if region[1].any():
                break
        self._windows[place : place + 1], self._regions[place : place + 1] = [window], [region]

    def _load(self, window: Window, progress: Progress) -> _Region:
        bands = sum(s.depth_bands for s in self._sensors.values())
        x0 = np.empty((bands, window.height, window.width), np.float32)
        valid = np.empty(x0.shape, bool)
        for tile in tiles(window.height, window.width, _REGION):
            progress.check_canceled()
            image = self._stack.read(tile.shift(window.row, window.col))
            parts = [sensor.denoiser_input(image.arrays[name]) for name, sensor in self._sensors.items()]
            rows, cols = tile.slices
            x0[:, rows, cols] = np.concatenate([scaled for scaled, _ in parts])
            valid[:, rows, cols] = np.concatenate([there for _, there in parts]) > 0
        return x0, valid
