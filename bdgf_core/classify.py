"""Classification: for each tile read, classify, write."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Optional

import numpy as np
import torch

from . import __version__
from .device import choose_device
from .duration import duration
from .errors import InputError, ModelFileError
from .files import check_writable, claim
from .input_checks import warn_of_inputs
from .inputs import Arrays, InputReader, NetworkInputs
from .map_summary import MapSummary
from .map_writers import MapWriters, Tile
from .memory import memory_bound, peak_memory_mb, release_memory
from .models import Classifier, load_classifier
from .out_of_memory import Parts, Pieces
from .png import png
from .processes import ALONE, Processes
from .progress import Progress
from .raster.grid import Grid
from .raster.pixel_area import pixel_hectares
from .raster.stack import RasterSource
from .raster.window import Window, tiles
from .raster.writer import check_output
from .report import write_report
from .report_map import map_report
from .sensors import match_sources, open_stack, second_kind
from .stoppable import stoppable
from .stream import Stream
from .translation import tr
from .unfinished import CHECKPOINT_S, Unfinished, fingerprint

FURTHER = ("confidence", "probabilities", "quality", "entropy", "disagreement", "ood")

_MOST_UNSAVED = 64 << 20  # bytes of finished tiles
_PATCHES_AT_ONCE = {"cpu": 256, "cuda": 1024}  # on a CPU more of them fall out of its cache, at 0.4 MB each


@dataclass(frozen=True)
class ClassifyConfig:
    """What to map. ``min_data`` is the share of each sensor's bands that a pixel needs to be mapped; the rasters of
    :data:`FURTHER` and the ``report`` come on request, all as cloud-optimised GeoTIFFs with ``cog``; ``tile`` pixels a
    side, by memory if None. What is done is saved
    every ``checkpoint_s`` seconds; ``resume`` goes on from what an interrupted run of the same job has saved.

    ``entropy`` is Shannon's of the class probabilities over that of equal ones, ``disagreement`` that of the network's
    branches (:meth:`GroupNetwork.disagreement`), both from 0 to 1; ``ood`` tells how unlike the training samples a
    pixel is, which it is above 1 (:class:`OutOfDistribution`)."""

    classifier: str
    spectral: RasterSource
    output: str
    second: Optional[RasterSource] = None
    device: str = "auto"
    min_data: float = 0.5
    confidence: Optional[str] = None
    probabilities: Optional[str] = None
    quality: Optional[str] = None
    entropy: Optional[str] = None
    disagreement: Optional[str] = None
    ood: Optional[str] = None
    report: Optional[str] = None
    tile: Optional[int] = None
    memory_mb: Optional[int] = None
    cog: bool = False
    resume: bool = True
    checkpoint_s: float = CHECKPOINT_S

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_data <= 1.0:
            raise InputError(
                tr("The least share of data must lie between 0 and 1, not at {share}.", share=self.min_data)
            )
        if self.tile is not None and self.tile < 1:
            raise InputError(tr("A tile is at least 1 pixel wide, not {side}.", side=self.tile))
        written = [*self.outputs, *([self.report] if self.report else [])]
        if len({os.path.abspath(path) for path in written}) < len(written):
            raise InputError(tr("Two outputs have the same name; give each its own."))

    @property
    def outputs(self) -> list[str]:
        """The rasters to write, the map first."""
        return [self.output, *filter(None, (getattr(self, name) for name in FURTHER))]


def classify(config: ClassifyConfig, progress: Progress, *, processes: Processes = ALONE) -> dict[str, Any]:
    """Write the class raster (and the further rasters asked for) of all pixels that have enough data. Several
    ``processes`` take turns with the tiles, which the first one writes; all return what it has written."""
    started = time.monotonic()
    device = choose_device(config.device, processes)
    progress.message(device.told)
    classifier = load_classifier(config.classifier)
    spectral, second = match_sources(classifier.pretrained.sensors, config.spectral, config.second)
    inputs = [str(spectral.path), *([str(second.path)] if second else []), config.classifier]
    for path in config.outputs:
        check_output(path, inputs=inputs)
    if config.report:
        check_writable(config.report, inputs=inputs)
    _refuse_unknown(config, classifier)
    classifier.network.to(device.torch).fold()
    kind = second_kind(classifier.pretrained.sensors)
    with ExitStack() as outputs:
        if processes.is_first:
            outputs.enter_context(claim(*config.outputs, config.report))
        stack = outputs.enter_context(open_stack(spectral, second, progress, second_kind=kind))
        warn_of_inputs(stack, spectral, second, progress, second_kind=kind, known=classifier.pretrained.sensors)
        reader = classifier.reader(stack, device)
        grid = stack.grid
        fitting = reader.tile_side(classes=len(classifier.legend), memory_bytes=memory_bound(config.memory_mb))
        side = processes.agree(config.tile or fitting)
        windows = list(tiles(grid.height, grid.width, side))
        job = fingerprint(config, *inputs, content=[str(side).encode()])
        resume = config.resume or not processes.is_first
        unfinished = Unfinished(config.output, job, resume=resume, every_s=config.checkpoint_s, progress=progress)
        if processes.is_first:
            outputs.enter_context(unfinished)
        for network in (reader.denoiser, classifier.network):
            outputs.enter_context(stoppable(network, progress))
        parts, pieces = Parts(progress, _PATCHES_AT_ONCE[device.torch.type] // 16), Pieces(progress)
        tags = {"BDGF_CLASSIFIER": config.classifier, "BDGF_DEVICE": device}
        paths = {name: getattr(config, name) for name in ("output", *FURTHER)}
        files = outputs if processes.is_first else None
        writers = MapWriters(paths, classifier, grid, files, inputs=inputs, tags=tags, cog=config.cog)
        done = _DoneTiles(unfinished, writers.needed_bytes)
        least, timed = max(config.min_data, 1e-6), False
        stream = outputs.enter_context(Stream())  # ends before the writers do

        def made(window: Window, arrays: Arrays) -> Tile:
            def work(piece: Window) -> Tile:
                seen = reader.read(piece, least=least, arrays=reader.cut(arrays, window, piece))
                enough = np.all([share >= least for share in seen.data_share.values()], 0)
                found = _found(config, classifier, reader, seen, enough, parts, progress) if enough.any() else {}
                return writers.tile(seen, enough, found)

            return pieces.run(work, window)

        if not processes.is_first:
            mine = [windows[i] for i in processes.agree()[processes.rank :: processes.count]]
            for window, arrays in zip(mine, stream.ahead(reader.fetch, mine)):
                processes.send({name: torch.from_numpy(array) for name, array in made(window, arrays).items()})
            return dict(processes.agree())
        todo = processes.agree(done.missing(len(windows)))
        turns = {i: turn % processes.count for turn, i in enumerate(todo)}
        summary = MapSummary(classifier.legend, grid)

        def fetch(i: int) -> tuple[Optional[Tile], Arrays]:
            tile = done.load(i)
            return tile, reader.fetch(windows[i]) if tile is None and not turns.get(i) else {}

        for i, (tile, arrays) in enumerate(stream.ahead(fetch, range(len(windows)))):
            window, turn = windows[i], turns.get(i, 0)
            if tile is not None:
                stream.behind(partial(writers.write, window, tile))
                summary.add(window, tile)
                progress.skip_to(0.99 * (i + 1) / len(windows))
                continue
            began = time.monotonic()
            if turn == 0:
                tile = made(window, arrays)
            else:
                tile = {name: tensor.numpy() for name, tensor in processes.receive(turn)[1].items()}
            stream.behind(partial(writers.write, window, tile))
            done.add(i, tile, ahead=1 - (i + 1) / len(windows))
            summary.add(window, tile)
            worked = bool(tile["confidence_sums"].any())  # a network, that is
            if worked:
                release_memory()
            if worked and not timed and len(windows) > 1 and turn == 0:
                timed, ahead = True, (time.monotonic() - began) * (len(windows) - i - 1) / processes.count
                progress.message(
                    tr(
                        "{tiles} tiles of {side} pixels; about {time} to go.",
                        tiles=len(windows),
                        side=side,
                        time=duration(ahead),
                    )
                )
            progress.update(0.99 * (i + 1) / len(windows))
        stream.drain()
        if not summary.mapped:
            unfinished.remove()
            raise InputError(
                tr("No pixel has enough data in every sensor to be mapped; check extents and nodata values.")
            )
        writers.finish(progress.check_canceled)
        progress.update(1.0)  # the last chance to stop: the files appear as the block ends
        seconds = round(time.monotonic() - started, 1)
        if config.report:
            facts = {"device": str(device), "seconds": seconds, **_facts(config, classifier, grid)}
            write_report(config.report, map_report({**facts, **summary.to_json()}, png(summary.colored())))
    result = {
        **paths, "report": config.report, "pixels": summary.mapped, "mapped_share": summary.mapped_share,
        "mean_confidence": summary.mean_confidence, "classes": classifier.legend.to_json(), "seconds": seconds,
        "device": str(device), "peak_memory_mb": peak_memory_mb(),
    }  # fmt: skip
    return dict(processes.agree(result))


def _facts(config: ClassifyConfig, classifier: Classifier, grid: Grid) -> dict[str, Any]:
    """Of the map's document, what is known before there is a map."""
    return {
        "created_with": f"BDGF {__version__}", "output": config.output, "further": config.outputs[1:],
        "classifier": config.classifier, "trained_with": classifier.document.get("created_with"),
        "spectral": str(config.spectral.path), "second": str(config.second.path) if config.second else None,
        "accuracy": classifier.document.get("accuracy"), "temperature": classifier.temperature,
        "min_data": config.min_data, "size": [grid.width, grid.height], "crs": grid.crs.GetName() if grid.crs else None,
        "pixel_hectares": pixel_hectares(grid),
    }  # fmt: skip


