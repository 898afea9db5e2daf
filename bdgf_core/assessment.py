"""The document of an assessment: all its figures and intervals by name, as they stand in its JSON file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Sequence

import numpy as np
import numpy.typing as npt

from .accuracy import Accuracy
from .area_estimates import AreaEstimates, Z, area_shares, estimate_areas
from .bootstrap import Clusters, cluster_intervals, percentiles
from .intervals import sample_intervals
from .legend import Legend
from .progress import Progress

DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Evidence:
    """``clusters`` hold the samples by class of the ``legend``, ``mapped`` the pixels of each class in the whole map;
    ``hectares`` is the size of a pixel, None where it is not the same everywhere."""

    legend: Legend
    mapped: npt.NDArray[np.int64]
    clusters: Clusters
    hectares: Optional[float]


def assessment(evidence: Evidence, *, clustered: bool, seed: int, progress: Progress) -> dict[str, Any]:
    """What can be said of the map: ``accuracy``, ``intervals`` as if samples were independent, ``cluster_intervals``
    (None unless ``clustered``) and ``areas``."""
    confusion = evidence.clusters.confusion()
    accuracy = Accuracy.of(confusion)
    estimates = estimate_areas(evidence.mapped, confusion)
    draws: list[Accuracy] = []
    shares: list[npt.NDArray[np.float64]] = []
    if clustered:
        redrawn = evidence.clusters.redrawn(DRAWS, np.random.default_rng(seed))
        for number, matrix in enumerate(redrawn, start=1):
            draws.append(Accuracy.of(matrix))
            shares.append(area_shares(evidence.mapped, matrix, estimates.sampled))
            progress.update(number / DRAWS)
    return {
        "legend": evidence.legend.to_json(),
        "accuracy": accuracy.to_json(),
        "intervals": sample_intervals(accuracy).to_json(),
        "cluster_intervals": cluster_intervals(draws).to_json() if clustered else None,
        "areas": _areas(evidence, estimates, shares),
    }


def _areas(
    evidence: Evidence, estimates: AreaEstimates, draws: Sequence[npt.NDArray[np.float64]]
) -> Optional[dict[str, Any]]:
    """None where no class of the map has samples enough."""
    if not estimates.sampled.any():
        return None
    size = evidence.hectares or 1.0
    whole = float(evidence.mapped[estimates.sampled].sum() * size)
    # of a class whose stratum was left out only the part in other strata would be told
    told = estimates.sampled | (evidence.mapped == 0)
    drawn = [percentiles(list(column)) for column in zip(*draws)] or [None] * len(told)
    per_class = [
        {
            "mapped": float(mapped * size),
            "adjusted": whole * share if tell else None,
            "margin": Z * whole * se if tell else None,
            "cluster_interval": [whole * limit for limit in limits] if tell and limits else None,
            "users_accuracy": _known(users),
            "users_margin": _known(Z * users_se),
            "producers_accuracy": _known(producers) if tell else None,
            "producers_margin": _known(Z * producers_se) if tell else None,
        }
        for mapped, tell, share, se, limits, users, users_se, producers, producers_se in zip(
            evidence.mapped.tolist(), told.tolist(), estimates.shares.tolist(), estimates.shares_se.tolist(), drawn,
            estimates.users.tolist(), estimates.users_se.tolist(), estimates.producers.tolist(),
            estimates.producers_se.tolist(),
        )
    ]  # fmt: skip
    return {
        "source": "Olofsson et al. 2014",
        "unit": "pixels" if evidence.hectares is None else "ha",
        "covered": estimates.covered,
        "overall_accuracy": estimates.overall,
        "overall_margin": Z * estimates.overall_se,
        "per_class": per_class,
        "proportions": estimates.proportions.tolist(),
    }


def _known(value: float) -> Optional[float]:
    return value if value == value else None
