"""The sensors of a job: opened together, measured for a new model or matched to the one that a model knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np

from .errors import InputError, ModelFileError
from .progress import Progress
from .raster.metadata import BandInfo
from .raster.stack import RasterSource, RasterStack
from .samples.sensor import Sensor, SensorBand
from .translation import tr

_SAMPLE_WINDOWS = 64
_SAMPLE_SIZE = 96
_SAMPLE_VALUES = 32_000_000  # of all bands together: many bands need fewer pixels
_SAME_WAVELENGTH_NM = 15.0
_ROLES = {"spectral": tr("spectral"), "second": tr("second")}


def open_stack(
    spectral: RasterSource, second: Optional[RasterSource], progress: Progress, *, second_kind: str
) -> RasterStack:
    """The rasters as modalities ``spectral`` and, where given, ``second``, with their warnings passed on."""
    sources = {"spectral": spectral}
    if second is not None:
        sources["second"] = second
    stack = RasterStack.open(sources, decibels={"second"} if second_kind == "sar_db" else ())
    for warning in stack.warnings:
        progress.warning(warning)
    return stack


def measure_sensors(
    stack: RasterStack,
    sources: Mapping[str, RasterSource],
    *,
    second_kind: str,
    depth_limit: int,
    seed: int,
    progress: Progress,
) -> dict[str, Sensor]:
    """Each modality's statistics from windows spread over the raster; bad and dead bands are told and left out."""
    rng = np.random.default_rng(seed)
    windows = stack.sample_windows(_SAMPLE_WINDOWS, _SAMPLE_SIZE, rng)
    samples: dict[str, list[np.ndarray[Any, np.dtype[np.float32]]]] = {name: [] for name in stack.bands}
    for i, window in enumerate(windows):
        for name, array in stack.read(window).arrays.items():
            pixels = array.reshape(len(array), -1)
            pixels = pixels[:, np.isfinite(pixels).any(0)]
            samples[name].append(pixels[:, :: -(-pixels.size * len(windows) // _SAMPLE_VALUES) or 1])
        progress.update((i + 1) / len(windows))
    sensors: dict[str, Sensor] = {}
    # The second sensor first: the spectral one gets what it leaves of the depth.
    for name in sorted(stack.bands, key=lambda name: name == "spectral"):
        kind = "optical" if name == "spectral" else second_kind
        taken = sum(s.depth_bands for s in sensors.values())
        limit = max(8, depth_limit - taken) if name == "spectral" else depth_limit // 2
        sample = np.concatenate(samples.pop(name), 1)  # the windows are not kept beside it
        if not sample.size:
            raise InputError(tr("{path} has no data; check its nodata value and its extent.", path=sources[name].path))
        bands = [SensorBand(b.number, b.name, b.wavelength_nm, not b.bad) for b in stack.bands[name]]
        sensor = Sensor.measure(
            sample, bands, kind=kind, source=Path(sources[name].path).name,
            source_bands=len(_bands_of(sources[name].path)), depth_limit=limit,
        )  # fmt: skip
        sensors[name] = sensor
        dropped = [b.number for b, measured in zip(bands, sensor.bands) if not measured.used]
        if dropped:
            progress.warning(
                tr(
                    "{count} of {bands} bands of {source} are marked bad or hold no data and are left out: {numbers}.",
                    count=len(dropped),
                    bands=len(bands),
                    source=sensor.source,
                    numbers=_ranges(dropped),
                )
            )
    return {name: sensors[name] for name in stack.bands}


def check_units(stack: RasterStack, sensors: Mapping[str, Sensor]) -> None:
    """Raises :class:`InputError` where a raster's values are in another unit than the model's sensor."""
    windows = stack.sample_windows(16, _SAMPLE_SIZE, np.random.default_rng(0))
    samples = [stack.read(window).arrays for window in windows] if any(s.is_sar for s in sensors.values()) else []
    for name, sensor in sensors.items():
        if samples and sensor.is_sar:
            sensor.check_unit(np.concatenate([arrays[name].reshape(len(sensor.bands), -1) for arrays in samples], 1))


def match_source(sensor: Sensor, source: RasterSource, role: str) -> RasterSource:
    """``source`` with the bands that the model's ``sensor`` expects.

    Bands are found by their names where these are all there and unique; else by number in a raster of as many bands
    as the model's source; else a raster of just as many bands as the model uses is taken as these. Raises
    :class:`ModelFileError` where none of it fits or known wavelengths differ.
    """
    if source.bands is not None and len(source.bands) != len(sensor.bands):
        raise ModelFileError(
            tr(
                "The model wants {wanted} {role} bands, but {chosen} are chosen.",
                wanted=len(sensor.bands),
                role=_ROLES[role],
                chosen=len(source.bands),
            )
        )
    if source.bands is not None:
        return source
    found = _bands_of(source.path)
    numbers = _by_name(sensor.bands, found)
    if numbers is None and len(found) == sensor.source_bands:
        numbers = [band.number for band in sensor.bands]
    by_number = {band.number: band for band in found}
    if numbers is not None and not set(numbers) <= set(by_number):
        numbers = None
    if numbers is None and len(found) == len(sensor.bands):
        numbers = [band.number for band in found]
    if numbers is None:
        wanted = ", ".join(band.name or str(band.number) for band in sensor.bands[:12])
        more = ", …" if len(sensor.bands) > 12 else ""
        raise ModelFileError(
            tr(
                "{path} has {found} bands, but the model was made with {wanted} {role} bands ({names}{more}) of "
                "{source}; choose a raster of the same sensor.",
                path=source.path,
                found=len(found),
                wanted=len(sensor.bands),
                role=_ROLES[role],
                names=wanted,
                more=more,
                source=sensor.source,
            )
        )
    for band, number in zip(sensor.bands, numbers):
        here = by_number[number].wavelength_nm
        if band.wavelength_nm and here and abs(band.wavelength_nm - here) > _SAME_WAVELENGTH_NM:
            raise ModelFileError(
                tr(
                    "Band {number} of {path} lies at {here:.0f} nm, but the model's {name} at {there:.0f} nm; choose "
                    "a raster of the same sensor and band order.",
                    number=number,
                    path=source.path,
                    here=here,
                    name=band.name,
                    there=band.wavelength_nm,
                )
            )
    return RasterSource(source.path, tuple(numbers))


def second_kind(sensors: Mapping[str, Sensor]) -> str:
    """What the second sensor's values are; empty where there is none."""
    return sensors["second"].kind if "second" in sensors else ""


def match_sources(
    sensors: Mapping[str, Sensor], spectral: RasterSource, second: Optional[RasterSource]
) -> tuple[RasterSource, Optional[RasterSource]]:
    """Both rasters matched to a model's sensors; a sensor too many or too few is an error that says so."""
    if "second" in sensors and second is None:
        raise ModelFileError(
            tr(
                "The model was made with a second raster ({source}); give one here too.",
                source=sensors["second"].source,
            )
        )
    if "second" not in sensors and second is not None:
        raise ModelFileError(
            tr("The model was made with one raster only; leave the second one out, or pretrain with both.")
        )
    return (
        match_source(sensors["spectral"], spectral, "spectral"),
        None if second is None else match_source(sensors["second"], second, "second"),
    )


def _bands_of(path: Union[str, Path]) -> tuple[BandInfo, ...]:
    with RasterStack.open({"raster": RasterSource(path)}) as stack:
        return stack.bands["raster"]


def _by_name(wanted: Sequence[SensorBand], found: Sequence[BandInfo]) -> Optional[list[int]]:
    names = {band.name: band.number for band in found if band.name}
    unique = len(names) == len(found) and len({b.name for b in wanted}) == len(wanted)
    return [names[b.name] for b in wanted] if unique and all(b.name in names for b in wanted) else None


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 → "1–3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)
