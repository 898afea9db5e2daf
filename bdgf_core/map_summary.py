"""What a map in the making holds, gathered tile by tile: pixels and confidence by class, and a small picture."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from .legend import Legend
from .map_writers import Tile
from .raster.grid import Grid
from .raster.window import Window

_SIDE = 640  # pixels of the picture's longer side, at most


class MapSummary:
    """Of a map on ``grid``; ``picture`` holds class indices of every ``step``-th pixel, −1 for no data."""

    def __init__(self, legend: Legend, grid: Grid) -> None:
        self.step = -(-max(grid.height, grid.width) // _SIDE)
        self.picture = np.full((-(-grid.height // self.step), -(-grid.width // self.step)), -1, np.int32)
        self.counts = np.zeros(len(legend), np.int64)
        self._sums = np.zeros(len(legend))
        self._index = np.full(max(legend.values) + 1, -1, np.int32)
        self._index[list(legend.values)] = np.arange(len(legend))
        self._legend, self._grid = legend, grid

    def add(self, window: Window, tile: Tile) -> None:
        """Each tile once; it holds the map's "output" and the "confidence_sums" of its pixels by class."""
        values = tile["output"].astype(np.int64)
        classes = np.where(values < len(self._index), self._index[np.minimum(values, len(self._index) - 1)], -1)
        self.counts += np.bincount(classes[classes >= 0], minlength=len(self.counts))
        self._sums += tile["confidence_sums"]
        seen = classes[-window.row % self.step :: self.step, -window.col % self.step :: self.step]
        row, col = -(-window.row // self.step), -(-window.col // self.step)
        self.picture[row : row + seen.shape[0], col : col + seen.shape[1]] = seen

    @property
    def mapped(self) -> int:
        """Pixels that have a class."""
        return int(self.counts.sum())

    @property
    def mapped_share(self) -> float:
        return self.mapped / (self._grid.height * self._grid.width)

    @property
    def mean_confidence(self) -> Optional[float]:
        return float(self._sums.sum() / self.mapped) if self.mapped else None

    def to_json(self) -> dict[str, Any]:
        """By the names of the map's document; ``per_class`` stands in the order of the legend, and ``picture_size``
        has the proportions of the ground."""
        _, a, b, _, d, e = self._grid.geotransform
        across, down = np.hypot(a, d), np.hypot(b, e)
        height, width = self.picture.shape
        per_class = zip(self.counts.tolist(), self._sums.tolist())
        return {
            "legend": self._legend.to_json(), "pixels": self.mapped, "mapped_share": self.mapped_share,
            "mean_confidence": self.mean_confidence, "step": self.step,
            "per_class": [{"pixels": n, "confidence": total / n if n else None} for n, total in per_class],
            "picture_size": [width * max(1.0, across / down), height * max(1.0, down / across)],
        }  # fmt: skip

    def colored(self) -> NDArray[np.uint8]:
        """The picture as (h, w, 4): red, green, blue and opacity; transparent without data."""
        colors = np.array([(*entry.rgb, 255) for entry in self._legend.classes] + [(0, 0, 0, 0)], np.uint8)
        return colors[self.picture]
