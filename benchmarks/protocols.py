"""How the labelled pixels are divided: as in the paper, or honestly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bdgf_core.errors import InputError
from bdgf_core.raster.labels import Labels
from bdgf_core.samples.splits import Fold, Folds, choose_per_class, polygon_folds

_MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class Protocol:
    """``pixels:N``: N random pixels a class train, all others test, as the paper does; optimistic. ``polygons:F``: F
    folds of whole polygons, a gap of a patch between. ``apart``: the label layer trains, the reference tests."""

    kind: str
    number: int = 0

    def __post_init__(self) -> None:
        least = {"pixels": 1, "polygons": 2, "apart": 0}
        if self.kind not in least or self.number < least[self.kind]:
            raise InputError(f"Protocol {self} is not known; use polygons:F, pixels:N or apart.")

    @classmethod
    def parse(cls, text: str) -> Protocol:
        kind, _, number = text.partition(":")
        if number and not number.isdigit():
            raise InputError(f"Protocol {text!r} is not known; use polygons:F, pixels:N or apart.")
        return cls(kind, int(number or 0))

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.number else self.kind

    @property
    def title(self) -> str:
        return {
            "pixels": f"{self.number} random pixels a class, tested on all others (optimistic)",
            "polygons": f"{self.number} folds of whole polygons, a patch width apart",
            "apart": "trained on the polygons, tested on a reference elsewhere",
        }[self.kind]

    def folds(self, labels: Labels, apart: np.ndarray, *, gap: int, seed: int) -> Folds:
        """Numbers of labelled pixels. Raises :class:`InputError` where the labels do not allow it."""
        rng = np.random.default_rng(seed)
        drawn = np.flatnonzero(~apart)
        if self.kind == "apart":
            if not apart.any():
                raise InputError("The scene has no reference to test on; use polygons:F or pixels:N.")
            return Folds((Fold(_at_most(labels, drawn, rng), np.flatnonzero(apart)),))
        if self.kind == "pixels":
            counts = zip(labels.legend.names, labels.subset(drawn).counts())
            small = [name for name, count in counts if count <= self.number]
            if small:
                raise InputError(f"No more than {self.number} pixels are there of {', '.join(small)}; take fewer.")
            train = drawn[choose_per_class(labels.classes[drawn], self.number, rng)]
            return Folds((Fold(train, np.setdiff1d(drawn, train)),))
        taken = _at_most(labels, drawn, rng)
        some = labels.subset(taken)
        found = polygon_folds(
            some.rows, some.cols, some.classes, some.groups, gap=gap, folds=self.number, rng=rng,
            names=labels.legend.names,
        )  # fmt: skip
        folds = tuple(Fold(taken[fold.train], taken[fold.test]) for fold in found.folds)
        if len(folds) < 2:
            raise InputError("The polygons lie too close together for folds; use another protocol.")
        return Folds(folds, found.notes, found.unvalidated)


def _at_most(labels: Labels, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As in training: no more pixels than can be used, the classes evenly."""
    per_class = len(index)
    counts = np.bincount(labels.classes[index])
    while np.minimum(counts, per_class).sum() > _MOST_SAMPLES:
        per_class = per_class * 9 // 10
    return index[choose_per_class(labels.classes[index], per_class, rng)]
