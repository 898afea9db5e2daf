"""Figures of a raster's bands from windows spread over it.

n bands; m sampled pixels; h, w rows and columns of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from bdgf_core.raster.metadata import BandInfo
from bdgf_core.samples.sensor import is_alive, measured

Array = NDArray[np.floating[Any]]

_LEAST_PROFILE = 16  # pixels of half a column that has a mean
_ISOLATED = 3  # equal values beyond a gap that are no chance
_BULK = (1.0, 99.0)


@dataclass(frozen=True)
class BandFigures:
    """One band. Shares in [0, 1]: ``missing`` of all sampled pixels; ``negative``, ``zero``, ``least`` and ``most``
    (exactly the minimum or maximum) of those with data; ``distinct`` values in the sample.

    ``noise`` is the variance that differs from pixel to pixel over all variance, 1 for white noise; ``stripes`` the
    deviation of single columns or rows from their neighbours over that of the band, 0 where they do not go through
    (:class:`BandSampler`). ``undeclared`` is a value far from all others that repeats itself, and is left out of the
    percentiles ``low``, ``median`` and ``high`` (1, 50, 99). All but the shares are None without data.
    """

    info: BandInfo
    alive: bool
    missing: float
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    low: Optional[float] = None
    median: Optional[float] = None
    high: Optional[float] = None
    negative: float = 0.0
    zero: float = 0.0
    least: float = 0.0
    most: float = 0.0
    distinct: int = 0
    whole: bool = False
    undeclared: Optional[float] = None
    noise: Optional[float] = None
    stripes: Optional[float] = None


@dataclass(frozen=True)
class RasterFigures:
    """All bands of one raster; ``empty`` is the share of pixels without data in half of the bands that have any,
    ``zeros`` the share of those with data in which every such band is exactly 0; ``values`` (n, m) the sample."""

    layer: str
    bands: tuple[BandFigures, ...]
    empty: float
    zeros: float
    pixels: int
    values: Array

    @property
    def alive(self) -> tuple[BandFigures, ...]:
        return tuple(band for band in self.bands if band.alive)


class BandSampler:
    """Takes windows (n, h, w), NaN where missing, and keeps at most about ``most_values`` of their values.

    Stripes go on from one half of a window to the other, which the land does not: their variance is the covariance of
    both halves' column means (row means), each less the mean of its neighbours.
    """

    def __init__(self, layer: str, infos: Sequence[BandInfo], *, windows: int, most_values: int) -> None:
        self._layer, self._infos = layer, infos
        self._most = max(1, most_values // max(windows, 1))
        self._kept: list[Array] = []
        count = len(infos)
        self._pixels, self._present = 0, np.zeros(count)
        self._steps, self._squares = np.zeros(count), np.zeros(count)
        self._profiles = np.zeros((2, 4, count))  # of columns and rows: covariance, both variances, number

    def add(self, array: Array) -> None:
        array = measured(array)
        self._pixels += array[0].size
        self._present += np.isfinite(array).sum((1, 2))
        flat = array.reshape(len(array), -1)
        # an odd step walks over all columns, whatever the width
        step = -(-flat.size // self._most)
        self._kept.append(flat[:, :: step + (step % 2 == 0)])
        for one, other in ((array[:, :, 1:], array[:, :, :-1]), (array[:, 1:], array[:, :-1])):
            squares = np.square(one - other, dtype=np.float64)
            there = np.isfinite(squares)
            self._squares += np.where(there, squares, 0.0).sum((1, 2))
            self._steps += there.sum((1, 2))
        for axis, turned in enumerate((array, array.transpose(0, 2, 1))):
            self._profiles[axis] += _shared_profile(turned)

    def figures(self) -> RasterFigures:
        values = np.concatenate(self._kept, 1) if self._kept else np.zeros((len(self._infos), 0), np.float32)
        bands = tuple(self._band(index, values[index]) for index in range(len(values)))
        alive = np.array([band.alive for band in bands])
        there = np.isfinite(values[alive])
        known = there.mean(0) >= 0.5 if alive.any() else np.zeros(values.shape[1], bool)
        zeros = ((values[alive] == 0) | ~there).all(0) & known
        return RasterFigures(
            self._layer,
            bands,
            empty=1.0 - float(known.mean()) if known.size else 1.0,
            zeros=float(zeros.sum() / max(known.sum(), 1)),
            pixels=self._pixels,
            values=values,
        )

    def _band(self, index: int, values: Array) -> BandFigures:
        info, missing = self._infos[index], 1.0 - float(self._present[index] / max(self._pixels, 1))
        ordered = np.sort(values[np.isfinite(values)])
        if not ordered.size:
            return BandFigures(info, alive=False, missing=missing)
        bulk, undeclared = _without_isolated(ordered)
        low, median, high = (float(value) for value in np.percentile(bulk, [_BULK[0], 50.0, _BULK[1]]))
        variance = float(np.var(bulk, dtype=np.float64))
        size, least, most = ordered.size, ordered[0], ordered[-1]

        def share(start: float, end: float) -> float:
            """Of the values from ``start`` to ``end``."""
            return float(np.searchsorted(ordered, end, "right") - np.searchsorted(ordered, start, "left")) / size

        return BandFigures(
            info,
            alive=is_alive(values),
            missing=missing,
            minimum=float(least), maximum=float(most), low=low, median=median, high=high,
            negative=float(np.searchsorted(ordered, 0.0, "left")) / size,
            zero=share(0.0, 0.0), least=share(least, least), most=share(most, most),
            distinct=1 + int(np.count_nonzero(np.diff(ordered))),
            whole=bool((ordered == np.round(ordered)).all()),
            undeclared=undeclared,
            noise=self._noise(index, variance) if undeclared is None else None,
            stripes=self._stripes(index, variance) if undeclared is None else None,
        )  # fmt: skip

    def _noise(self, index: int, variance: float) -> Optional[float]:
        if variance <= 0 or not self._steps[index]:
            return None
        return float(self._squares[index] / self._steps[index] / 2 / variance)

    def _stripes(self, index: int, variance: float) -> Optional[float]:
        found = []
        for covariance, one, other, count in self._profiles[:, :, index]:
            if count and one > 0 and other > 0:
                goes_through = covariance / np.sqrt(one * other) > 0.5
                # a column less the mean of its two neighbours has 3/2 of its variance, and tamed about half of that
                stripes = covariance / count / (1.5 * 0.5)
                found.append(np.sqrt(stripes / variance) if goes_through and variance > 0 else 0.0)
        return float(max(found)) if found else None


def _shared_profile(array: Array) -> Array:
    """Σ p q, Σ p², Σ q² and their number (4, n), p and q being the detail of both halves' column means."""
    half = array.shape[1] // 2
    details = []
    for part in (array[:, :half], array[:, half:]):
        there = np.isfinite(part)
        count = there.sum(1)
        sums = np.where(there, part, 0.0).sum(1, dtype=np.float64)
        mean = np.where(count >= _LEAST_PROFILE, sums / np.maximum(count, 1), np.nan)
        details.append(mean[:, 1:-1] - (mean[:, :-2] + mean[:, 2:]) / 2)
    there = np.isfinite(details[0] * details[1])
    one, other = (_tamed(np.where(there, detail, 0.0), there) for detail in details)
    return np.stack([(one * other).sum(1), (one**2).sum(1), (other**2).sum(1), there.sum(1)])


def _tamed(detail: Array, there: NDArray[np.bool_]) -> Array:
    """Within about a deviation, by what is usual in each band: a straight border is one large step, stripes are many
    small ones."""
    usual = np.median(np.where(there, np.abs(detail), 0.0), 1, keepdims=True) if detail.shape[1] else 0.0
    tamed: Array = np.clip(detail, -1.5 * usual, 1.5 * usual)
    return tamed


def _without_isolated(ordered: Array) -> tuple[Array, Optional[float]]:
    """The ascending values without a repeated least or largest one that lies farther away than the others reach, and
    that value."""
    for end, rest in ((ordered[0], ordered[ordered > ordered[0]]), (ordered[-1], ordered[ordered < ordered[-1]])):
        if ordered.size - rest.size < _ISOLATED or rest.size < 10:
            continue
        low, high = np.percentile(rest, _BULK)
        nearest = rest[0] if end < rest[0] else rest[-1]
        if abs(nearest - end) > high - low > 0:
            return rest, float(end)
    return ordered, None
