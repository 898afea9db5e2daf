"""The patches around a scene's labelled pixels, with raw diffusion features: held at once where they fit, else read
anew part by part.

N patches; C diffusion channels; P patch side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bdgf_core.diffusion.features import feature_channels
from bdgf_core.diffusion.forward import ForwardProcess
from bdgf_core.diffusion.unet import DenoisingUNet, Halo
from bdgf_core.gather import gather_patch_samples, inside_raster
from bdgf_core.inputs import FeatureScale, InputReader
from bdgf_core.progress import Progress
from bdgf_core.raster.labels import Labels
from bdgf_core.samples.patches import PatchSamples
from bdgf_core.samples.sensor import Sensor

Indices = NDArray[np.int64]
_TILE = 64
_LEAST_PART, _MOST_PART = 256, 4096


@dataclass(frozen=True)
class ScaledPatches(PatchSamples):
    """Patches whose diffusion features are scaled as a batch is taken; ``inside`` (N, 1, P, P) is 0 beyond the
    raster, where features are 0 too."""

    scale: FeatureScale
    inside: Tensor

    @classmethod
    def of(cls, raw: PatchSamples, scale: FeatureScale, inside: Tensor) -> ScaledPatches:
        return cls(raw.spectral, raw.second, raw.diffusion, raw.classes, scale, inside)

    def batch(self, index: Tensor, device: torch.device) -> PatchSamples:
        plain = super().batch(index, device)
        if plain.diffusion is None:
            return plain
        scaled = self.scale.to(device).apply(plain.diffusion) * self.inside[index].to(device)
        return replace(plain, diffusion=scaled)


class Bank:
    """All labelled pixels of ``labels`` as ``reader`` sees them; ``memory_bytes`` decides whether they are kept."""

    def __init__(self, reader: InputReader, labels: Labels, *, memory_bytes: int, progress: Progress) -> None:
        self._reader, self._labels, self._memory = reader, labels, memory_bytes
        self._silent = progress.silent()
        self._inside = inside_raster(labels, reader.stack.grid, reader.patch).bool()
        tile = labels.rows.astype(np.int64) // _TILE * (reader.stack.grid.width // _TILE + 1) + labels.cols // _TILE
        self._tile = tile
        each = feature_channels(reader.process.stack.depth) * reader.patch**2 * 2
        self._part = int(np.clip(memory_bytes // 8 // each, _LEAST_PART, _MOST_PART))
        self._all = None
        if len(labels) * each <= memory_bytes // 2:
            self._all = gather_patch_samples(reader, labels, memory_bytes=memory_bytes, progress=progress)

    @property
    def is_held(self) -> bool:
        return self._all is not None

    def take(self, index: Indices) -> PatchSamples:
        """The patches of ``index``, in its order."""
        if self._all is None:
            return gather_patch_samples(
                self._reader, self._labels.subset(index), memory_bytes=self._memory, progress=self._silent
            )
        if len(index) == len(self._labels) and (index == np.arange(len(index))).all():
            return self._all
        at = torch.from_numpy(index)
        held = self._all
        second = None if held.second is None else held.second[at]
        diffusion = None if held.diffusion is None else held.diffusion[at]
        return PatchSamples(held.spectral[at], second, diffusion, held.classes[at])

    def scaled(self, index: Indices, scale: FeatureScale) -> ScaledPatches:
        return ScaledPatches.of(self.take(index), scale, self._inside[torch.from_numpy(index)])

    def parts(self, index: Indices, scale: FeatureScale) -> Iterator[tuple[Indices, ScaledPatches]]:
        """``index`` in parts, place by place, with their patches."""
        if not len(index):
            return
        ordered = index[np.argsort(self._tile[index], kind="stable")]
        for part in np.array_split(ordered, -(-len(ordered) // self._part)):
            self._silent.check_canceled()
            yield part, self.scaled(part, scale)


class Blanked:
    """A sensor that shows nothing: its voxels are missing to the denoiser and 0, the mean, to the network."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sensor, name)

    def denoiser_input(self, array: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        x0, valid = self._sensor.denoiser_input(array)
        return np.zeros_like(x0), np.zeros_like(valid)

    def network_input(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros_like(self._sensor.network_input(array))


class EncoderBlock(nn.Module):
    """The denoiser's encoder up to a block, at a timestep of its own; every block gives 16·D channels in all."""

    def __init__(self, denoiser: DenoisingUNet, layer: int, timestep: int) -> None:
        super().__init__()
        self.denoiser, self.layer, self.timestep = denoiser, layer, timestep

    def encode(self, x: Tensor, timestep: Tensor, *, halo: Halo = (0, 0, 0, 0)) -> Tensor:
        return self.denoiser.encode(x, torch.full_like(timestep, self.timestep), blocks=self.layer, halo=halo)


@dataclass(frozen=True)
class AtTimestep(ForwardProcess):
    """Noises to ``timestep``, whatever it is asked for."""

    timestep: int

    def noise(self, x0: Tensor, keep: Tensor, timestep: Tensor, normal: Tensor) -> Tensor:
        return super().noise(x0, keep, torch.full_like(timestep, self.timestep), normal)
