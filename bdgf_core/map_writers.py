"""The rasters that a classification writes: the map and what belongs to it."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

import numpy as np

from . import __version__
from .accuracy import Accuracy
from .calibration import calibrated
from .inputs import NetworkInputs
from .models import Classifier
from .raster.grid import Grid
from .raster.styles import ramp_style
from .raster.window import Window
from .raster.writer import RasterWriter, check_space, create_raster, space_needed

Tile = dict[str, "np.ndarray[Any, Any]"]


class MapWriters:
    """The rasters at ``paths``, by name, of which "output" is the map; all appear when the block of ``outputs`` ends,
    or none. Without ``outputs`` the tiles are made for another process to write. ``nodata`` is the map's."""

    def __init__(
        self,
        paths: Mapping[str, Optional[str]],
        classifier: Classifier,
        grid: Grid,
        outputs: Optional[ExitStack],
        *,
        inputs: Sequence[str],
        tags: Mapping[str, object],
        cog: bool = False,
    ) -> None:
        legend = classifier.legend
        wide = max(legend.values) > 254
        self._values = np.array(legend.values, np.int32 if wide else np.uint8)  # no uint16 in model files
        self.nodata = 65535 if wide else 255
        self._sensors = list(classifier.pretrained.sensors)
        self._temperature = classifier.temperature
        tags = {
            **tags, "BDGF_VERSION": __version__, "BDGF_TRAINING": classifier.document.get("created_with", ""),
            "BDGF_TEMPERATURE": f"{classifier.temperature:g}",
        }  # fmt: skip
        accuracy = classifier.document.get("accuracy")
        overall = Accuracy.from_json(accuracy).overall if accuracy else None
        if accuracy and overall is not None:
            tags["BDGF_OVERALL_ACCURACY"] = f"{overall:.4f} ({accuracy.get('protocol')} validation)"

        table: dict[str, dict[str, Any]] = {
            "output": dict(
                dtype=np.uint16 if wide else np.uint8, nodata=self.nodata, legend=legend, descriptions=("Land cover",)
            ),
            "confidence": dict(descriptions=("Confidence",), style=ramp_style()),
            "probabilities": dict(bands=len(legend), descriptions=legend.names),
            "entropy": dict(descriptions=("Entropy (0 sure, 1 undecided)",), style=ramp_style()),
            "disagreement": dict(
                descriptions=("Disagreement of the branches (0 none, 1 each sure of another class)",),
                style=ramp_style(high=0.5),
            ),
            "ood": dict(
                descriptions=("Out of distribution (above 1: unlike the training samples)",), style=ramp_style(high=2.0)
            ),
            "quality": dict(
                dtype="uint8", nodata=255, bands=len(self._sensors),
                descriptions=[f"Share of {name} bands with data (%)" for name in self._sensors],
            ),
        }  # fmt: skip
        self._names = [name for name in table if paths.get(name)]
        self._writers: dict[str, RasterWriter] = {}
        wanted = {str(paths[name]): {"dtype": "float32", "nodata": -1.0, **table[name]} for name in self._names}
        needed = {Path(p): space_needed(grid, h["dtype"], h.get("bands", 1), cog=cog) for p, h in wanted.items()}
        self.needed_bytes = sum(needed.values())
        if outputs is not None:
            check_space(needed)
            for name, (path, how) in zip(self._names, wanted.items()):
                created = create_raster(path, grid, tags=tags, inputs=inputs, cog=cog, **how)
                self._writers[name] = outputs.enter_context(created)

    def tile(self, seen: NetworkInputs, enough: np.ndarray[Any, Any], found: Tile) -> Tile:
        """What is to be written of a tile, by raster; nothing is found where no pixel has enough data. And
        "confidence_sums" (K,) of the pixels by their class on the map."""
        classes = np.full(enough.shape, self.nodata, self._values.dtype)
        if not found:
            nothing = np.full((len(self._values), *enough.shape), np.nan, np.float32)
            found = {"probabilities": nothing, "disagreement": nothing[0], "ood": nothing[0]}
        best = found["probabilities"][:, enough].argmax(0)
        classes[enough] = self._values[best]
        probabilities = calibrated(found["probabilities"], self._temperature, axis=0)
        confidence = probabilities.max(0)
        shares = np.stack([seen.data_share[name] for name in self._sensors])
        tile = {
            **found, "output": classes, "probabilities": probabilities, "confidence": confidence,
            "quality": np.round(100 * shares).astype(np.uint8),
        }  # fmt: skip
        if "entropy" in self._names:
            tile["entropy"] = normalized_entropy(probabilities)
        sums = np.bincount(best, confidence[enough].astype(np.float64), len(self._values))
        return {**{name: tile[name] for name in self._names}, "confidence_sums": sums}

    def write(self, window: Window, tile: Tile) -> None:
        for name, writer in self._writers.items():
            writer.write(window, tile[name])

    def finish(self, on_part: Callable[[], None]) -> None:
        """All that can fail; what remains is that the rasters take their names. ``on_part`` may raise."""
        for writer in self._writers.values():
            writer.finish(on_part)


def normalized_entropy(probabilities: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Shannon's, of the first axis, over that of as many equal probabilities: 0 to 1; 0 · ln 0 is 0."""
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1))
    entropy: np.ndarray[Any, Any] = -(probabilities * logarithms).sum(0) / math.log(max(2, len(probabilities)))
    return np.clip(entropy, 0.0, 1.0)
