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
from .duration import duration
from .errors import InputError, ModelFileError
from .files import claim
from .inputs import InputReader, NetworkInputs, tile_side
from .memory import memory_bound, peak_memory_mb
from .models import Classifier, load_classifier
from .out_of_memory import Parts
from .progress import Progress
from .raster.stack import RasterSource
from .raster.styles import ramp_style
from .raster.window import Window, tiles
from .raster.writer import RasterWriter, check_output, create_raster
from .sensors import match_sources, open_stack, second_kind
from .stoppable import stoppable
from .unfinished import CHECKPOINT_S, Unfinished, fingerprint

_Tile = dict[str, "np.ndarray[Any, Any]"]
_MOST_UNSAVED = 64 << 20  # bytes of finished tiles
_PATCHES_AT_ONCE = {"cpu": 256, "cuda": 1024}  # on a CPU more of them fall out of its cache, at 0.4 MB each


@dataclass(frozen=True)
class ClassifyConfig:
    """What to map. ``min_data`` is the share of each sensor's bands that a pixel needs to be mapped; ``confidence``,
    ``probabilities`` and ``quality`` are further rasters on request; ``tile`` pixels a side, by memory if None. What is
    done is saved every ``checkpoint_s`` seconds; ``resume`` goes on from what an interrupted run of the same job has
    saved."""

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
    resume: bool = True
    checkpoint_s: float = CHECKPOINT_S

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
    wanted = [path for path in (config.output, config.confidence, config.probabilities, config.quality) if path]
    for path in wanted:
        check_output(path, inputs=inputs)
    classifier.network.to(device.torch)
    mapped = 0
    kind = second_kind(classifier.pretrained.sensors)
    with ExitStack() as outputs:
        outputs.enter_context(claim(*wanted))
        stack = outputs.enter_context(open_stack(spectral, second, progress, second_kind=kind))
        reader = classifier.reader(stack, device)
        grid = stack.grid
        side = config.tile or tile_side(
            classifier.pretrained.process.stack.depth, memory_bytes=memory_bound(config.memory_mb)
        )
        total = -(-grid.height // side) * -(-grid.width // side)
        job = fingerprint(config, *inputs, content=[str(side).encode()])
        unfinished = outputs.enter_context(
            Unfinished(config.output, job, resume=config.resume, every_s=config.checkpoint_s, progress=progress)
        )
        for network in (reader.denoiser, classifier.network):
            outputs.enter_context(stoppable(network, progress))
        done = _DoneTiles(unfinished)
        parts = Parts(progress, _PATCHES_AT_ONCE[device.torch.type] // 16)
        writers = _Writers(config, classifier, stack.grid, inputs, outputs, str(device))
        timed = False
        for i, window in enumerate(tiles(grid.height, grid.width, side)):
            tile = done.load(i)
            if tile is not None:
                writers.write(window, tile)
                mapped += int((tile["output"] != writers.nodata).sum())
                progress.skip_to(0.99 * (i + 1) / total)
                continue
            began = time.monotonic()
            seen = reader.read(window)
            enough = np.all([share >= max(config.min_data, 1e-6) for share in seen.data_share.values()], 0)
            found = _probabilities(classifier, reader, seen, enough, parts, progress) if enough.any() else None
            tile = writers.tile(seen, enough, found)
            writers.write(window, tile)
            done.add(i, tile)
            mapped += int(enough.sum())
            if not timed and total > 1:
                timed, ahead = True, (time.monotonic() - began) * (total - i - 1)
                progress.message(f"{total} tiles of {side} pixels; about {duration(ahead)} to go.")
            progress.update(0.99 * (i + 1) / total)
        if not mapped:
            unfinished.remove()
            raise InputError("No pixel has enough data in every sensor to be mapped; check extents and nodata values.")
        writers.finish()
        progress.update(1.0)  # the last chance to stop: the files appear as the block ends
    return {
        "output": config.output, "confidence": config.confidence, "probabilities": config.probabilities,
        "quality": config.quality, "pixels": mapped, "classes": classifier.legend.to_json(),
        "seconds": round(time.monotonic() - started, 1), "device": str(device), "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip


@torch.no_grad()
def _probabilities(
    classifier: Classifier,
    reader: InputReader,
    seen: NetworkInputs,
    enough: np.ndarray[Any, Any],
    parts: Parts,
    progress: Progress,
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Class probabilities (K, h, w) of a tile, NaN where there is too little data."""
    batch = _PATCHES_AT_ONCE[reader.device.torch.type]
    with reader.device.autocast():
        found = parts.run(
            lambda count: classifier.network.classify_image(
                seen.spectral, seen.second, seen.diffusion, batch=batch // count, on_batch=progress.check_canceled
            )
        )
    probabilities: np.ndarray[Any, np.dtype[np.float32]] = found.float().cpu().numpy()
    if not np.isfinite(probabilities[:, enough]).all():
        raise ModelFileError("The classifier gives no numbers for these rasters; please train it anew.")
    probabilities[:, ~enough] = np.nan
    return probabilities


class _DoneTiles:
    """The tiles that are done, saved from time to time."""

    def __init__(self, unfinished: Unfinished) -> None:
        self._unfinished = unfinished
        self._clock = unfinished.state("tiles")
        self._unsaved: dict[int, _Tile] = {}

    def load(self, index: int) -> Optional[_Tile]:
        saved = self._unfinished.state(f"tile-{index}").load()
        return {name: tensor.numpy() for name, tensor in saved.tensors.items()} if saved else None

    def add(self, index: int, tile: _Tile) -> None:
        self._unsaved[index] = tile
        held = sum(array.nbytes for arrays in self._unsaved.values() for array in arrays.values())
        if self._clock.due() or held > _MOST_UNSAVED:
            for number, arrays in self._unsaved.items():
                self._unfinished.state(f"tile-{number}").save({}, {k: torch.from_numpy(a) for k, a in arrays.items()})
            self._unsaved.clear()
            self._clock.reset()


class _Writers:
    """The rasters that a classification writes; all appear when the outer block ends, or none."""

    def __init__(
        self, config: ClassifyConfig, classifier: Classifier, grid: Any, inputs: Any, outputs: ExitStack, device: str
    ) -> None:
        legend = classifier.legend
        wide = max(legend.values) > 254
        self._values = np.array(legend.values, np.int32 if wide else np.uint8)  # no uint16 in model files
        self.nodata = 65535 if wide else 255
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

        self._writers = {
            "output": create(
                config.output, dtype=np.uint16 if wide else np.uint8, nodata=self.nodata, legend=legend,
                descriptions=("Land cover",),
            ),
            "confidence": create(
                config.confidence, dtype="float32", nodata=-1.0, descriptions=("Confidence",), style=ramp_style()
            ),
            "probabilities": create(
                config.probabilities, dtype="float32", nodata=-1.0, bands=len(legend), descriptions=legend.names
            ),
            "quality": create(
                config.quality, dtype="uint8", nodata=255, bands=len(self._sensors),
                descriptions=[f"Share of {name} bands with data (%)" for name in self._sensors],
            ),
        }  # fmt: skip

    def tile(self, seen: NetworkInputs, enough: np.ndarray[Any, Any], found: Any) -> _Tile:
        """What is to be written of a tile, by raster."""
        classes = np.full(enough.shape, self.nodata, self._values.dtype)
        if found is None:
            found = np.full((len(self._values), *enough.shape), np.nan, np.float32)
        classes[enough] = self._values[found[:, enough].argmax(0)]
        shares = np.stack([seen.data_share[name] for name in self._sensors])
        tile = {
            "output": classes, "confidence": found.max(0), "probabilities": found,
            "quality": np.round(100 * shares).astype(np.uint8),
        }  # fmt: skip
        return {name: array for name, array in tile.items() if self._writers[name]}

    def finish(self) -> None:
        for writer in filter(None, self._writers.values()):
            writer.finish()

    def write(self, window: Window, tile: _Tile) -> None:
        for name, array in tile.items():
            writer = self._writers[name]
            if writer:
                writer.write(window, array)
