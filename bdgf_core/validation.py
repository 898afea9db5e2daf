"""Validation: the folds that judge a training, and what the samples they kept apart tell of it."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from .accuracy import Accuracy, confusion_matrix
from .calibration import HeldOut, calibrate
from .network.config import PATCH
from .progress import Progress
from .raster.labels import Labels
from .samples.splits import Folds, polygon_folds, random_split
from .translation import tr

VALIDATIONS = ("polygon", "random", "none")


def validation_folds(kind: str, labels: Labels, *, folds: int, minimum: int, seed: int) -> Folds:
    """Up to so many ``folds``, none for the kind "none"; a class keeps ``minimum`` training pixels where it can."""
    if kind == "none":
        return Folds(())
    rng, names = np.random.default_rng(seed), labels.legend.names
    if kind == "random":
        return random_split(labels.classes, folds=folds, rng=rng, names=names)
    return polygon_folds(
        labels.rows, labels.cols, labels.classes, labels.groups, gap=PATCH, folds=folds, minimum=minimum, rng=rng,
        names=names,
    )  # fmt: skip


def accuracy_document(
    kind: str, folds: Folds, held_out: Sequence[HeldOut], random: Optional[HeldOut], classes: int
) -> Optional[dict[str, Any]]:
    """The accuracy over all folds as the model document holds it, with that of a ``random`` split beside it; None
    without folds."""
    if not held_out:
        return None
    matrices = [confusion_of(fold, classes) for fold in held_out]
    return {
        "protocol": kind, "gap": PATCH, "folds": len(held_out), "notes": list(folds.notes),
        **Accuracy.of(np.sum(matrices, 0)).to_json(),
        "random_split": Accuracy.of(confusion_of(random, classes)).to_json() if random else None,
    }  # fmt: skip


def without_features(
    accuracy: dict[str, Any], held_out: Sequence[HeldOut], classes: int, progress: Progress
) -> dict[str, Any]:
    """The accuracy of the same folds without diffusion features, as the model document holds it; both are told."""
    found = Accuracy.of(np.sum([confusion_of(fold, classes) for fold in held_out], 0)).to_json()
    figures = {
        which: f"{100 * document['overall_accuracy']:.1f} % / {100 * document['average_accuracy']:.1f} %"
        for which, document in (("with_them", accuracy), ("without", found))
    }
    progress.message(
        tr(
            "Overall / average accuracy with the diffusion features of pretraining {with_them}, without them "
            "{without}.",
            **figures,
        )
    )
    return found


def calibration_document(held_out: Sequence[HeldOut], progress: Progress) -> Optional[dict[str, Any]]:
    """That of :func:`~bdgf_core.calibration.calibrate`, or None where there are too few folds; it is told."""
    if len(held_out) < 2:
        progress.message(tr("Confidence is not calibrated: that takes validation in two folds or more."))
        return None
    found = calibrate(held_out)
    before, after = (f"{100 * found[when]['calibration_error']:.1f} %" for when in ("before", "after"))
    if found["temperature"] == 1.0:
        told = tr(
            "Confidence stays as it is, with a calibration error of {before}: scaling would not mend it.", before=before
        )
    else:
        told = tr(
            "Confidence is calibrated with temperature {temperature:.2f}: on folds that it was not fitted to, the "
            "calibration error falls from {before} to {after}.",
            temperature=found["temperature"], before=before, after=after,
        )  # fmt: skip
    progress.message(told)
    return found


def confidence_figures(calibration: Optional[dict[str, Any]]) -> dict[str, Optional[float]]:
    """The temperature of the classifier, and its calibration error once it is applied."""
    if calibration is None:
        return {"temperature": None, "calibration_error": None}
    used = calibration["before" if calibration["temperature"] == 1.0 else "after"]
    return {"temperature": calibration["temperature"], "calibration_error": used["calibration_error"]}


def confusion_of(fold: HeldOut, classes: int) -> NDArray[np.int64]:
    """(K, K) of a fold, for K ``classes``."""
    return confusion_matrix(fold.classes, fold.probabilities.argmax(1), classes)
