"""Which places to label next, and why: a batch for one round of active learning.

Uncertainty alone picks the same kind of place again and again, so a batch is spread out (Demir, Persello and Bruzzone
2011): sites keep a distance from each other, and are dealt to the classes on the map in proportion to their scores.
"""

from __future__ import annotations

from typing import Iterator

import numpy as np
from numpy.typing import NDArray

from .progress import Progress
from .site_candidates import Candidates
from .translation import tr

_NOTABLE = 0.75  # a share of the map that a place must exceed for it to be a reason


def choose(candidates: Candidates, number: int, distance: float, progress: Progress) -> NDArray[np.int64]:
    """Up to ``number`` of the candidates, the most useful first, at least ``distance`` pixels from each other.

    Each time the one with the highest score over 1 + the sites that its class has, as seats are dealt by D'Hondt.
    """
    free = np.ones(len(candidates.score), bool)
    dealt = np.zeros(int(candidates.classes.max(initial=0)) + 1)
    chosen: list[int] = []
    while len(chosen) < number and free.any():
        value = np.where(free, candidates.score / (1.0 + dealt[candidates.classes]), -1.0)
        best = int(value.argmax())
        chosen.append(best)
        dealt[candidates.classes[best]] += 1
        apart = np.hypot(candidates.rows - candidates.rows[best], candidates.cols - candidates.cols[best])
        free &= apart >= max(distance, 0.5)
        progress.update(len(chosen) / number)
    return np.array(chosen, np.int64)


def reason(candidates: Candidates, index: int) -> str:
    """Why that candidate, in words."""
    reasons = sorted(_reasons(candidates, index), reverse=True)
    if not reasons:
        return tr("to spread the sites over the scene and its classes")
    return "; ".join(text for _, text in reasons)


def _reasons(candidates: Candidates, index: int) -> Iterator[tuple[float, str]]:
    """With the share of the map that has less of it."""
    means = {name: float(values[index]) for name, values in candidates.means.items()}
    below = {name: candidates.share_below(name, value) for name, value in means.items() if np.isfinite(value)}
    uncertain = below.get("entropy", 1.0 - below["confidence"] if "confidence" in below else 0.0)
    if uncertain >= _NOTABLE:
        yield uncertain, tr("less certain than {percent} % of the map", percent=int(99.99 * uncertain))
    if below.get("disagreement", 0.0) >= _NOTABLE:
        percent = int(99.99 * below["disagreement"])
        yield below["disagreement"], tr("branches disagree more than on {percent} % of the map", percent=percent)
    if means.get("ood", 0.0) > 1.0:
        yield below["ood"], tr("unlike the training samples ({times:.2f} × the threshold)", times=means["ood"])
