"""How far the confidence of a classifier can be believed, as a section of its report."""

from __future__ import annotations

from html import escape
from typing import Any, Mapping, Sequence

from . import report_page as html
from .calibration import check_temperature
from .report_axes import Axes, panels, svg
from .report_page import Html, Section
from .translation import tr

_SIDE = 330
_LARGEST = 13.0  # radius of a dot that stands for all samples


def confidence_section(document: Mapping[str, Any]) -> Section:
    """From the model document's ``calibration``; says so where there is none."""
    found = document.get("calibration")
    if not found:
        none = tr("It was not calibrated: that takes validation in two folds or more, which keep pixels apart for it.")
        return Section(tr("Confidence"), html.paragraph(none))
    temperature, before, after = check_temperature(found["temperature"]), found["before"], found["after"]
    errors = html.percent(before["calibration_error"]), html.percent(after["calibration_error"])
    losses = {"before": f"{before['log_loss']:.3f}", "after": f"{after['log_loss']:.3f}"}
    if temperature == 1.0:
        headline = [(tr("Calibration error"), errors[0])]
        pictures = [(tr("As it is"), _diagram(before["reliability"]))]
        told = tr(
            "The confidence of maps is left as it is: scaled by a temperature, at best {fitted:.2f}, it would be no "
            "truer on folds that this was not fitted to (log loss {before}, then {after}).",
            fitted=float(found["fitted"]), **losses,
        )  # fmt: skip
    else:
        headline = [(tr("Calibration error"), errors[1]), (tr("before"), errors[0])]
        headline.append((tr("Temperature"), html.text(f"{temperature:.2f}")))
        pictures = [(tr("Before"), _diagram(before["reliability"])), (tr("After"), _diagram(after["reliability"]))]
        told = tr(
            "The confidence of maps is scaled by this temperature: above 1 it becomes humbler, below 1 bolder. The "
            "classes stay as they are. Log loss was {before} and is {after}. Each fold is judged at the temperature "
            "that the others gave.",
            **losses,
        )
    read = tr(
        "Of the validation pixels with a confidence of 80 %, 80 % should be right: dots on the line. Dots below it are "
        "overconfident; their size shows how many pixels they stand for. The calibration error is their mean distance "
        "from the line. Pixels of one polygon are right or wrong together, so few polygons scatter the dots by chance."
    )
    notes = [html.paragraph(told, "quiet"), html.paragraph(read, "quiet")]
    return Section(tr("Confidence"), html.join([html.figures(headline), *notes, panels(pictures)]))


def _diagram(rows: Sequence[Sequence[float]]) -> Html:
    """Accuracy by confidence (Guo et al. 2017); each row holds samples, mean confidence and accuracy."""
    axes = Axes((0.0, 100.0), (0.0, 100.0), _SIDE, _SIDE)
    total = sum(count for count, _, _ in rows)
    dots = [(axes.across(100 * x), axes.up(100 * y), (n / total) ** 0.5 * _LARGEST, n, x, y) for n, x, y in rows]
    (left, low), (right, high) = (axes.place(v, v).split(",") for v in (0.0, 100.0))
    ideal = f'<line class="ideal" x1="{left}" y1="{low}" x2="{right}" y2="{high}"/>'
    parts: list[str] = [axes.drawn(tr("confidence (%)"), tr("right pixels (%)")), ideal]
    parts.append('<polyline class="s0" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in dots) + '"/>')
    for x, y, radius, count, confidence, accuracy in dots:
        told = tr(
            "{count:g} pixels, confidence {confidence:.0%}, right {accuracy:.0%}",
            count=count, confidence=confidence, accuracy=accuracy,
        )  # fmt: skip
        dot = f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{max(radius, 2.2):.1f}">'
        parts.append(f"{dot}<title>{escape(told)}</title></circle>")
    return svg(_SIDE, _SIDE, parts, label=tr("Share of right pixels by confidence"))