def _refuse_unknown(config: ClassifyConfig, classifier: Classifier) -> None:
    if config.ood and classifier.ood is None:
        raise ModelFileError(
            tr(
                "{path} comes from a version that did not keep what its training samples are like; train it anew for "
                "the raster Out of distribution, or leave that raster out.",
                path=config.classifier,
            )
        )
    if config.disagreement and not classifier.network.can_disagree:
        raise ModelFileError(
            tr(
                "{path} has no two branches that were trained to classify and could disagree; leave the raster "
                "Disagreement out.",
                path=config.classifier,
            )
        )


@torch.no_grad()
def _found(
    config: ClassifyConfig,
    classifier: Classifier,
    reader: InputReader,
    seen: NetworkInputs,
    enough: np.ndarray[Any, Any],
    parts: Parts,
    progress: Progress,
) -> Tile:
    """What the classifier says of a tile: class probabilities (K, h, w), and disagreement and ood (h, w) where they
    are wanted; NaN where there is too little data."""
    batch = _PATCHES_AT_ONCE[reader.device.torch.type]
    with reader.device.autocast():
        judged = parts.run(
            lambda count: classifier.network.classify_image(
                seen.spectral, seen.second, seen.diffusion, batch=batch // count, wanted=torch.from_numpy(enough),
                on_batch=progress.check_canceled, disagreement=bool(config.disagreement),
            )
        )  # fmt: skip
    layers = judged.float().cpu().numpy()
    if not np.isfinite(layers[:, enough]).all():
        raise ModelFileError(tr("The classifier gives no numbers for these rasters; please train it anew."))
    layers[:, ~enough] = np.nan
    classes = len(classifier.legend)
    found = {"probabilities": layers[:classes]}
    if config.disagreement:
        found["disagreement"] = layers[classes]
    if config.ood and classifier.ood:
        score = classifier.ood.to(reader.device.torch).score(
            seen.spectral, seen.second, on_part=progress.check_canceled
        )
        found["ood"] = np.where(enough, score.cpu().numpy(), np.float32(np.nan))
    return found


