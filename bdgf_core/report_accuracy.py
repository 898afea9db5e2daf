"""How well a classifier did on what was kept apart, as sections of its report."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from . import report_page as html
from .accuracy import Accuracy
from .legend import Legend
from .report_charts import against, bar, matrix
from .report_page import Html, Section
from .samples.fold_notes import fold_sentence
from .translation import tr

Document = Mapping[str, Any]

_PROTOCOLS = {
    "polygon": tr(
        "Judged on polygons that were kept out of the training, in {folds} folds, with a gap of {gap} pixels."
    ),
    "random": tr(
        "Judged on random pixels, in {folds} folds. They lie beside training pixels, so the figures are optimistic: on "
        "new ground expect less."
    ),
}


def accuracy_sections(document: Document, legend: Legend, warnings: Sequence[str]) -> list[Section]:
    """The headline, the classes, the confusion matrix, and what a random split or no diffusion features would have
    told; ``warnings`` stand under the headline."""
    found = document.get("accuracy")
    if not found:
        told = html.join([html.paragraph(tr("It was not validated.")), html.notes(warnings)])
        return [Section(tr("Accuracy"), told), _classes(document, legend, None)]
    own = Accuracy.from_json(found)
    if len(own.confusion) != len(legend):
        raise ValueError(f"{len(legend)} classes, but a matrix of {len(own.confusion)}")
    notes = html.notes([*map(fold_sentence, found.get("notes") or ()), *warnings])
    how = protocol(found)
    if found.get("protocol") == "polygon" and not found.get("random_split"):
        how += " " + tr(
            "Pixels drawn at random would flatter it, as test pixels then lie beside training pixels; the preset "
            "standard shows by how much."
        )
    told = html.join([html.figures(headline(own)), html.paragraph(how, "quiet"), notes])
    sections = [Section(tr("Accuracy"), told), _classes(document, legend, own), _confusion(own, legend)]
    if found.get("random_split"):
        sections.append(_random_split(own, Accuracy.from_json(found["random_split"]), legend))
    if found.get("without_features"):
        sections.append(_without_features(own, Accuracy.from_json(found["without_features"]), legend))
    return sections


def headline(accuracy: Accuracy) -> list[tuple[str, Html]]:
    kappa = html.text(None if accuracy.kappa is None else f"{accuracy.kappa:.3f}")
    return [
        (tr("Overall accuracy"), html.percent(accuracy.overall)),
        (tr("Average accuracy"), html.percent(accuracy.average)),
        (tr("Kappa"), kappa),
    ]


def protocol(found: Document) -> str:
    """How the accuracy of a model document was found, in a sentence."""
    kind = str(found.get("protocol"))
    if kind not in _PROTOCOLS:
        return kind
    return _PROTOCOLS[kind].format(folds=found.get("folds"), gap=found.get("gap"))


def _classes(document: Document, legend: Legend, accuracy: Optional[Accuracy]) -> Section:
    counts = list(document.get("class_counts") or [None] * len(legend))
    head = [tr("Class"), tr("Value"), tr("Labelled pixels")]
    rows: list[list[html.Content]] = [
        [html.swatch(c.color, c.name), c.value, count] for c, count in zip(legend.classes, counts)
    ]
    if accuracy:
        head += [tr("Producer's accuracy"), tr("User's accuracy"), tr("F1")]
        for row, *figures in zip(rows, accuracy.producers, accuracy.users, accuracy.f1):
            row += [bar(figure) for figure in figures]
    return Section(tr("Classes"), html.table(head, rows, numbers=(1, 2)))


def _confusion(accuracy: Accuracy, legend: Legend) -> Section:
    shown = matrix(accuracy.confusion, legend.names, [c.color for c in legend.classes])
    note = html.paragraph(tr("Counts of validation pixels; the shade shows the share of the row."), "quiet")
    return Section(tr("Confusion matrix"), html.join([shown, note]))


def _random_split(own: Accuracy, other: Accuracy, legend: Legend) -> Section:
    told = tr(
        "A random split of the same pixels would give the rings: the optimistic figures that are often published, as "
        "its test pixels lie beside training pixels. Dots are the figures above, on polygons kept apart. Where the two "
        "are far apart a class looks different from place to place: polygons in more places would help it most."
    )
    table = _beside(own, other, legend, tr("● Polygons"), tr("○ Random pixels"))
    return Section(tr("Polygons against random pixels"), html.join([html.paragraph(told, "quiet"), table]))


def _without_features(own: Accuracy, other: Accuracy, legend: Legend) -> Section:
    told = tr(
        "The same folds once more, without the diffusion features that pretraining gave: rings. Where dots lie to the "
        "right of them, pretraining paid."
    )
    table = _beside(own, other, legend, tr("● With features"), tr("○ Without"))
    return Section(tr("What pretraining brings"), html.join([html.paragraph(told, "quiet"), table]))


def _beside(own: Accuracy, other: Accuracy, legend: Legend, dots: str, rings: str) -> Html:
    pairs = [(html.text(tr("Overall accuracy")), own.overall, other.overall)]
    pairs.append((html.text(tr("Average accuracy")), own.average, other.average))
    swatches = [html.swatch(c.color, c.name) for c in legend.classes]
    pairs += zip(swatches, own.f1, other.f1)
    head = [tr("Accuracy, and F1 by class"), tr("0 to 100 %"), dots, rings]
    rows = [[name, against(a, b), html.percent(a), html.percent(b)] for name, a, b in pairs]
    return html.table(head, rows, numbers=(2, 3))
