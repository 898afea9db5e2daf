"""What was drawn, as a page for people: advice first."""

from __future__ import annotations

from typing import Sequence

from . import __version__
from . import report_page as html
from .advice import ALIKE, APART
from .drawn import Drawn
from .report_page import Html, Section
from .translation import tr

_MOST_PAIRS = 20


def summary_report(drawn: Drawn, sentences: Sequence[str], *, warnings: Sequence[str]) -> str:
    """``sentences`` are the advice; ``warnings`` came up on the way."""
    sections = [
        Section(tr("What to do"), html.join([_headline(drawn), html.notes([*sentences, *warnings])])),
        _classes(drawn),
        _separability(drawn),
        _overlaps(drawn),
        _features(drawn),
    ]
    return html.page(tr("Training data"), f"BDGF {__version__}", [section for section in sections if section.body])


def _headline(drawn: Drawn) -> Html:
    return html.figures(
        [
            (tr("Classes"), len(drawn.classes)),
            (tr("Polygons"), sum(c.polygons for c in drawn.classes)),
            (tr("Pixels"), sum(c.pixels for c in drawn.classes)),
        ]
    )


def _classes(drawn: Drawn) -> Section:
    head = [
        tr("Class"),
        tr("Polygons"),
        tr("Points"),
        tr("Pixels"),
        tr("Area (ha)"),
        tr("Smallest polygon"),
        tr("Without data"),
        tr("Closest class"),
        "",
    ]
    colors = {c.name: c.color for c in drawn.classes}
    rows: list[list[html.Content]] = []
    for c in drawn.classes:
        counts = [c.polygons, c.points, c.pixels, c.area_ha, c.smallest_polygon, c.pixels_without_data]
        closest = None if c.closest_class is None else html.swatch(colors[c.closest_class], c.closest_class)
        distance = "" if c.separability is None else f"{c.separability:.2f}"
        rows.append([html.swatch(c.color, c.name), *counts, closest, distance])
    return Section(tr("Classes"), html.table(head, rows, numbers=(1, 2, 3, 4, 5, 6, 8)))


def _separability(drawn: Drawn) -> Section:
    if not drawn.separability:
        return Section("", Html(""))
    colors = {c.name: c.color for c in drawn.classes}
    rows: list[list[html.Content]] = [
        [html.swatch(colors[p.one], p.one), html.swatch(colors[p.other], p.other), f"{p.value:.2f}", _verdict(p.value)]
        for p in drawn.separability
    ]
    head = [tr("Class"), tr("Other class"), tr("Distance"), ""]
    parts = [
        html.paragraph(
            tr(
                "Jeffries-Matusita distance of the pixels' values, from 0 (alike) to 2, the closest pairs first. It "
                "sees single pixels only: the network, which sees their surroundings too, may do better."
            ),
            "quiet",
        ),
        html.table(head, rows[:_MOST_PAIRS], numbers=(2,)),
    ]
    if len(rows) > _MOST_PAIRS:
        parts.append(html.details(tr("All other pairs"), html.table(head, rows[_MOST_PAIRS:], numbers=(2,))))
    return Section(tr("Separability"), html.join(parts))


def _verdict(distance: float) -> str:
    return tr("alike") if distance < ALIKE else tr("partly apart") if distance < APART else tr("well apart")


def _overlaps(drawn: Drawn) -> Section:
    if not drawn.overlaps:
        return Section("", Html(""))
    rows: list[list[html.Content]] = [[pair.one, pair.other, int(pair.value)] for pair in drawn.overlaps]
    return Section(
        tr("Overlaps"), html.table([tr("Class"), tr("Other class"), tr("Shared pixels")], rows, numbers=(2,))
    )


def _features(drawn: Drawn) -> Section:
    kinds = (
        (tr("outside of the raster"), drawn.outside),
        (tr("no data"), drawn.without_data),
        (tr("tiny"), drawn.tiny),
    )
    rows: list[list[html.Content]] = [
        [flaw.name, why, flaw.pixels, f"{flaw.x:.10g}, {flaw.y:.10g}"] for why, flaws in kinds for flaw in flaws
    ]
    if not rows:
        return Section("", Html(""))
    place = html.paragraph(tr("Places are in the CRS of the raster; QGIS goes there from its coordinate box."), "quiet")
    found = html.table([tr("Class"), tr("Why"), tr("Pixels"), tr("Place (x, y)")], rows, numbers=(2,))
    return Section(tr("Features to look at"), html.join([place, found]))
