from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdgf_core.raster.window import Window, tiles

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
