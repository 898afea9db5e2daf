"""What a map says where the reference data are, counted in one walk through the map."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol, Sequence

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .legend import Legend
from .progress import Progress
from .raster.class_raster import MOST_VALUE, ClassRaster, RegriddedClasses
from .raster.grid import Grid
from .raster.labels import LabelSource, rasterize_labels
from .raster.window import Window, tiles
from .translation import tr

Integers = npt.NDArray[np.int64]

_TILE = 1024
_MOST_CLASSES = 256
_VALUE_BITS = 17  # hold −1 … 65534, counted from −1


@dataclass(frozen=True, eq=False)
class Samples:
    """Pixels of a window with a reference: their ``rows`` and ``cols`` in it, class value and feature number."""

    rows: Integers
    cols: Integers
    values: Integers
    features: Integers


class Reference(Protocol):
    """Reference data on a map's grid."""

    is_raster: bool
    warnings: Sequence[str]

    def samples(self, window: Window) -> Samples: ...

    def legend(self, present: Sequence[int]) -> Legend: ...


class LabelReference:
    """Polygons or points."""

    def __init__(self, source: LabelSource, grid: Grid) -> None:
        self._labels = rasterize_labels(source, grid)
        self._values = np.array(self._labels.legend.values)[self._labels.classes]
        self.is_raster = False
        self.warnings: Sequence[str] = self._labels.warnings

    def samples(self, window: Window) -> Samples:
        labels = self._labels
        start, stop = np.searchsorted(labels.rows, [window.row, window.row + window.height])  # they are in this order
        rows, cols = labels.rows[start:stop] - window.row, labels.cols[start:stop] - window.col
        inside = (cols >= 0) & (cols < window.width)
        found = (rows, cols, self._values[start:stop], labels.groups[start:stop])
        return Samples(*(array[inside].astype(np.int64) for array in found))

    def legend(self, present: Sequence[int]) -> Legend:
        return self._labels.legend


class RasterReference:
    """A class raster on any grid."""

    def __init__(self, path: str, grid: Grid) -> None:
        self._raster = ClassRaster(path)
        self._classes = RegriddedClasses(self._raster, grid)
        self.is_raster = True
        self.warnings: Sequence[str] = ()

    def samples(self, window: Window) -> Samples:
        values = self._classes.read(window)
        rows, cols = np.nonzero(values >= 0)
        return Samples(rows, cols, values[rows, cols].astype(np.int64), np.zeros(len(rows), np.int64))

    def legend(self, present: Sequence[int]) -> Legend:
        return Legend(tuple(c for c in self._raster.legend(present).classes if c.value in present))


@dataclass(frozen=True, eq=False)
class Tally:
    """``mapped`` counts the map's pixels by value 0 … 65534; the other arrays count samples by feature, reference value
    and the map's value (−1: no data)."""

    mapped: Integers
    features: Integers
    reference: Integers
    found: Integers
    counts: Integers

    @property
    def present(self) -> list[int]:
        """The values that occur in the map."""
        return [int(value) for value in np.flatnonzero(self.mapped)]

    @property
    def references(self) -> list[int]:
        """The values that occur in the reference."""
        return [int(value) for value in np.unique(self.reference)]


def tally(raster: ClassRaster, reference: Reference, progress: Progress) -> Tally:
    """Raises :class:`InputError` where the map holds too many values to be classes."""
    mapped = np.zeros(MOST_VALUE + 2, np.int64)
    seen: Counter[int] = Counter()
    grid = raster.grid
    windows = -(-grid.height // _TILE) * -(-grid.width // _TILE)
    for number, window in enumerate(tiles(grid.height, grid.width, _TILE), start=1):
        values = raster.read(window)
        mapped += np.bincount(values.ravel() + 1, minlength=len(mapped))
        if np.count_nonzero(mapped[1:]) > _MOST_CLASSES:
            raise InputError(
                tr(
                    "{path} holds more than {most} different values; choose a raster of classes.",
                    path=raster.path,
                    most=_MOST_CLASSES,
                )
            )
        samples = reference.samples(window)
        found = values[samples.rows, samples.cols].astype(np.int64) + 1
        keys = ((samples.features << _VALUE_BITS) + samples.values << _VALUE_BITS) + found
        for key, count in zip(*(array.tolist() for array in np.unique(keys, return_counts=True))):
            seen[key] += count
        progress.update(number / windows)
    keys, counts = np.array(list(seen), np.int64), np.array(list(seen.values()), np.int64)
    low = (1 << _VALUE_BITS) - 1
    return Tally(mapped[1:], keys >> 2 * _VALUE_BITS, keys >> _VALUE_BITS & low, (keys & low) - 1, counts)
