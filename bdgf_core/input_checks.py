"""The checks of a job's inputs: thorough for a report, quick as warnings at the start of a verb."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Optional

import numpy as np

from .checks.band_figures import BandSampler, RasterFigures
from .checks.bands import band_findings
from .checks.finding import Finding
from .checks.grids import pair_findings
from .checks.registration import Registration, measure_registration, registration_finding
from .checks.values import value_findings
from .errors import InputError
from .progress import Progress
from .raster.grid import Grid
from .raster.stack import RasterSource, RasterStack
from .samples.sensor import SAR_KINDS, Sensor
from .translation import tr

# What a stack or a verb does not say itself.
_AT_START = ("missing data", "nodata value", "noise", "values", "unit", "grid")


@dataclass(frozen=True)
class Effort:
    """Band figures come from at most ``windows`` of ``side`` pixels and about ``values`` in all, of which ``kept`` are
    held; the shift from ``shift_windows``; either begins no window after so many ``seconds``."""

    windows: int
    side: int
    values: int
    kept: int
    shift_windows: int
    seconds: float


THOROUGH = Effort(windows=64, side=128, values=64_000_000, kept=8_000_000, shift_windows=16, seconds=30.0)
QUICK = Effort(windows=12, side=96, values=5_000_000, kept=1_000_000, shift_windows=5, seconds=0.7)


def raster_figures(
    stack: RasterStack, layers: Mapping[str, str], effort: Effort, progress: Progress
) -> dict[str, RasterFigures]:
    """Figures of each raster of ``stack``; ``layers`` are their names for people."""
    began = time.monotonic()
    bands = sum(len(infos) for infos in stack.bands.values())
    count = int(min(effort.windows, max(1, effort.values // (bands * effort.side**2))))
    rng = np.random.default_rng(0)
    windows = stack.sample_windows(count, effort.side, rng)
    samplers = {
        name: BandSampler(layers[name], infos, windows=len(windows), most_values=effort.kept)
        for name, infos in stack.bands.items()
    }
    for done, index in enumerate(rng.permutation(len(windows)), start=1):
        for name, array in stack.read(windows[index]).arrays.items():
            samplers[name].add(array)
        progress.update(done / len(windows))
        if time.monotonic() - began > effort.seconds:
            break
    return {name: sampler.figures() for name, sampler in samplers.items()}


def raster_findings(raster: RasterFigures, kind: str) -> Iterator[Finding]:
    yield from band_findings(raster, speckle=kind in SAR_KINDS)
    yield from value_findings(raster, kind)


def registration(
    sources: Mapping[str, RasterSource],
    figures: Mapping[str, RasterFigures],
    kinds: Mapping[str, str],
    grids: tuple[Grid, Grid],
    effort: Effort,
    progress: Progress,
) -> Optional[Registration]:
    """By the bands that vary; None without any. Raises as :meth:`RasterStack.open`."""
    numbers = {name: tuple(band.info.number for band in raster.alive) for name, raster in figures.items()}
    if not all(numbers.values()):
        return None
    spectral, second = (RasterSource(sources[name].path, numbers[name]) for name in ("spectral", "second"))
    return measure_registration(
        spectral, second, kinds, grids=grids, windows=effort.shift_windows, seconds=effort.seconds, progress=progress
    )


def warn_of_inputs(
    stack: RasterStack,
    spectral: RasterSource,
    second: Optional[RasterSource],
    progress: Progress,
    *,
    second_kind: str,
    known: Optional[Mapping[str, Sensor]] = None,
) -> None:
    """What the verbs do not find out by themselves goes as warnings to the log, after a second or two; ``known`` are
    the sensors of a model. What cannot be read here is left to the verb to tell."""
    sources = {"spectral": spectral, **({"second": second} if second else {})}
    try:
        findings = list(_at_start(stack, sources, progress, second_kind, known))
    except InputError:
        return
    for finding in findings:
        progress.warning(finding.sentence)


def _at_start(
    stack: RasterStack,
    sources: Mapping[str, RasterSource],
    progress: Progress,
    second_kind: str,
    known: Optional[Mapping[str, Sensor]],
) -> Iterator[Finding]:
    kinds = {"spectral": "optical", "second": second_kind}
    layers = layer_names(sources)
    pair: list[Finding] = []
    if "second" in sources:
        grids = (stack.grid, Grid.of(sources["second"].path))
        if all(grid.is_georeferenced for grid in grids):
            pair = list(pair_findings(layers["spectral"], grids[0], layers["second"], grids[1]))
    # what lies outside of the second raster the stack tells
    outside = any(finding.topic == "overlap" and finding.severity != "fine" for finding in pair)
    figures = raster_figures(stack, layers, QUICK, progress.silent())
    for name, raster in figures.items():
        if known is not None:
            yield from _lost_bands(raster, known[name])
        for finding in raster_findings(raster, kinds[name]):
            # an error of unit is raised by the verb
            known_already = finding.topic == "missing data" and name == "second" and outside
            if finding.topic in _AT_START and finding.severity == "warning" and not known_already:
                yield finding
    yield from (finding for finding in pair if finding.topic in _AT_START and finding.severity == "warning")
    if "second" in sources:
        found = registration(sources, figures, kinds, grids, QUICK, progress)
        finding = registration_finding(layers["spectral"], layers["second"], found)
        if finding.is_grave:
            yield finding


def _lost_bands(raster: RasterFigures, sensor: Sensor) -> Iterator[Finding]:
    lost = [band.info.number for band, used in zip(raster.bands, sensor.used) if used and not band.alive]
    if lost and raster.alive:
        yield Finding(
            "warning", "bands", raster.layer, tr("The model goes by them, but here they have no varying data."),
            tr("Expect less of the result, or pretrain on bands that all rasters have."), tuple(lost),
        )  # fmt: skip


def layer_names(sources: Mapping[str, RasterSource]) -> dict[str, str]:
    """The file names, by modality; with it where they are the same."""
    names = {name: Path(source.path).name for name, source in sources.items()}
    alike = len(set(names.values())) < len(names)
    return {name: f"{file} ({name})" if alike else file for name, file in names.items()}
