"""Shifts are measured across sensors, and not where there is nothing to go by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shifted_scene import ShiftedScene

from bdgf_core.checks.shift import ShiftMeter, edge_images


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> ShiftedScene:
    return ShiftedScene(tmp_path_factory.mktemp("shift"))


def measured(one: np.ndarray, other: np.ndarray, side: int = 80):
    meter = ShiftMeter()
    for row in range(0, one.shape[1], side):
        for col in range(0, one.shape[2], side):
            meter.add(one[:, row : row + side, col : col + side], other[:, row : row + side, col : col + side])
    return meter.shift()


@pytest.mark.parametrize(("cols", "rows"), [(0, 0), (3, 0), (-2, 5), (-12, -9)])
def test_whole_pixels(scene: ShiftedScene, cols: int, rows: int) -> None:
    shift = measured(scene.spectral(), scene.sar(cols, rows))
    assert shift.is_measured and (shift.cols, shift.rows) == pytest.approx((cols, rows), abs=0.2)


def test_parts_of_pixels(scene: ShiftedScene) -> None:
    """Both images of blocks of three pixels, the second cut one pixel further on: a third of a block."""

    def blocks(array: np.ndarray) -> np.ndarray:
        bands, size = len(array), array.shape[1] // 3 * 3
        return array[:, :size, :size].reshape(bands, size // 3, 3, size // 3, 3).mean((2, 4))

    shift = measured(blocks(scene.spectral()), blocks(scene.sar(1, -2)), side=53)
    assert shift.is_measured and (shift.cols, shift.rows) == pytest.approx((1 / 3, -2 / 3), abs=0.2)


def test_brightness_and_contrast_do_not_matter(scene: ShiftedScene) -> None:
    one = measured(scene.spectral(), scene.sar(2, 1))
    other = measured(7 - 3e-4 * scene.spectral()[::-1], 1e6 * scene.sar(2, 1))
    assert other.is_measured and (other.cols, other.rows) == pytest.approx((one.cols, one.rows), abs=0.1)


def test_holes_do_not_matter(scene: ShiftedScene) -> None:
    one, other = scene.spectral(), scene.sar(4, -3)
    one[:, :60, 90:], other[:, 100:, :50] = np.nan, np.nan
    shift = measured(one, other)
    assert shift.is_measured and (shift.cols, shift.rows) == pytest.approx((4, -3), abs=0.2)


def test_what_has_nothing_in_common_is_not_measured(scene: ShiftedScene) -> None:
    rng = np.random.default_rng(0)
    upside_down = scene.sar()[:, ::-1, ::-1]
    for other in (upside_down, rng.normal(0, 1, (2, 160, 160)), scene.sar(23, 0)):
        assert not measured(scene.spectral(), other).is_measured


def test_a_shift_that_differs_from_place_to_place_is_not_measured(scene: ShiftedScene) -> None:
    meter = ShiftMeter()
    for cols in (5, -5):
        meter.add(scene.spectral(), scene.sar(cols, 0))
    shift = meter.shift()
    assert shift.apart == pytest.approx(10, abs=0.4) and not shift.is_measured


def test_windows_without_data_or_edges_are_passed_over(scene: ShiftedScene) -> None:
    meter = ShiftMeter()
    spectral = scene.spectral()
    for other in (np.full_like(spectral, np.nan), np.ones_like(spectral), spectral[:, :5, :5]):
        assert not meter.add(spectral[:, : other.shape[1], : other.shape[2]], other)
    assert meter.shift() is None


def test_moments_of_no_use_give_no_shift(scene: ShiftedScene) -> None:
    meter = ShiftMeter()
    assert meter.add(scene.spectral(), scene.sar()) and meter.shift() is not None
    (half, _) = meter._halves
    meter._halves[0] = replace(half, one=half.one - 2 * np.diag(np.diag(half.one)))
    assert meter.shift() is None


def test_edge_images_are_few_and_zero_where_unknown() -> None:
    array = np.random.default_rng(0).normal(0, 1, (11, 40, 50))
    array[:, :, :20] = np.nan
    edges, known = edge_images(array)
    assert edges.shape == (3, 40, 50) and known[:, :22].max() == 0 and known[20, 30] == 1
    assert np.all(edges[:, known == 0] == 0) and np.isfinite(edges).all()
