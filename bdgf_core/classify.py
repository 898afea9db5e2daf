"""Classification: for each tile read, classify, write."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import torch

from . import __version__
from .accuracy import Accuracy
from .device import choose_device
from .errors import InputError, ModelFileError
from .inputs import InputReader, NetworkInputs, tile_side
from .memory import memory_bound, peak_memory_mb
from .models import Classifier, load_classifier
from .progress import Progress
from .raster.stack import RasterSource
from .raster.styles import ramp_style
from .raster.window import Window, tiles
from .raster.writer import RasterWriter, check_output, create_raster
from .sensors import match_sources, open_stack, second_kind

_PATCHES_AT_ONCE = {"cpu": 256, "cuda": 1024}  # on a CPU more of them fall out of its cache, at 0.4 MB each


@dataclass(frozen=True)
class ClassifyConfig:
    """What to map. ``min_data`` is the share of each sensor's bands that a pixel needs to be mapped; ``confidence``,
    ``probabilities`` and ``quality`` are further rasters on request; ``tile`` pixels a side, by memory if None."""

    classifier: str
    spectral: RasterSource
    output: str
    second: Optional[RasterSource] = None
    device: str = "auto"
    min_data: float = 0.5
    confidence: Optional[str] = None
    probabilities: Optional[str] = None
    quality: Optional[str] = None
    tile: Optional[int] = None
    memory_mb: Optional[int] = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_data <= 1.0:
            raise InputError(f"The least share of data must lie between 0 and 1, not at {self.min_data}.")
        if self.tile is not None and self.tile < 1:
            raise InputError(f"A tile is at least 1 pixel wide, not {self.tile}.")
        outputs = [path for path in (self.output, self.confidence, self.probabilities, self.quality) if path]
        if len({os.path.abspath(path) for path in outputs}) < len(outputs):
            raise InputError("Two outputs have the same name; give each its own.")


def classify(config: ClassifyConfig, progress: Progress) -> dict[str, Any]:
    """Write the class raster (and the further rasters asked for) of all pixels that have enough data."""
    started = time.monotonic()
    device = choose_device(config.device)
    progress.message(f"Device: {device}.")
    classifier = load_classifier(config.classifier)
    spectral, second = match_sources(classifier.pretrained.sensors, config.spectral, config.second)
    inputs = [spectral.path, *([second.path] if second else []), config.classifier]
    for path in (config.output, config.confidence, config.probabilities, config.quality):
        if path:
            check_output(path, inputs=inputs)
    classifier.network.to(device.torch)
    mapped = 0
    kind = second_kind(classifier.pretrained.sensors)
    with open_stack(spectral, second, progress, second_kind=kind) as stack, ExitStack() as outputs:
        reader = classifier.reader(stack, device)
        grid = stack.grid
        side = config.tile or tile_side(
            classifier.pretrained.process.stack.depth, memory_bytes=memory_bound(config.memory_mb)
        )
        count = -(-grid.height // side) * -(-grid.width // side)
        writers = _Writers(config, classifier, stack.grid, inputs, outputs, str(device))
        for i, window in enumerate(tiles(grid.height, grid.width, side)):
            seen = reader.read(window)
            enough = np.all([share >= max(config.min_data, 1e-6) for share in seen.data_share.values()], 0)
            found = _probabilities(classifier, reader, seen, enough, progress) if enough.any() else None
            writers.write(window, seen, enough, found)
            mapped += int(enough.sum())
            if i == 0 and count > 1:
                ahead = (time.monotonic() - started) * (count - 1)
                progress.message(f"{count} tiles of {side} pixels; about {ahead:.0f} s to go.")
            progress.update(0.99 * (i + 1) / count)
        if not mapped:
            raise InputError("No pixel has enough data in every sensor to be mapped; check extents and nodata values.")
        progress.update(1.0)  # the last chance to stop: the files appear as the block ends
    return {
        "output": config.output, "confidence": config.confidence, "probabilities": config.probabilities,
        "quality": config.quality, "pixels": mapped, "classes": classifier.legend.to_json(),
        "seconds": round(time.monotonic() - started, 1), "device": str(device), "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip


@torch.no_grad()
def _probabilities(
    classifier: Classifier, reader: InputReader, seen: NetworkInputs, enough: np.ndarray[Any, Any], progress: Progress
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Class probabilities (K, h, w) of a tile, NaN where there is too little data."""
    batch = _PATCHES_AT_ONCE[reader.device.torch.type]
    with reader.device.autocast():
        found = classifier.network.classify_image(
            seen.spectral, seen.second, seen.diffusion, batch=batch, on_batch=progress.check_canceled
        )
    probabilities: np.ndarray[Any, np.dtype[np.float32]] = found.float().cpu().numpy()
    if not np.isfinite(probabilities[:, enough]).all():
        raise ModelFileError("The classifier gives no numbers for these rasters; please train it anew.")
    probabilities[:, ~enough] = np.nan
    return probabilities


class _Writers:
    """The rasters that a classification writes; all appear when the outer block ends, or none."""

    def __init__(
        self, config: ClassifyConfig, classifier: Classifier, grid: Any, inputs: Any, outputs: ExitStack, device: str
    ) -> None:
        legend = classifier.legend
        wide = max(legend.values) > 254
        self._values = np.array(legend.values, np.uint16 if wide else np.uint8)
        self._nodata = 65535 if wide else 255
        self._sensors = list(classifier.pretrained.sensors)
        tags = {
            "BDGF_VERSION": __version__, "BDGF_DEVICE": device,
            "BDGF_CLASSIFIER": str(config.classifier), "BDGF_TRAINING": classifier.document.get("created_with", ""),
        }  # fmt: skip
        accuracy = classifier.document.get("accuracy")
        overall = Accuracy.from_json(accuracy).overall if accuracy else None
        if accuracy and overall is not None:
            tags["BDGF_OVERALL_ACCURACY"] = f"{overall:.4f} ({accuracy.get('protocol')} validation)"

        def create(path: Optional[str], **how: Any) -> Optional[RasterWriter]:
            return outputs.enter_context(create_raster(path, grid, tags=tags, inputs=inputs, **how)) if path else None

        self._classes = create(
            config.output, dtype=self._values.dtype, nodata=self._nodata, legend=legend, descriptions=("Land cover",)
        )
        self._confidence = create(
            config.confidence, dtype="float32", nodata=-1.0, descriptions=("Confidence",), style=ramp_style()
        )
        self._probabilities = create(
            config.probabilities, dtype="float32", nodata=-1.0, bands=len(legend), descriptions=legend.names
        )
        self._quality = create(
            config.quality, dtype="uint8", nodata=255, bands=len(self._sensors),
            descriptions=[f"Share of {name} bands with data (%)" for name in self._sensors],
        )  # fmt: skip

    def write(self, window: Window, seen: NetworkInputs, enough: np.ndarray[Any, Any], found: Any) -> None:
        classes = np.full(enough.shape, self._nodata, self._values.dtype)
        if found is None:
            found = np.full((len(self._values), *enough.shape), np.nan, np.float32)
        classes[enough] = self._values[found[:, enough].argmax(0)]
        if self._classes:
            self._classes.write(window, classes)
        if self._confidence:
            self._confidence.write(window, found.max(0))
        if self._probabilities:
            self._probabilities.write(window, found)
        if self._quality:
            shares = np.stack([seen.data_share[name] for name in self._sensors])
            self._quality.write(window, np.round(100 * shares).astype(np.uint8))
