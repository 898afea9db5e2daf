"""A raster of classes, read on its own grid or on another one."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence, Union

import numpy as np
from numpy.typing import NDArray

from bdgf_core.errors import InputError
from bdgf_core.legend import LandCoverClass, Legend, default_colors
from bdgf_core.translation import tr

from .class_tables import Entry, read_classes
from .dataset import open_raster
from .gdal_errors import gdal_raises
from .grid import Grid
from .overlap import overlap_share
from .pixel_transform import PixelTransform
from .reader import BandReader, alpha_band
from .window import Window

MOST_VALUE = 65534
_MOST_READ = 1 << 24  # pixels held at once
Integers = NDArray[np.int32]


class ClassRaster:
    """The class values of a raster with one band, and what it says of them."""

    def __init__(self, path: Union[str, Path]) -> None:
        """Raises InputError for what is no raster, or has several bands or fractions for its classes."""
        self.path = str(path)
        dataset = open_raster(path)
        self.grid = Grid.of(dataset)
        bands = dataset.RasterCount - (alpha_band(dataset) is not None)
        if bands != 1:
            raise InputError(
                tr("{path} has {bands} bands; choose a class raster, which has one.", path=path, bands=bands)
            )
        with gdal_raises():
            self._named = read_classes(dataset.GetRasterBand(1))
        self._reader = BandReader(dataset, [1])

    def read(self, window: Window) -> Integers:
        """The values of a window (h, w), −1 where there is none. Raises InputError where they are no class values."""
        values = self._reader.read(window)[0]
        known = ~np.isnan(values)
        wrong = known & ((values < 0) | (values > MOST_VALUE) | (values != np.floor(values)))
        if wrong.any():
            raise InputError(
                tr(
                    "{path} holds {value:g}; classes are whole numbers from 0 to {most}: choose a class raster, or "
                    "declare that value as its nodata.",
                    path=self.path,
                    value=values[wrong][0],
                    most=MOST_VALUE,
                )
            )
        return np.where(known, values, -1).astype(np.int32)

    def legend(self, present: Sequence[int]) -> Legend:
        """The classes that the file names or that are ``present``, by value."""
        values = sorted({value for value in self._named if 0 <= value <= MOST_VALUE} | set(present))
        entries = [self._named.get(value, Entry()) for value in values]
        names = [entry.name or entry.label or str(value) for value, entry in zip(values, entries)]
        colors = [entry.color or default for entry, default in zip(entries, default_colors(names))]
        labels = [entry.label or str(value) for value, entry in zip(values, entries)]
        return Legend(tuple(map(LandCoverClass, values, labels, names, colors)))


class RegriddedClasses:
    """The classes of ``raster`` on another ``grid``: each pixel's is the one under its centre."""

    def __init__(self, raster: ClassRaster, grid: Grid) -> None:
        if not overlap_share(grid, raster.grid):
            raise InputError(tr("{path} does not overlap the map; check the CRS of both.", path=raster.path))
        self._raster, self._transform = raster, PixelTransform(grid, raster.grid)

    def read(self, window: Window) -> Integers:
        cols, rows = np.arange(window.width) + window.col + 0.5, np.arange(window.height) + window.row + 0.5
        x, y = self._transform.lattice(cols, rows)
        values = np.full(x.shape, -1, np.int32)
        inside = self._raster.grid.contains(x, y)
        if not inside.any():
            return values
        at_col, at_row = x[inside].astype(np.intp), y[inside].astype(np.intp)
        box = Window(int(at_row.min()), int(at_col.min()), int(np.ptp(at_row)) + 1, int(np.ptp(at_col)) + 1)
        if box.height * box.width > _MOST_READ and values.size > 1:
            axis = 0 if window.height >= window.width else 1
            return np.concatenate([self.read(half) for half in window.halves()], axis=axis)
        values[inside] = self._raster.read(box)[at_row - box.row, at_col - box.col]
        return values
