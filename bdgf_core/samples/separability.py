"""How well classes can be told apart by their pixels' values alone: the Jeffries-Matusita distance.

k components, n pixels, K classes.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COMPONENTS = 10
_FLOOR = 1e-3  # of the components' mean variance, added to each: none may vanish


def separability(rasters: Sequence[NDArray[np.float32]], classes: NDArray[np.int64], count: int) -> Array:
    """Distances between all pairs of ``count`` classes (K, K), from 0 (alike) to 2; NaN for a class of fewer than two
    pixels.

    ``rasters`` hold the same pixels (bands, n), NaN where a value is missing. Richards & Jia (2006), Remote Sensing
    Digital Image Analysis, 4th edition, chapter 10: normal distributions of means m and covariances C have
    B = 1/8 (m_i − m_j)ᵀ [(C_i + C_j)/2]⁻¹ (m_i − m_j) + 1/2 ln(|(C_i + C_j)/2| / √(|C_i| |C_j|)), J = 2 (1 − e^−B).
    """
    distances = np.full((count, count), np.nan)
    known = [index for index in range(count) if (classes == index).sum() >= 2]
    if not known:
        return distances
    components = _components(rasters)
    means = {index: components[:, classes == index].mean(1) for index in known}
    covariances = _covariances(components, classes, known)
    for place, i in enumerate(known):
        distances[i, i] = 0.0
        for j in known[place + 1 :]:
            between = (covariances[i] + covariances[j]) / 2
            apart = means[i] - means[j]
            spread = _log_det(between) - (_log_det(covariances[i]) + _log_det(covariances[j])) / 2
            bhattacharyya = float(apart @ np.linalg.solve(between, apart)) / 8 + spread / 2
            distances[i, j] = distances[j, i] = 2 * (1 - np.exp(-max(bhattacharyya, 0.0)))
    return distances


def _components(rasters: Sequence[NDArray[np.float32]]) -> Array:
    """The leading principal components (k, n) of the bands; every raster weighs the same, however many it has."""
    parts = [_standardized(raster) for raster in rasters]
    bands = np.concatenate([part / max(len(part), 1) ** 0.5 for part in parts])
    if not len(bands):
        return np.zeros((1, rasters[0].shape[1]))
    _, vectors = np.linalg.eigh(np.atleast_2d(np.cov(bands)))  # by ascending variance
    components: Array = vectors[:, -COMPONENTS:].T @ bands
    return components


def _standardized(raster: NDArray[np.float32]) -> Array:
    """The bands with any spread, standardised, their far tails drawn in as for the network; 0 where a value misses."""
    values = raster[np.isfinite(raster).any(1)].astype(np.float64)
    if len(values):
        values = values[np.nanstd(values, 1) > 0]
    if not len(values):
        return np.zeros((0, raster.shape[1]))
    scaled = (values - np.nanmean(values, 1, keepdims=True)) / np.nanstd(values, 1, keepdims=True)
    tamed: Array = np.where(np.isfinite(scaled), np.arcsinh(scaled), 0.0)
    return tamed


def _covariances(components: Array, classes: NDArray[np.int64], known: Sequence[int]) -> dict[int, Array]:
    """Each class's covariance (k, k), drawn towards the one that they share, the more the fewer pixels it has:
    regularised as in Friedman (1989), https://doi.org/10.1080/01621459.1989.10478752, with the weight k / (k + n)."""
    size = len(components)
    pixels = {index: int((classes == index).sum()) for index in known}
    own = {index: np.atleast_2d(np.cov(components[:, classes == index])) for index in known}
    shared = sum((own[i] * (pixels[i] - 1) for i in known), np.zeros((size, size))) / sum(pixels[i] - 1 for i in known)
    floor = _FLOOR * max(float(np.trace(shared)) / size, 1e-12) * np.eye(size)
    weights = {index: size / (size + pixels[index]) for index in known}
    return {index: (1 - weights[index]) * own[index] + weights[index] * shared + floor for index in known}


def _log_det(matrix: Array) -> float:
    return float(np.linalg.slogdet(matrix)[1])
