"""The verb ``trainingsummary``: what the drawn polygons are worth, before anything is trained on them."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any, Optional

import numpy as np

from .advice import advice
from .drawn import Drawn, DrawnClass, resolve, summarize
from .errors import InputError
from .files import check_writable, claim, write_whole
from .pixel_values import read_pixels
from .progress import Progress
from .raster.labels import LabelSource, claim_pixels
from .raster.pixel_area import middle_pixel_hectares
from .raster.stack import RasterSource
from .report import write_report
from .report_summary import summary_report
from .samples.separability import separability
from .samples.splits import choose_per_class
from .sensors import open_stack
from .spreadsheet import spreadsheet
from .translation import tr

_COMPARED = 1000  # pixels of a class whose values are compared; more change little
_MOST_CLASSES = 256  # every pair of them is compared


@dataclass(frozen=True)
class TrainingsummaryConfig:
    """The rasters, the training data, and where to write the page, the JSON file and the table of classes.
    ``minimum_pixels`` is what training will ask of a class."""

    spectral: RasterSource
    labels: LabelSource
    second: Optional[RasterSource] = None
    report: Optional[str] = None
    json: Optional[str] = None
    csv: Optional[str] = None
    minimum_pixels: int = 10

    def __post_init__(self) -> None:
        if self.minimum_pixels < 1:
            raise InputError(
                tr(
                    "The minimum of pixels must be at least 1, not {minimum_pixels}.",
                    minimum_pixels=self.minimum_pixels,
                )
            )
        places = [Path(place).absolute() for place in (self.report, self.json, self.csv) if place is not None]
        if len(set(places)) != len(places):
            raise InputError(tr("The report, the JSON file and the table must be three different files."))


def trainingsummary(config: TrainingsummaryConfig, progress: Progress) -> dict[str, Any]:
    """Count, compare and advise; the result holds the files written, the ``advice`` and the ``summary``."""
    outputs = (config.report, config.json, config.csv)
    inputs = [config.spectral.path, config.labels.path, *([config.second.path] if config.second else [])]
    for path in outputs:
        if path is not None:
            check_writable(path, inputs=inputs)
    with claim(*filter(None, outputs)):
        drawn, warnings = _summarize(config, progress)
        sentences = advice(drawn)
        for sentence in sentences:
            progress.message(sentence)
        document = {"advice": list(sentences), **asdict(drawn)}
        progress.check_canceled()
        if config.report is not None:
            write_report(config.report, summary_report(drawn, sentences, warnings=warnings))
        if config.json is not None:
            write_whole(config.json, json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "replace"))
        if config.csv is not None:
            write_whole(config.csv, _table(drawn))
    progress.update(1.0)
    return {"report": config.report, "json": config.json, "csv": config.csv, "summary": document}


def _summarize(config: TrainingsummaryConfig, progress: Progress) -> tuple[Drawn, tuple[str, ...]]:
    with open_stack(config.spectral, config.second, progress, second_kind="") as stack:
        claims = claim_pixels(config.labels, stack.grid)
        for warning in claims.warnings:
            progress.warning(warning)
        if len(claims.legend) > _MOST_CLASSES:
            raise InputError(
                tr(
                    "Field {field!r} of {path} holds {count} classes; choose the field that names the land cover.",
                    field=config.labels.field,
                    path=config.labels.path,
                    count=len(claims.legend),
                )
            )
        resolved = resolve(claims)
        compared = np.zeros(len(resolved.pixels), bool)
        compared[choose_per_class(resolved.classes, _COMPARED, np.random.default_rng(0))] = True
        with_data, values = read_pixels(stack, resolved.pixels, compared, progress.part(0.0, 0.9))
        hectares = middle_pixel_hectares(stack.grid)
        warnings = (*stack.warnings, *claims.warnings)
    there = with_data[compared]
    distances = separability(
        [bands[:, there] for bands in values.values()], resolved.classes[compared][there], len(claims.legend)
    )
    met = {c.label for c in claims.legend.classes}
    drawn = summarize(
        claims, resolved, with_data, distances, pixel_hectares=hectares,
        undrawn=[name or label for label, name, _ in config.labels.classes or () if label not in met],
        minimum_pixels=config.minimum_pixels,
    )  # fmt: skip
    return drawn, warnings


def _table(drawn: Drawn) -> bytes:
    return spreadsheet([[field.name for field in fields(DrawnClass)], *map(astuple, drawn.classes)])
