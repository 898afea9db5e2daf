"""The figures of an asymmetric matrix by hand, so that a transposed one cannot pass."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bdgf_core.accuracy import Accuracy, confusion_matrix
from bdgf_core.errors import InputError

GOLDEN = ((5, 3, 0), (0, 8, 2), (1, 0, 1))  # rows reference, columns predicted


def test_rows_are_reference_and_columns_predicted() -> None:
    reference = [0] * 8 + [1] * 10 + [2] * 2
    predicted = [0] * 5 + [1] * 3 + [1] * 8 + [2] * 2 + [0, 2]
    assert confusion_matrix(reference, predicted, 3).tolist() == [list(row) for row in GOLDEN]


def test_golden_figures() -> None:
    accuracy = Accuracy(GOLDEN)
    assert accuracy.overall == pytest.approx(14 / 20)
    assert accuracy.producers == pytest.approx((5 / 8, 8 / 10, 1 / 2))
    assert accuracy.users == pytest.approx((5 / 6, 8 / 11, 1 / 3))
    assert accuracy.f1 == pytest.approx((10 / 14, 16 / 21, 2 / 5))
    assert accuracy.average == pytest.approx((0.625 + 0.8 + 0.5) / 3)
    chance = (8 * 6 + 10 * 11 + 2 * 3) / 400
    assert accuracy.kappa == pytest.approx((0.7 - chance) / (1 - chance))


def test_absent_classes_are_none_and_leave_the_average_alone() -> None:
    accuracy = Accuracy(((4, 0, 1, 0), (2, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)))
    assert accuracy.producers == (0.8, 0.0, None, None)
    assert accuracy.users == (4 / 6, None, 0.0, None)
    assert accuracy.f1 == (8 / 11, 0.0, None, None)
    assert accuracy.average == pytest.approx(0.4)
    assert "NaN" not in json.dumps(accuracy.to_json())


@pytest.mark.parametrize("matrix", [((0, 0), (0, 0)), ()])
def test_nothing_to_compare_gives_none(matrix: tuple[tuple[int, ...], ...]) -> None:
    accuracy = Accuracy(matrix)
    assert (accuracy.overall, accuracy.average, accuracy.kappa) == (None, None, None)


def test_kappa_is_none_where_chance_agrees_fully() -> None:
    assert Accuracy(((7, 0), (0, 0))).kappa is None


def test_json_round_trip() -> None:
    accuracy = Accuracy(GOLDEN)
    item = json.loads(json.dumps(accuracy.to_json()))
    assert Accuracy.from_json(item) == accuracy
    assert item["per_class"][0] == {
        "reference": 8, "predicted": 6, "producers_accuracy": 0.625, "users_accuracy": 5 / 6, "f1": 10 / 14,
    }  # fmt: skip


@pytest.mark.parametrize("reference, predicted", [([0, 3], [0, 0]), ([0], [-1]), ([0.5], [0]), ([0, 1], [0])])
def test_bad_samples_are_refused(reference: list[float], predicted: list[float]) -> None:
    with pytest.raises(InputError):
        confusion_matrix(reference, predicted, 3)


def test_bad_matrices_are_refused() -> None:
    for matrix in (((1, 2), (3,)), ((1, -1), (0, 1))):
        with pytest.raises(InputError):
            Accuracy(matrix)


@pytest.mark.parametrize("classes, samples, seed", [(2, 30, 0), (6, 9, 1), (4, 200, 2), (5, 40, 3)])
def test_agrees_with_scikit_learn(classes: int, samples: int, seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    reference, predicted = rng.integers(0, classes, (2, samples))
    matrix = confusion_matrix(reference, predicted, classes)
    assert matrix.sum() == samples
    assert (matrix == metrics.confusion_matrix(reference, predicted, labels=range(classes))).all()
    kappa = Accuracy.of(matrix).kappa
    if kappa is not None:
        assert kappa == pytest.approx(metrics.cohen_kappa_score(reference, predicted))
