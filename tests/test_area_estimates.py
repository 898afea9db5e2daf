"""The worked example of Olofsson et al. 2014, section 5, and what must hold for any sample."""

from __future__ import annotations

import numpy as np
import pytest

from bdgf_core.area_estimates import Z, area_shares, estimate_areas

# deforestation, forest gain, stable forest, stable non-forest; pixels of 30 m
MAPPED = np.array([200_000, 150_000, 3_200_000, 6_450_000])
MAP_BY_REFERENCE = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
CONFUSION = MAP_BY_REFERENCE.T  # rows reference, as everywhere here
HECTARES = MAPPED.sum() * 0.09


def test_published_accuracies() -> None:
    found = estimate_areas(MAPPED, CONFUSION)
    assert (round(found.overall, 3), round(Z * found.overall_se, 3)) == (0.947, 0.018)
    assert found.users.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert (Z * found.users_se).round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert found.producers.round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    # The paper prints 0.23 and 0.01 for the second and fourth, which its own equation 7 does not give for its table.
    assert (Z * found.producers_se).round(2).tolist() == [0.21, 0.25, 0.03, 0.02]
    assert found.covered == 1.0 and found.sampled.all()


def test_published_areas() -> None:
    found = estimate_areas(MAPPED, CONFUSION)
    assert (HECTARES * found.shares).round().tolist() == [21158, 11686, 285770, 581386]
    assert (HECTARES * Z * found.shares_se).round().tolist() == [6158, 3756, 15510, 16282]
    assert found.shares[0] * MAPPED.sum() == pytest.approx(235_086, abs=1)


def test_shares_are_those_of_the_whole() -> None:
    found = estimate_areas(MAPPED, CONFUSION)
    assert found.proportions.sum() == pytest.approx(1.0)
    assert found.proportions.sum(1) == pytest.approx(MAPPED / MAPPED.sum())
    assert area_shares(MAPPED, CONFUSION, found.sampled) == pytest.approx(found.shares)


def test_a_stratum_without_samples_is_left_out_and_told() -> None:
    mapped, confusion = np.append(MAPPED, 2_500_000), np.zeros((5, 5), int)
    confusion[:4, :4] = CONFUSION
    confusion[0, 4] = 1  # a single sample has no variance
    whole, part = estimate_areas(MAPPED, CONFUSION), estimate_areas(mapped, confusion)
    assert part.covered == pytest.approx(0.8) and part.sampled.tolist() == [True] * 4 + [False]
    assert part.shares[:4] == pytest.approx(whole.shares) and part.overall == pytest.approx(whole.overall)
    assert np.isnan(part.users[4]) and np.isnan(part.producers[4]) and part.shares[4] == 0.0


def test_a_class_that_the_map_lacks_still_has_an_area() -> None:
    found = estimate_areas([1000, 0], [[8, 0], [2, 0]])
    assert found.shares == pytest.approx([0.8, 0.2]) and found.producers[1] == 0.0 and np.isnan(found.users[1])


def test_nothing_sampled_is_nothing_estimated() -> None:
    found = estimate_areas([10, 20], [[0, 0], [0, 0]])
    assert np.isnan([found.overall, found.overall_se, *found.users, *found.producers]).all() and found.covered == 0.0


def test_an_emptied_stratum_gives_no_shares() -> None:
    found = estimate_areas(MAPPED, CONFUSION)
    emptied = CONFUSION.copy()
    emptied[:, 1] = 0
    assert np.isnan(area_shares(MAPPED, emptied, found.sampled)).all()


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    truth = MAP_BY_REFERENCE / MAP_BY_REFERENCE.sum(1, keepdims=True)
    sizes = MAP_BY_REFERENCE.sum(1)
    samples = [np.stack([rng.multinomial(n, p) for n, p in zip(sizes, truth)]).T for _ in range(3000)]
    found = [estimate_areas(MAPPED, sample) for sample in samples]
    promised = estimate_areas(MAPPED, CONFUSION)
    assert np.std([f.shares for f in found], axis=0) == pytest.approx(promised.shares_se, rel=0.06)
    assert np.std([f.overall for f in found]) == pytest.approx(promised.overall_se, rel=0.06)
    assert np.std([f.producers for f in found], axis=0) == pytest.approx(promised.producers_se, rel=0.15)
