"""What the group network sees of a window of the rasters: spectral, second-sensor and diffusion channels.

S, R, C channels; h, w rows and columns of the window; M margin around it for the patches of its edge pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Mapping, Optional

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .device import Device
from .diffusion.features import extract_features, feature_channels, position_noise
from .diffusion.forward import BandStack, ForwardProcess
from .diffusion.unet import HALO, DenoisingUNet
from .network.config import AT_ONCE, PATCH
from .network.indices import index_count
from .raster.stack import RasterStack
from .raster.window import Window, covering
from .samples.sensor import Sensor

MARGIN = PATCH // 2
_HALO_AT_WORK = 6  # so many rows and columns on each side the encoder's halo costs: its blocks cut it off
Arrays = Mapping[str, "np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class NetworkInputs:
    """``spectral`` (S, h + 2M, w + 2M), ``second`` (R, …) or None, ``diffusion`` (C, …) float32 on the device;
    ``data_share`` (h, w) by modality, the share of its bands that have data. Outside of the raster all is 0."""

    spectral: Tensor
    second: Optional[Tensor]
    diffusion: Tensor
    data_share: dict[str, np.ndarray[tuple[int, int], np.dtype[np.float32]]]


@dataclass(frozen=True)
class FeatureScale:
    """How diffusion features become network input: ``mean`` and ``std`` (C,) standardise each channel; ``basis``
    (k, C), where there is one, keeps the leading principal components, in units of the first one's deviation."""

    mean: Tensor
    std: Tensor
    basis: Optional[Tensor] = None

    def apply(self, features: Tensor) -> Tensor:
        """(…, C, rows, cols) → (…, k, rows, cols), or all C without a basis."""
        standardized = (features - self.mean[:, None, None]) / self.std[:, None, None]
        if self.basis is None:
            return standardized
        return torch.einsum("kc,...cij->...kij", self.basis, standardized)

    def to(self, device: torch.device) -> FeatureScale:
        basis = None if self.basis is None else self.basis.to(device)
        return FeatureScale(self.mean.to(device), self.std.to(device), basis)


