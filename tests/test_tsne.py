"""Neighbours stay neighbours on the plane, as well as by a library's t-SNE."""

from __future__ import annotations

import numpy as np
import pytest

from bdgf_core.tsne import PERPLEXITY, _affinities, tsne


def groups(count: int, *, apart: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(6, size=count)
    return rng.normal(0, apart, (6, 64))[labels] + rng.normal(0, 1, (count, 64)), labels


def test_groups_lie_together() -> None:
    points, labels = groups(240)
    places = tsne(points)
    distances = ((places[:, None] - places) ** 2).sum(2) + 9 * np.eye(len(places))
    assert (labels[distances.argmin(1)] == labels).all()
    assert places.dtype == np.float32 and np.abs(places).max() == pytest.approx(1.0)
    assert np.array_equal(places, tsne(points)), "the same points have the same places"


@pytest.mark.parametrize("count, apart", [(40, 3.0), (200, 0.5)])
def test_as_good_as_the_library(count: int, apart: float) -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    points, _ = groups(count, apart=apart)
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    library = manifold.TSNE(perplexity=perplexity, init="pca", method="exact", random_state=0).fit_transform(points)
    ours, theirs = (manifold.trustworthiness(points, places, n_neighbors=10) for places in (tsne(points), library))
    assert ours >= theirs - 0.01


def test_every_point_has_as_many_neighbours_as_asked() -> None:
    points, _ = groups(150)
    points[:5] *= 20  # far from all others
    joint = _affinities(points, 30.0)
    assert joint.sum() == pytest.approx(1.0, abs=1e-6) and np.allclose(joint, joint.T)
    alike = points[np.r_[np.arange(0, 100)]] * 0  # all in one place
    assert np.allclose(_affinities(alike, 30.0) * (1 - np.eye(100)), (1 - np.eye(100)) / 9900)


@pytest.mark.parametrize(
    "points",
    [np.zeros((50, 64)), np.ones((5, 1)), np.random.default_rng(0).random((4, 1)), 1e20 * np.eye(12), np.eye(30, 3)],
    ids=["one place", "five alike", "a line", "far apart", "more points than axes"],
)
def test_any_points_have_places(points: np.ndarray) -> None:
    places = tsne(points)
    assert places.shape == (len(points), 2) and np.isfinite(places).all() and np.abs(places).max() <= 1.0001
