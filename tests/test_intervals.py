"""Intervals against published values, other formulas for the same thing, and repeated samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bdgf_core.accuracy import Accuracy
from bdgf_core.bootstrap import Clusters, cluster_intervals, percentiles
from bdgf_core.intervals import Interval, kappa_variance, sample_intervals, wilson

# rows reference, columns predicted
GOLDEN = Accuracy(((65, 4, 22, 24), (6, 81, 5, 8), (0, 11, 85, 19), (4, 7, 3, 90)))


def width(interval: Interval) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_wilson_as_published() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(29, 29) == pytest.approx((0.8830, 1.0), abs=1e-4)
    assert wilson(0, 0) is None


def test_kappa_varies_as_its_gradient_says() -> None:
    share = np.array(GOLDEN.confusion) / GOLDEN.total

    def kappa(share: np.ndarray) -> float:
        chance = (share.sum(0) * share.sum(1)).sum() / share.sum() ** 2
        return float((share.trace() / share.sum() - chance) / (1 - chance))

    steps = 1e-6 * np.eye(16).reshape(4, 4, 4, 4)
    gradient = np.array([[(kappa(share + step) - kappa(share - step)) / 2e-6 for step in row] for row in steps])
    variance = ((gradient**2 * share).sum() - (gradient * share).sum() ** 2) / GOLDEN.total
    assert kappa_variance(GOLDEN) == pytest.approx(variance, rel=1e-6)
    interval = sample_intervals(GOLDEN).kappa
    assert interval == pytest.approx([kappa(share) + sign * 1.96 * math.sqrt(variance) for sign in (-1, 1)], abs=1e-4)


def test_widths_are_those_of_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    share = np.array(GOLDEN.confusion) / GOLDEN.total
    samples = [Accuracy.of(rng.multinomial(GOLDEN.total, share.ravel()).reshape(4, 4)) for _ in range(2000)]
    found = sample_intervals(GOLDEN)
    for interval, name in ((found.overall, "overall"), (found.average, "average"), (found.kappa, "kappa")):
        spread = np.std([getattr(sample, name) for sample in samples])
        assert interval is not None and (interval[1] - interval[0]) / 2 == pytest.approx(1.96 * spread, rel=0.06)
    for interval, scores in zip(found.f1, zip(*(sample.f1 for sample in samples))):
        assert interval is not None and (interval[1] - interval[0]) / 2 == pytest.approx(
            1.96 * np.std(scores), rel=0.06
        )


def test_f1_has_the_width_of_the_delta_method_where_samples_are_many() -> None:
    large = Accuracy.of(np.array(GOLDEN.confusion) * 1000)
    for score, r, p, interval in zip(
        large.f1, large.reference_counts, large.predicted_counts, sample_intervals(large).f1
    ):
        assert score is not None and width(interval) == pytest.approx(
            2 * 1.96 * math.sqrt(score * (1 - score) * (2 - score) / (r + p)), rel=1e-3
        )


def test_extremes_have_no_empty_interval() -> None:
    perfect = sample_intervals(Accuracy(((9, 0, 0), (0, 4, 0), (0, 0, 0))))
    assert perfect.overall is not None and perfect.overall[0] < 0.9 and perfect.overall[1] == 1.0
    assert (
        perfect.average is not None
        and perfect.average[0] < 0.9
        and perfect.f1[1] is not None
        and perfect.f1[1][0] < 0.9
    )
    assert perfect.kappa is None, "its variance would be 0"
    assert (perfect.producers[2], perfect.users[2], perfect.f1[2]) == (None, None, None)
    nothing = sample_intervals(Accuracy(((0,),)))
    assert (nothing.overall, nothing.average, nothing.kappa) == (None, None, None)


def clusters(sizes: list[int], right: list[bool]) -> Clusters:
    """Polygons of two classes in turn, all of one wholly right or wholly wrong."""
    index = np.arange(len(sizes))
    reference = index % 2
    found = np.where(right, reference, 1 - reference)
    return Clusters(index, reference, found, np.array(sizes), 2)


def draws(data: Clusters, count: int = 1000) -> list[Accuracy]:
    return [Accuracy.of(matrix) for matrix in data.redrawn(count, np.random.default_rng(0))]


def test_the_size_of_polygons_does_not_narrow_the_interval() -> None:
    right = [i % 5 > 0 for i in range(40)]
    single, large = clusters([1] * 40, right), clusters([100] * 40, right)
    one, other = (cluster_intervals(draws(data)).overall for data in (single, large))
    assert one == other and large.several and not single.several
    alone = sample_intervals(Accuracy.of(large.confusion())).overall
    assert width(one) > 8 * width(alone)
    assert width(one) == pytest.approx(width(sample_intervals(Accuracy.of(single.confusion())).overall), rel=0.15)


def test_the_same_seed_draws_the_same() -> None:
    data = clusters([3, 5, 8, 2, 9, 4], [True, True, False, True, False, True])
    assert draws(data, 5) == draws(data, 5)
    assert data.confusion().sum() == 31


def test_too_few_polygons_give_no_interval() -> None:
    few = Clusters(np.arange(9), np.array([0] * 8 + [1]), np.array([0] * 7 + [1, 1]), np.full(9, 7), 2)
    found = cluster_intervals(draws(few))
    assert found.producers[0] is not None and found.producers[1] is None and found.f1[1] is None
    assert percentiles([1.0] * 50) is None and percentiles([None] * 50) is None and percentiles([]) is None
