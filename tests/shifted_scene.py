"""Two images of one landscape by different sensors, written as rasters that may be shifted, coarser or spoiled."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Optional, Sequence

import numpy as np
from osgeo import gdal, osr

from bdgf_core.raster.stack import RasterSource

SIZE, MARGIN = 160, 24
_UTM = (32633, 500000.0, 10.0, 5800000.0, -10.0)
DEGREES = (4326, 13.0, 1e-4, 52.0, -1e-4)


class ShiftedScene:
    """``spectral`` (4 bands, reflectance × 10,000) and ``sar`` (2 bands, dB with speckle) of fields with borders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spectral, self._sar = _landscape()

    def spectral(self) -> np.ndarray:
        return self._cut(self._spectral, 0, 0)

    def sar(self, cols: int = 0, rows: int = 0) -> np.ndarray:
        """What is at (row, col) stands at (row + ``rows``, col + ``cols``)."""
        return self._cut(self._sar, cols, rows)

    def write(
        self,
        name: str,
        array: np.ndarray,
        *,
        place: Sequence[float] = _UTM,
        pixel: float = 1.0,
        nodata: Optional[float] = None,
        bad: Sequence[int] = (),
        turned: float = 0.0,
    ) -> RasterSource:
        """``place`` is EPSG code, x, width, y, height; ``pixel`` widens the pixels; ``bad`` bands are marked so."""
        path = str(self.folder / name)
        bands, height, width = array.shape
        dataset = gdal.GetDriverByName("GTiff").Create(path, width, height, bands, gdal.GDT_Float32)
        code, x, step_x, y, step_y = place
        dataset.SetGeoTransform((x, step_x * pixel, turned, y, turned, step_y * pixel))
        crs = osr.SpatialReference()
        if code:
            crs.ImportFromEPSG(int(code))
            dataset.SetProjection(crs.ExportToWkt())
        for number, values in enumerate(array, start=1):
            band = dataset.GetRasterBand(number)
            if nodata is not None:
                band.SetNoDataValue(nodata)
            if number in bad:
                band.SetMetadataItem("bad_band", "1")
            band.WriteArray(values.astype(np.float32))
        del band, dataset
        return RasterSource(path)

    def both(self, **how: Any) -> tuple[RasterSource, RasterSource]:
        return self.write("spectral.tif", self.spectral()), self.write("sar.tif", self.sar(**how))

    def _cut(self, array: np.ndarray, cols: int, rows: int) -> np.ndarray:
        top, left = MARGIN - rows, MARGIN - cols
        return array[:, top : top + SIZE, left : left + SIZE].astype(np.float32)


@functools.lru_cache(maxsize=1)
def _landscape() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    side = SIZE + 2 * MARGIN
    rows, cols = np.mgrid[:side, :side].astype(np.float32)
    nearest, fields = np.full((side, side), np.inf, np.float32), np.zeros((side, side), int)
    for number, (row, col) in enumerate(rng.integers(0, side, (260, 2))):
        distance = (rows - row) ** 2 + (cols - col) ** 2
        fields[distance < nearest] = number
        nearest = np.minimum(nearest, distance)
    crops = rng.integers(0, 7, 260)[fields]
    spectra, echoes = rng.uniform(300, 4000, (4, 7)), rng.uniform(-22, -5, (2, 7))
    speckle = 10 * np.log10(rng.gamma(4, 1 / 4, (2, side, side)))
    return spectra[:, crops] + rng.normal(0, 60, (4, side, side)), echoes[:, crops] + speckle
