"""95 % intervals of the figures of a confusion matrix, as if its samples were drawn one by one at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from .accuracy import Accuracy, Figure

Interval = Optional[tuple[float, float]]  # None where nothing can be said

_Z = 1.959964


@dataclass(frozen=True)
class Intervals:
    """Those of an :class:`~bdgf_core.accuracy.Accuracy`, by the same names."""

    overall: Interval
    average: Interval
    kappa: Interval
    producers: tuple[Interval, ...]
    users: tuple[Interval, ...]
    f1: tuple[Interval, ...]

    def to_json(self) -> dict[str, Any]:
        names = ("producers_accuracy", "users_accuracy", "f1")
        return {
            "overall_accuracy": self.overall,
            "average_accuracy": self.average,
            "kappa": self.kappa,
            "per_class": [dict(zip(names, found)) for found in zip(self.producers, self.users, self.f1)],
        }


def sample_intervals(accuracy: Accuracy) -> Intervals:
    """Of samples that know nothing of each other; far too narrow for the pixels of polygons."""
    producers = tuple(map(wilson, accuracy.correct, accuracy.reference_counts))
    unions = (r + p - c for c, r, p in zip(accuracy.correct, accuracy.reference_counts, accuracy.predicted_counts))
    return Intervals(
        overall=wilson(sum(accuracy.correct), accuracy.total),
        average=_average(accuracy, producers),
        kappa=_kappa(accuracy),
        producers=producers,
        users=tuple(map(wilson, accuracy.correct, accuracy.predicted_counts)),
        f1=tuple(_f1(c, u) if r else None for c, u, r in zip(accuracy.correct, unions, accuracy.reference_counts)),
    )


def wilson(part: int, whole: int) -> Interval:
    """The score interval of a proportion (Wilson 1927), which also holds near 0 and 1."""
    if not whole:
        return None
    share, square = part / whole, _Z**2 / whole
    middle = (share + square / 2) / (1 + square)
    reach = _Z * math.sqrt(share * (1 - share) / whole + square / (4 * whole)) / (1 + square)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def _average(accuracy: Accuracy, producers: tuple[Interval, ...]) -> Interval:
    """Of a mean of independent proportions, from their own intervals (Zou, Huang and Zhang 2009)."""
    average = accuracy.average
    classes = [(p, *limits) for p, limits in zip(accuracy.producers, producers) if p is not None and limits is not None]
    if average is None:
        return None
    below = math.sqrt(sum((share - low) ** 2 for share, low, _ in classes)) / len(classes)
    above = math.sqrt(sum((high - share) ** 2 for share, _, high in classes)) / len(classes)
    return max(average - below, 0.0), min(average + above, 1.0)


def _f1(correct: int, union: int) -> Interval:
    """F1 is 2 J / (1 + J) of the share J that is right among the samples of the class in either: a proportion, so
    that its interval is Wilson's. Its width tends to that of the delta method, F1 (1 − F1) (2 − F1) / (reference +
    predicted) being the variance there."""
    limits = wilson(correct, union)
    return limits and (2 * limits[0] / (1 + limits[0]), 2 * limits[1] / (1 + limits[1]))


def _kappa(accuracy: Accuracy) -> Interval:
    """By the delta method (Fleiss, Cohen and Everitt 1969, as Congalton and Green give it)."""
    kappa, variance = accuracy.kappa, kappa_variance(accuracy)
    if kappa is None or not variance:
        return None
    reach = _Z * math.sqrt(variance)
    return max(kappa - reach, -1.0), min(kappa + reach, 1.0)


def kappa_variance(accuracy: Accuracy) -> Figure:
    total = accuracy.total
    if accuracy.kappa is None:
        return None
    share = np.array(accuracy.confusion, np.float64) / total
    rows, columns, right = share.sum(1), share.sum(0), share.diagonal()
    one, two = right.sum(), (rows * columns).sum()
    three = (right * (rows + columns)).sum()
    four = (share * (rows[None, :] + columns[:, None]) ** 2).sum()  # of cell i, j: row sum of j and column sum of i
    apart = 1 - two
    variance = (
        one * (1 - one) / apart**2
        + 2 * (1 - one) * (2 * one * two - three) / apart**3
        + (1 - one) ** 2 * (four - 4 * two**2) / apart**4
    ) / total
    return max(float(variance), 0.0)
