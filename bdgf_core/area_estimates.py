"""Accuracy and areas of a whole map from a sample of reference data, by the stratified estimators of Olofsson et al.
2014 (Remote Sensing of Environment 148: 42–57). The strata are the classes of the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

Z = 1.96  # of the 95 % interval, as the paper has it
_FEWEST = 2  # reference samples a stratum needs for a variance


@dataclass(frozen=True, eq=False)
class AreaEstimates:
    """Fractions with standard errors (``_se``), one a class where arrays; NaN where nothing can be estimated.

    ``proportions`` is p_ij: rows map, columns reference. ``shares`` are the classes' true shares of the ``covered``
    part of the map: that of the strata ``sampled``.
    """

    sampled: npt.NDArray[np.bool_]
    covered: float
    proportions: Array
    overall: float
    overall_se: float
    users: Array
    users_se: Array
    producers: Array
    producers_se: Array
    shares: Array
    shares_se: Array


def estimate_areas(mapped: npt.ArrayLike, confusion: npt.ArrayLike) -> AreaEstimates:
    """``mapped`` holds each class's pixels in the whole map; ``confusion`` counts samples, rows reference and columns
    map, as :func:`~bdgf_core.accuracy.confusion_matrix` gives them. Strata with fewer than two samples are left out."""
    whole = np.asarray(mapped, np.float64)
    counts = np.asarray(confusion, np.float64).T  # n_ij: rows map, as in the paper
    sampled = (whole > 0) & (counts.sum(1) >= _FEWEST)
    weights = _weights(whole, sampled)  # W_i
    counts = np.where(sampled[:, None], counts, 0.0)
    total = counts.sum(1)  # n_i.
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.where(sampled[:, None], counts / total[:, None], 0.0)
        spread = np.where(sampled, 1.0 / (total - 1.0), 0.0)[:, None] * rates * (1.0 - rates)  # V(n_ij / n_i.)
        proportions = weights[:, None] * rates  # eq. 4
        shares = proportions.sum(0)  # eq. 9
        users = np.where(sampled, rates.diagonal(), np.nan)  # eq. 2
        producers = proportions.diagonal() / shares  # eq. 3
        squares = weights[:, None] ** 2 * spread
        own = squares.diagonal()
        others = squares.sum(0) - own
        return AreaEstimates(
            sampled=sampled,
            covered=float(whole[sampled].sum() / whole.sum()) if whole.sum() else 0.0,
            proportions=proportions,
            overall=float(proportions.trace()) if sampled.any() else np.nan,  # eq. 1
            overall_se=float(np.sqrt(own.sum())) if sampled.any() else np.nan,  # eq. 5
            users=users,
            users_se=np.where(sampled, np.sqrt(spread.diagonal()), np.nan),  # eq. 6
            producers=producers,
            producers_se=np.sqrt((1 - producers) ** 2 * own + producers**2 * others) / shares,  # eq. 7
            shares=shares,
            shares_se=np.sqrt(squares.sum(0)),  # eq. 10
        )


def area_shares(mapped: npt.ArrayLike, confusion: npt.ArrayLike, sampled: npt.NDArray[np.bool_]) -> Array:
    """The classes' shares (eq. 9) of the strata ``sampled`` alone; NaN where one of them is empty in ``confusion``."""
    counts = np.asarray(confusion, np.float64).T[sampled]
    with np.errstate(invalid="ignore"):
        shares: Array = _weights(np.asarray(mapped, np.float64), sampled)[sampled] @ (counts / counts.sum(1)[:, None])
    return shares


def _weights(mapped: Array, sampled: npt.NDArray[np.bool_]) -> Array:
    kept: Array = np.where(sampled, mapped, 0.0)
    kept /= max(kept.sum(), 1.0)
    return kept
