"""How the losses fell, for a report: apart by sensor in pretraining, apart by kind in training."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from . import report_page as html
from .report_axes import panels
from .report_curves import curves
from .report_page import Html, Section
from .translation import tr

Rows = Sequence[Mapping[str, Any]]
Series = dict[str, list[tuple[float, float]]]

_PANEL = 290
_MODALITIES = {"unmasked": tr("Spectral"), "masked": tr("Spectral, where masked"), "second": tr("Second sensor")}
_SURE = "unlabelled, sure"
_KINDS = {"cross-entropy": tr("cross-entropy"), "mutual learning": tr("mutual learning")}
_TEMPERATURE = "T "  # begins the names of the temperatures of mutual learning


def losses_section(title: str, document: Any) -> Section:
    """Of the training that a model ``document`` tells of; empty where it tells no losses."""
    rows: Rows = (document.get("training") or {}).get("losses") or []
    key = "epoch" if any("epoch" in row for row in rows) else "step"
    series = _series(rows, key)
    unit = {"epoch": tr("epoch"), "step": tr("step")}[key]
    apart = [name for name in _MODALITIES if name in series]
    if apart:
        series.pop("total", None)  # it falls as masks grow, which tells nothing
    pictures = [(_MODALITIES[name], _curve({name: series.pop(name)}, unit)) for name in apart]
    temperatures = {name: series.pop(name) for name in [*series] if name.startswith(_TEMPERATURE)}
    sure = {_SURE: series.pop(_SURE)} if _SURE in series else {}
    named = {name.removeprefix(_TEMPERATURE): points for name, points in temperatures.items()}
    told = {_KINDS.get(name, name): points for name, points in series.items()}
    pictures += [
        (tr("Loss"), curves(told, x_label=unit, y_label="", width=_PANEL if apart else 2 * _PANEL)),
        (tr("Temperature of mutual learning"), _curve(named, unit)),
        (tr("Share of unlabelled pixels it is sure of"), _curve(sure, unit)),
    ]
    shown = panels(pictures)
    note = tr(
        "Mean absolute error in foretelling the noise; a blind guess errs by 0.80. Where the spectral image is masked "
        "the noise is all there is to see: that error falls at once and tells little."
    )
    return Section(title, html.join([shown, html.paragraph(note, "quiet") if apart else ""]) if shown else Html(""))


def _curve(series: Series, unit: str) -> Html:
    return curves(series, x_label=unit, y_label="", width=_PANEL, height=200)


def _series(rows: Rows, unit: str) -> Series:
    series: Series = {}
    for row in rows:
        for name, value in row.items():
            if name != unit and value is not None:
                series.setdefault(str(name), []).append((float(row[unit]), float(value)))
    return series
