"""Jeffries-Matusita distances against what is known of normal distributions."""

from __future__ import annotations

import numpy as np
import pytest

from bdgf_core.samples.separability import separability

RNG = np.random.default_rng(5)


def drawn(shift: float, scale: float = 1.0, bands: int = 4, pixels: int = 4000) -> np.ndarray:
    return (shift + scale * RNG.normal(size=(bands, pixels))).astype(np.float32)


def between(one: np.ndarray, other: np.ndarray) -> float:
    classes = np.repeat([0, 1], [one.shape[1], other.shape[1]])
    return float(separability([np.concatenate([one, other], 1)], classes, 2)[0, 1])


def test_one_distribution_is_at_no_distance() -> None:
    assert between(drawn(0), drawn(0)) == pytest.approx(0, abs=0.02)


def test_known_normal_distributions() -> None:
    """Equal covariances: B is an eighth of the squared Mahalanobis distance."""
    found = between(drawn(0, bands=1), drawn(1.0, bands=1))
    assert found == pytest.approx(2 * (1 - np.exp(-1 / 8)), abs=0.04)


def test_spread_alone_separates() -> None:
    assert between(drawn(0, 1.0), drawn(0, 5.0)) > 1.0


def test_the_farther_the_larger_up_to_two() -> None:
    distances = [between(drawn(0), drawn(shift)) for shift in (0.2, 0.5, 1, 2, 8)]
    assert distances == sorted(distances) and 1.99 < distances[-1] <= 2


def test_units_do_not_matter() -> None:
    one, other = drawn(0), drawn(1)
    factors = np.array([[1e-4], [1], [100], [1e6]], np.float32)
    assert between(factors * one, factors * other) == pytest.approx(between(one, other), abs=1e-3)


@pytest.mark.parametrize("pixels", [2, 3, 12])
def test_fewer_pixels_than_bands_stay_finite(pixels: int) -> None:
    assert 0 <= between(drawn(0, bands=200, pixels=pixels), drawn(1, bands=200, pixels=300)) <= 2


def test_a_lone_pixel_a_dead_band_and_gaps() -> None:
    values = drawn(0, pixels=41)
    values[0], values[1], values[2, :5] = np.nan, 7.0, np.nan
    classes = np.repeat([0, 1, 2], [20, 20, 1])
    found = separability([values], classes, 4)
    assert np.isfinite(found[0, 1]) and np.isnan(found[0, 2:]).all() and np.isnan(found[3]).all()


def test_the_second_raster_weighs_as_much_as_many_bands() -> None:
    pixels = 500
    noise = drawn(0, bands=200, pixels=2 * pixels)
    sar = np.concatenate([drawn(0, bands=2, pixels=pixels), drawn(4, bands=2, pixels=pixels)], 1)
    classes = np.repeat([0, 1], pixels)
    alone = separability([noise], classes, 2)[0, 1]
    assert alone < 0.3 and separability([noise, sar], classes, 2)[0, 1] > 1.8
