"""How far two images of one place lie apart, whatever the sensors: where edges of one meet edges of the other.

k, l edge images of the two rasters; h, w rows, columns of a window; R the reach; d = 2R + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

REACH = 16  # pixels
SIDE = 160  # pixels of a window: a few times the reach
_EDGE_IMAGES = 3  # of a raster
_SURROUNDINGS = 6  # pixels around each, whose mean is taken off its edges
_BESIDE = 4.0  # pixels around the peak that belong to it
SURE = 0.5  # confidence from which a shift counts as measured
_AGREE = 1.0  # pixels
_LEAST_DATA = 0.3  # of a window
_LEAST_MET = 0.25  # of the most pixels that meet under any displacement


@dataclass(frozen=True)
class Shift:
    """By how many columns to the right and ``rows`` down the second image lies of where it belongs.

    ``confidence`` is 1 − the next best displacement's likeness over the best one's, 0 where all are alike; ``apart``
    (pixels) how far two halves of the windows differ, None for a single window.
    """

    cols: float
    rows: float
    confidence: float
    apart: Optional[float]

    @property
    def is_measured(self) -> bool:
        return self.confidence >= SURE and (self.apart is None or self.apart <= _AGREE)

    @property
    def length(self) -> float:
        return float(np.hypot(self.cols, self.rows))


class ShiftMeter:
    """Takes windows of both images, one after another, and measures their :class:`Shift` over all of them."""

    def __init__(self) -> None:
        self._halves: list[Optional[_Moments]] = [None, None]
        self.windows = 0

    def add(self, first: Array, second: Array) -> bool:
        """Windows (bands, h, w) of the same place, NaN where missing; whether there was enough to go by."""
        one, seen = edge_images(first)
        other, also_seen = edge_images(second)
        if not len(one) or not len(other) or (seen * also_seen).mean() < _LEAST_DATA:
            return False
        moments = _Moments.of(one, seen, other, also_seen)
        half = self.windows % 2
        held = self._halves[half]
        self._halves[half] = moments if held is None else held.plus(moments)
        self.windows += 1
        return True

    def shift(self) -> Optional[Shift]:
        """None where no window had enough data, or numbers that can be worked with."""
        halves = [half for half in self._halves if half is not None]
        try:
            return _shift(halves) if halves else None
        except np.linalg.LinAlgError:
            return None


@dataclass(frozen=True)
class _Moments:
    """Sums over windows: products (k, l, d, d) of the edge images and the pixels that ``met`` (d, d) by displacement;
    products of either with itself and its pixels."""

    across: Array
    met: Array
    one: Array
    seen: float
    other: Array
    also_seen: float

    @classmethod
    def of(cls, one: Array, seen: Array, other: Array, also_seen: Array) -> _Moments:
        size = [side + REACH for side in seen.shape]
        spectra = [np.fft.rfft2(image, size) for image in (one, seen[None], other, also_seen[None])]
        near = np.r_[-REACH : REACH + 1]

        def displaced(a: NDArray[Any], b: NDArray[Any]) -> Array:
            """Σ a(p) b(p + displacement)."""
            products = np.fft.irfft2(np.conj(a)[:, None] * b[None], size)
            found: Array = products[..., near[:, None], near]
            return found

        return cls(
            displaced(spectra[0], spectra[2]),
            np.maximum(displaced(spectra[1], spectra[3])[0, 0], 0.0),
            np.einsum("khw,lhw->kl", one, one), float(seen.sum()),
            np.einsum("khw,lhw->kl", other, other), float(also_seen.sum()),
        )  # fmt: skip

    def plus(self, more: _Moments) -> _Moments:
        return _Moments(
            self.across + more.across, self.met + more.met, self.one + more.one, self.seen + more.seen,
            self.other + more.other, self.also_seen + more.also_seen,
        )  # fmt: skip

    def likeness(self) -> Array:
        """The sum of the squared canonical correlations (d, d): high where the images fit, whichever of one's edges go
        with which of the other's."""
        to_one, to_other = _whitening(self.one / self.seen), _whitening(self.other / self.also_seen)
        covariance = self.across / np.maximum(self.met, 1.0)
        correlation = np.einsum("ak,klij,bl->abij", to_one, covariance, to_other)
        enough = self.met >= _LEAST_MET * self.met.max()
        likeness: Array = np.where(enough, np.sum(correlation**2, axis=(0, 1)), 0.0)
        return likeness


