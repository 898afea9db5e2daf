"""95 % intervals where samples come in clusters: pixels of one polygon are alike, so whole polygons are drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from .accuracy import Accuracy, Figure
from .intervals import Interval, Intervals

Integers = npt.NDArray[np.int64]

_ENOUGH = 0.9  # of the draws must hold a class, which takes three polygons of it


@dataclass(frozen=True, eq=False)
class Clusters:
    """Samples as counts of (cluster, reference, predicted); the latter are class indices 0 … ``classes`` − 1."""

    cluster: Integers
    reference: Integers
    predicted: Integers
    count: Integers
    classes: int

    @property
    def number(self) -> int:
        """How many clusters there are."""
        return len(np.unique(self.cluster))

    @property
    def several(self) -> bool:
        """Whether any cluster has more than one sample."""
        return int(self.count.sum()) > self.number

    def confusion(self) -> Integers:
        """All counts, rows reference and columns predicted."""
        return self._confusion(self.count)

    def redrawn(self, draws: int, rng: np.random.Generator) -> Iterator[Integers]:
        """The confusion matrices of as many clusters drawn with replacement."""
        index, number = np.unique(self.cluster, return_inverse=True)[1], self.number
        for _ in range(draws):
            times = np.bincount(rng.integers(0, number, number), minlength=number)
            yield self._confusion(times[index] * self.count)

    def _confusion(self, counts: Integers) -> Integers:
        cells = np.bincount(self.reference * self.classes + self.predicted, counts, self.classes**2)
        return cells.astype(np.int64).reshape(self.classes, self.classes)


def cluster_intervals(draws: Sequence[Accuracy]) -> Intervals:
    """From the figures of redrawn matrices."""
    return Intervals(
        overall=percentiles([draw.overall for draw in draws]),
        average=percentiles([draw.average for draw in draws]),
        kappa=percentiles([draw.kappa for draw in draws]),
        producers=tuple(map(percentiles, zip(*(draw.producers for draw in draws)))),
        users=tuple(map(percentiles, zip(*(draw.users for draw in draws)))),
        f1=tuple(map(percentiles, zip(*(draw.f1 for draw in draws)))),
    )


def percentiles(figures: Sequence[Figure]) -> Interval:
    """The middle 95 %; None where too many draws lack the figure, or all agree and so tell nothing of its spread."""
    known = [figure for figure in figures if figure is not None and figure == figure]
    if len(known) < _ENOUGH * len(figures) or min(known, default=0.0) == max(known, default=0.0):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
