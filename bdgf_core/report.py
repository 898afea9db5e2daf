"""What a model file tells about itself, as a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from . import report_page as html
from .accuracy import Accuracy
from .duration import duration
from .errors import ModelFileError
from .files import write_whole
from .legend import Legend
from .report_charts import bar, curves, matrix
from .report_page import Html, Section

Document = Mapping[str, Any]

KIND_NAMES = {
    "optical": "optical",
    "sar_linear": "SAR, linear intensity",
    "sar_amplitude": "SAR, amplitude",
    "sar_db": "SAR, dB",
    "other": "other",
}
_LOSS_NAMES = {"unmasked": "spectral", "masked": "spectral, masked", "second": "second sensor"}
_PROTOCOLS = {
    "polygon": "Judged on polygons that were kept out of the training{folds}, with a gap{gap} around them.",
    "random": "Judged on random pixels{folds}. They lie beside training pixels, so the figures are optimistic: "
    "on new ground expect less.",
}


def training_report(document: Document, *, warnings: Sequence[str] = ()) -> str:
    """The report on a trained classifier. ``warnings`` came up on the way and are no part of the model."""
    legend = Legend.from_json(document["legend"])
    sections = [
        _accuracy(document, warnings),
        _classes(document, legend),
        _confusion(document, legend),
        _training(document),
        _sensors(document),
        _provenance(document, {}),
    ]
    return html.page("Land-cover classifier", _made_by(document), [section for section in sections if section.body])


def model_report(kind: str, document: Document, *, parameters: Mapping[str, int]) -> str:
    """The report on any model file; ``parameters`` are counts by part. Raises :class:`ModelFileError` for a document
    that is not of the expected form."""
    try:
        if kind == "classifier":
            legend = Legend.from_json(document["legend"])
            sections = [_accuracy(document, ()), _classes(document, legend), _confusion(document, legend)]
        else:
            sections = []
        sections += [_sensors(document), _training(document), _provenance(document, parameters)]
    except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"The model's description is not of the expected form ({type(error).__name__}: {error}); train it anew."
        ) from None
    title = "Land-cover classifier" if kind == "classifier" else "Pretrained diffusion model"
    return html.page(title, _made_by(document), [section for section in sections if section.body])


def write_report(path: Path | str, page: str) -> None:
    """The page under ``path``, whole or not at all; raises as :func:`~bdgf_core.files.write_whole`."""
    write_whole(path, page.encode("utf-8", "replace"))


def _accuracy(document: Document, warnings: Sequence[str]) -> Section:
    found = document.get("accuracy")
    if not found:
        return Section("Accuracy", html.join([html.paragraph("It was not validated."), html.notes(warnings)]))
    own = Accuracy.from_json(found)
    parts = [html.figures(_headline(own)), html.paragraph(_protocol(found), "quiet")]
    if found.get("random_split"):
        other = dict(_headline(Accuracy.from_json(found["random_split"])))
        told = ", ".join(f"{name.lower()} {value}" for name, value in other.items())
        parts.append(
            Html(
                f'<p class="quiet">A random split of the same pixels would give {told}. That is the optimistic figure '
                "that is often published: its test pixels lie beside training pixels.</p>"
            )
        )
    parts.append(html.notes([*map(str, found.get("notes") or ()), *warnings]))
    return Section("Accuracy", html.join(parts))


def _protocol(found: Document) -> str:
    protocol = str(found.get("protocol"))
    if protocol not in _PROTOCOLS:
        return protocol
    folds = f" in {found['folds']} folds" if found.get("folds") else ""
    gap = f" of {found['gap']} pixels" if found.get("gap") else ""
    return _PROTOCOLS[protocol].format(folds=folds, gap=gap)


def _headline(accuracy: Accuracy) -> list[tuple[str, Html]]:
    kappa = html.text(None if accuracy.kappa is None else f"{accuracy.kappa:.3f}")
    return [
        ("Overall accuracy", html.percent(accuracy.overall)),
        ("Average accuracy", html.percent(accuracy.average)),
        ("Kappa", kappa),
    ]


def _classes(document: Document, legend: Legend) -> Section:
    counts = list(document.get("class_counts") or [None] * len(legend))
    head = ["Class", "Value", "Labelled pixels"]
    rows: list[list[html.Content]] = [
        [html.swatch(c.color, c.name), c.value, count] for c, count in zip(legend.classes, counts)
    ]
    if document.get("accuracy"):
        accuracy = Accuracy.from_json(document["accuracy"])
        head += ["Producer's accuracy", "User's accuracy", "F1"]
        for row, *figures in zip(rows, accuracy.producers, accuracy.users, accuracy.f1):
            row += [bar(figure) for figure in figures]
    return Section("Classes", html.table(head, rows, numbers=(1, 2)))


def _confusion(document: Document, legend: Legend) -> Section:
    if not document.get("accuracy"):
        return Section("", Html(""))
    counts = Accuracy.from_json(document["accuracy"]).confusion
    if len(counts) != len(legend):
        raise ValueError(f"{len(legend)} classes, but a matrix of {len(counts)}")
    colors = [c.color for c in legend.classes]
    return Section(
        "Confusion matrix",
        html.join(
            [
                matrix(counts, legend.names, colors),
                html.paragraph("Counts of validation pixels; the shade shows the share of the row.", "quiet"),
            ]
        ),
    )


def _training(document: Document) -> Section:
    losses = (document.get("training") or {}).get("losses") or []
    unit = "epoch" if any("epoch" in row for row in losses) else "step"
    series: dict[str, list[tuple[float, float]]] = {}
    for row in losses:
        for name, value in row.items():
            if name != unit and value is not None:
                series.setdefault(_LOSS_NAMES.get(name, str(name)), []).append((float(row[unit]), float(value)))
    return Section("Training loss", curves(series, x_label=unit, y_label="loss"))


def _sensors(document: Document) -> Section:
    parts = []
    for role, sensor in (document.get("sensors") or {}).items():
        if not sensor:
            continue
        bands = sensor["bands"]
        used = [band for band in bands if band.get("used", True)]
        waves = [band["wavelength_nm"] for band in used if band.get("wavelength_nm") is not None]
        source = sensor.get("source")
        kind = str(sensor.get("kind"))
        rows = [[b["number"], str(b.get("name") or ""), b.get("wavelength_nm"), _yes(b in used)] for b in bands]
        facts = [
            ("Kind", KIND_NAMES.get(kind, kind)),
            ("Trained on", str(source.get("path")) if isinstance(source, dict) else source),
            ("Bands", f"{len(used)} used of {len(bands)}"),
            ("Wavelengths", f"{min(waves):g} to {max(waves):g} nm" if waves else None),
        ]
        band_table = html.table(["Band", "Name", "Wavelength (nm)", "Used"], rows)
        parts.append(html.join([html.heading(_title(role)), html.pairs(facts), html.details("All bands", band_table)]))
    return Section("Sensors", html.join(parts))


def _provenance(document: Document, parameters: Mapping[str, int]) -> Section:
    training = document.get("training") or {}
    facts: list[tuple[str, html.Content]] = [("Written by", document.get("created_with"))]
    for name, value in training.items():
        if isinstance(value, (str, int, float)):
            shown = duration(value) if name == "seconds" and not isinstance(value, str) else value
            facts.append(("Training time" if name == "seconds" else _title(name), shown))
    facts += [(f"Parameters, {_title(part).lower()}", f"{count:,}") for part, count in parameters.items()]
    return Section("Provenance", html.pairs(facts))


def _made_by(document: Document) -> str:
    training = document.get("training") or {}
    preset: Optional[str] = training.get("preset")
    return " · ".join(str(word) for word in (document.get("created_with"), preset and f"preset {preset}") if word)


def _title(name: str) -> str:
    return str(name).replace("_", " ").capitalize()


def _yes(value: Any) -> str:
    return "yes" if value else "no"
