"""The verb ``info``: what a model file holds, without torch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional

from .checkpoint import Header, read_header
from .errors import InputError
from .files import check_writable, claim, write_whole
from .progress import Progress
from .report import model_report, write_report
from .translation import tr

_NOT_LEARNED = ("running_mean", "running_var", "num_batches_tracked", "ood.samples")


@dataclass(frozen=True)
class InfoConfig:
    """The model file, and where to write its description as a page and as JSON."""

    model: str
    html: Optional[str] = None
    json: Optional[str] = None

    def __post_init__(self) -> None:
        places = [Path(place).absolute() for place in (self.model, self.html, self.json) if place is not None]
        if len(set(places)) != len(places):
            raise InputError(tr("The model, the page and the JSON file must be three different files."))


def info(config: InfoConfig, progress: Progress) -> dict[str, Any]:
    """Write what was asked for; the result holds ``html``, ``json`` and the ``summary``.

    Raises :class:`~bdgf_core.errors.ModelFileError` for a file that is no model.
    """
    for place in (config.html, config.json):
        if place is not None:
            check_writable(place)
    with claim(config.html, config.json):
        header = read_header(config.model)
        parameters = count_parameters(header.kind, header.shapes)
        page = model_report(header.kind, header.document, parameters=parameters)
        summary = _summary(header, parameters)
        progress.check_canceled()
        if config.html is not None:
            write_report(config.html, page)
        if config.json is not None:
            write_whole(config.json, json.dumps(summary, indent=1, ensure_ascii=False).encode("utf-8", "replace"))
    progress.update(1.0)
    return {"html": config.html, "json": config.json, "summary": summary}


def count_parameters(kind: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Learned values by part: a pretrained model is a denoiser and nothing else; in a classifier a part is what stands
    before the first dot of a tensor's name."""
    counts: dict[str, int] = {}
    for name, shape in shapes.items():
        if not name.endswith(_NOT_LEARNED) and "." in name:
            part = "denoiser" if kind == "pretrained" else name.split(".")[0]
            counts[part] = counts.get(part, 0) + math.prod(shape)
    return counts


def _summary(header: Header, parameters: Mapping[str, int]) -> dict[str, Any]:
    document = header.document
    training = {key: value for key, value in (document.get("training") or {}).items() if key != "losses"}
    sensors = {role: _sensor(sensor) for role, sensor in (document.get("sensors") or {}).items() if sensor}
    summary = {
        "kind": header.kind,
        "created_with": document.get("created_with"),
        "sensors": sensors,
        "classes": document.get("legend"),
        "class_counts": document.get("class_counts"),
        "accuracy": document.get("accuracy"),
        "calibration": document.get("calibration"),
        "training": training,
        "method": document.get("method"),
        "parameters": dict(parameters),
        "sha256": header.sha256,
    }
    return {key: value for key, value in summary.items() if value is not None}


def _sensor(sensor: Mapping[str, Any]) -> dict[str, Any]:
    """What a sensor is and which bands it has; the statistics stay in the model."""
    bands = [{key: band.get(key) for key in ("number", "name", "wavelength_nm", "used")} for band in sensor["bands"]]
    return {"kind": sensor.get("kind"), "source": sensor.get("source"), "bands": bands}
