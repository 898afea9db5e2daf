"""Training and test pixels never meet, and each protocol keeps its word."""

from __future__ import annotations

import numpy as np
import pytest

from bdgf_core.errors import InputError
from benchmarks.configurations import find_configuration
from benchmarks.measure import folds_within
from benchmarks.open_scene import labels_from_image
from benchmarks.protocols import Protocol


def scene(size: int = 60) -> np.ndarray:
    """Class rasters of squares of 6 pixels, 20 apart."""
    image = np.zeros((size, size), int)
    for number, (row, col) in enumerate((r, c) for r in range(0, size, 20) for c in range(0, size, 20)):
        image[row : row + 6, col : col + 6] = 1 + number % 3
    return image


LABELS = labels_from_image(scene(), {})
NONE_APART = np.zeros(len(LABELS), bool)


def test_the_papers_protocol() -> None:
    (fold,) = Protocol.parse("pixels:10").folds(LABELS, NONE_APART, gap=9, seed=3).folds
    assert np.bincount(LABELS.classes[fold.train]).tolist() == [10, 10, 10]
    assert sorted([*fold.train, *fold.test]) == list(range(len(LABELS)))
    again, other = (Protocol("pixels", 10).folds(LABELS, NONE_APART, gap=9, seed=s).folds[0] for s in (3, 4))
    assert (again.train == fold.train).all() and (other.train != fold.train).any()


def test_whole_polygons_a_patch_apart() -> None:
    folds = Protocol.parse("polygons:3").folds(LABELS, NONE_APART, gap=9, seed=0).folds
    assert len(folds) == 3 and sum(len(fold.test) for fold in folds) == len(LABELS)
    for fold in folds:
        assert not set(LABELS.groups[fold.train]) & set(LABELS.groups[fold.test])
        rows = np.abs(LABELS.rows[fold.train][:, None] - LABELS.rows[fold.test])
        cols = np.abs(LABELS.cols[fold.train][:, None] - LABELS.cols[fold.test])
        assert np.maximum(rows, cols).min() > 9


def test_a_reference_elsewhere() -> None:
    apart = LABELS.cols > 30
    (fold,) = Protocol.parse("apart").folds(LABELS, apart, gap=9, seed=0).folds
    assert (LABELS.cols[fold.train] <= 30).all() and (LABELS.cols[fold.test] > 30).all()
    for text, still in (("polygons:2", apart), ("pixels:10", LABELS.rows > 50)):
        for fold in Protocol.parse(text).folds(LABELS, still, gap=9, seed=0).folds:
            assert not still[fold.train].any() and not still[fold.test].any()
    with pytest.raises(InputError, match="no reference"):
        Protocol.parse("apart").folds(LABELS, NONE_APART, gap=9, seed=0)


@pytest.mark.parametrize("text", ["pixels", "pixels:0", "polygons:1", "polygons:x", "random:3", ""])
def test_unknown_protocols_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="not known"):
        Protocol.parse(text)


def test_too_few_pixels_are_told_by_class() -> None:
    with pytest.raises(InputError, match="No more than 108 pixels are there of 1, 2, 3"):
        Protocol("pixels", 108).folds(LABELS, NONE_APART, gap=9, seed=0)


def test_names_come_back() -> None:
    for text in ("pixels:50", "polygons:3", "apart"):
        assert str(Protocol.parse(text)) == text and Protocol.parse(text).title


def test_one_fold_settles_the_shares_within_its_training_polygons() -> None:
    settings, apart = find_configuration("quick").settings(), LABELS.cols > 30
    wanted = Protocol.parse("apart")
    folds = wanted.folds(LABELS, apart, gap=9, seed=0)
    within = folds_within(settings, folds, wanted, LABELS, 0)
    assert len(within) > 1 and not apart[np.concatenate([[*fold.train, *fold.test] for fold in within])].any()
    assert all(not set(LABELS.groups[fold.train]) & set(LABELS.groups[fold.test]) for fold in within)
    alone = find_configuration("quick+no-trees+no-regression").settings()
    assert not folds_within(alone, folds, wanted, LABELS, 0)
    assert not folds_within(settings, folds, Protocol.parse("polygons:3"), LABELS, 0)
