"""The pixel grid that every raster and label of a job is brought onto."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, osr

from bdgf_core.errors import InputError
from bdgf_core.translation import tr

from .dataset import open_raster
from .gdal_errors import gdal_raises
from .window import Window

Affine = tuple[float, float, float, float, float, float]

_PLAIN = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
# QGIS draws a raster without georeference downwards from y = 0; labels digitised on it have these coordinates.
_UNREFERENCED = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
_PRECISION = 1e-13  # of coordinates: a thousandth of a pixel must be told from the next
_ALIGNED = 0.01  # pixels; smaller shifts between two grids are rounding, not resampling


@dataclass(frozen=True)
class Grid:
    """A raster's CRS (WKT, empty where it has none), GDAL geotransform (CRS units, any orientation) and size in
    pixels. Raises InputError where the geotransform cannot be inverted or the size is empty."""

    crs_wkt: str
    geotransform: Affine
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise InputError(
                tr(
                    "A raster of {width} x {height} pixels is empty; choose another one.",
                    width=self.width,
                    height=self.height,
                )
            )
        x0, a, b, y0, d, e = self.geotransform
        if not np.isfinite(self.geotransform).all() or a * e - b * d == 0:
            raise InputError(
                tr(
                    "The geotransform {geotransform} is degenerate; georeference the raster anew.",
                    geotransform=self.geotransform,
                )
            )
        if min(np.hypot(a, d), np.hypot(b, e)) < _PRECISION * max(abs(x0), abs(y0)):
            raise InputError(
                tr(
                    "The pixels of {geotransform} are too small to be told apart; georeference it anew.",
                    geotransform=self.geotransform,
                )
            )

    @classmethod
    def of(cls, source: Union[str, Path, gdal.Dataset]) -> Grid:
        """The grid of a raster, by its path or open dataset. Raises InputError where it cannot be opened, or is placed
        by ground control points or RPCs only."""
        dataset = source if isinstance(source, gdal.Dataset) else open_raster(source)
        with gdal_raises():
            geotransform = dataset.GetGeoTransform(can_return_null=True)
            crs = dataset.GetSpatialRef()
            wkt = crs.ExportToWkt(["FORMAT=WKT2_2019"]) if is_real(crs) else ""
            raw = dataset.GetGCPCount() > 0 or bool(dataset.GetMetadata("RPC"))
        if geotransform is None or tuple(geotransform) == _PLAIN:
            if raw:
                raise InputError(
                    tr(
                        "{path} is placed by control points only; warp it to a CRS first (in QGIS: Raster, "
                        "Projections, Warp) and use the result.",
                        path=dataset.GetDescription(),
                    )
                )
            geotransform = _UNREFERENCED
        return cls(wkt, tuple(geotransform), dataset.RasterYSize, dataset.RasterXSize)

    @property
    def window(self) -> Window:
        """The whole grid."""
        return Window(0, 0, self.height, self.width)

    @property
    def is_georeferenced(self) -> bool:
        return self.geotransform not in (_PLAIN, _UNREFERENCED)

    @property
    def crs(self) -> osr.SpatialReference | None:
        """The CRS with x = easting or longitude first, whatever its authority says; None without one."""
        return crs_of(self.crs_wkt)

    def to_world(self, cols: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Pixel positions (0, 0 is the outer corner of the first pixel) → x, y in CRS units."""
        x0, a, b, y0, d, e = self.geotransform
        return x0 + a * cols + b * rows, y0 + d * cols + e * rows

    def to_pixel(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """x, y in CRS units → pixel positions (column, row); the inverse of :meth:`to_world`."""
        x0, a, b, y0, d, e = self.geotransform
        determinant = a * e - b * d
        dx, dy = x - x0, y - y0
        return (e * dx - b * dy) / determinant, (a * dy - d * dx) / determinant

    def contains(self, cols: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which pixel positions lie inside the grid; NaN does not."""
        inside: NDArray[np.bool_] = (cols >= 0) & (rows >= 0) & (cols < self.width) & (rows < self.height)
        return inside

    def offset_in(self, other: Grid) -> tuple[int, int] | None:
        """Where this grid's first pixel lies in ``other`` (row, column), if both have the same CRS and their
        pixels coincide; else None."""
        if not same_crs(self.crs, other.crs):
            return None
        cols = np.array([0.0, self.width, 0.0, self.width])
        rows = np.array([0.0, 0.0, self.height, self.height])
        other_cols, other_rows = other.to_pixel(*self.to_world(cols, rows))
        row, col = round(float(other_rows[0])), round(float(other_cols[0]))
        apart = max(np.abs(other_cols - cols - col).max(), np.abs(other_rows - rows - row).max())
        return (row, col) if apart <= _ALIGNED else None


def is_real(crs: osr.SpatialReference | None) -> bool:
    """Whether a CRS places things on Earth; local ones and GeoPackage's "undefined" ones do not."""
    return crs is not None and not crs.IsLocal() and not (crs.GetName() or "").lower().startswith("undefined")


def crs_name(crs: osr.SpatialReference | None) -> str:
    """As people know it, such as "EPSG:32633 (WGS 84 / UTM zone 33N)"; "none" without one."""
    if crs is None:
        return "none"
    with gdal_raises():
        authority, code, name = crs.GetAuthorityName(None), crs.GetAuthorityCode(None), crs.GetName() or "unnamed"
    return f"{authority}:{code} ({name})" if authority and code else name


def crs_of(wkt: str) -> osr.SpatialReference | None:
    """The CRS of a WKT text in x, y order and without its vertical part; None for an empty text."""
    if not wkt:
        return None
    with gdal_raises():
        crs = osr.SpatialReference()
        crs.ImportFromWkt(wkt)
        if crs.IsCompound():
            crs.DemoteTo2D()
        crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs


def transformation(one: osr.SpatialReference, other: osr.SpatialReference) -> osr.CoordinateTransformation:
    """From one CRS to the other. Raises InputError where PROJ knows no way, as between planets."""
    with gdal_raises():
        try:
            return osr.CoordinateTransformation(one, other)
        except RuntimeError:
            names = ", ".join(crs.GetName() for crs in (one, other))
            raise InputError(
                tr("No transformation between the CRS {names} is known; check the CRS of both.", names=names)
            ) from None


def same_crs(one: osr.SpatialReference | None, other: osr.SpatialReference | None) -> bool:
    """Whether coordinates in both mean the same places; two missing CRS count as the same."""
    if one is None or other is None:
        return one is other
    options = ["IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES", "CRITERION=EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS"]
    return bool(one.IsSame(other, options))
