"""What was found out about the inputs of a job, as a page for people: the worst first."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from . import report_page as html
from .checks.finding import ranges
from .report_page import Html, Section
from .translation import tr

Document = Mapping[str, Any]

_COLORS = {"error": "#b3423f", "warning": "#d1702b", "note": "#2f74c0", "fine": "#2f9e6b"}
_MOST_OPEN = 16  # bands in a table that is not folded


def checks_report(document: Document) -> str:
    """The page; takes the document of the verb ``checkinputs``."""
    findings = document["findings"]
    wrong = [finding for finding in findings if finding["severity"] != "fine"]
    fine = [finding for finding in findings if finding["severity"] == "fine"]
    sections = [
        Section(tr("What was found"), html.join([_headline(document), _verdict(document), _table(wrong)])),
        Section(tr("In order"), _table(fine)),
        *(_bands(raster) for raster in document["rasters"].values()),
    ]
    title = tr("Check of the inputs")
    return html.page(title, str(document["created_with"]), [section for section in sections if section.body])


def _headline(document: Document) -> Html:
    found, counts = document["registration"], document["counts"]
    items: list[tuple[str, html.Content]] = [
        (tr("Errors"), counts["errors"]), (tr("Warnings"), counts["warnings"]), (tr("Notes"), counts["notes"]),
    ]  # fmt: skip
    if found and found["is_measured"]:
        items.append((tr("Pixels between the rasters"), f"{found['pixels']:.1f}"))
    return html.figures(items)


def _verdict(document: Document) -> Html:
    if document["counts"]["errors"]:
        return html.paragraph(tr("Mend the errors first: the next steps would stop at them."))
    if document["counts"]["warnings"]:
        return html.paragraph(tr("The next steps will work; without what the warnings tell the map will be better."))
    return html.paragraph(tr("Nothing stands against going on."))


def _table(findings: Sequence[Document]) -> Html:
    if not findings:
        return Html("")
    severities = {"error": tr("error"), "warning": tr("warning"), "note": tr("note"), "fine": tr("fine")}
    topics = {
        "file": tr("file"), "CRS": tr("CRS"), "grid": tr("grid"), "overlap": tr("overlap"), "bands": tr("bands"),
        "missing data": tr("missing data"), "nodata value": tr("nodata value"), "noise": tr("noise"),
        "values": tr("values"), "unit": tr("unit"), "shift": tr("shift"), "labels": tr("labels"),
    }  # fmt: skip
    rows: list[list[html.Content]] = [
        [
            _on_one_line(html.swatch(_COLORS[finding["severity"]], severities[finding["severity"]])),
            finding["layer"],
            html.over(topics[finding["topic"]], tr("bands {bands}", bands=_few(finding["bands"])))
            if finding["bands"]
            else topics[finding["topic"]],
            html.join([html.paragraph(finding["text"]), html.paragraph(finding["mend"], "quiet")]),
        ]
        for finding in findings
    ]
    return html.table(["", tr("Layer"), tr("Topic"), tr("What, and what to do")], rows)


def _on_one_line(body: Html) -> Html:
    return Html(f'<span style="white-space: nowrap">{body}</span>')


def _few(numbers: Sequence[int]) -> str:
    """All of them are in the table of bands and in the JSON."""
    runs = ranges(numbers).split(", ")
    return ", ".join(runs[:3]) + (", …" if len(runs) > 3 else "")


def _bands(raster: Document) -> Section:
    head = [
        tr("Band"), tr("Name"), "nm", tr("Missing"), tr("Least"), "1 %", tr("Median"), "99 %", tr("Most"),
        tr("Negative"), tr("Noise"), tr("Stripes"),
    ]  # fmt: skip
    rows: list[list[html.Content]] = [
        [
            band["number"], band["name"], band["wavelength_nm"], html.percent(band["missing"]),
            *(band[key] for key in ("minimum", "low", "median", "high", "maximum")),
            html.percent(band["negative"]), band["noise"], band["stripes"],
        ]
        for band in raster["bands"]
    ]  # fmt: skip
    told = html.paragraph(
        tr(
            "From {pixels} pixels in windows spread over the raster. Noise is the share of the variance that differs "
            "from pixel to pixel, 1 for nothing but noise; stripes are in standard deviations of the band.",
            pixels=raster["sampled_pixels"],
        ),
        "quiet",
    )
    table = html.table(head, rows, numbers=(0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
    body = html.details(tr("All bands"), table) if len(rows) > _MOST_OPEN else table
    return Section(raster["layer"], html.join([told, body]))