def edge_images(array: Array) -> tuple[Array, Array]:
    """The strength of edges (k, h, w) in up to three groups of neighbouring bands, and where it is known (h, w)."""
    present = np.isfinite(array)
    seen = (present.mean(0) >= 0.5).astype(np.float64)
    count = np.maximum(present.sum((1, 2)), 1)[:, None, None]
    values = np.where(present, array, 0.0).astype(np.float64)
    centred = np.where(present, values - values.sum((1, 2), keepdims=True) / count, 0.0)
    spread = np.sqrt((centred**2).sum((1, 2), keepdims=True) / count)
    varying = spread[:, 0, 0] > 0
    if not varying.any():
        return np.zeros((0, *seen.shape)), seen
    tamed = np.arcsinh(centred[varying] / spread[varying])
    images = np.stack([group.mean(0) for group in np.array_split(tamed, min(_EDGE_IMAGES, len(tamed)))])
    smooth = _mean(images * seen, 1) / np.maximum(_mean(seen, 1), 1e-6)
    edges = np.zeros_like(smooth)
    across = smooth[:, 1:-1, 2:] - smooth[:, 1:-1, :-2]
    edges[:, 1:-1, 1:-1] = np.sqrt(np.hypot(across, smooth[:, 2:, 1:-1] - smooth[:, :-2, 1:-1]))
    known = (_mean(seen, 2) > 0.999).astype(np.float64)
    known[:3], known[-3:], known[:, :3], known[:, -3:] = 0.0, 0.0, 0.0, 0.0  # a window's own edges are none
    around = _mean(edges * known, _SURROUNDINGS) / np.maximum(_mean(known, _SURROUNDINGS), 1e-6)
    return (edges - around) * known, known


def _shift(halves: list[_Moments]) -> Shift:
    rows, cols, confidence = _peak(halves[0].plus(halves[1]) if len(halves) > 1 else halves[0])
    apart = None
    if len(halves) > 1:
        (row, col, _), (other_row, other_col, _) = (_peak(half) for half in halves)
        apart = float(np.hypot(row - other_row, col - other_col))
    return Shift(cols, rows, confidence, apart)


def _peak(moments: _Moments) -> tuple[float, float, float]:
    """Rows and columns of the best displacement, to a fraction of a pixel, and the confidence."""
    likeness = moments.likeness()
    row, col = (int(place) for place in np.unravel_index(likeness.argmax(), likeness.shape))
    best = float(likeness[row, col])
    if best <= 0:
        return 0.0, 0.0, 0.0
    rows, cols = np.ogrid[: len(likeness), : len(likeness)]
    far = np.hypot(rows - row, cols - col) > _BESIDE
    confidence = 1.0 - float(likeness[far].max()) / best
    return (
        row - REACH + _between(likeness[max(row - 1, 0) : row + 2, col]),
        col - REACH + _between(likeness[row, max(col - 1, 0) : col + 2]),
        confidence,
    )


def _between(three: Array) -> float:
    """Where the parabola through three values has its top, from the middle one; 0 at the border."""
    if len(three) < 3:
        return 0.0
    bend = three[0] - 2 * three[1] + three[2]
    return float(0.5 * (three[0] - three[2]) / bend) if bend < 0 else 0.0


def _whitening(covariance: Array) -> Array:
    floor = 1e-6 * float(np.trace(covariance)) / len(covariance) + 1e-12
    factor: Array = np.linalg.inv(np.linalg.cholesky(covariance + floor * np.eye(len(covariance))))
    return factor


def _mean(array: Array, reach: int) -> Array:
    """The mean over 2 · ``reach`` + 1 rows and columns around each pixel; beyond the edge its last pixel goes on."""
    side = 2 * reach + 1
    padding = [(0, 0)] * (array.ndim - 2) + [(reach + 1, reach)] * 2
    sums = np.pad(array, padding, mode="edge").cumsum(-1).cumsum(-2)
    total: Array = sums[..., side:, side:] - sums[..., :-side, side:] - sums[..., side:, :-side]
    mean: Array = (total + sums[..., :-side, :-side]) / side**2
    return mean
