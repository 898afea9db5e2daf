"""Check inputs: what is wrong with the rasters and the training layer, and how to mend it."""

from __future__ import annotations

from qgis.core import QgsProcessingContext, QgsProcessingOutputNumber

from bdgf_qgis import interpreter, layers
from bdgf_qgis.translation import tr

from . import base
from .parameters import bands, class_field, data_file, labels, page, second, second_kind, spectral


class CheckInputsAlgorithm(base.BdgfAlgorithm):
    verb = "checkinputs"
    required = interpreter.IN_EVERY_QGIS
    files = {"REPORT": "report", "JSON": "json"}

    def displayName(self) -> str:
        return tr("Check inputs")

    def tags(self) -> list[str]:
        return tr(
            "check,quality,CRS,resolution,overlap,nodata,bad bands,stripes,noise,saturation,decibels,dB,"
            "misregistration,coregistration,shift,report"
        ).split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Looks the rasters and the training layer over before you begin, and says for each finding how to mend "
            "it. It takes seconds, whatever the size of the rasters: it reads samples of them.</p>"
            "<p>It looks at coordinate reference systems, pixel sizes and rotation, overlap, missing data and nodata "
            "values that are not declared, dead, noisy and striped bands, saturation and scale, whether SAR is in the "
            "unit that you say, how far the second raster is shifted against the first one, and where the training "
            "polygons lie.</p>"
            "<p><b>Values of the second raster</b>: what you mean to tell <i>Pretrain</i>.</p>"
            "<p><b>Shift</b>: measured where edges in one raster meet edges in the other, up to 16 pixels, whatever "
            "the sensors; the report says how sure it is, or that it cannot be measured.</p>"
            "<p><b>Report</b>: what was found, the worst first, as HTML; the JSON holds everything. Models can branch "
            "on the numbers of errors and warnings.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            spectral(),
            bands("SPECTRAL", tr("Bands of the spectral raster (none chosen: all)")),
            second(),
            bands("SECOND", tr("Bands of the second raster (none chosen: all)")),
            second_kind(),
            labels(optional=True),
            class_field(default="class", optional=True),
            page("REPORT", tr("Check of the inputs")),
            data_file("JSON", tr("Findings as JSON")),
        ):
            self.addParameter(parameter)
        for name, description in (
            ("ERRORS", tr("Number of errors")),
            ("WARNINGS", tr("Number of warnings")),
            ("NOTES", tr("Number of notes")),
            ("SHIFT", tr("Shift between the rasters in metres")),
            ("SHIFT_PIXELS", tr("Shift between the rasters in pixels of the spectral one")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, description))

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        self.refuse_unreadable(parameters, context)
        if parameters.get("LABELS"):
            drawn = self.parameterAsSource(parameters, "LABELS", context)
            layers.refuse_without_classes(drawn, self.parameterAsString(parameters, "CLASS_FIELD", context))
        self.refuse_overwriting(parameters, context)

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "spectral": self.raster(parameters, "SPECTRAL", context),
            "second": self.raster(parameters, "SECOND", context),
            "second_kind": self.parameterAsEnumString(parameters, "SECOND_KIND", context),
            "labels": self.labels(parameters, context),
            **self.files_out(parameters, context),
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        return {**self.files_made(result), **self.numbers(result), "SHIFT": result["shift_m"]}
