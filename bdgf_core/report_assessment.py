"""An assessment as a page for people."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from . import report_page as html
from .report_charts import bar, matrix
from .report_page import Html, Section, amount
from .translation import tr

Document = Mapping[str, Any]

_FIGURES = (
    ("overall_accuracy", tr("Overall accuracy")),
    ("average_accuracy", tr("Average accuracy")),
    ("kappa", tr("Kappa")),
)
_BY_CLASS = (
    ("producers_accuracy", tr("Producer's accuracy")),
    ("users_accuracy", tr("User's accuracy")),
    ("f1", tr("F1")),
)
_WHY = {
    "polygons": tr(
        "The {samples} reference pixels lie in {features} polygons and are no random sample of the map. Pixels "
        "of one polygon resemble each other, so the intervals come from drawing whole polygons anew, {draws} times. A "
        "class with fewer than about three polygons has no interval, nor has a figure in which all polygons agree."
    ),
    "points": tr(
        "The {samples} reference pixels lie under points. The intervals hold if the points were drawn at random; "
        "points chosen by hand are no random sample."
    ),
    "raster": tr(
        "The {samples} pixels of the reference raster count as if drawn at random. Neighbouring pixels resemble "
        "each other, so the true intervals are wider."
    ),
}
_AREA_WHY = {
    "polygons": tr(
        "They hold for pixels drawn at random in each class of the map. Polygons drawn by hand are no such "
        "sample: take the areas as a hint, and their uncertainty from the column by polygons."
    ),
    "points": tr("They hold for points drawn at random in each class of the map, or in the whole map."),
    "raster": tr(
        "They hold for pixels drawn at random in each class of the map; margins from neighbouring pixels are too "
        "narrow."
    ),
}


def assessment_report(document: Document) -> str:
    """The page; takes the document of the verb ``assess``."""
    sections = [_accuracy(document), _classes(document), _confusion(document), _areas(document), _provenance(document)]
    return html.page(tr("Accuracy of a map"), str(document["created_with"]), sections)


def _accuracy(document: Document) -> Section:
    accuracy, clusters = document["accuracy"], document["cluster_intervals"]
    headline = [(title, _figure(name, accuracy[name])) for name, title in _FIGURES]
    why = _WHY[document["kind"]].format(**document)
    intervals = [tr("95 % by polygons"), tr("95 % if pixels were independent")] if clusters else [tr("95 %")]
    head = ["", tr("Value"), *intervals]
    rows: list[list[html.Content]] = []
    for name, title in _FIGURES:
        limits = [found[name] for found in (clusters, document["intervals"]) if found]
        rows.append([title, _figure(name, accuracy[name]), *(_range(name, pair) for pair in limits)])
    parts = [html.figures(headline), html.paragraph(why, "quiet"), html.table(head, rows)]
    return Section(tr("Accuracy"), html.join([*parts, html.notes(document["warnings"])]))


def _classes(document: Document) -> Section:
    intervals = document["cluster_intervals"] or document["intervals"]
    head = [tr("Class"), tr("Value"), tr("Reference"), tr("Mapped"), *(title for _, title in _BY_CLASS)]
    rows: list[list[html.Content]] = []
    for entry, found, limits in zip(document["legend"], document["accuracy"]["per_class"], intervals["per_class"]):
        row: list[html.Content] = [_swatch(entry), entry["value"], found["reference"], found["predicted"]]
        row += [html.over(bar(found[name]), _range(name, limits[name])) for name, _ in _BY_CLASS]
        rows.append(row)
    told = tr("Reference and mapped count the reference pixels of the class, by either.")
    if document["cluster_intervals"]:
        under = tr("Under each figure its 95 % interval, by polygons.")
    else:
        under = tr("Under each figure its 95 % interval.")
    note = html.paragraph(f"{told} {under}", "quiet")
    return Section(tr("Classes"), html.join([html.table(head, rows, numbers=(1, 2, 3)), note]))


def _confusion(document: Document) -> Section:
    names = [entry["name"] for entry in document["legend"]]
    colors = [entry["color"] for entry in document["legend"]]
    note = html.paragraph(tr("Counts of reference pixels; the shade shows the share of the row."), "quiet")
    return Section(tr("Confusion matrix"), html.join([matrix(document["accuracy"]["confusion"], names, colors), note]))


def _areas(document: Document) -> Section:
    areas = document["areas"]
    if not areas:
        return Section(
            tr("Areas"), html.paragraph(tr("No class of the map has reference pixels enough for an estimate."))
        )
    unit = tr("pixels") if areas["unit"] == "pixels" else areas["unit"]
    clustered = bool(document["cluster_intervals"])
    head = [tr("Class"), tr("Mapped ({unit})", unit=unit), tr("Estimated ({unit})", unit=unit)]
    head += [tr("95 % by polygons")] * clustered + [tr("User's accuracy"), tr("Producer's accuracy")]
    rows: list[list[html.Content]] = []
    for entry, area in zip(document["legend"], areas["per_class"]):
        row: list[html.Content] = [
            _swatch(entry),
            amount(area["mapped"]),
            _around(area["adjusted"], area["margin"]),
        ]
        if clustered:
            limits = area["cluster_interval"]
            row.append(tr("{low} to {high}", low=amount(limits[0]), high=amount(limits[1])) if limits else None)
        row += [_share(area["users_accuracy"], area["users_margin"])]
        row += [_share(area["producers_accuracy"], area["producers_margin"])]
        rows.append(row)
    overall = _share(areas["overall_accuracy"], areas["overall_margin"])
    told = [
        tr(
            "The map's own areas are biased by its confusions. These estimates, with 95 % margins, weigh the reference "
            "by the area of each class on the map (Olofsson et al. 2014); overall accuracy is then {overall}.",
            overall=overall,
        ),
        " ".join(
            (
                _AREA_WHY[document["kind"]],
                tr("Where the sample holds no error there is no margin, but may be errors."),
            )
        ),
    ]
    if areas["covered"] < 1:
        told.append(
            tr(
                "They are for {share:.1f} % of the map: classes of the map with fewer than two reference pixels are "
                "left out.",
                share=100 * areas["covered"],
            )
        )
    if areas["unit"] == "pixels":
        told.append(
            tr("Pixels of this grid are not of the same known size; reproject the map to a CRS of equal areas.")
        )
    table = html.table(head, rows, numbers=range(1, len(head)))
    return Section(tr("Areas"), html.join([*(html.paragraph(sentence, "quiet") for sentence in told), table]))


def _provenance(document: Document) -> Section:
    facts = [
        (tr("Map"), document["map"]),
        (tr("Reference"), document["reference"]),
        (tr("Class field"), document["class_field"]),
    ]
    rows = [[pair["reference"], pair["samples"], pair["name"] or tr("left out")] for pair in document["matches"]]
    matches = html.table([tr("Class of the reference"), tr("Pixels"), tr("Class of the map")], rows, numbers=(1,))
    return Section(tr("Provenance"), html.join([html.pairs(facts), html.heading(tr("Classes compared")), matches]))


def _swatch(entry: Mapping[str, Any]) -> Html:
    return html.swatch(entry["color"], entry["name"])


def _figure(name: str, value: Optional[float]) -> Html:
    return html.text(value if value is None else f"{value:.3f}") if name == "kappa" else html.percent(value)


def _range(name: str, limits: Optional[Sequence[float]]) -> Html:
    if limits is None:
        return html.text(None)
    low, high = limits
    if name == "kappa":
        return html.text(tr("{low:.3f} to {high:.3f}", low=low, high=high))
    return html.text(tr("{low:.1f} to {high:.1f} %", low=100 * low, high=100 * high))


def _around(value: Optional[float], margin: Optional[float]) -> Optional[str]:
    """Without a margin of nothing, which only says that the sample holds no error."""
    if value is None:
        return None
    return f"{amount(value)} ± {amount(margin)}" if margin else amount(value)


def _share(value: Optional[float], margin: Optional[float]) -> Optional[str]:
    if value is None:
        return None
    return f"{100 * value:.1f} ± {100 * margin:.1f} %" if margin else f"{100 * value:.1f} %"
