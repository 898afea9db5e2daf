"""t-SNE: many-dimensional points on a plane, neighbours beside neighbours (van der Maaten & Hinton 2008), in numpy.

Exact, for up to a thousand points or so: scikit-learn would be a heavy package for one picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]

PERPLEXITY = 30.0
_DIMENSIONS = 50  # kept by PCA before, as in the paper
_STEPS, _EARLY = 300, 75
_HALVINGS = 40
_LEAST = 1e-12


def tsne(points: Points) -> NDArray[np.float32]:
    """Places (n, 2) of ``points`` (n, d), n ≥ 4, within −1 and 1 on the longer axis; always the same for the same
    points. Of 500 points it takes a second.

    They start from their first two principal components; so the paper's early exaggeration, which is to order what
    starts at random, only harmed: the divergence came out higher at 10 to 500 points.
    """
    found = _components(points.astype(np.float64))
    attraction = _affinities(found, min(PERPLEXITY, (len(points) - 1) / 3)).astype(np.float32)
    places = (1e-4 * found[:, :2] / max(float(found[:, 0].std()), _LEAST)).astype(np.float32)
    velocity, gain = np.zeros_like(places), np.ones_like(places)
    for step in range(_STEPS):
        gradient = _gradient(attraction, places)
        gain = np.where((gradient > 0) == (velocity > 0), gain * 0.8, gain + 0.2).clip(min=0.01)
        velocity = (0.5 if step < _EARLY else 0.8) * velocity - len(points) / 4 * gain * gradient
        places = places + velocity
    places -= (places.max(0) + places.min(0)) / 2
    spread: NDArray[np.float32] = places / max(float(np.abs(places).max()), _LEAST)
    return spread


def _gradient(attraction: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the Kullback–Leibler divergence, (n, 2). Without matrix products, whose threads collapse on a shared core."""
    across, up = (column[:, None] - column for column in places.T)  # (n, n)
    near = 1 / (1 + across**2 + up**2)  # Student's t with one degree of freedom
    np.fill_diagonal(near, 0)
    force = (attraction - near / near.sum()) * near
    gradient: NDArray[np.float32] = np.stack([4 * (force * across).sum(1), 4 * (force * up).sum(1)], 1)
    return gradient


def _affinities(points: Points, perplexity: float) -> Points:
    """Joint probabilities (n, n) of being neighbours; each point's bandwidth gives it this perplexity."""
    distances = _distances(points)
    np.fill_diagonal(distances, np.inf)
    distances -= distances.min(1, keepdims=True)  # the nearest keeps its weight, however far it is
    low, high = np.zeros((len(points), 1)), np.full((len(points), 1), np.inf)
    precision = 1 / np.maximum(np.median(distances, 1, keepdims=True), _LEAST)
    for _ in range(_HALVINGS):
        weights = np.exp(-distances * precision)
        total = weights.sum(1, keepdims=True)
        with np.errstate(invalid="ignore"):
            mean = np.where(weights > 0, weights * distances, 0).sum(1, keepdims=True) / total
        wide = np.log(total) + precision * mean > np.log(perplexity)  # too many neighbours
        low, high = np.where(wide, precision, low), np.where(wide, high, precision)
        precision = np.where(np.isinf(high), 2 * precision, (low + high) / 2)
    weights = np.exp(-distances * precision)
    given = weights / weights.sum(1, keepdims=True)
    joint: Points = np.maximum((given + given.T) / (2 * len(points)), _LEAST)
    return joint


def _components(points: Points) -> Points:
    centred = points - points.mean(0)
    left, size, axes = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])  # else a library's whim
    found: Points = np.pad(left * size * signs, ((0, 0), (0, 2)))[:, :_DIMENSIONS]  # there are always two
    return found


def _distances(points: Points) -> Points:
    squares = (points**2).sum(1)
    found: Points = np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0)
    return found
