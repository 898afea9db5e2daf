"""Several rasters read as one, on the grid of the first, in windows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Container, Mapping, Union

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

from bdgf_core.errors import InputError
from bdgf_core.translation import tr

from .dataset import open_raster
from .grid import Grid
from .metadata import BandInfo, band_infos
from .overlap import overlap_share
from .reader import Array, BandReader, alpha_band
from .warp import WarpedReader
from .window import Window

_CACHE_BYTES = 128 << 20


@dataclass(frozen=True)
class RasterSource:
    """A raster and the numbers (from 1) of the bands to take, in order; None takes all but an alpha band.
    Raises InputError for no or repeated bands."""

    path: Union[str, Path]
    bands: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.bands is None:
            return
        object.__setattr__(self, "bands", tuple(int(number) for number in self.bands))
        if not self.bands:
            raise InputError(
                tr("No band of {path} is chosen; choose at least one, or none to take them all.", path=self.path)
            )
        if len(set(self.bands)) != len(self.bands):
            raise InputError(
                tr(
                    "A band of {path} is chosen twice ({bands}); name each band once.",
                    path=self.path,
                    bands=list(self.bands),
                )
            )


@dataclass(frozen=True)
class MultimodalImage:
    """The pixels of ``window``: by modality a float32 array (bands, height, width) in the rasters' own units.
    Whatever is missing (nodata, NaN, ±Inf, masked, outside of the raster) is NaN."""

    arrays: dict[str, Array]
    window: Window


class RasterStack:
    """Rasters of one place, opened by :meth:`open`; a context manager."""

    def __init__(
        self,
        grid: Grid,
        bands: dict[str, tuple[BandInfo, ...]],
        readers: Mapping[str, Union[BandReader, _ShiftedReader, WarpedReader]],
        warnings: tuple[str, ...],
    ) -> None:
        self.grid = grid
        self.bands = bands
        self.warnings = warnings
        self._readers = dict(readers)
        self._cache_before: int | None = None

    @classmethod
    def open(cls, sources: Mapping[str, RasterSource], *, decibels: Container[str] = ()) -> RasterStack:
        """Open one raster per modality; the first one's grid is the stack's, the others are brought onto it, those of
        ``decibels`` as power.

        ``warnings`` tells in sentences what was assumed. Raises InputError where a raster cannot be used, its
        CRS or georeference is missing while another's is not, or where the rasters do not overlap.
        """
        warnings: list[str] = []
        bands: dict[str, tuple[BandInfo, ...]] = {}
        readers: dict[str, Union[BandReader, _ShiftedReader, WarpedReader]] = {}
        grid: Grid | None = None
        name = ""
        for modality, source in sources.items():
            dataset = open_raster(source.path)
            try:
                numbers = _numbers(source, dataset)
                bands[modality] = band_infos(dataset, numbers)
                reader = BandReader(dataset, numbers)
                own_grid = Grid.of(dataset)
            except RuntimeError as error:
                reason = str(error).rstrip(".")
                raise InputError(
                    tr("{path} cannot be read ({reason}); the file may be damaged.", path=source.path, reason=reason)
                ) from error
            if grid is None:
                grid, name = own_grid, os.fspath(source.path)
                readers[modality] = reader
                if not grid.is_georeferenced:
                    warnings.append(tr("{one} has no georeference; the outputs will have none either.", one=name))
            else:
                readers[modality] = _fit(
                    reader, own_grid, os.fspath(source.path), grid, name, warnings, decibels=modality in decibels
                )
        if grid is None:
            raise InputError(tr("No raster was given; choose one."))
        return cls(grid, bands, readers, tuple(warnings))

    def read(self, window: Window) -> MultimodalImage:
        """The pixels of a window, which may reach beyond the grid. The same pixel reads the same in any window.

        Raises InputError where a file turns out to be damaged.
        """
        outside = _outside(window, self.grid)
        arrays = {}
        for modality, reader in self._readers.items():
            arrays[modality] = reader.read(window)
            arrays[modality][:, outside] = np.nan
        return MultimodalImage(arrays, window)

    def sample_windows(self, count: int, size: int, rng: np.random.Generator) -> tuple[Window, ...]:
        """About ``count`` windows of at most ``size`` pixels a side, spread evenly over the grid: one at a random
        place in each cell of a regular partition. All of the grid where that is no more."""
        height, width = self.grid.height, self.grid.width
        most_rows, most_cols = -(-height // size), -(-width // size)
        rows = min(max(1, round((count * height / width) ** 0.5)), most_rows, count)
        cols = min(max(1, -(-count // rows)), most_cols)
        rows = min(max(rows, -(-count // cols)), most_rows)
        row_edges, col_edges = np.linspace(0, height, rows + 1, dtype=int), np.linspace(0, width, cols + 1, dtype=int)
        windows = []
        for top, bottom in zip(row_edges, row_edges[1:]):
            for left, right in zip(col_edges, col_edges[1:]):
                tall, wide = min(size, int(bottom - top)), min(size, int(right - left))
                row = int(rng.integers(top, bottom - tall + 1))
                col = int(rng.integers(left, right - wide + 1))
                windows.append(Window(row, col, tall, wide))
        return tuple(windows)

    def close(self) -> None:
        self._readers.clear()

    def __enter__(self) -> RasterStack:
        # GDAL's default cache is a share of the machine's memory; a stack reads neighbouring windows only.
        self._cache_before = gdal.GetCacheMax()
        gdal.SetCacheMax(min(self._cache_before, _CACHE_BYTES))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._cache_before is not None:
            gdal.SetCacheMax(self._cache_before)


@dataclass(frozen=True)
class _ShiftedReader:
    """Reads a raster whose pixels coincide with the grid's, ``row`` and ``col`` further on: nothing is resampled."""

    source: BandReader
    row: int
    col: int

    def read(self, window: Window) -> Array:
        return self.source.read(window.shift(self.row, self.col))


