"""Rasters as they come from anywhere, made of arrays; and what is there in them, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np
from osgeo import gdal, gdal_array, osr

UTM = "EPSG:32633"
NORTH_UP = (500000.0, 10.0, 0.0, 5800000.0, 0.0, -10.0)
Geotransform = Optional[Sequence[float]]

GEOTRANSFORMS: dict[str, Geotransform] = {
    "north-up": NORTH_UP,
    "south-up": (500000.0, 10.0, 0.0, 5799800.0, 0.0, 10.0),
    "mirrored": (500240.0, -10.0, 0.0, 5800000.0, 0.0, -10.0),
    "turned by 30°": (500000.0, 8.66, 5.0, 5800000.0, 5.0, -8.66),
    "turned by 90°": (500000.0, 0.0, 10.0, 5800000.0, 10.0, 0.0),
    "sheared": (500000.0, 10.0, 3.0, 5800000.0, 0.0, -10.0),
    "oblong": (500000.0, 10.0, 0.0, 5800000.0, 0.0, -2.5),
    "none": None,
    "huge offset": (5e11, 10.0, 0.0, -5.8e12, 0.0, -10.0),
    "beyond all offsets": (1e300, 10.0, 0.0, 1e300, 0.0, -10.0),
    "tiny pixels": (500000.0, 1e-9, 0.0, 5800000.0, 0.0, -1e-9),
    "vast pixels": (-1e9, 1e9, 0.0, 1e9, 0.0, -1e9),
    "flat": (500000.0, 10.0, 0.0, 5800000.0, 0.0, 0.0),
    "all zero": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "dependent": (500000.0, 10.0, 10.0, 5800000.0, 10.0, 10.0),
    "not finite": (float("nan"), 10.0, 0.0, float("inf"), 0.0, -10.0),
    "degrees": (15.0, 1e-4, 0.0, 52.0, 0.0, -1e-4),
    "over the antimeridian": (179.999, 1e-4, 0.0, 10.0, 0.0, -1e-4),
    "beyond the pole": (15.0, 0.1, 0.0, 91.0, 0.0, -0.1),
    "longitudes from 0": (375.0, 1e-4, 0.0, 52.0, 0.0, -1e-4),
}
CRSS: dict[str, str] = {
    "UTM": UTM, "UTM of another zone": "EPSG:32634", "degrees": "EPSG:4326", "none": "", "polar": "EPSG:3031",
    "web": "EPSG:3857", "with heights": "EPSG:7415", "heights only": "EPSG:5773", "geocentric": "EPSG:4978",
    "the Moon": "ESRI:104903", "local": 'LOCAL_CS["plan",UNIT["metre",1]]', "northing first": "EPSG:31468",
    "feet": "EPSG:2263",
}  # fmt: skip
DTYPES = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "complex64", "complex128")


@dataclass(frozen=True)
class Content:
    """An array for a data type, and the nodata value to declare."""

    make: Callable[[tuple[int, int, int], np.dtype[Any], np.random.Generator], np.ndarray]
    nodata: Union[float, None] = None


def _noise(shape: tuple[int, int, int], dtype: np.dtype[Any], rng: np.random.Generator) -> np.ndarray:
    if dtype.kind in "iu":
        return rng.integers(1, 200, shape).astype(dtype)
    return rng.normal(100, 20, shape).astype(dtype)


def _spoilt(value: float) -> Callable[..., np.ndarray]:
    def make(shape: tuple[int, int, int], dtype: np.dtype[Any], rng: np.random.Generator) -> np.ndarray:
        array = _noise(shape, dtype, rng)
        if dtype.kind in "fc" or value == np.clip(value, np.iinfo(dtype).min, np.iinfo(dtype).max):
            array[rng.random(shape) < 0.3] = value
        return array

    return make


def _filled(value: float) -> Callable[..., np.ndarray]:
    def make(shape: tuple[int, int, int], dtype: np.dtype[Any], rng: np.random.Generator) -> np.ndarray:
        if dtype.kind in "iu":
            return np.full(shape, int(np.clip(np.nan_to_num(value), np.iinfo(dtype).min, np.iinfo(dtype).max)), dtype)
        return np.full(shape, value, dtype)

    return make


def _extremes(shape: tuple[int, int, int], dtype: np.dtype[Any], rng: np.random.Generator) -> np.ndarray:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.choice(np.array([info.min, 0, 1, info.max], dtype), shape)
    largest = float(np.finfo(dtype).max)
    return rng.choice(np.array([-largest, -1e-40, 0.0, 1e-40, 1.0, 1e29, largest]), shape).astype(dtype)


CONTENTS: dict[str, Content] = {
    "noise": Content(_noise), "zeros": Content(_filled(0)), "one value": Content(_filled(7)),
    "nodata only": Content(_filled(5), 5), "nodata here and there": Content(_spoilt(0), 0),
    "NaN here and there": Content(_spoilt(np.nan)), "NaN only": Content(_filled(np.nan)),
    "infinite here and there": Content(_spoilt(np.inf)), "minus infinite only": Content(_filled(-np.inf)),
    "extremes": Content(_extremes), "extremes, nodata 1": Content(_extremes, 1),
    "nodata is NaN": Content(_spoilt(np.nan), np.nan), "nodata out of range": Content(_noise, -3.4e38),
}  # fmt: skip


def crs_from(text: str) -> osr.SpatialReference:
    crs = osr.SpatialReference()
    crs.SetFromUserInput(text)
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs


def write(
    path: Path,
    array: np.ndarray,
    geotransform: Geotransform = NORTH_UP,
    crs: str = UTM,
    nodata: Optional[float] = None,
    names: Sequence[str] = (),
    finish: Callable[[gdal.Dataset], Any] = lambda dataset: None,
) -> Path:
    """A GeoTIFF of ``array`` (bands, height, width)."""
    bands, height, width = array.shape
    kind = gdal_array.NumericTypeCodeToGDALTypeCode(array.dtype)
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, kind)
    if geotransform is not None:
        dataset.SetGeoTransform(geotransform)
    if crs:
        dataset.SetSpatialRef(crs_from(crs))
    for number, values in enumerate(array, start=1):
        band = dataset.GetRasterBand(number)
        if nodata is not None:
            band.SetNoDataValue(nodata)
        band.WriteArray(values)
        if names:
            band.SetDescription(names[number - 1])
    finish(dataset)
    del dataset
    return path


def expected(array: np.ndarray, nodata: Optional[float]) -> np.ndarray:
    """What a reader should find: float32, NaN where there is nothing."""
    with np.errstate(all="ignore"):
        values = array.astype(np.float32)
        values[~np.isfinite(values)] = np.nan
        if nodata is not None and not np.isnan(nodata):
            values[array == nodata] = np.nan
            if nodata < -1e38:
                values[array < -3.39e38] = np.nan
    return values


def vrt(width: int, height: int, bands: Sequence[str], extra: str = "") -> str:
    """A virtual raster on the usual grid; ``bands`` are the insides of its bands."""
    told = "".join(
        f'<VRTRasterBand dataType="Float32" band="{number}">{inside}</VRTRasterBand>'
        for number, inside in enumerate(bands, start=1)
    )
    place = ", ".join(map(str, NORTH_UP))
    size = f'rasterXSize="{width}" rasterYSize="{height}"'
    return f"<VRTDataset {size}><SRS>{UTM}</SRS><GeoTransform>{place}</GeoTransform>{extra}{told}</VRTDataset>"


def part(name: str, band: int = 1, width: int = 24, height: int = 20) -> str:
    """A source of a virtual raster's band: a whole file."""
    rectangle = f'xOff="0" yOff="0" xSize="{width}" ySize="{height}"'
    return (
        f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>{band}</SourceBand>'
        f"<SrcRect {rectangle}/><DstRect {rectangle}/></SimpleSource>"
    )
