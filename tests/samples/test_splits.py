"""Folds keep polygons together, keep the gap, and leave no class without training samples."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdgf_core.samples.clusters import distance_within, find_clusters
from bdgf_core.samples.fold_notes import fold_sentence
from bdgf_core.samples.splits import Folds, choose_per_class, polygon_folds, random_split

Ints = npt.NDArray[np.int64]


def scene(squares: list[tuple[int, int, int, int]]) -> tuple[Ints, Ints, Ints, Ints]:
    """Rows, columns, classes and groups of squares given as (row, column, side, class)."""
    parts = []
    for group, (row, col, side, k) in enumerate(squares):
        r, c = np.mgrid[row : row + side, col : col + side].reshape(2, -1)
        parts.append(np.stack([r, c, np.full(r.size, k), np.full(r.size, group + 5)]))
    rows, cols, classes, groups = np.concatenate(parts, axis=1)
    return rows, cols, classes, groups


def brute_distance(rows: Ints, cols: Ints, to_rows: Ints, to_cols: Ints) -> Ints:
    apart = np.maximum(abs(rows[:, None] - to_rows), abs(cols[:, None] - to_cols))
    return np.asarray(apart.min(axis=1))


def check(folds: Folds, rows: Ints, cols: Ints, classes: Ints, gap: int) -> None:
    """What must hold of any folds: tests disjoint and complete, every class trained, the gap kept or told."""
    tested = np.concatenate([fold.test for fold in folds.folds]) if folds.folds else np.zeros(0, np.int64)
    assert len(np.unique(tested)) == tested.size
    assert set(classes) - set(classes[tested]) == set(folds.unvalidated)
    assert tested.size == (~np.isin(classes, folds.unvalidated)).sum()
    least = gap
    for fold in folds.folds:
        assert set(classes[fold.train]) == set(classes), "a class without training samples"
        assert not np.intersect1d(fold.train, fold.test).size
        apart = brute_distance(rows[fold.train], cols[fold.train], rows[fold.test], cols[fold.test])
        least = min(least, apart.min() - 1)
    assert least == gap or any(f"from {gap} to" in note for note in map(fold_sentence, folds.notes))


def test_polygons_far_apart_are_dealt_evenly_and_whole() -> None:
    rows, cols, classes, groups = scene([(0, 40 * i, 6, i % 2) for i in range(16)])
    folds = polygon_folds(rows, cols, classes, groups, gap=9, rng=np.random.default_rng(0))
    check(folds, rows, cols, classes, 9)
    assert folds.notes == () and len(folds.folds) == 4
    for fold in folds.folds:
        assert np.bincount(classes[fold.test]).tolist() == [72, 72]
        assert fold.train.size + fold.test.size == rows.size  # nothing lost to the gap
        assert not np.intersect1d(groups[fold.train], groups[fold.test]).size


def test_neighbours_stay_together() -> None:
    pairs = [(0, 60 * i, 5, 0) for i in range(6)] + [(8, 60 * i, 5, 1) for i in range(6)]
    rows, cols, classes, groups = scene(pairs)
    folds = polygon_folds(rows, cols, classes, groups, gap=9, rng=np.random.default_rng(1))
    for fold in folds.folds:
        assert {g % 6 for g in groups[fold.test] + 1} == {g % 6 for g in groups[fold.test][classes[fold.test] == 1] + 1}
    check(folds, rows, cols, classes, 9)


def test_one_polygon_a_class_is_cut_into_blocks() -> None:
    rows, cols, classes, groups = scene([(0, 0, 40, 0), (0, 100, 40, 1)])
    folds = polygon_folds(rows, cols, classes, groups, gap=5, rng=np.random.default_rng(0), names=("Oak", "Elm"))
    check(folds, rows, cols, classes, 5)
    assert folds.unvalidated == () and len(folds.folds) >= 2
    assert any("Oak" in note and "blocks" in note for note in map(fold_sentence, folds.notes))


def test_touching_polygons_of_many_classes_leave_no_class_empty() -> None:
    squares = [(7 * i, 7 * j, 6, (i * 5 + j * 3) % 6) for i in range(16) for j in range(16)]
    rows, cols, classes, groups = scene(squares)
    folds = polygon_folds(rows, cols, classes, groups, gap=9, rng=np.random.default_rng(0))
    check(folds, rows, cols, classes, 9)
    for fold in folds.folds:
        assert set(classes[fold.test]) == set(range(6))
        assert np.bincount(classes[fold.train]).min() >= 100


def test_a_class_in_one_tiny_place_is_trained_and_not_validated() -> None:
    rows, cols, classes, groups = scene([(0, 0, 8, 0), (0, 50, 8, 0), (2, 9, 3, 1)])
    folds = polygon_folds(rows, cols, classes, groups, gap=9, rng=np.random.default_rng(0), names=("Water", "Reed"))
    check(folds, rows, cols, classes, 9)
    assert folds.unvalidated == (1,)
    assert all((classes[fold.train] == 1).sum() == 9 for fold in folds.folds)
    assert any("Reed" in note and "not validated" in note for note in map(fold_sentence, folds.notes))


def test_the_gap_shrinks_for_a_class_that_would_run_dry() -> None:
    rows, cols, classes, groups = scene([(0, 0, 4, 0), (0, 8, 4, 0), (0, 60, 9, 1), (0, 90, 9, 1)])
    folds = polygon_folds(rows, cols, classes, groups, gap=9, rng=np.random.default_rng(0))
    check(folds, rows, cols, classes, 9)
    assert any("class 0" in note.lower() and "shrank from 9 to" in note for note in map(fold_sentence, folds.notes))
    assert all((classes[fold.train] == 0).sum() >= 10 for fold in folds.folds)


@pytest.mark.parametrize("squares", [[], [(0, 0, 1, 0)], [(0, 0, 1, 0), (0, 30, 1, 0)], [(3, 3, 2, 2)]])
def test_degenerate_scenes(squares: list[tuple[int, int, int, int]]) -> None:
    rows, cols, classes, groups = scene(squares) if squares else (np.zeros(0, np.int64),) * 4
    for folds in (
        polygon_folds(rows, cols, classes, groups, gap=9, rng=np.random.default_rng(0)),
        random_split(classes, rng=np.random.default_rng(0)),
    ):
        for fold in folds.folds:
            assert set(classes[fold.train]) == set(classes)


SQUARES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9), st.integers(0, 4))


@settings(max_examples=60, deadline=None)
@given(st.lists(SQUARES, min_size=1, max_size=25), st.integers(0, 12), st.integers(0, 3))
def test_what_holds_of_any_scene(squares: list[tuple[int, int, int, int]], gap: int, seed: int) -> None:
    rows, cols, classes, groups = scene(squares)
    _, first = np.unique(rows * 1000 + cols, return_index=True)  # each pixel once, as rasterization gives
    rows, cols, classes, groups = (a[first] for a in (rows, cols, classes, groups))
    folds = polygon_folds(rows, cols, classes, groups, gap=gap, rng=np.random.default_rng(seed))
    check(folds, rows, cols, classes, gap)
    again = polygon_folds(rows, cols, classes, groups, gap=gap, rng=np.random.default_rng(seed))
    assert all((a.test == b.test).all() and (a.train == b.train).all() for a, b in zip(folds.folds, again.folds))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.integers(0, 11))
def test_distance_agrees_with_brute_force(seed: int, here: int, there: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(0, 50, (2, here))
    to_rows, to_cols = rng.integers(0, 50, (2, there))
    expected = np.minimum(brute_distance(rows, cols, to_rows, to_cols), limit + 1)
    assert (distance_within(rows, cols, to_rows, to_cols, limit) == expected).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 12))
def test_clusters_join_all_that_is_near(seed: int, count: int, reach: int) -> None:
    rows, cols = np.random.default_rng(seed).integers(0, 90, (2, count))
    clusters = find_clusters(rows, cols, reach)
    apart = np.maximum(abs(rows[:, None] - rows), abs(cols[:, None] - cols))
    same = clusters[:, None] == clusters
    assert same[apart <= reach].all()
    for cluster in np.unique(clusters):  # and nothing that is farther than two cells from all the others
        inside = clusters == cluster
        if 0 < inside.sum() < count:
            assert apart[inside][:, ~inside].min() > reach


def test_points_and_size() -> None:
    rng = np.random.default_rng(0)
    rows, cols = np.unique(rng.integers(0, 20_000, (2, 20_000)), axis=1)
    classes = rng.integers(0, 8, rows.size)
    start = time.process_time()
    folds = polygon_folds(rows, cols, classes, np.arange(rows.size), gap=9, rng=rng)
    assert time.process_time() - start < 10
    assert [np.unique(classes[fold.test]).size for fold in folds.folds] == [8] * 4
    assert sum(fold.test.size for fold in folds.folds) == rows.size


def test_choose_per_class() -> None:
    classes = np.array([2] * 50 + [0] * 7 + [5] * 20)
    chosen = choose_per_class(classes, 10, np.random.default_rng(0))
    assert np.bincount(classes[chosen]).tolist() == [7, 0, 10, 0, 0, 10]
    assert (np.diff(chosen) > 0).all()
    assert (choose_per_class(classes, 10, np.random.default_rng(1)) != chosen).any()
    assert choose_per_class(classes, 0, np.random.default_rng(0)).tolist() == list(range(77))


def test_random_split_is_stratified_and_tests_each_sample_once() -> None:
    classes = np.array([0] * 40 + [1] * 9 + [2])
    split = random_split(classes, folds=4, rng=np.random.default_rng(0), names=("a", "b", "Lone"))
    assert np.sort(np.concatenate([fold.test for fold in split.folds])).tolist() == list(range(49))
    for fold in split.folds:
        assert (classes[fold.test] == 0).sum() == 10 and (classes[fold.test] == 1).sum() in (2, 3)
        assert (classes[fold.train] == 2).sum() == 1
    assert split.unvalidated == (2,) and "Lone" in fold_sentence(split.notes[0])