def _fit(
    reader: BandReader, own_grid: Grid, own_name: str, grid: Grid, name: str, warnings: list[str], *, decibels: bool
) -> Union[_ShiftedReader, WarpedReader]:
    """A reader of the raster on ``grid``; appends to ``warnings``."""
    if not (grid.is_georeferenced and own_grid.is_georeferenced):
        lacking = name if own_grid.is_georeferenced else own_name
        if (grid.height, grid.width) != (own_grid.height, own_grid.width):
            raise InputError(
                tr(
                    "{lacking} has no georeference and the sizes of {one} and {other} differ; georeference it first.",
                    lacking=lacking,
                    one=name,
                    other=own_name,
                )
            )
        warnings.append(
            tr(
                "{lacking} has no georeference; its pixels are taken to lie on those of the other raster.",
                lacking=lacking,
            )
        )
        return _ShiftedReader(reader, 0, 0)
    if bool(grid.crs_wkt) != bool(own_grid.crs_wkt):
        lacking = own_name if grid.crs_wkt else name
        raise InputError(
            tr("{lacking} has no CRS while the other raster has one; assign its CRS first.", lacking=lacking)
        )
    if not grid.crs_wkt:
        warnings.append(
            tr(
                "{one} and {other} have no CRS; their coordinates are taken to be in the same plane.",
                one=name,
                other=own_name,
            )
        )
    share = overlap_share(grid, own_grid)
    if share == 0:
        raise InputError(
            tr(
                "{one} and {other} do not overlap; choose rasters of the same place, or check their CRS.",
                one=name,
                other=own_name,
            )
        )
    if share < 0.995:
        covered = f"{share:.0%}" if share >= 0.01 else tr("less than 1%")
        warnings.append(
            tr("{other} covers {covered} of {one}; it is missing elsewhere.", other=own_name, covered=covered, one=name)
        )
    offset = grid.offset_in(own_grid)
    if offset is None:
        return WarpedReader.onto(grid, own_grid, reader, decibels=decibels)
    return _ShiftedReader(reader, *offset)


def _numbers(source: RasterSource, dataset: gdal.Dataset) -> tuple[int, ...]:
    count = dataset.RasterCount
    if source.bands is None:
        alpha = alpha_band(dataset)
        numbers = tuple(number for number in range(1, count + 1) if number != alpha)
        if not numbers:
            raise InputError(tr("{path} holds an alpha band only; choose a raster with data.", path=source.path))
        return numbers
    wrong = [number for number in source.bands if not 1 <= number <= count]
    if wrong:
        raise InputError(
            tr("{path} has no band {band}; its bands are 1 to {count}.", path=source.path, band=wrong[0], count=count)
        )
    return source.bands


def _outside(window: Window, grid: Grid) -> NDArray[np.bool_]:
    rows, cols = np.arange(window.height) + window.row, np.arange(window.width) + window.col
    outside: NDArray[np.bool_] = ((rows < 0) | (rows >= grid.height))[:, None] | (cols < 0) | (cols >= grid.width)
    return outside
