"""What a model file tells about itself, as a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from . import report_page as html
from .duration import duration
from .errors import ModelFileError
from .files import write_whole
from .legend import Legend
from .pooling import shares_told
from .report_accuracy import accuracy_sections
from .report_confidence import confidence_section
from .report_features import features_section
from .report_losses import losses_section
from .report_page import Section
from .translation import tr

Document = Mapping[str, Any]

KIND_NAMES = {
    "optical": tr("optical"),
    "sar_linear": tr("SAR, linear intensity"),
    "sar_amplitude": tr("SAR, amplitude"),
    "sar_db": tr("SAR, dB"),
    "other": tr("other"),
}
_TITLES = {
    "spectral": tr("Spectral"),
    "second": tr("Second sensor"),
    "preset": tr("Preset"),
    "steps": tr("Steps"),
    "seed": tr("Seed"),
    "device": tr("Device"),
    "samples": tr("Samples"),
    "seconds": tr("Training time"),
    "masking": tr("Masking"),
    "unlabelled": tr("Unlabelled"),
}


def training_report(document: Document, *, warnings: Sequence[str] = ()) -> str:
    """The report on a trained classifier. ``warnings`` came up on the way and are no part of the model."""
    return _page("classifier", document, {}, warnings)


def model_report(kind: str, document: Document, *, parameters: Mapping[str, int]) -> str:
    """The report on any model file; ``parameters`` are counts by part. Raises :class:`ModelFileError` for a document
    that is not of the expected form."""
    try:
        return _page(kind, document, parameters, ())
    except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            tr(
                "The model's description is not of the expected form ({kind}: {reason}); train it anew.",
                kind=type(error).__name__,
                reason=error,
            )
        ) from None


def write_report(path: Path | str, page: str) -> None:
    """The page under ``path``, whole or not at all; raises as :func:`~bdgf_core.files.write_whole`."""
    write_whole(path, page.encode("utf-8", "replace"))


def _page(kind: str, document: Document, parameters: Mapping[str, int], warnings: Sequence[str]) -> str:
    about = [_sensors(document), _provenance(document, parameters)]
    if kind != "classifier":
        sections = [losses_section(tr("Pretraining"), document), *about]
        return html.page(tr("Pretrained diffusion model"), _made_by(document), [s for s in sections if s.body])
    legend = Legend.from_json(document["legend"])
    sections = [
        *accuracy_sections(document, legend, warnings),
        confidence_section(document),
        features_section(document, legend),
        losses_section(tr("Training"), document),
        losses_section(tr("Pretraining"), document.get("pretrained") or {}),
        *about,
    ]
    return html.page(tr("Land-cover classifier"), _made_by(document), [s for s in sections if s.body])


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
            (tr("Kind"), KIND_NAMES.get(kind, kind)),
            (tr("Trained on"), str(source.get("path")) if isinstance(source, dict) else source),
            (tr("Bands"), tr("{used} used of {bands}", used=len(used), bands=len(bands))),
            (tr("Wavelengths"), tr("{low:g} to {high:g} nm", low=min(waves), high=max(waves)) if waves else None),
        ]
        band_table = html.table([tr("Band"), tr("Name"), tr("Wavelength (nm)"), tr("Used")], rows)
        parts.append(
            html.join([html.heading(_title(role)), html.pairs(facts), html.details(tr("All bands"), band_table)])
        )
    return Section(tr("Sensors"), html.join(parts))


def _provenance(document: Document, parameters: Mapping[str, int]) -> Section:
    training = document.get("training") or {}
    facts: list[tuple[str, html.Content]] = [(tr("Written by"), document.get("created_with"))]
    for name, value in training.items():
        if isinstance(value, (str, int, float)):
            shown = duration(value) if name == "seconds" and not isinstance(value, str) else value
            facts.append((_title(name), _yes(shown) if isinstance(shown, bool) else shown))
    if training.get("shares"):
        facts.append((tr("Shares of the answer"), shares_told(training["shares"])))
    facts += [(tr("Parameters, {part}", part=_title(part).lower()), f"{count:,}") for part, count in parameters.items()]
    return Section(tr("Provenance"), html.pairs(facts))


def _made_by(document: Document) -> str:
    training = document.get("training") or {}
    preset: Optional[str] = training.get("preset")
    return " · ".join(
        str(word) for word in (document.get("created_with"), preset and tr("preset {preset}", preset=preset)) if word
    )


def _title(name: str) -> str:
    return _TITLES.get(name) or str(name).replace("_", " ").capitalize()


def _yes(value: Any) -> str:
    return tr("yes") if value else tr("no")
