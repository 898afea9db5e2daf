"""A raster as a colour picture on the map's frame: three bands, each stretched between percentiles."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from osgeo import gdal

from bdgf_core.raster.metadata import BandInfo, band_infos

gdal.UseExceptions()

_VISIBLE = ((665.0, r"\bred\b|\bB0?4\b"), (560.0, r"\bgreen\b|\bB0?3\b"), (480.0, r"\bblue\b|\bB0?2\b"))
_INFRARED = ((840.0, r"\bnir\b|\bB0?8\b"), (665.0, r"\bred\b|\bB0?4\b"), (560.0, r"\bgreen\b|\bB0?3\b"))
_NEAR_NM = 60.0


@dataclass(frozen=True)
class Composite:
    """``rgb`` is uint8 (height, width, 3), ``shown`` says where there is data, ``title`` what the colours are."""

    rgb: np.ndarray
    shown: np.ndarray
    title: str


def spectral_composite(path: str, frame: gdal.Dataset, *, infrared: bool = False) -> Composite:
    """True colour (or colour infrared) where wavelengths or names of bands tell, else bands 3, 2, 1, or one in grey."""
    bands = _bands(path)
    numbers = _by_color(bands, _INFRARED if infrared else _VISIBLE)
    known = "colour infrared" if infrared else "true colour"
    if numbers is None:
        numbers = [b.number for b in bands[:3]][::-1] if len(bands) >= 3 else [bands[0].number]
        known = "bands " + ", ".join(map(str, numbers)) if len(numbers) > 1 else "band 1"
    return _stretched(_read(path, numbers, frame), known)


def second_composite(path: str, frame: gdal.Dataset, kind: str) -> Composite:
    """SAR in dB, two polarisations as red, green and their ratio as blue; another sensor's first bands."""
    bands = _bands(path)[:3]
    values = _read(path, [b.number for b in bands], frame)
    names = [b.name or f"band {b.number}" for b in bands]
    if kind in ("sar_linear", "sar_amplitude"):
        values = np.where(values > 0, values, np.nan)
        values = (10 if kind == "sar_linear" else 20) * np.log10(values)
    if len(values) == 2:
        values = np.concatenate([values, values[:1] - values[1:]])
        names.append(f"{names[0]} / {names[1]}" if kind.startswith("sar") else "difference")
    return _stretched(values, ", ".join(names))


def _bands(path: str) -> list[BandInfo]:
    dataset = gdal.Open(path)
    bands = band_infos(dataset, tuple(range(1, dataset.RasterCount + 1)))
    return [band for band in bands if not band.bad] or list(bands)


def _by_color(bands: list[BandInfo], wanted: tuple[tuple[float, str], ...]) -> list[int] | None:
    """The numbers of the bands nearest to the wanted wavelengths (nm), or called like the wanted colours."""
    numbers = []
    for wavelength, name in wanted:
        measured = [b for b in bands if b.wavelength_nm is not None and abs(b.wavelength_nm - wavelength) < _NEAR_NM]
        named = [b for b in bands if re.search(name, b.name or "", re.IGNORECASE)]
        if measured:
            numbers.append(min(measured, key=lambda b: abs((b.wavelength_nm or 0.0) - wavelength)).number)
        elif named:
            numbers.append(named[0].number)
    return numbers if len(numbers) == len(wanted) else None


def _read(path: str, numbers: list[int], frame: gdal.Dataset) -> np.ndarray:
    """The bands on the frame's grid as float32 (bands, height, width), NaN where there is no data."""
    target = gdal.GetDriverByName("MEM").Create(
        "", frame.RasterXSize, frame.RasterYSize, len(numbers), gdal.GDT_Float32
    )
    target.SetGeoTransform(frame.GetGeoTransform())
    target.SetProjection(frame.GetProjection())
    for number in range(1, len(numbers) + 1):
        target.GetRasterBand(number).SetNoDataValue(float("nan"))
        target.GetRasterBand(number).Fill(float("nan"))
    chosen = gdal.Translate("", path, format="VRT", bandList=numbers)
    gdal.Warp(target, chosen, resampleAlg="average", multithread=False, warpOptions=["UNIFIED_SRC_NODATA=NO"])
    values = target.ReadAsArray().reshape(len(numbers), frame.RasterYSize, frame.RasterXSize)
    return np.where(np.isfinite(values), values, np.nan)


def _stretched(values: np.ndarray, title: str) -> Composite:
    shown = np.isfinite(values).all(axis=0)
    layers = []
    for band in values if len(values) == 3 else [values[0]] * 3:
        low, high = np.percentile(band[shown], (1, 98)) if shown.any() else (0.0, 1.0)
        layers.append(np.clip((np.where(shown, band, low) - low) / max(high - low, 1e-9), 0, 1))
    rgb = np.stack(layers, axis=-1) ** 0.8
    return Composite((rgb * 255).round().astype(np.uint8), shown, title)
