"""The shares of a classifier's members: those that held-out polygons make most likely."""

from __future__ import annotations

import numpy as np
import pytest

from bdgf_core import pooling
from bdgf_core.pooling import Opinions, cross_fitted, fit_shares

EVEN = (0.5, 0.5)


def fold(right: tuple[float, float], *, polygons: int = 40, pixels: int = 3, seed: int = 0) -> Opinions:
    """Of two members, each of which is right in that share of the polygons, and sure by 0.8."""
    rng, classes = np.random.default_rng(seed), 3
    truth = rng.integers(classes, size=polygons)
    told = []
    for share in right:
        said = np.where(rng.random(polygons) < share, truth, (truth + 1) % classes)
        told.append(np.where(np.arange(classes) == said[:, None], 0.8, 0.2 / (classes - 1)))
    number = np.repeat(np.arange(polygons), pixels)
    return Opinions(np.stack(told)[:, number], truth[number], number)


def test_who_is_right_more_often_counts_for_more():
    for right in ((0.9, 0.5), (0.5, 0.9)):
        shares = fit_shares([fold(right)], EVEN)
        assert shares.sum() == pytest.approx(1) and shares.min() > 0
        assert (shares[0] > 0.6) == (right[0] > right[1])


def test_no_other_shares_are_more_likely(monkeypatch):
    monkeypatch.setattr(pooling, "_PRIOR", 0.0)
    known = fold((0.8, 0.7), polygons=200)

    def likelihood(share: float) -> float:
        truth = known.probabilities[:, np.arange(len(known.classes)), known.classes]
        return float(np.log(0.98 * (share * truth[0] + (1 - share) * truth[1]) + 0.02 / 3).sum())

    best = max(np.linspace(0, 1, 1001), key=likelihood)
    assert fit_shares([known], EVEN)[0] == pytest.approx(best, abs=2e-3)


def test_pixels_of_a_polygon_count_for_little_more_than_one():
    """All polygons being of one size it makes no difference; a large one counts by its root."""
    small, large = fold((0.9, 0.6), pixels=1), fold((0.9, 0.6), pixels=50)
    assert fit_shares([small], EVEN) == pytest.approx(fit_shares([large], EVEN))
    one, many = fold((1.0, 0.0), polygons=1, pixels=100), fold((0.0, 1.0), polygons=10, pixels=1)
    both = Opinions(
        np.concatenate((one.probabilities, many.probabilities), 1),
        np.concatenate((one.classes, many.classes)),
        np.concatenate((one.polygons, many.polygons + 1)),
    )
    assert fit_shares([both], EVEN) == pytest.approx(EVEN)  # ten of one pixel against one of a hundred


def test_few_polygons_change_little_and_none_nothing():
    few, many = (fit_shares([fold((1.0, 0.3), polygons=n)], EVEN)[0] for n in (4, 400))
    assert 0.5 < few < 0.62 < 0.9 < many
    assert fit_shares([], (0.2, 0.8)) == pytest.approx([0.2, 0.8])


def test_a_member_that_is_sure_and_wrong_once_is_not_silenced():
    sure = fold((0.95, 0.6), polygons=100)
    sure.probabilities[0] = (sure.probabilities[0] > 0.5).astype(float)
    assert fit_shares([sure], EVEN)[0] > 0.6


def test_no_fold_is_judged_by_shares_of_its_own():
    folds = [fold((0.9, 0.5), seed=1), fold((0.9, 0.5), seed=2), fold((0.1, 0.9), seed=3)]
    found = cross_fitted(folds, EVEN)
    for i, judged in enumerate(found):
        others = [known for j, known in enumerate(folds) if j != i]
        assert np.allclose(judged.probabilities, folds[i].pooled(fit_shares(others, EVEN)).probabilities)
        assert np.array_equal(judged.classes, folds[i].classes)
    assert np.allclose(cross_fitted(folds[:1], (0.3, 0.7))[0].probabilities, folds[0].pooled((0.3, 0.7)).probabilities)