class _DoneTiles:
    """The tiles that are done, saved now and then as long as the disk keeps room for the map: ``reserve`` bytes."""

    def __init__(self, unfinished: Unfinished, reserve: int) -> None:
        self._unfinished, self._reserve = unfinished, reserve
        self._clock = unfinished.state("tiles")
        self._unsaved: dict[int, Tile] = {}

    def missing(self, total: int) -> list[int]:
        """Those of so many tiles that are not done, as far as can be told without reading them."""
        there = self._unfinished.names()
        return [i for i in range(total) if f"tile-{i}" not in there]

    def load(self, index: int) -> Optional[Tile]:
        saved = self._unfinished.state(f"tile-{index}").load()
        return {name: tensor.numpy() for name, tensor in saved.tensors.items()} if saved else None

    def add(self, index: int, tile: Tile, *, ahead: float) -> None:
        """``ahead`` is the share of the map that is still to be written."""
        self._unsaved[index] = tile
        held = sum(array.nbytes for arrays in self._unsaved.values() for array in arrays.values())
        if self._clock.due() or held > _MOST_UNSAVED:
            room = self._unfinished.has_room(held + round(self._reserve * ahead))
            for number, arrays in self._unsaved.items() if room else ():
                self._unfinished.state(f"tile-{number}").save({}, {k: torch.from_numpy(a) for k, a in arrays.items()})
            self._unsaved.clear()
            self._clock.reset()
