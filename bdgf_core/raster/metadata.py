"""What a raster file says of its bands: name, wavelength, bad or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence

from osgeo import gdal

from bdgf_core.errors import one_line

from .gdal_errors import decoded, gdal_raises

# Long names are matched by how they begin: Nanometers, nanometres, Micrometers, microns …
_NANOMETRES = {"nm": 1.0, "nanomet": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "micro": 1e3, "mm": 1e6, "millimet": 1e6}
_NANOMETRES |= {"m": 1e9, "meter": 1e9, "metre": 1e9, "angstrom": 0.1}
_IN_NAME = re.compile(r"([0-9]*\.?[0-9]+)\s*(nm\b|nanomet|um\b|µm|μm|micro)", re.IGNORECASE)
_LONGEST_NM = 1e10  # 10 m, beyond the longest radar
_YES = ("1", "1.0", "true", "yes", "bad")


@dataclass(frozen=True)
class BandInfo:
    """A band by its ``number`` in the file (from 1), its ``name``, its centre wavelength in nm where the file tells
    it, and whether the file's bad-band list says ``bad``."""

    number: int
    name: str
    wavelength_nm: float | None
    bad: bool


def band_infos(dataset: gdal.Dataset, numbers: Sequence[int]) -> tuple[BandInfo, ...]:
    """The bands of these numbers, out of band and dataset metadata (GDAL's IMAGERY, ENVI and default domains)."""
    with gdal_raises():
        envi = _lower(dataset.GetMetadata("ENVI")) | _lower(dataset.GetMetadata())
        count = dataset.RasterCount
        waves = _list(envi.get("wavelength", ""), count)
        flags = _list(envi.get("bbl", ""), count)
        infos = []
        for number in numbers:
            band = dataset.GetRasterBand(number)
            imagery = _lower(band.GetMetadata("IMAGERY"))
            own = _lower(band.GetMetadata("ENVI")) | _lower(band.GetMetadata())
            description = one_line(decoded(band.GetDescription())).strip()
            units = own.get("wavelength_units", own.get("wavelength_unit", envi.get("wavelength_units", "")))
            wavelength = (
                _nanometres(imagery.get("central_wavelength_um", own.get("central_wavelength_um", "")), "um")
                or _nanometres(own.get("wavelength_nm", ""), "nm")
                or _nanometres(own.get("wavelength", own.get("central_wavelength", "")), units)
                or _nanometres(waves[number - 1] if waves else "", units)
                or _from_name(description or envi.get(f"band_{number}", ""))
            )
            good = own.get("bbl", own.get("bad band multiplier", flags[number - 1] if flags else "1"))
            bad = _number(good) == 0 or own.get("bad_band", own.get("badband", "0")).strip().lower() in _YES
            infos.append(BandInfo(number, description or f"Band {number}", wavelength, bad))
    return tuple(infos)


def _lower(metadata: dict[str, str] | None) -> dict[str, str]:
    return {decoded(key).strip().lower(): decoded(value) for key, value in (metadata or {}).items()}


def _list(text: str, count: int) -> list[str]:
    items = [item.strip() for item in text.strip().strip("{}[]()").split(",")]
    return items if len(items) == count else []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _nanometres(text: str, units: str) -> float | None:
    """A wavelength in nm; without units, numbers under 100 are taken as micrometres, as in ENVI headers."""
    value = _number(text)
    if value is None or not 0 < value < float("inf"):
        return None
    unit = units.strip().lower()
    if unit in ("", "unknown"):
        return value * (1e3 if value < 100 else 1.0) if value < _LONGEST_NM else None
    factors = (f for name, f in _NANOMETRES.items() if unit == name or len(name) > 4 and unit.startswith(name))
    factor = next(factors, None)
    return None if factor is None or value * factor > _LONGEST_NM else round(value * factor, 6)


def _from_name(text: str) -> float | None:
    found = _IN_NAME.search(text)
    return _nanometres(found[1], found[2]) if found else None
