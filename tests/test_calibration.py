"""Calibrated confidence: the right temperature is found, the order of classes stays, nothing is claimed unproven."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdgf_core.calibration import (
    BOUNDS,
    HeldOut,
    calibrate,
    calibrated,
    calibration_error,
    check_temperature,
    fit_temperature,
    log_loss,
    reliability,
)
from bdgf_core.errors import InputError


def held_out(factor: float, *, count: int = 4000, seed: int = 0) -> HeldOut:
    """Samples of five classes whose true probabilities are p; p^factor is what is foretold."""
    rng = np.random.default_rng(seed)
    true = calibrated(np.exp(rng.normal(0, 2, (count, 5))), 1.0001)
    classes = (true.cumsum(1) > rng.random((count, 1))).argmax(1)
    return HeldOut(calibrated(true, 1 / factor).astype(np.float32), classes)


@pytest.mark.parametrize("factor", [0.6, 1.0, 2.0, 4.0])
def test_the_temperature_that_was_put_in_comes_out(factor: float) -> None:
    samples = held_out(factor)
    found = fit_temperature(samples)
    assert found == pytest.approx(factor, rel=0.06)
    mended = HeldOut(calibrated(samples.probabilities, found), samples.classes)
    assert calibration_error(reliability(mended)) < 0.02
    for other in (0.9 * found, 1.1 * found):
        assert log_loss(HeldOut(calibrated(samples.probabilities, other), samples.classes)) > log_loss(mended)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(*BOUNDS))
def test_the_classes_stay(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.random((50, 4))
    weights = (drawn / drawn.max(1, keepdims=True)) ** rng.choice([0.01, 1, 30, 300], (50, 1))  # all alike to one alone
    probabilities = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    scaled = calibrated(probabilities, temperature)
    assert scaled.dtype == np.float32 and np.allclose(scaled.sum(1), 1, atol=1e-5)
    chosen = probabilities.argmax(1)[:, None]
    assert np.array_equal(np.take_along_axis(scaled, chosen, 1)[:, 0], scaled.max(1)), "the first stays first"
    order = np.sort(probabilities, 1), np.take_along_axis(scaled, probabilities.argsort(1), 1)
    assert (np.diff(order[1], axis=1) >= 0).all()


def test_a_temperature_of_one_changes_nothing() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 9)
    assert calibrated(probabilities, 1.0) is probabilities


def test_pixels_without_data_stay_without() -> None:
    image = np.full((3, 2, 2), 1 / 3, np.float32)
    image[:, 0, 0] = np.nan
    scaled = calibrated(image, 2.0, axis=0)
    assert np.isnan(scaled[:, 0, 0]).all() and np.allclose(scaled[:, 1], 1 / 3)


def test_reliability_by_hand() -> None:
    samples = HeldOut(np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [1.0, 0.0]]), np.array([0, 1, 1, 0]))
    rows = reliability(samples)
    assert [(count, pytest.approx(confidence), right) for count, confidence, right in rows] == [
        (1, 0.6, 1.0), (2, 0.9, 0.5), (1, 1.0, 1.0),
    ]  # fmt: skip
    assert calibration_error(rows) == pytest.approx((0.4 + 2 * 0.4 + 0) / 4)


def test_overconfidence_is_mended_on_folds_left_out() -> None:
    found = calibrate([held_out(2.0, seed=seed, count=800) for seed in range(3)])
    assert found["temperature"] == found["fitted"] == pytest.approx(2.0, rel=0.1)
    assert found["after"]["calibration_error"] < 0.4 * found["before"]["calibration_error"]
    assert found["after"]["log_loss"] < found["before"]["log_loss"]
    for when in ("before", "after"):
        assert sum(row[0] for row in found[when]["reliability"]) == found["samples"] == 2400


def test_a_temperature_that_only_fits_its_own_fold_is_refused() -> None:
    """Either fold alone wants another temperature: what one gives harms the other, though both together gain."""
    folds = [held_out(4.0, count=1000), held_out(0.5, count=1000, seed=1)]
    together = HeldOut(*(np.concatenate([getattr(f, name) for f in folds]) for name in ("probabilities", "classes")))
    fitted = fit_temperature(together)
    assert log_loss(HeldOut(calibrated(together.probabilities, fitted), together.classes)) < log_loss(together)
    found = calibrate(folds)
    assert found["temperature"] == 1.0 and found["fitted"] == pytest.approx(fitted, abs=1e-4)
    assert found["after"]["log_loss"] > found["before"]["log_loss"], "and the report is told so"


def test_luck_makes_it_no_bolder_than_the_bound() -> None:
    sure = HeldOut(np.full((20, 2), (0.8, 0.2)), np.zeros(20, np.int64))
    assert fit_temperature(sure) == pytest.approx(BOUNDS[0], rel=1e-6)
    wrong = HeldOut(np.full((20, 2), (0.8, 0.2)), np.ones(20, np.int64))
    assert fit_temperature(wrong) == pytest.approx(BOUNDS[1], rel=1e-6)
    for extreme in (sure, wrong):
        check_temperature(calibrate([extreme, extreme])["temperature"])


def test_one_fold_cannot_be_judged() -> None:
    with pytest.raises(InputError, match="two folds"):
        calibrate([held_out(1.0, count=10)])


@pytest.mark.parametrize("value", [0, -1.0, 0.49, 5.1, float("nan"), float("inf"), True, None, "1", [1.0], 10**400])
def test_no_temperature(value: object) -> None:
    with pytest.raises(ValueError, match="temperature"):
        check_temperature(value)
