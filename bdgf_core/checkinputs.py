"""The verb ``checkinputs``: what is wrong with rasters and labels, before any work, and how to mend it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from . import __version__
from .checks.band_figures import RasterFigures
from .checks.finding import SEVERITIES, Finding, worst_first
from .checks.grids import grid_findings, pair_findings
from .checks.registration import Registration, registration_finding
from .checks.training import label_findings
from .errors import InputError
from .files import check_writable, claim, write_whole
from .input_checks import THOROUGH, layer_names, raster_figures, raster_findings, registration
from .progress import Progress
from .raster.labels import LabelSource
from .raster.stack import RasterSource, RasterStack
from .report import write_report
from .report_checks import checks_report
from .samples.sensor import DEFAULT_SECOND_KIND, check_second_kind
from .translation import tr


@dataclass(frozen=True)
class CheckinputsConfig:
    """The rasters, what the second one's values are declared to be, the training layer where there is one, and where
    to write the page and the JSON file."""

    spectral: RasterSource
    second: Optional[RasterSource] = None
    second_kind: str = DEFAULT_SECOND_KIND
    labels: Optional[LabelSource] = None
    report: Optional[str] = None
    json: Optional[str] = None

    def __post_init__(self) -> None:
        check_second_kind(self.second_kind)
        if self.report and self.json and Path(self.report).absolute() == Path(self.json).absolute():
            raise InputError(tr("The report and the JSON file must be two different files."))


def checkinputs(config: CheckinputsConfig, progress: Progress) -> dict[str, Any]:
    """Write what was asked for; the result holds the files, the number of findings by severity (``errors`` …), the
    shift between the rasters, None where it was not measured.

    What is wrong is found, not raised; only where no raster can be opened at all does :class:`InputError` say why.
    """
    inputs = [source.path for source in (config.spectral, config.second, config.labels) if source]
    for path in (config.report, config.json):
        if path is not None:
            check_writable(path, inputs=inputs)
    with claim(config.report, config.json):
        document = _Checks(config, progress).document()
        progress.check_canceled()
        if config.report is not None:
            write_report(config.report, checks_report(document))
        if config.json is not None:
            text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
            write_whole(config.json, text.encode("utf-8", "replace"))
    progress.update(1.0)
    shift = document["registration"]
    measured = shift if shift and shift["is_measured"] else {}
    return {
        "report": config.report, "json": config.json, **document["counts"],
        "shift_m": measured.get("metres"), "shift_pixels": measured.get("pixels"),
    }  # fmt: skip


class _Checks:
    """Goes through the inputs one by one, then through what they have to do with each other."""

    def __init__(self, config: CheckinputsConfig, progress: Progress) -> None:
        self._config, self._progress = config, progress
        self._sources = {"spectral": config.spectral, **({"second": config.second} if config.second else {})}
        self._layers = layer_names(self._sources)
        self._kinds = {"spectral": "optical", "second": config.second_kind}
        self._findings: list[Finding] = []
        self._figures: dict[str, RasterFigures] = {}
        self._fitting: list[str] = []  # modalities that can be read together
        self._registration: Optional[Registration] = None

    def document(self) -> dict[str, Any]:
        """As strict JSON."""
        with ExitStack() as opened:
            stacks = self._open(opened)
            for place, (name, stack) in enumerate(stacks.items()):
                self._alone(name, stack, self._progress.part(0.4 * place, 0.4 * (place + 1)))
            self._fitting = [name for name in stacks if name == "spectral"]
            if len(stacks) > 1:
                self._together(stacks)
            if self._config.labels and self._fitting:
                self._labels(self._config.labels)
        findings = worst_first(self._findings)
        for finding in findings:
            if finding.severity != "fine":
                (self._progress.warning if finding.is_grave else self._progress.message)(finding.sentence)
        counts = {f"{severity}s": sum(f.severity == severity for f in findings) for severity in SEVERITIES[:-1]}
        found = self._registration
        return {
            "created_with": f"BDGF {__version__}",
            "counts": counts,
            "findings": [asdict(finding) for finding in findings],
            "registration": found and {**asdict(found), "pixels": found.pixels, "metres": found.metres},
            "rasters": {name: self._described(name, figures) for name, figures in self._figures.items()},
        }

    def _open(self, opened: ExitStack) -> dict[str, RasterStack]:
        """Each raster on its own grid, as far as it can be opened."""
        stacks: dict[str, RasterStack] = {}
        failures: list[InputError] = []
        for name, source in self._sources.items():
            try:
                stacks[name] = opened.enter_context(RasterStack.open({name: source}))
            except InputError as error:
                failures.append(error)
                self._fail(name, "file", error)
        if not stacks:
            raise failures[0]
        return stacks

    def _alone(self, name: str, stack: RasterStack, progress: Progress) -> None:
        self._findings += grid_findings(self._layers[name], stack.grid, is_reference=name == "spectral")
        try:
            self._figures.update(raster_figures(stack, self._layers, THOROUGH, progress))
        except InputError as error:
            self._fail(name, "file", error)
            return
        self._findings += raster_findings(self._figures[name], self._kinds[name])

    def _together(self, stacks: dict[str, RasterStack]) -> None:
        spectral, second = self._layers["spectral"], self._layers["second"]
        grids = (stacks["spectral"].grid, stacks["second"].grid)
        try:
            RasterStack.open(self._sources).close()
            self._fitting.append("second")
            if all(grid.is_georeferenced for grid in grids):
                self._findings += pair_findings(spectral, grids[0], second, grids[1])
            if len(self._figures) == 2 and all(figures.alive for figures in self._figures.values()):
                misjudged = any(f.topic == "unit" and f.severity == "error" for f in self._findings)
                kinds = {**self._kinds, "second": "other" if misjudged else self._kinds["second"]}
                self._registration = registration(self._sources, self._figures, kinds, grids, THOROUGH, self._progress)
                self._findings.append(registration_finding(spectral, second, self._registration))
        except InputError as error:
            self._fail("second", "overlap", error)
        self._progress.update(0.9)

    def _labels(self, labels: LabelSource) -> None:
        try:
            with RasterStack.open({name: self._sources[name] for name in self._fitting}) as fitting:
                self._findings += label_findings(labels, fitting, self._layers)
        except InputError as error:
            self._fail("labels", "labels", error)

    def _fail(self, name: str, topic: str, error: InputError) -> None:
        """An error's sentence says what is wrong, then what to do."""
        layer = self._layers.get(name) or Path(self._config.labels.path if self._config.labels else "").name
        wrong, _, mend = str(error).replace("；", "; ").rpartition("; ")
        text = f"{wrong.rstrip()}." if wrong else mend
        mend = f"{mend[:1].upper()}{mend[1:]}" if wrong else tr("Choose another one.")
        self._findings.append(Finding("error", topic, layer, text, mend))

    def _described(self, name: str, figures: RasterFigures) -> dict[str, Any]:
        bands = [{**asdict(band.info), **asdict(band)} for band in figures.bands]
        for band in bands:
            del band["info"]
        return {
            "layer": figures.layer, "path": str(self._sources[name].path), "kind": self._kinds[name],
            "without_data": figures.empty, "sampled_pixels": figures.pixels, "bands": bands,
        }  # fmt: skip
