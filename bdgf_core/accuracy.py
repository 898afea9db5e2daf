"""How well a map agrees with reference data: the confusion matrix and what is read off it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .translation import tr

Figure = Optional[float]  # a fraction, or None where there is nothing to divide by


def confusion_matrix(reference: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Counts of shape ``(classes, classes)``: rows are the reference, columns the prediction.

    Both inputs hold class indices 0 … ``classes`` − 1, one a sample. Raises :class:`InputError` for anything else.
    """
    pair = [np.asarray(values).ravel() for values in (reference, predicted)]
    if pair[0].size != pair[1].size:
        raise InputError(
            tr(
                "{reference} reference samples cannot be compared with {predicted} predicted ones.",
                reference=pair[0].size,
                predicted=pair[1].size,
            )
        )
    for values in pair:
        if values.size and (values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= classes):
            raise InputError(tr("Class indices must be whole numbers from 0 to {most}.", most=classes - 1))
    rows, columns = (values.astype(np.int64) for values in pair)
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class Accuracy:
    """The figures of one confusion matrix (rows reference, columns predicted), all fractions.

    What cannot be computed is None, never NaN: the producer's accuracy and F1 of a class that the reference lacks, the
    user's accuracy of a class that was never predicted, kappa where chance alone agrees fully.
    """

    confusion: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.confusion) for row in self.confusion):
            raise InputError(tr("A confusion matrix needs as many rows as columns."))
        if any(count < 0 for row in self.confusion for count in row):
            raise InputError(tr("A confusion matrix holds counts; none may be negative."))

    @classmethod
    def of(cls, matrix: npt.ArrayLike) -> Accuracy:
        """From an array of counts, as :func:`confusion_matrix` gives it."""
        return cls(tuple(tuple(int(count) for count in row) for row in np.asarray(matrix)))

    @property
    def reference_counts(self) -> tuple[int, ...]:
        return tuple(sum(row) for row in self.confusion)

    @property
    def predicted_counts(self) -> tuple[int, ...]:
        return tuple(sum(column) for column in zip(*self.confusion))

    @property
    def correct(self) -> tuple[int, ...]:
        return tuple(row[index] for index, row in enumerate(self.confusion))

    @property
    def total(self) -> int:
        return sum(self.reference_counts)

    @property
    def overall(self) -> Figure:
        return _ratio(sum(self.correct), self.total)

    @property
    def average(self) -> Figure:
        """Mean producer's accuracy over the classes that the reference holds."""
        recalls = [recall for recall in self.producers if recall is not None]
        return _ratio(sum(recalls), len(recalls))

    @property
    def kappa(self) -> Figure:
        """Cohen's kappa."""
        by_chance = sum(r * p for r, p in zip(self.reference_counts, self.predicted_counts))
        return _ratio(self.total * sum(self.correct) - by_chance, self.total**2 - by_chance)

    @property
    def producers(self) -> tuple[Figure, ...]:
        """Recall: the share of a class's reference samples that the map got right."""
        return tuple(map(_ratio, self.correct, self.reference_counts))

    @property
    def users(self) -> tuple[Figure, ...]:
        """Precision: the share of a class's mapped samples that are truly it."""
        return tuple(map(_ratio, self.correct, self.predicted_counts))

    @property
    def f1(self) -> tuple[Figure, ...]:
        counts = zip(self.correct, self.reference_counts, self.predicted_counts)
        return tuple(_ratio(2 * right, r + p) if r else None for right, r, p in counts)

    def to_json(self) -> dict[str, Any]:
        """The figures by the names of the model document; ``per_class`` stands in the order of the classes."""
        per_class = zip(self.reference_counts, self.predicted_counts, self.producers, self.users, self.f1)
        names = ("reference", "predicted", "producers_accuracy", "users_accuracy", "f1")
        return {
            "overall_accuracy": self.overall,
            "average_accuracy": self.average,
            "kappa": self.kappa,
            "per_class": [dict(zip(names, figures)) for figures in per_class],
            "confusion": [list(row) for row in self.confusion],
        }

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Accuracy:
        """Back from :meth:`to_json`; the figures are computed anew from the counts."""
        return cls.of(item["confusion"])


def _ratio(part: float, whole: float) -> Figure:
    return part / whole if whole else None
