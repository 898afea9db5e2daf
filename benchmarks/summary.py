"""Figures over runs, as the paper's Table 7 defines them, and whether one configuration beats another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from .ledger import Entry


@dataclass(frozen=True)
class Summary:
    """Of ``count`` runs, as fractions; what one run cannot tell is None. ``interval`` is the half width of the 95 %
    interval by the t distribution, ``cv`` and ``nsi`` are std / mean (the paper writes the first in per cent)."""

    count: int
    mean: float
    std: Optional[float]
    interval: Optional[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Raises ValueError for no values."""
        if not len(values):
            raise ValueError("no values to sum up")
        mean = float(np.mean(values))
        if len(values) == 1:
            return cls(1, mean, None, None)
        std = float(np.std(values, ddof=1))
        return cls(len(values), mean, std, t_quantile(len(values) - 1) * std / math.sqrt(len(values)))

    @property
    def nsi(self) -> Optional[float]:
        return None if self.std is None or not self.mean else self.std / self.mean

    @property
    def cv(self) -> Optional[float]:
        return self.nsi


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, freedom))


def paired(ones: Sequence[Entry], others: Sequence[Entry], figure: str = "overall") -> Optional[Summary]:
    """The difference of a figure of :class:`~bdgf_core.accuracy.Accuracy` between two configurations, by fold and
    seed; None where fewer than two pairs were measured on the same pixels."""
    theirs = {entry.seed: entry for entry in others}
    differences = []
    for entry in ones:
        other = theirs.get(entry.seed)
        if other is None:
            continue
        for one, two in zip(entry.accuracies, other.accuracies):
            first, second = getattr(one, figure), getattr(two, figure)
            if one.reference_counts == two.reference_counts and first is not None and second is not None:
                differences.append(first - second)
    return Summary.of(differences) if len(differences) > 1 else None
