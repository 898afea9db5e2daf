"""The patches around labelled pixels, gathered tile by tile from the rasters and their diffusion features."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from dataclasses import replace
from typing import Callable, Mapping, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .diffusion.features import feature_channels
from .diffusion.unet import HALO
from .errors import ResourceError
from .inputs import MARGIN, FeatureScale, InputReader
from .network.config import PATCH
from .network.image_patches import gather_patches
from .pixel_values import by_tile
from .processes import ALONE, Processes
from .progress import Progress
from .raster.grid import Grid
from .raster.labels import Labels
from .raster.stack import RasterStack
from .raster.window import Window
from .samples.patches import PatchSamples
from .samples.sensor import Sensor
from .stoppable import stoppable
from .translation import tr

_READ_SIDE = 256
_BLOCKS, _BLOCK = 64, 64
_AT_ONCE = 512  # patches


def labels_with_data(stack: RasterStack, sensors: Mapping[str, Sensor], labels: Labels) -> Labels:
    """The labelled pixels where every sensor has data in at least half of its bands."""
    enough = np.zeros(len(labels), bool)
    for members, window in _by_tile(labels, _READ_SIDE):
        arrays = stack.read(window).arrays
        share = np.min([sensor.data_share(arrays[name]) for name, sensor in sensors.items()], 0)
        enough[members] = share[labels.rows[members] - window.row, labels.cols[members] - window.col] >= 0.5
    return labels.subset(enough)


def gather_samples(
    reader: InputReader,
    labels: Labels,
    *,
    components: Optional[int],
    memory_bytes: int,
    progress: Progress,
    processes: Processes = ALONE,
) -> tuple[PatchSamples, FeatureScale]:
    """The samples of ``labels`` in their order, with standardised diffusion features in half precision, or as many
    principal ``components`` of them, and their scale. Features beyond half of the memory lie in a temporary file.
    Several ``processes`` with the same arguments share the work, and all get everything."""
    samples, features, mine = _gather(reader, labels, memory_bytes=memory_bytes, progress=progress, processes=processes)
    diffusion = features.tensor
    scale = feature_scale(diffusion, components=components, on_part=features.release, processes=processes)
    count, _, side, _ = diffusion.shape
    scaled = diffusion if scale.basis is None else torch.zeros((count, len(scale.basis), side, side), dtype=torch.half)
    inside = inside_raster(labels, reader.stack.grid, side)
    for chunk in mine.split(_AT_ONCE):  # type: ignore[no-untyped-call]
        scaled[chunk] = (scale.apply(diffusion[chunk].float()) * inside[chunk]).half()
        features.release()
    if processes.count > 1:  # what one has made is 0 in the others
        for tensor in (samples.spectral, *([] if samples.second is None else [samples.second]), scaled):
            for start in range(0, count, _AT_ONCE):
                processes.total(tensor[start : start + _AT_ONCE])
                features.release()
    return replace(samples, diffusion=scaled), scale


def gather_patch_samples(reader: InputReader, labels: Labels, *, memory_bytes: int, progress: Progress) -> PatchSamples:
    """The samples of ``labels`` in their order, with diffusion features as they are, in half precision."""
    return _gather(reader, labels, memory_bytes=memory_bytes, progress=progress, processes=ALONE)[0]


def _gather(
    reader: InputReader, labels: Labels, *, memory_bytes: int, progress: Progress, processes: Processes
) -> tuple[PatchSamples, _Features, Tensor]:
    """The samples as far as they are this process's, zeros elsewhere; their features; and which they are."""
    channels = feature_channels(reader.process.stack.depth)
    count, side = len(labels), reader.patch
    patches = {name: torch.zeros((count, sensor.channels, side, side)) for name, sensor in reader.sensors.items()}
    free = max(memory_bytes // 4, memory_bytes - sum(tensor.nbytes for tensor in patches.values()))
    features = _Features((count, channels, side, side), free // 2)
    largest = reader.tile_side(classes=0, memory_bytes=free - features.held_bytes)
    by_tile = _cheapest_tiles(labels, largest)
    by_tile = by_tile[processes.rank :: processes.count]
    for done, (members, window) in enumerate(by_tile):
        index = torch.from_numpy(members)
        with stoppable(reader.denoiser, progress):
            inputs = reader.read(window)
        row = torch.from_numpy(labels.rows[members] - window.row).long().to(inputs.spectral.device)
        col = torch.from_numpy(labels.cols[members] - window.col).long().to(inputs.spectral.device)
        patches["spectral"][index] = gather_patches(inputs.spectral, row, col, side).cpu()
        if inputs.second is not None:
            patches["second"][index] = gather_patches(inputs.second, row, col, side).cpu()
        features.tensor[index] = gather_patches(inputs.diffusion, row, col, side).half().cpu()
        features.release()
        progress.update((done + 1) / len(by_tile))
    classes = torch.from_numpy(labels.classes).long()
    mine = np.sort(np.concatenate([np.zeros(0, np.int64), *(members for members, _ in by_tile)]))
    samples = PatchSamples(patches["spectral"], patches.get("second"), features.tensor, classes)
    return samples, features, torch.from_numpy(mine)


def feature_scale(
    diffusion: Tensor,
    *,
    components: Optional[int],
    on_part: Callable[[], None] = lambda: None,
    processes: Processes = ALONE,
) -> FeatureScale:
    """The scale of features (N, C, P, P) from the centres of their patches; ``components`` None keeps all C.
    ``on_part`` is called after each part that was read. Of several ``processes`` each has some samples and zeros for
    the others; all get the first one's scale."""
    channels, side = diffusion.shape[1:3]
    parts = []
    for start in range(0, len(diffusion), _AT_ONCE):
        parts.append(diffusion[start : start + _AT_ONCE, :, side // 2, side // 2].float())
        on_part()
    centres = processes.total(torch.cat(parts))
    mean, std = centres.mean(0), centres.std(0, correction=0).clamp(min=1e-6)
    scale = FeatureScale(mean, std)
    if components is not None and components < channels:
        scale = replace(scale, basis=_leading_components(((centres - mean) / std).double(), components))
    if processes.count == 1:
        return scale
    told = {"mean": scale.mean, "std": scale.std, **({} if scale.basis is None else {"basis": scale.basis})}
    return FeatureScale(**processes.hand_out(told)[1])


def gather_unlabelled(
    stack: RasterStack, sensors: Mapping[str, Sensor], count: int, *, rng: np.random.Generator, progress: Progress
) -> PatchSamples:
    """Up to ``count`` patches around random pixels with data in at least half of every sensor's bands, from random
    blocks of the rasters; half precision, without diffusion features."""
    height, width = min(_BLOCK, stack.grid.height), min(_BLOCK, stack.grid.width)
    found: dict[str, list[Tensor]] = {name: [] for name in sensors}
    for done in range(_BLOCKS):
        row, col = rng.integers(stack.grid.height - height + 1), rng.integers(stack.grid.width - width + 1)
        window = Window(int(row), int(col), height, width)
        arrays = stack.read(window.expand(MARGIN)).arrays
        within = slice(MARGIN, MARGIN + height), slice(MARGIN, MARGIN + width)
        share = np.min([sensor.data_share(arrays[name])[within] for name, sensor in sensors.items()], 0)
        there = np.argwhere(share >= 0.5)
        picked = torch.from_numpy(rng.permutation(there)[: -(-count // _BLOCKS)])
        for name, sensor in sensors.items():
            image = torch.from_numpy(sensor.network_input(arrays[name]))
            found[name].append(gather_patches(image, picked[:, 0], picked[:, 1], PATCH).half())
        progress.update((done + 1) / _BLOCKS)
    patches = {name: torch.cat(parts) for name, parts in found.items()}
    classes = torch.full((len(patches["spectral"]),), -1)
    return PatchSamples(patches["spectral"], patches.get("second"), None, classes)


def _leading_components(standardized: Tensor, count: int) -> Tensor:
    """The basis of :class:`FeatureScale`, from standardised features (N, C)."""
    variance, vectors = torch.linalg.eigh(standardized.T @ standardized / len(standardized))
    basis = vectors.flip(1)[:, :count].T
    largest = basis.abs().argmax(1, keepdim=True)
    scaled: Tensor = basis * basis.gather(1, largest).sign() / variance[-1].clamp(min=1e-12).sqrt()
    return scaled.float()


def _cheapest_tiles(labels: Labels, largest: int) -> list[tuple[NDArray[np.int64], Window]]:
    """:func:`_by_tile` with the side, up to ``largest``, that reads the fewest pixels, halos included."""

    def pixels(found: list[tuple[NDArray[np.int64], Window]]) -> int:
        around = [window.expand(MARGIN + HALO) for _, window in found]
        return sum(window.height * window.width for window in around)

    sides = [max(16, largest >> halvings) for halvings in range(6)]
    return min((_by_tile(labels, side) for side in dict.fromkeys(sides)), key=pixels)


def _by_tile(labels: Labels, side: int) -> list[tuple[NDArray[np.int64], Window]]:
    """The positions of the labelled pixels in each tile of ``side`` pixels, and the window that just holds them."""
    found = []
    for members in by_tile(labels.rows, labels.cols, side):
        rows, cols = labels.rows[members], labels.cols[members]
        top, left = int(rows.min()), int(cols.min())
        found.append((members, Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1)))
    return found


def inside_raster(labels: Labels, grid: Grid, side: int) -> Tensor:
    """1 where a pixel of a patch lies on the raster, (N, 1, P, P): features beyond it are 0, as in mapping."""
    span = np.arange(side) - side // 2
    rows, cols = labels.rows[:, None] + span, labels.cols[:, None] + span
    rows_in, cols_in = (rows >= 0) & (rows < grid.height), (cols >= 0) & (cols < grid.width)
    return torch.from_numpy(rows_in[:, None, :, None] & cols_in[:, None, None, :]).float()


class _Features:
    """A tensor of zeros in half precision, held in memory where ``memory_bytes`` allow, else in a temporary file."""

    def __init__(self, shape: tuple[int, ...], memory_bytes: int) -> None:
        needed = 2 * int(np.prod(shape))
        self._mapping: Optional[mmap.mmap] = None
        if needed <= memory_bytes:
            self.held_bytes, self.tensor = needed, torch.zeros(shape, dtype=torch.float16)
            return
        if needed > shutil.disk_usage(tempfile.gettempdir()).free:
            raise ResourceError(
                tr(
                    "The features of {samples} samples take {size} MB, more than is free in {folder}; use fewer "
                    "samples per class or a higher memory limit.",
                    samples=shape[0],
                    size=needed >> 20,
                    folder=tempfile.gettempdir(),
                )
            )
        with tempfile.TemporaryFile(prefix="bdgf-features-") as file:
            # All of it now: a disk that is full under a mapping ends the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, needed)
            else:
                file.truncate(needed)
            self._mapping = mmap.mmap(file.fileno(), needed)  # keeps the file, which the system frees with the process
        self.held_bytes = 0
        self.tensor = torch.frombuffer(self._mapping, dtype=torch.float16).view(shape)

    def release(self) -> None:
        """Leave what was written to the system, which else counts it as this process's memory."""
        if self._mapping is not None and hasattr(self._mapping, "madvise"):
            self._mapping.madvise(mmap.MADV_DONTNEED)
