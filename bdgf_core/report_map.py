"""A map as a page for people: the picture with its legend, how much there is of each class, what it came from."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Mapping

from . import report_page as html
from .accuracy import Accuracy
from .duration import duration
from .legend import Legend
from .report_accuracy import headline, protocol
from .report_charts import bar
from .report_page import Html, Section
from .translation import tr

Document = Mapping[str, Any]

_LEAST_SIDE = 480  # of the picture on the page; a smaller one is drawn with larger pixels


def map_report(document: Document, picture: bytes) -> str:
    """The page; takes the document of the verb ``classify`` and the picture as PNG."""
    legend = Legend.from_json(document["legend"])
    sections = [_map(document, legend, picture), _classes(document, legend), _accuracy(document), _provenance(document)]
    return html.page(tr("Land-cover map"), str(document["created_with"]), [s for s in sections if s.body])


def _map(document: Document, legend: Legend, picture: bytes) -> Section:
    hectares = document["pixel_hectares"]
    figures: list[tuple[str, html.Content]] = [(tr("Mapped pixels"), f"{document['pixels']:,}")]
    if hectares is not None:
        figures[0] = (tr("Mapped area (ha)"), html.amount(document["pixels"] * hectares))
    figures.append((tr("Share of the raster"), html.percent(document["mapped_share"])))
    figures.append((tr("Mean confidence"), html.percent(document["mean_confidence"])))
    width, height = document["picture_size"]
    scale = max(1.0, _LEAST_SIDE / max(width, height))
    image = (
        f'<img class="map" alt="" width="{width * scale:.0f}" height="{height * scale:.0f}" '
        f'src="data:image/png;base64,{b64encode(picture).decode("ascii")}">'
    )
    present = [c for c, found in zip(legend.classes, document["per_class"]) if found["pixels"]]
    key = "".join(f"<li>{html.swatch(c.color, c.name)}</li>" for c in present)
    told = [Html(f'<div class="panels">{image}<ul class="key upright">{key}</ul></div>')]
    if document["step"] > 1:
        told.append(html.paragraph(tr("Every {step}. pixel is shown.", step=document["step"]), "quiet"))
    return Section("", html.join([html.figures(figures), *told]))


def _classes(document: Document, legend: Legend) -> Section:
    hectares, accuracy = document["pixel_hectares"], document["accuracy"]
    head = [tr("Class"), tr("Value"), tr("Pixels"), tr("Share of the map"), tr("Mean confidence")]
    users = Accuracy.from_json(accuracy).users if accuracy else None
    rows: list[list[html.Content]] = []
    for index, (entry, found) in enumerate(zip(legend.classes, document["per_class"])):
        count = found["pixels"]
        row: list[html.Content] = [html.swatch(entry.color, entry.name), entry.value, f"{count:,}"]
        row += [bar(count / document["pixels"]), html.percent(found["confidence"])]
        if hectares is not None:
            row.insert(3, html.amount(count * hectares))
        rows.append([*row, html.percent(users[index])] if users else row)
    if hectares is not None:
        head.insert(3, tr("Area (ha)"))
    if users:
        head.append(tr("User's accuracy"))
    told = [tr("These areas are counted on the map, whose confusions bias them; assessing it corrects them.")]
    if hectares is None:
        told.append(tr("Pixels of this raster are not of the same known size, so that there are no areas."))
    if users:
        told.append(tr("User's accuracy: how often the classifier was right where it said so, in its validation."))
    numbers = [index for index, name in enumerate(head) if index and name != tr("Share of the map")]
    return Section(
        tr("Classes"), html.join([html.table(head, rows, numbers=numbers), html.paragraph(" ".join(told), "quiet")])
    )


def _accuracy(document: Document) -> Section:
    found = document["accuracy"]
    if not found:
        return Section(tr("Accuracy of the classifier"), html.paragraph(tr("It was not validated.")))
    told = html.paragraph(
        tr(
            "{protocol} This is how it did where it was trained; what the map is worth, only an assessment by other "
            "reference data tells.",
            protocol=protocol(found),
        ),
        "quiet",
    )
    return Section(
        tr("Accuracy of the classifier"), html.join([html.figures(headline(Accuracy.from_json(found))), told])
    )


def _provenance(document: Document) -> Section:
    temperature = document["temperature"]
    facts: list[tuple[str, html.Content]] = [
        (tr("Map"), document["output"]),
        *((tr("Further raster"), path) for path in document["further"]),
        (tr("Classifier"), document["classifier"]),
        (tr("Trained by"), document["trained_with"]),
        (tr("Spectral raster"), document["spectral"]),
        (tr("Second raster"), document["second"]),
        (tr("Size in pixels"), " × ".join(map(str, document["size"]))),
        (tr("Coordinate reference system"), document["crs"]),
        (tr("Least share of bands with data"), html.percent(document["min_data"])),
        (tr("Temperature of the confidence"), f"{temperature:.2f}" if temperature != 1.0 else tr("1 (not scaled)")),
        (tr("Device"), document["device"]),
        (tr("Time"), duration(document["seconds"])),
    ]
    return Section(tr("Provenance"), html.pairs(facts))
