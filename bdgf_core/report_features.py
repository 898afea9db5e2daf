"""The branches' features on a plane, as a section of a classifier's report."""

from __future__ import annotations

from html import escape
from typing import Any, Mapping

import numpy as np

from . import report_page as html
from .legend import Legend
from .report_axes import panels, svg
from .report_page import Html, Section
from .translation import tr

_SIDE, _EDGE = 300, 14
_TITLES = {"cnn": "CNN", "transformer": "Transformer", "mamba": "Mamba"}


def features_section(document: Mapping[str, Any], legend: Legend) -> Section:
    """From the model document's ``features``; empty without."""
    found = document.get("features")
    if not found:
        return Section("", Html(""))
    classes = [int(index) for index in found["classes"]]
    pictures = [
        (_TITLES.get(name, str(name)), _scatter(places, classes, legend)) for name, places in found["branches"].items()
    ]
    told = tr(
        "{count} pixels as each branch sees them, on a plane: those lie together that it finds alike (t-SNE, van der "
        "Maaten & Hinton 2008; distances between groups mean little). Classes that mingle are hard to tell apart. "
        "Numbers are class values.",
        count=len(classes),
    )
    seen = (
        tr("The pixels were kept out of the training.")
        if found.get("held_out")
        else tr("The pixels were trained on, since none were kept apart: on others classes mingle more.")
    )
    shown = [legend.classes[index] for index in sorted(set(classes))]
    key = html.join(f"<li>{html.swatch(c.color, f'{c.value} {c.name}')}</li>" for c in shown)
    body = [html.paragraph(f"{told} {seen}", "quiet"), Html(f'<ul class="key">{key}</ul>'), panels(pictures)]
    return Section(tr("Features"), html.join(body))


def _scatter(places: Any, classes: list[int], legend: Legend) -> Html:
    """``places`` (n, 2) within −1 and 1."""
    points = np.asarray(places, np.float64)
    if points.shape != (len(classes), 2):
        raise ValueError(f"{len(classes)} classes, but places of shape {points.shape}")
    points = _EDGE + (1 + points * (1, -1)) / 2 * (_SIDE - 2 * _EDGE)
    dots, names = [], []
    for index in sorted(set(classes)):
        entry, own = legend.classes[index], points[np.equal(classes, index)]
        circles = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3"/>' for x, y in own)
        dots.append(f'<g class="dots" fill="{entry.color}"><title>{escape(entry.name)}</title>{circles}</g>')
        x, y = own[((own - np.median(own, 0)) ** 2).sum(1).argmin()]  # a pixel amid its class
        names.append(f'<text class="over" x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{entry.value}</text>')
    frame = f'<rect class="frame" width="{_SIDE}" height="{_SIDE}" rx="4"/>'
    return svg(_SIDE, _SIDE, [frame, *dots, *names], label=tr("Features of a branch on a plane, coloured by class"))