@dataclass(frozen=True)
class InputReader:
    """Reads windows as network inputs. ``scale`` None leaves the diffusion features as they are; the margin is half of
    a ``patch``.

    The features of a window equal those of the whole raster, whatever the window: it is read with the encoder's
    halo, and the noise belongs to the pixel.
    """

    stack: RasterStack
    sensors: Mapping[str, Sensor]
    denoiser: DenoisingUNet
    process: ForwardProcess
    seed: int
    device: Device
    scale: Optional[FeatureScale] = None
    patch: int = PATCH

    def fetch(self, window: Window) -> Arrays:
        """What :meth:`read` wants of the files: the pixels of every sensor, with the margin and the encoder's halo."""
        return self.stack.read(window.expand(self.patch // 2 + HALO)).arrays

    def cut(self, arrays: Arrays, window: Window, piece: Window) -> Arrays:
        """What :meth:`fetch` would give for a ``piece`` of the ``window`` for which it gave ``arrays``."""
        around = self.patch // 2 + HALO
        within = _within(piece.expand(around), window.expand(around))
        return {name: array[(slice(None), *within)] for name, array in arrays.items()}

    @torch.no_grad()
    def read(self, window: Window, *, least: float = 0.0, arrays: Optional[Arrays] = None) -> NetworkInputs:
        """Diffusion features are those of the patches of pixels that have the share ``least`` of data in every sensor,
        elsewhere 0, and (0, …) where no pixel has it. ``arrays`` is what was fetched of the window already."""
        grid = Window(0, 0, self.stack.grid.height, self.stack.grid.width)
        margin = window.expand(self.patch // 2)
        whole = window.expand(self.patch // 2 + HALO)
        assert window.intersection(grid) is not None, "the window lies outside of the raster"
        arrays = self.fetch(window) if arrays is None else arrays
        centre = (slice(None), *_within(window, whole))
        share = {name: s.data_share(arrays[name][centre]) for name, s in self.sensors.items()}
        around = _within(margin, whole)
        inputs = {name: s.network_input(arrays[name][(slice(None), *around)]) for name, s in self.sensors.items()}
        tensors = {name: torch.from_numpy(array).to(self.device.torch) for name, array in inputs.items()}
        enough = torch.from_numpy(np.all([found >= least for found in share.values()], 0))
        diffusion = torch.empty((0, margin.height, margin.width), device=self.device.torch)
        for part in covering(_seen(enough, self.patch).numpy(), _HALO_AT_WORK):
            known = part.shift(margin.row, margin.col).intersection(grid)
            if known is None:
                continue
            seen = known.expand(HALO).intersection(grid)
            assert seen is not None
            shown = {name: array[(slice(None), *_within(seen, whole))] for name, array in arrays.items()}
            features = self._features(shown, seen, known)
            if not len(diffusion):
                diffusion = features.new_zeros((len(features), margin.height, margin.width))
            diffusion[(slice(None), *_within(known, margin))] = features
        return NetworkInputs(tensors["spectral"], tensors.get("second"), diffusion, share)

    def _features(self, arrays: Mapping[str, np.ndarray[Any, Any]], window: Window, wanted: Window) -> Tensor:
        """The diffusion features (C, h, w) of what is ``wanted`` of a window inside the raster, of which ``arrays``
        are the pixels."""
        scaled = [sensor.denoiser_input(arrays[name]) for name, sensor in self.sensors.items()]
        x0, valid = (torch.from_numpy(np.concatenate(parts)).to(self.device.torch) for parts in zip(*scaled))
        bands = self.process.stack.bands
        noise = position_noise(bands, window.row, window.col, window.height, window.width, seed=self.seed)
        rows, cols = _within(wanted, window)
        halo = rows.start, window.height - rows.stop, cols.start, window.width - cols.stop
        with self.device.autocast():
            features = extract_features(self.denoiser, self.process, x0, valid, noise.to(self.device.torch), halo=halo)
        return features if self.scale is None else self.scale.apply(features)

    def tile_side(self, *, classes: int, memory_bytes: int) -> int:
        """Of the tiles to read and classify in so much memory, see :func:`tile_side`."""
        depth = self.process.stack.depth
        kept = self.scale.basis if self.scale else None
        return tile_side(
            depth,
            raw=sum(len(bands) for bands in self.stack.bands.values()),
            channels=sum(sensor.channels for sensor in self.sensors.values()),
            diffusion=feature_channels(depth) if kept is None else len(kept),
            classes=classes,
            memory_bytes=memory_bytes,
            index_bands=0 if self.sensors["spectral"].units is None else self.sensors["spectral"].channels,
        )

    def with_scale(self, scale: FeatureScale) -> InputReader:
        return replace(self, scale=scale.to(self.device.torch))


def band_stack(sensors: Mapping[str, Sensor]) -> BandStack:
    """The denoiser's depth axis for these sensors."""
    second = sensors.get("second")
    return BandStack(
        sensors["spectral"].depth_bands, second.depth_bands if second else 0, bool(second and second.is_sar)
    )


def tile_side(
    depth: int, *, raw: int, channels: int, diffusion: int, classes: int, memory_bytes: int, index_bands: int = 0
) -> int:
    """Pixels a side of a tile whose features and classification fit the memory, between 32 and 512. ``raw`` bands are
    read; ``channels`` of both sensors and ``diffusion`` channels enter the network, which sees ratios of
    ``index_bands``."""
    features = feature_channels(depth) * 4
    # The encoder's first block holds a few copies of 32 channels at full depth. Afterwards the CNN's maps, what the
    # trees see and the transformer's tokens stand side by side: measured for 8 to 60 channels.
    encoder = depth * 32 * 4 * 3.5 + 3 * features
    network = 4_300 + 240 * channels + 12 * index_count(index_bands)
    # Beside them: arrays of the depth; the bands of this tile and the next; probabilities, of the tile before too.
    beside = 10 * depth * 4 + 2 * raw * 4 + 6 * classes * 4 + 8 * diffusion

    def needed(side: int) -> float:
        around = side + 2 * (HALO + MARGIN)
        return around**2 * beside + max(around**2 * encoder, min(around, AT_ONCE) ** 2 * network)

    return next((side for side in range(512, 32, -16) if needed(side) <= memory_bytes), 32)


def _seen(pixels: Tensor, patch: int) -> Tensor:
    """What patches around ``pixels`` (h, w) hold: (h + P − 1, w + P − 1), both bool."""
    return F.max_pool2d(F.pad(pixels[None].float(), (patch - 1,) * 4), patch, stride=1)[0] > 0


def _within(inner: Window, outer: Window) -> tuple[slice, slice]:
    return inner.shift(-outer.row, -outer.col).slices
