"""Calibrated confidence: one temperature, fitted where the classes are known and nothing was trained on them.

Temperature scaling (Guo et al. 2017) divides a network's logits by T. Here the answer is a mean of the probabilities
of several heads, which has no logits: their logarithms take that place, p^(1/T) made to sum to 1 (pooled first, then
calibrated, as Rahaman & Thiery 2021 found best). Guo's form is the case of one head. T > 1 makes probabilities
humbler, T < 1 bolder; the order of the classes stays, and so does the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .translation import tr

Probabilities = NDArray[np.floating[Any]]
BINS = 15  # of confidence, all of one width, as in Guo et al. 2017
BOUNDS = (0.5, 5.0)  # few polygons can all be right by luck, which tells little on how bold to be
_SMALLEST = 1e-12
_HALVINGS = 50


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What was foretold of the samples that one fold kept apart: ``probabilities`` (n, K) and true ``classes`` (n,)."""

    probabilities: Probabilities
    classes: NDArray[np.int64]


def check_temperature(value: object) -> float:
    """``value`` as a temperature; raises ValueError for what is none."""
    if type(value) not in (int, float) or not BOUNDS[0] <= value <= BOUNDS[1]:  # type: ignore[operator]
        raise ValueError(f"its temperature is {value!r}, not {BOUNDS[0]:g} to {BOUNDS[1]:g}")
    return float(value)  # type: ignore[arg-type]


def calibrated(probabilities: Probabilities, temperature: float, *, axis: int = -1) -> Probabilities:
    """The probabilities at this temperature, of the same type and shape, classes along ``axis``; NaN stays NaN."""
    if temperature == 1.0:
        return probabilities
    scaled = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
    scaled = np.exp(scaled - scaled.max(axis, keepdims=True))
    found: Probabilities = (scaled / scaled.sum(axis, keepdims=True)).astype(probabilities.dtype)
    return found


def calibrate(folds: Sequence[HeldOut]) -> dict[str, Any]:
    """The temperature that fits all folds, and how well it does, as the model document holds it.

    ``after`` is honest: each fold is judged at the temperature that the others give. Where the log loss does not fall
    that way, confidence is left as it is: ``temperature`` is 1 and ``fitted`` what was refused. Raises
    :class:`InputError` for fewer than two folds, of which none could be judged.
    """
    if len(folds) < 2:
        raise InputError(tr("Confidence can be calibrated with two folds or more."))
    crossed = [
        HeldOut(calibrated(fold.probabilities, fit_temperature(_joined([*folds[:i], *folds[i + 1 :]]))), fold.classes)
        for i, fold in enumerate(folds)
    ]
    raw, after = _joined(folds), _joined(crossed)
    fitted = fit_temperature(raw)
    losses = log_loss(raw), log_loss(after)
    return {
        "method": "temperature scaling", "temperature": round(fitted, 4) if losses[1] < losses[0] else 1.0,
        "fitted": round(fitted, 4), "samples": len(raw.classes), "folds": len(folds),
        "before": _judged(raw), "after": _judged(after),
    }  # fmt: skip


def fit_temperature(held_out: HeldOut) -> float:
    """The temperature within :data:`BOUNDS` of the least :func:`log_loss`, by bisection: the loss is convex in 1/T."""
    logs = np.log(np.maximum(held_out.probabilities.astype(np.float64), _SMALLEST))
    truth = np.take_along_axis(logs, held_out.classes[:, None], 1).mean()
    low, high = 1 / BOUNDS[1], 1 / BOUNDS[0]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rises = (calibrated(np.exp(logs), 1 / middle) * logs).sum(1).mean() > truth
        low, high = (low, middle) if rises else (middle, high)
    return 2 / (low + high)


def log_loss(held_out: HeldOut) -> float:
    """The mean of −log p of the true class."""
    truth = np.take_along_axis(held_out.probabilities, held_out.classes[:, None], 1).astype(np.float64)
    return float(-np.log(np.maximum(truth, _SMALLEST)).mean())


def reliability(held_out: HeldOut) -> list[list[float]]:
    """Samples, mean confidence and accuracy of each bin of confidence that holds any, from low to high."""
    confidence = held_out.probabilities.max(1).astype(np.float64)
    right = held_out.probabilities.argmax(1) == held_out.classes
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sums = (np.bincount(bins, weights, BINS) for weights in (confidence, right))
    rows = zip(counts.tolist(), *((total / np.maximum(counts, 1)).tolist() for total in sums))
    return [list(row) for row in rows if row[0]]


def calibration_error(rows: Sequence[Sequence[float]]) -> float:
    """Expected calibration error of :func:`reliability`: the mean gap between confidence and accuracy, by samples."""
    return sum(n * abs(confidence - right) for n, confidence, right in rows) / sum(n for n, _, _ in rows)


def _judged(held_out: HeldOut) -> dict[str, Any]:
    rows = reliability(held_out)
    rounded = [[n, round(confidence, 4), round(right, 4)] for n, confidence, right in rows]
    return {
        "calibration_error": round(calibration_error(rows), 5), "log_loss": round(log_loss(held_out), 5),
        "reliability": rounded,
    }  # fmt: skip


def _joined(folds: Sequence[HeldOut]) -> HeldOut:
    return HeldOut(
        np.concatenate([fold.probabilities for fold in folds]), np.concatenate([fold.classes for fold in folds])
    )
