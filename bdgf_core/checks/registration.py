"""Whether the second raster lies where the first one does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

import numpy as np

from bdgf_core.progress import Progress
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.pixel_size import pixel_sides, pixel_steps
from bdgf_core.raster.stack import RasterSource, RasterStack
from bdgf_core.samples.sensor import natural_units
from bdgf_core.translation import tr

from .finding import Finding
from .shift import REACH, SIDE, SURE, Shift, ShiftMeter

BANDS = 12  # of each raster that are looked at
_COARSER = 1.5
_READ_AT_ONCE = 32_000_000  # values of a window, on the finer grid
_TRIES = 3  # windows looked at for one with data
# Pixels of the coarser raster. Corners taken for centres make 0.7; more than a pixel, error and all, is something else.
_SHIFTED, _SHIFTED_A_LITTLE = 1.2, 0.5


@dataclass(frozen=True)
class Registration:
    """How far the second raster lies off: ``cols`` to the right and ``rows`` down, in pixels of the spectral one, and
    ``east`` and ``north`` in metres, None where they are not known. ``coarse_pixels`` is the same length in pixels of
    the coarser raster. ``confidence`` and ``apart`` are those of :class:`Shift`."""

    cols: float
    rows: float
    east: Optional[float]
    north: Optional[float]
    coarse_pixels: float
    confidence: float
    apart: Optional[float]
    windows: int
    is_measured: bool

    @property
    def pixels(self) -> float:
        return float(np.hypot(self.cols, self.rows))

    @property
    def metres(self) -> Optional[float]:
        return None if self.east is None or self.north is None else float(np.hypot(self.east, self.north))


def measure_registration(
    spectral: RasterSource, second: RasterSource, kinds: Mapping[str, str], *,
    grids: tuple[Grid, Grid], windows: int, seconds: float, progress: Progress,
) -> Optional[Registration]:  # fmt: skip
    """Compares up to ``windows`` windows, no more than can be begun in ``seconds``; ``kinds`` by modality, ``grids``
    those of the two. On the coarser grid, where the finer raster is averaged: between its pixels the coarser one has
    nothing to tell. None where no window has data of both. Raises as :meth:`RasterStack.open`."""
    began = time.monotonic()
    grid, other = grids
    is_coarser = _side(other) > _COARSER * _side(grid) and pixel_steps(grid)[1] == pixel_steps(other)[1]
    reference = other if is_coarser else grid
    finer = max(1.0, _side(reference) / min(_side(grid), _side(other)))
    most = int(min(BANDS, max(1, _READ_AT_ONCE // (SIDE * finer) ** 2)))
    sources = {"spectral": _spread(spectral, most), "second": _spread(second, most)}
    order = ("second", "spectral") if is_coarser else ("spectral", "second")
    decibels = [name for name, kind in kinds.items() if kind == "sar_db"]
    meter = ShiftMeter()
    rng = np.random.default_rng(0)
    with RasterStack.open({name: sources[name] for name in order}, decibels=decibels) as stack:
        places = stack.sample_windows(windows * _TRIES, SIDE, rng)
        for index in rng.permutation(len(places)):
            progress.check_canceled()
            arrays = stack.read(places[index]).arrays
            meter.add(*(natural_units(arrays[name], kinds[name]) for name in order))
            if meter.windows >= windows or time.monotonic() - began > seconds:
                break
    shift = meter.shift()
    return None if shift is None else _on_the_ground(shift, reference, grid, -1.0 if is_coarser else 1.0, meter.windows)


def registration_finding(layer: str, other_layer: str, found: Optional[Registration]) -> Finding:
    """``other_layer`` is the second raster's, which is held against the first one's."""
    if found is None or not found.is_measured:
        text = tr("Its shift against {layer} cannot be measured: {why}.", layer=layer, why=_why_not(found))
        mend = tr("Lay one over the other and look along coasts, rivers and roads.")
        return Finding("note", "shift", other_layer, text, mend)
    size = tr("{pixels:.1f} pixels", pixels=found.pixels)
    if found.metres is not None:
        size += f" ({found.metres:.3g} m)"
    told = {"layer": layer, "size": size, "confidence": found.confidence}
    if found.coarse_pixels < _SHIFTED_A_LITTLE:
        text = tr("It lies on {layer} to within {size}, confidence {confidence:.2f}.", **told)
        return Finding("fine", "shift", other_layer, text)
    way = _way(found.cols, tr("{size} right"), tr("{size} left")), _way(found.rows, tr("{size} down"), tr("{size} up"))
    told["way"] = ", ".join(filter(None, way))
    text = tr("It lies {size} off {layer}: {way}, confidence {confidence:.2f}.", **told)
    if found.coarse_pixels < _SHIFTED:
        mend = tr("So little does little harm; half a pixel both ways often comes from corners taken for centres.")
        return Finding("note", "shift", other_layer, text, mend)
    return Finding("warning", "shift", other_layer, text, _mend(found))


def _mend(found: Registration) -> str:
    if found.east is None or found.north is None:
        return tr("Shift it back (Layer, Georeferencer, or gdal_translate -a_ullr with the corners moved).")
    east = _way(-found.east, tr("{size} m east"), tr("{size} m west"), digits=0)
    north = _way(-found.north, tr("{size} m north"), tr("{size} m south"), digits=0)
    return tr(
        "Move it {way} (gdal_translate -a_ullr with the corners moved, or Layer, Georeferencer); SAR over hills needs "
        "terrain correction instead.",
        way=", ".join(filter(None, (east, north))),
    )


def _why_not(found: Optional[Registration]) -> str:
    if found is None:
        return tr("no place has data of both")
    if found.confidence >= SURE:
        return tr("it differs from place to place")
    return tr("they have too little structure in common, or lie more than {reach} pixels apart", reach=REACH)


def _way(size: float, forth: str, back: str, digits: int = 1) -> str:
    """Empty where it would round to nothing."""
    shown = f"{abs(size):.{digits}f}" if digits else f"{abs(size):.3g}"
    return (forth if size > 0 else back).format(size=shown) if abs(size) >= 0.05 else ""


def _on_the_ground(shift: Shift, reference: Grid, grid: Grid, sign: float, windows: int) -> Registration:
    """``sign`` −1 turns the spectral raster's shift against the second one into the second one's."""
    steps, in_metres = pixel_steps(reference)
    way = sign * steps @ np.array([shift.cols, shift.rows])
    cols, rows = np.linalg.solve(pixel_steps(grid)[0], way)
    east, north = (float(way[0]), float(way[1])) if in_metres else (None, None)
    return Registration(
        float(cols), float(rows), east, north, shift.length, shift.confidence, shift.apart, windows, shift.is_measured
    )


def _side(grid: Grid) -> float:
    width, height, _ = pixel_sides(grid)
    return float((width * height) ** 0.5)


def _spread(source: RasterSource, most: int) -> RasterSource:
    """At most so many of its bands, spread over them."""
    assert source.bands is not None
    return RasterSource(source.path, spread(source.bands, most))


def spread(numbers: Sequence[int], most: int) -> tuple[int, ...]:
    if len(numbers) <= most:
        return tuple(numbers)
    return tuple(numbers[i] for i in np.unique(np.linspace(0, len(numbers) - 1, most).round().astype(int)))
