"""How much each member of a classifier counts: a linear opinion pool (Stone 1961) whose shares are fitted where the
classes are known and nothing was trained on them. Not in the paper.

M members; n samples; K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .calibration import HeldOut
from .progress import Progress
from .translation import tr

Shares = NDArray[np.float64]
_NAMES = {"branches": tr("branches"), "trees": tr("trees"), "regression": tr("regression")}

_PRIOR = 20.0  # so many polygons speak for the shares as they were
_DOUBT = 0.02  # of every answer is left to all classes alike: no sample counts without bound
_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Opinions:
    """What each member foretells of the samples that one fold kept apart: ``probabilities`` (M, n, K), true
    ``classes`` (n,) and the ``polygons`` (n,) they lie in."""

    probabilities: NDArray[np.floating[Any]]
    classes: NDArray[np.int64]
    polygons: NDArray[np.integer[Any]]

    def pooled(self, shares: Sequence[float] | Shares) -> HeldOut:
        """What all foretell together."""
        return HeldOut(np.tensordot(np.asarray(shares), self.probabilities, 1).astype(np.float32), self.classes)


def fit_shares(folds: Sequence[Opinions], prior: Sequence[float]) -> Shares:
    """(M,) shares of the answer, summing to 1, that make the classes of ``folds`` most likely.

    Polygons count by the root of their size and as many as they are, since their pixels resemble each other;
    ``prior`` (M,) counts as some more, so that few polygons change little. By expectation maximisation (Dempster et
    al. 1977); the loss is convex.
    """
    shares = known = np.asarray(prior, np.float64)
    told = [_of_the_truth(fold) for fold in folds]
    if not sum(found.shape[1] for found in told):
        return shares
    likely = np.concatenate(told, 1)
    weight = np.concatenate([_weights(fold.polygons) for fold in folds])
    for _ in range(_ROUNDS):
        part = shares[:, None] * likely
        counts = (part / part.sum(0) * weight).sum(1) + _PRIOR * known
        shares = counts / counts.sum()
    return shares


def crossed_shares(folds: Sequence[Opinions], prior: Sequence[float], *, more: Sequence[Opinions] = ()) -> list[Shares]:
    """For each fold the shares that the other folds give, and ``more`` that judge none."""
    return [fit_shares([*folds[:i], *folds[i + 1 :], *more], prior) for i in range(len(folds))]


def cross_fitted(folds: Sequence[Opinions], prior: Sequence[float]) -> list[HeldOut]:
    """What all members together foretell of each fold, with its :func:`crossed_shares`."""
    return [fold.pooled(shares) for fold, shares in zip(folds, crossed_shares(folds, prior))]


def tell_shares(shares: Mapping[str, float], progress: Progress) -> None:
    progress.message(tr("Shares of the answer, by what held-out polygons say: {shares}.", shares=shares_told(shares)))


def shares_told(shares: Mapping[str, float]) -> str:
    """As percentages, by member."""
    return ", ".join(f"{_NAMES[name]} {100 * share:.0f} %" for name, share in shares.items())


def _of_the_truth(fold: Opinions) -> NDArray[np.float64]:
    """(M, n) probabilities of the true classes."""
    classes = fold.probabilities.shape[2]
    truth = fold.probabilities[:, np.arange(len(fold.classes)), fold.classes].astype(np.float64)
    return (1 - _DOUBT) * truth + _DOUBT / classes


def _weights(polygons: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    _, member, count = np.unique(polygons, return_inverse=True, return_counts=True)
    weight = count[member] ** -0.5
    scaled: NDArray[np.float64] = weight * (len(count) / weight.sum())
    return scaled
