"""Bands that hold nothing, or not what they should: dead, coarse, noisy, striped; data missing, or not declared so."""

from __future__ import annotations

from collections import defaultdict
from typing import Iterator, Sequence

import numpy as np

from bdgf_core.translation import tr

from .band_figures import BandFigures, RasterFigures
from .finding import Finding, percent

_MUCH_MISSING, _SOME_MISSING = 0.6, 0.05
_PATCHY = 0.1  # more missing than elsewhere
_ZEROS = 0.001
_FEW_VALUES = 16
_NOISY, _NOISIER, _ALL_NOISE = 0.5, 3.0, 0.9  # of the variance; times what is usual in the raster; whatever is usual
_STRIPED = 0.05  # deviations of the band


def numbers(bands: Sequence[BandFigures]) -> tuple[int, ...]:
    return tuple(band.info.number for band in bands)


def band_findings(raster: RasterFigures, *, speckle: bool) -> Iterator[Finding]:
    """``speckle`` says that noise belongs to the sensor."""
    if not raster.alive:
        yield Finding(
            "error", "bands", raster.layer, tr("No band has varying data."),
            tr("Check the nodata value in its file, and the bands chosen."),
        )  # fmt: skip
        return
    yield from _dead(raster)
    yield from _missing(raster)
    yield from _undeclared(raster)
    yield from _coarse(raster)
    if not speckle:
        yield from _noisy(raster)
        yield from _striped(raster)


def _dead(raster: RasterFigures) -> Iterator[Finding]:
    dead = [band for band in raster.bands if not band.alive]
    empty = [band for band in dead if band.minimum is None]
    constant = [band for band in dead if band.minimum is not None and band.minimum == band.maximum]
    sparse = [band for band in dead if band not in empty and band not in constant]
    for bands, text in (
        (empty, tr("No data at all.")),
        (constant, tr("One value only.")),
        (sparse, tr("Hardly any data.")),
    ):
        known = [band for band in bands if band.info.bad]
        if known:
            yield Finding(
                "note", "bands", raster.layer, text,
                tr("The file marks them as bad; pretraining leaves them out by itself."), numbers(known),
            )  # fmt: skip
        unknown = [band for band in bands if not band.info.bad]
        if unknown:
            yield Finding(
                "warning", "bands", raster.layer, text,
                tr("Pretraining leaves them out by itself; look whether the file they came from has more."),
                numbers(unknown),
            )  # fmt: skip
    marked = [band for band in raster.alive if band.info.bad]
    if marked:
        yield Finding(
            "note", "bands", raster.layer, tr("Marked as bad, though there are data."),
            tr("Pretraining leaves them out; take the mark off the file's metadata if they are good."),
            numbers(marked),
        )  # fmt: skip
    if not dead and not marked:
        count = len(raster.bands)
        yield Finding("fine", "bands", raster.layer, tr("All have varying data: {count}.", count=count))


def _missing(raster: RasterFigures) -> Iterator[Finding]:
    text = tr("Pixels without data: {share}.", share=percent(raster.empty))
    if raster.empty <= _SOME_MISSING:
        yield Finding("fine", "missing data", raster.layer, text)
    else:
        yield Finding(
            "warning" if raster.empty > _MUCH_MISSING else "note", "missing data", raster.layer, text,
            tr(
                "They stay without a class; clip to the part with data (Raster, Extraction, Clip Raster by Extent), or "
                "check the nodata value if there should be more."
            ),
        )  # fmt: skip
    patchy = [band for band in raster.alive if band.missing > raster.empty + _PATCHY]
    if patchy:
        most = percent(max(band.missing for band in patchy))
        yield Finding(
            "note", "missing data", raster.layer,
            tr("More data are missing than elsewhere, up to {share}.", share=most),
            tr("Leave these bands out if the map should not have to do without them."), numbers(patchy),
        )  # fmt: skip


def _undeclared(raster: RasterFigures) -> Iterator[Finding]:
    by_value = defaultdict(list)
    for band in raster.alive:
        if band.undeclared is not None:
            by_value[band.undeclared].append(band)
    for value, bands in by_value.items():
        share = max(band.least if value == band.minimum else band.most for band in bands)
        text = tr(
            "The value {value:.10g} lies far from all others and stands in up to {share} of the pixels.",
            value=value, share=percent(share),
        )  # fmt: skip
        yield Finding("warning", "nodata value", raster.layer, text, _declare(value), numbers(bands))
    if len(raster.alive) > 1 and raster.zeros >= _ZEROS and 0.0 not in by_value:
        zeros = percent(raster.zeros)
        text = tr("All bands are 0 in {share} of the pixels, as where a scene ends or was masked.", share=zeros)
        yield Finding("warning", "nodata value", raster.layer, text, _declare(0.0))


def _declare(value: float) -> str:
    return tr(
        "If that means missing data, declare it: Raster, Conversion, Translate, with {value:.10g} as the assigned "
        "nodata value (gdal_translate -a_nodata {value:.10g}).",
        value=value,
    )


def _coarse(raster: RasterFigures) -> Iterator[Finding]:
    few = [band for band in raster.alive if band.distinct <= _FEW_VALUES and raster.pixels > 1000]
    if few:
        counts = ", ".join(str(band.distinct) for band in few[:5]) + (", …" if len(few) > 5 else "")
        yield Finding(
            "note", "values", raster.layer, tr("Very few different values: {counts}.", counts=counts),
            tr("Leave out what tells nothing, such as a band for cirrus, a mask or a map of classes."), numbers(few),
        )  # fmt: skip


def _noisy(raster: RasterFigures) -> Iterator[Finding]:
    known = [band.noise for band in raster.alive if band.noise is not None]
    bound = max(_NOISY, min(_NOISIER * float(np.median(known)), _ALL_NOISE) if known else 0.0)
    noisy = [band for band in raster.alive if not band.info.bad and (band.noise or 0.0) > bound]
    if noisy:
        yield Finding(
            "warning", "noise", raster.layer, tr("Mostly noise from pixel to pixel."),
            tr("Leave these bands out when you pretrain."), numbers(noisy),
        )  # fmt: skip


def _striped(raster: RasterFigures) -> Iterator[Finding]:
    striped = [band for band in raster.alive if not band.info.bad and (band.stripes or 0.0) > _STRIPED]
    if striped:
        yield Finding(
            "warning", "noise", raster.layer, tr("Striped along columns or rows."),
            tr("Remove the stripes, or leave these bands out when you pretrain."), numbers(striped),
        )  # fmt: skip
