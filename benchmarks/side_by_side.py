"""A map of a scene by this and by Orfeo ToolBox's forest, one after the other on the same machine and polygons."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from osgeo import gdal, ogr

from bdgf_core.errors import InputError
from bdgf_core.progress import Progress
from bdgf_core.raster.stack import RasterStack
from bdgf_core.raster.window import tiles
from bdgf_core.raster.writer import create_raster

from .ledger import Entry
from .open_scene import OpenScene
from .orfeo import FOREST, require_orfeo, run_orfeo
from .page import newest
from .shell import run_engine
from .tables import FIGURES, Table, mean_of, percent, seeds_text

_TILE = 256
_NUMBER = "number"  # at most ten letters, for Orfeo ToolBox works through shapefiles


@dataclass(frozen=True)
class Side:
    """One of the two: the seconds of its steps by name, the processor time (s) of all, and ``configuration`` of the
    ledger that tells its accuracy."""

    name: str
    configuration: str
    steps: dict[str, float]
    processor: float


def side_by_side(opened: OpenScene, preset: str, progress: Progress) -> list[Side]:
    """Raises :class:`InputError` where the scene has no polygons or a tool is missing, :class:`BdgfError` where one
    fails. Orfeo ToolBox gets all bands in one raster, and numbers for classes, before its time begins."""
    scene = opened.scene
    if scene.field is None:
        raise InputError(f"Scene {scene.name} has no polygons to train on.")
    require_orfeo()
    with tempfile.TemporaryDirectory(prefix="bdgf-side-by-side-") as name:
        folder = Path(name)
        stacked, polygons = folder / "stacked.tif", folder / "polygons.gpkg"
        _stack_bands(opened.stack, stacked)
        _number_classes(scene.labels[0], scene.field, polygons)
        progress.message("Orfeo ToolBox …")
        theirs = _orfeo(stacked, polygons, folder, progress)
        progress.message(f"This, preset {preset} …")
        return [_own(opened, preset, folder, progress), theirs]


def as_table(sides: Sequence[Side], entries: Sequence[Entry]) -> Table:
    """The accuracies are means over the seeds that ``entries`` of one scene and protocol hold for all."""
    runs = {s.configuration: [e for e in newest(entries) if e.configuration == s.configuration] for s in sides}
    shared = set.intersection(*({entry.seed for entry in found} for found in runs.values()))
    runs = {name: [entry for entry in found if entry.seed in shared] for name, found in runs.items()}
    seconds = [sum(side.steps.values()) for side in sides]
    rows = []
    for side, whole in zip(sides, seconds):
        figures = [percent(mean_of(runs[side.configuration], figure)) for _, figure in FIGURES]
        steps = ", ".join(f"{name} {taken:.1f}" for name, taken in side.steps.items())
        rows.append(
            (side.name, *figures, steps, f"{whole:.1f}", f"{side.processor:.1f}", f"{whole / min(seconds):.0f}")
        )
    told = (
        f"seeds {seeds_text(runs[sides[0].configuration])} of the ledger"
        if shared
        else "not in the ledger for both yet"
    )
    head = ("", *(title for title, _ in FIGURES), "Seconds of each step", "Seconds", "Processor seconds", "Times")
    return Table(f"Accuracies on polygons kept apart: {told}.", head, tuple(rows))


def _own(opened: OpenScene, preset: str, folder: Path, progress: Progress) -> Side:
    """Through the shell, as a user runs it."""
    scene = opened.scene
    options: list[Any] = []
    for name, source in opened.sources.items():
        options += [f"--{name}", source.path]
        if source.bands:
            options += [f"--{name}-bands", ",".join(map(str, source.bands))]
    job = [
        "landcover", *options, "--second-kind", opened.second_kind, "--labels", scene.labels[0],
        "--class-field", scene.field, "--preset", preset, "--output", folder / "map.tif",
    ]  # fmt: skip
    before, began = _processor(), time.monotonic()
    run_engine(*job, progress=progress)
    return Side(f"BDGF, {preset}", preset, {"landcover": time.monotonic() - began}, _processor() - before)


def _orfeo(stacked: Path, polygons: Path, folder: Path, progress: Progress) -> Side:
    model, before = folder / "forest.model", _processor()
    steps = {}
    for name, tool, arguments in (
        ("train", "TrainImagesClassifier", (
            "-io.il", stacked, "-io.vd", polygons, "-io.out", model, "-sample.vfn", _NUMBER, "-sample.mt", -1,
            "-sample.mv", 0, "-sample.vtr", 0, "-sample.bm", 0, "-rand", 1, *FOREST,
        )),
        ("classify", "ImageClassifier", ("-in", stacked, "-model", model, "-out", folder / "orfeo.tif", "uint8")),
    ):  # fmt: skip
        began = time.monotonic()
        run_orfeo(tool, *arguments, progress=progress)
        steps[name] = time.monotonic() - began
    return Side("Orfeo ToolBox's forest", "otb-forest", steps, _processor() - before)


def _processor() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _stack_bands(stack: RasterStack, path: Path) -> None:
    """All bands in use in one float32 raster; what is missing is 0, which Orfeo ToolBox takes for a value."""
    count = sum(len(bands) for bands in stack.bands.values())
    with create_raster(path, stack.grid, bands=count, dtype=np.float32, nodata=float("nan")) as raster:
        for window in tiles(stack.grid.height, stack.grid.width, _TILE):
            image = np.concatenate(list(stack.read(window).arrays.values()))
            raster.write(window, np.nan_to_num(image).astype(np.float32))


def _number_classes(labels: str, field: str, path: Path) -> None:
    """The polygons with a number for each class, for Orfeo ToolBox refuses names."""
    gdal.VectorTranslate(str(path), labels)
    dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_UPDATE)
    layer = dataset.GetLayer(0)
    layer.CreateField(ogr.FieldDefn(_NUMBER, ogr.OFTInteger))
    numbers: dict[str, int] = {}
    for feature in layer:
        name = feature.GetFieldAsString(field)
        feature.SetField(_NUMBER, numbers.setdefault(name, len(numbers) + 1))
        layer.SetFeature(feature)
    del layer, dataset
