"""Windows of one raster as float32 arrays in which everything missing is NaN."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from bdgf_core.errors import InputError
from bdgf_core.translation import tr

from .gdal_errors import gdal_raises
from .window import Window

Array = NDArray[np.float32]

# These types lose nothing as float32; the others are compared with their nodata value in double precision.
_EXACT = (gdal.GDT_Byte, gdal.GDT_UInt16, gdal.GDT_Int16, gdal.GDT_Float32, getattr(gdal, "GDT_Int8", gdal.GDT_Byte))


class BandReader:
    """Reads the bands ``numbers`` of an open dataset.

    Missing are: the band's nodata value, NaN, ±Inf, what a mask band or an alpha band hides, and everything outside
    of the raster. A band's scale and offset are applied, so that values are in the unit that QGIS shows.
    """

    def __init__(self, dataset: gdal.Dataset, numbers: Sequence[int]) -> None:
        self._dataset = dataset
        self._name = dataset.GetDescription()
        self._numbers = list(numbers)
        self.whole = Window(0, 0, dataset.RasterYSize, dataset.RasterXSize)
        bands = [dataset.GetRasterBand(number) for number in numbers]
        self._nodata = [_nodata_range(band) for band in bands]
        self._type = gdal.GDT_Float32 if all(band.DataType in _EXACT for band in bands) else gdal.GDT_Float64
        self._alpha = alpha_band(dataset)
        self._hidden = [_has_mask_band(band) for band in bands]
        self._shared = all(band.GetMaskFlags() & gdal.GMF_PER_DATASET for band in bands)
        self._scales = [_scale(band) for band in bands]

    @property
    def count(self) -> int:
        return len(self._numbers)

    def read(self, window: Window) -> Array:
        """The window as (bands, height, width). Raises InputError where the file is damaged."""
        array = np.full((self.count, window.height, window.width), np.nan, np.float32)
        inside = window.intersection(self.whole)
        if inside is not None:
            with gdal_raises():
                try:
                    values = self._values(inside)
                except RuntimeError as error:
                    reason = str(error).rstrip(".")
                    raise InputError(
                        tr("Reading {path} failed ({reason}); the file may be damaged.", path=self._name, reason=reason)
                    ) from error
            rows, cols = inside.shift(-window.row, -window.col).slices
            array[:, rows, cols] = values
        return array

    def _values(self, window: Window) -> Array:
        raw = self._raw(window)
        with np.errstate(over="ignore", invalid="ignore"):
            values = raw.astype(np.float32)
            for band, nodata, value in zip(raw, self._nodata, values):
                if nodata is not None:
                    value[(band >= nodata[0]) & (band <= nodata[1])] = np.nan
            for value, scale in zip(values, self._scales):
                if scale is not None:
                    value *= np.float32(scale[0])
                    value += np.float32(scale[1])
            values[~np.isfinite(values)] = np.nan
        self._hide(values, window)
        return values

    def _raw(self, window: Window) -> NDArray[np.generic]:
        data = self._dataset.ReadRaster(
            window.col, window.row, window.width, window.height, buf_type=self._type, band_list=self._numbers
        )
        dtype = np.float32 if self._type == gdal.GDT_Float32 else np.float64
        return np.frombuffer(data, dtype).reshape(self.count, window.height, window.width)

    def _hide(self, values: Array, window: Window) -> None:
        if self._alpha is not None:
            values[:, _is_zero(self._dataset.GetRasterBand(self._alpha), window)] = np.nan
        hidden = [index for index, has_mask in enumerate(self._hidden) if has_mask]
        if hidden and self._shared:
            missing = _is_zero(self._dataset.GetRasterBand(self._numbers[hidden[0]]).GetMaskBand(), window)
            values[:, missing] = np.nan
            return
        for index in hidden:
            missing = _is_zero(self._dataset.GetRasterBand(self._numbers[index]).GetMaskBand(), window)
            values[index, missing] = np.nan


def alpha_band(dataset: gdal.Dataset) -> int | None:
    """The number of the alpha band, or None."""
    for number in range(dataset.RasterCount, 0, -1):
        if dataset.GetRasterBand(number).GetColorInterpretation() == gdal.GCI_AlphaBand:
            return number
    return None


def _has_mask_band(band: gdal.Band) -> bool:
    flags = band.GetMaskFlags()
    plain = flags & gdal.GMF_ALL_VALID or flags & gdal.GMF_ALPHA or flags == gdal.GMF_NODATA
    return not plain


def _is_zero(band: gdal.Band, window: Window) -> NDArray[np.bool_]:
    data = band.ReadRaster(window.col, window.row, window.width, window.height, buf_type=gdal.GDT_Float32)
    zero: NDArray[np.bool_] = np.frombuffer(data, np.float32).reshape(window.height, window.width) == 0
    return zero


def _nodata_range(band: gdal.Band) -> tuple[float, float] | None:
    """The band's nodata value as a range of one number; None where it has none. One as huge as -3.4e+38 means
    the type's largest, with however few digits it was written."""
    nodata = band.GetNoDataValue()
    if nodata is None or np.isnan(nodata):
        return None
    if band.DataType == gdal.GDT_Float32:
        largest = np.finfo(np.float32).max
        nodata = np.float32(np.clip(nodata, -largest, largest))
    nodata = float(nodata)
    slack = 1e-3 * abs(nodata) if abs(nodata) > 1e37 else 0.0
    return nodata - slack, nodata + slack


def _scale(band: gdal.Band) -> tuple[float, float] | None:
    scale, offset = band.GetScale(), band.GetOffset()
    pair = (1.0 if scale in (None, 0.0) else float(scale), float(offset or 0.0))
    return None if pair == (1.0, 0.0) else pair
