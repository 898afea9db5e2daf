"""What the values of a raster look like, and whether that is what they are said to be."""

from __future__ import annotations

from typing import Iterator

import numpy as np

from bdgf_core.samples.sensor import SAR_KINDS, contradiction
from bdgf_core.translation import tr

from .band_figures import RasterFigures
from .bands import numbers
from .finding import Finding, percent

_SATURATED, _MUCH_SATURATED, _CUT_OFF = 0.005, 0.05, 0.01  # of the values
_SOME_NEGATIVE, _MANY_NEGATIVE = 0.01, 0.2
_VOID = 0.01
_SKEWED = 4.0  # the 99 percentile over the median: dB have none of it
_UNCALIBRATED = 10.0


def value_findings(raster: RasterFigures, kind: str) -> Iterator[Finding]:
    """``kind`` is one of samples.sensor.KINDS; without bands that vary there is nothing to say."""
    if raster.alive:
        yield from _unit(raster, kind) if kind in SAR_KINDS else _scale(raster, kind)
        yield from _clipped(raster, kind)


def _unit(raster: RasterFigures, kind: str) -> Iterator[Finding]:
    values = raster.values[[band.alive for band in raster.bands]]
    wrong, better = contradiction(values, kind)
    if wrong:
        text = tr("Declared as {kind}, but {wrong}.", kind=kind, wrong=wrong)
        yield Finding("error", "unit", raster.layer, text, _choose(better))
        return
    there = values[np.isfinite(values)]
    median, high = (float(value) for value in np.percentile(there, [50.0, 99.0]))
    seen = {"kind": kind, "median": median, "high": high}
    doubt = None
    if kind == "sar_db" and there.min() >= 0 and high > _SKEWED * median:
        doubt = tr(
            "Declared as {kind}, but no value is negative, the median {median:.5g} and the 99 percentile "
            "{high:.5g}, as of intensity or amplitude.", **seen,
        )  # fmt: skip
        mend = _choose(tr("{one} or {other}", one="sar_linear", other="sar_amplitude"))
    elif kind == "sar_db" and (there < 0).mean() < _SOME_NEGATIVE:
        doubt = tr(
            "Declared as {kind}, but hardly a value is negative, as most are in dB: median {median:.5g}, 99 "
            "percentile {high:.5g}.", **seen,
        )  # fmt: skip
        mend = tr("If it is no SAR, such as temperatures or heights, choose other as the values of the second raster.")
    elif kind == "sar_linear" and median > _UNCALIBRATED:
        doubt = tr(
            "Declared as {kind}, but the median is {median:.5g}: calibrated intensities lie around 0.1, and "
            "digital numbers are mostly amplitudes.", **seen,
        )  # fmt: skip
        mend = tr("If they are amplitudes, choose sar_amplitude as the values of the second raster, else leave it so.")
    if doubt is not None:
        yield Finding("warning", "unit", raster.layer, doubt, mend)
    else:
        text = tr("Declared as {kind}, and it looks so: median {median:.5g}, 99 percentile {high:.5g}.", **seen)
        yield Finding("fine", "unit", raster.layer, text)
    void = float((there <= 0).mean())
    if kind != "sar_db" and void > _VOID:
        yield Finding(
            "note", "unit", raster.layer,
            tr("Values of 0 or less, which count as missing: {share}.", share=percent(void)),
            tr("Declare them as nodata, or calibrate without taking noise off."),
        )  # fmt: skip


def _choose(kind: str) -> str:
    return tr("Choose {kind} as the values of the second raster.", kind=kind)


def _scale(raster: RasterFigures, kind: str) -> Iterator[Finding]:
    alive = raster.alive
    # of the usual band: one for cirrus or a mask among them has another scale
    bulk = [(band.low or 0.0, band.median or 0.0, band.high or 0.0) for band in alive]
    low, median, high = (float(value) for value in np.median(bulk, 0))
    whole = all(band.whole for band in alive)
    seen = tr("98 % of the values from {low:.5g} to {high:.5g}", low=low, high=high)
    if -80 < low and median < 0 and high < 35 and len(alive) <= 4 and not whole:
        if kind == "optical":
            yield Finding(
                "warning", "unit", raster.layer, tr("The spectral raster looks like SAR in dB: {seen}.", seen=seen),
                tr("Swap the two rasters if they have been mixed up."),
            )  # fmt: skip
        else:
            yield Finding(
                "note", "unit", raster.layer, tr("Declared as other, but it could be SAR in dB: {seen}.", seen=seen),
                tr("If so, choose sar_db as the values of the second raster."),
            )  # fmt: skip
        return
    if kind != "optical":
        yield Finding("fine", "values", raster.layer, f"{seen}.")
        return
    text = tr("Probably {what}: {seen}.", what=_meaning(high, whole), seen=seen)
    yield Finding("fine", "values", raster.layer, text)
    negative = float(np.mean([band.negative for band in alive]))
    if negative > _SOME_NEGATIVE:
        yield Finding(
            "warning" if negative > _MANY_NEGATIVE else "note", "values", raster.layer,
            tr("Negative values, which no reflectance has: {share}.", share=percent(negative)),
            tr(
                "A few over water and in shadow come from the atmospheric correction and do no harm; of many, leave "
                "the bands out or correct the scene anew."
            ),
            numbers([band for band in alive if band.negative > _SOME_NEGATIVE]),
        )  # fmt: skip
    small = [band for band in alive if (band.maximum or 0.0) <= 2 and not band.whole]
    if small and any((band.high or 0.0) > 300 for band in alive):
        yield Finding(
            "note", "values", raster.layer, tr("Scaled from 0 to 1, while other bands reach far higher."),
            tr("Bring all to one scale with the Raster Calculator if they are meant to be compared."), numbers(small),
        )  # fmt: skip


def _meaning(high: float, whole: bool) -> str:
    if high <= 2:
        return tr("reflectance from 0 to 1")
    if whole and high <= 255:
        return tr("numbers of 8 bits")
    if high <= 120:
        return tr("reflectance in percent, or radiance")
    return tr("reflectance × 10,000 or digital numbers") if high <= 20_000 else tr("digital numbers or radiance")


def _clipped(raster: RasterFigures, kind: str) -> Iterator[Finding]:
    """Many values that are exactly the largest, or exactly 0 where that is the least."""
    varied = [band for band in raster.alive if band.distinct > 100 and band.undeclared is None]
    full = [band for band in varied if band.most > _SATURATED]
    if full:
        share, value = max((band.most, band.maximum) for band in full)
        yield Finding(
            "warning" if share > _MUCH_SATURATED else "note", "values", raster.layer,
            tr(
                "Saturated: up to {share} of the values are exactly the largest, {value:.6g}.",
                share=percent(share), value=value,
            ),
            tr("Take a product that is not clipped, or draw no training polygons there."), numbers(full),
        )  # fmt: skip
    floored = [band for band in varied if band.minimum == 0 and band.zero - raster.zeros > _CUT_OFF]
    if floored and kind not in SAR_KINDS:
        share = max(band.zero for band in floored)
        yield Finding(
            "note", "values", raster.layer,
            tr("Cut off at 0: up to {share} of the values are exactly that, the least.", share=percent(share)),
            tr(
                "Reflectance below 0 was set to it, mostly over water and in shadow; it does no harm unless classes "
                "differ there."
            ),
            numbers(floored),
        )  # fmt: skip
