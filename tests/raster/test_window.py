from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bdgf_core.raster.window import Window, covering, tiles

windows = st.builds(Window, st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 30), st.integers(1, 30))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70))
def test_tiles_partition_the_grid(height: int, width: int, size: int) -> None:
    count = np.zeros((height, width), int)
    for tile in tiles(height, width, size):
        assert tile.inside(Window(0, 0, height, width))
        assert tile.height <= size and tile.width <= size
        count[tile.slices] += 1
    assert (count == 1).all()


@given(windows, windows)
def test_intersection_is_what_both_have(one: Window, other: Window) -> None:
    def pixels(window: Window) -> set[tuple[int, int]]:
        rows = range(window.row, window.row + window.height)
        return {(row, col) for row in rows for col in range(window.col, window.col + window.width)}

    common = one.intersection(other)
    assert (pixels(common) if common else set()) == pixels(one) & pixels(other)
    assert one.inside(other) == (pixels(one) <= pixels(other))


@given(windows.filter(lambda window: window.height * window.width > 1))
def test_halves_make_the_whole(window: Window) -> None:
    first, second = window.halves()
    assert first.intersection(second) is None
    assert first.inside(window) and second.inside(window)
    assert first.height * first.width + second.height * second.width == window.height * window.width


def test_expand_adds_a_halo() -> None:
    assert Window(2, 3, 4, 5).expand(2) == Window(0, 1, 8, 9)


def test_empty_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        Window(0, 0, 0, 5)
    with pytest.raises(ValueError, match="at least one pixel"):
        list(tiles(5, 5, 0))


def work(windows: list[Window], halo: int) -> int:
    return sum((window.height + 2 * halo) * (window.width + 2 * halo) for window in windows)


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))), st.integers(0, 8))
def test_a_covering_holds_all_that_is_wanted_once(wanted: np.ndarray, halo: int) -> None:
    found, count = covering(wanted, halo), np.zeros(wanted.shape, int)
    for window in found:
        count[window.slices] += 1
    assert (count[wanted] == 1).all() and count.max() <= 1
    if wanted.any():
        rows, cols = wanted.any(1).nonzero()[0], wanted.any(0).nonzero()[0]
        around = Window(0, 0, int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1)
        assert work(found, halo) <= work([around], halo)
    else:
        assert not found


def test_a_slanting_scene_is_covered_by_parts() -> None:
    rows, cols = np.indices((400, 400))
    slanting = (abs(rows - cols) < 100) & (rows + cols > 50)
    found = covering(slanting, 6)
    assert len(found) > 2 and work(found, 6) < 0.75 * work([Window(0, 0, 400, 400)], 6)
    assert covering(np.ones((300, 200), bool), 6) == [Window(0, 0, 300, 200)]
