"""The verb ``assess``: how well a map agrees with reference data that it was not made from, without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from . import __version__
from .assessment import DRAWS, Evidence, assessment
from .assessment_csv import assessment_csv
from .bootstrap import Clusters
from .class_match import Pairs, idle_pairs, listed, match_classes
from .errors import InputError, check_seed
from .files import check_writable, claim, write_whole
from .legend import LandCoverClass, Legend
from .progress import Progress
from .raster.class_raster import ClassRaster
from .raster.labels import LabelSource
from .raster.pixel_area import pixel_hectares
from .report import write_report
from .report_assessment import assessment_report
from .tally import LabelReference, RasterReference, Reference, Tally, tally
from .translation import tr


@dataclass(frozen=True)
class AssessConfig:
    """The class raster ``map``, and what to hold it against: ``reference`` polygons or points, or a
    ``reference_raster`` of classes. ``pairs`` of a reference class and a map class, by name, label or value, stand
    where neither names nor values agree. Page, table and JSON are written on request; ``seed`` is for the drawing
    of polygons."""

    map: str
    reference: Optional[LabelSource] = None
    reference_raster: Optional[str] = None
    pairs: Optional[tuple[tuple[str, str], ...]] = None
    html: Optional[str] = None
    csv: Optional[str] = None
    json: Optional[str] = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if (self.reference is None) == (self.reference_raster is None):
            raise InputError(tr("Give either a reference layer with its class field or a reference raster."))
        places = [Path(place).absolute() for place in (self.html, self.csv, self.json) if place]
        if len(set(places)) != len(places):
            raise InputError(tr("Two outputs have the same name; give each its own."))

    @property
    def source(self) -> str:
        """Where the reference comes from."""
        return str(self.reference.path if self.reference else self.reference_raster)


def assess(config: AssessConfig, progress: Progress) -> dict[str, Any]:
    """Write what was asked for; the result holds the outputs and the figures, those of ``classes`` too.

    Raises :class:`InputError` where map and reference cannot be compared. Memory grows with the labelled pixels, not
    with the rasters.
    """
    for place in (config.html, config.csv, config.json):
        if place:
            check_writable(place, inputs=[config.map, config.source])
    with claim(config.html, config.csv, config.json):
        summary = _assess(config, progress)
        progress.update(1.0)  # the last chance to stop
        if config.html:
            write_report(config.html, assessment_report(summary))
        if config.csv:
            write_whole(config.csv, assessment_csv(summary))
        if config.json:
            text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
            write_whole(config.json, text.encode("utf-8", "replace"))
    return {"html": config.html, "csv": config.csv, "json": config.json, **_figures(summary)}


def _assess(config: AssessConfig, progress: Progress) -> dict[str, Any]:
    """The assessment as strict JSON; what it finds is told."""
    raster = ClassRaster(config.map)
    reference: Reference
    if config.reference is not None:
        reference = LabelReference(config.reference, raster.grid)
    else:
        reference = RasterReference(config.source, raster.grid)
    counted = tally(raster, reference, progress.part(0.0, 0.8))
    comparison = _Comparison(config, counted, raster.legend(counted.present), reference.legend(counted.references))
    evidence = comparison.evidence(pixel_hectares(raster.grid))
    clustered = not reference.is_raster and evidence.clusters.several
    warnings = [*reference.warnings, *comparison.warnings()]
    matches = comparison.matches()
    for match in matches:
        if match["name"] and match["name"].casefold() != match["reference"].casefold():
            progress.message(
                tr("{one} of the reference is {other} of the map.", one=match["reference"], other=match["name"])
            )
    for warning in warnings:
        progress.warning(warning)
    return {
        "created_with": f"BDGF {__version__}",
        "map": str(config.map),
        "reference": config.source,
        "class_field": config.reference.field if config.reference else None,
        "kind": "raster" if reference.is_raster else "polygons" if clustered else "points",
        "samples": int(evidence.clusters.count.sum()),
        "features": None if reference.is_raster else evidence.clusters.number,
        "matches": matches,
        "draws": DRAWS if clustered else 0,
        "seed": config.seed,
        "warnings": warnings,
        **assessment(evidence, clustered=clustered, seed=config.seed, progress=progress.part(0.8, 0.99)),
    }


def _figures(summary: dict[str, Any]) -> dict[str, Any]:
    accuracy, wanted = summary["accuracy"], ("producers_accuracy", "users_accuracy", "f1")
    classes = [
        {"name": entry["name"], "samples": found["reference"], **{name: found[name] for name in wanted}}
        for entry, found in zip(summary["legend"], accuracy["per_class"])
    ]
    figures = {name: accuracy[name] for name in ("overall_accuracy", "average_accuracy", "kappa")}
    return {**figures, "samples": summary["samples"], "classes": classes}


class _Comparison:
    """The counted values as classes of the map; what has none is left out and told."""

    def __init__(self, config: AssessConfig, counted: Tally, mapped: Legend, reference: Legend) -> None:
        self._config, self._counted, self._mapped, self._reference = config, counted, mapped, reference
        self._pairs: Pairs = config.pairs or ()
        self._matched = match_classes(reference, mapped, self._pairs)
        known = np.array([self._matched[int(value)] is not None for value in counted.reference], bool)
        self._kept = known & (counted.found >= 0)

    def evidence(self, hectares: Optional[float]) -> Evidence:
        counted, kept = self._counted, self._kept
        if not (counted.found >= 0).any():
            raise InputError(
                tr(
                    "Nowhere do {reference} and {map} both have a class; check their extents and nodata values.",
                    reference=self._config.source,
                    map=self._config.map,
                )
            )
        if not kept.any():
            raise InputError(
                tr(
                    "None of the reference classes ({reference}) is a class of the map ({map}); pair them by name or "
                    "value.",
                    reference=listed(self._reference.classes),
                    map=listed(self._mapped.classes),
                )
            )
        wanted = np.array([self._matched[int(value)] for value in counted.reference[kept]], np.int64)
        values = np.union1d(counted.present, wanted)
        legend = Legend(tuple(self._named(c) for c in self._mapped.classes if c.value in values))
        clusters = Clusters(
            counted.features[kept],
            np.searchsorted(values, wanted),
            np.searchsorted(values, counted.found[kept]),
            counted.counts[kept],
            len(values),
        )
        return Evidence(legend, counted.mapped[values], clusters, hectares)

    def matches(self) -> list[dict[str, Any]]:
        classes: dict[Optional[int], str] = {c.value: self._named(c).name for c in self._mapped.classes}
        return [
            {"reference": c.name, "samples": self._samples(c.value), "map": value, "name": classes.get(value)}
            for c in self._reference.classes
            for value in [self._matched[c.value]]
        ]

    def warnings(self) -> list[str]:
        told = []
        unmatched = [c for c in self._reference.classes if self._matched[c.value] is None]
        if unmatched:
            counts = {c.value: self._samples(c.value) for c in unmatched}
            told.append(
                tr(
                    "Reference classes that the map does not know are left out: {classes} pixels. Pair them with its "
                    "classes if it names them otherwise.",
                    classes=listed(unmatched, counts),
                )
            )
        unmapped = int(self._counted.counts[self._counted.found < 0].sum())
        if unmapped:
            told.append(tr("Reference pixels where the map has no data are left out: {count}.", count=unmapped))
        idle = idle_pairs(self._reference, self._mapped, self._pairs)
        if idle:
            told.append(
                tr(
                    "Pairs with a class that is not there: {pairs}.",
                    pairs=", ".join(f"{one}={other}" for one, other in idle),
                )
            )
        return told

    def _named(self, entry: LandCoverClass) -> LandCoverClass:
        """By the reference's name and colour where the map has but a number."""
        others = [c for c in self._reference.classes if self._matched[c.value] == entry.value]
        if entry.name != str(entry.value) or len(others) != 1:
            return entry
        return replace(entry, name=others[0].name, color=others[0].color)

    def _samples(self, value: int) -> int:
        return int(self._counted.counts[self._counted.reference == value].sum())
