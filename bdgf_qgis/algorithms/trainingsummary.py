"""Training summary: what the drawn polygons are worth, before anything is trained on them."""

from __future__ import annotations

from qgis.core import QgsProcessingContext, QgsProcessingOutputNumber

from bdgf_qgis import interpreter
from bdgf_qgis.translation import tr

from . import base
from .parameters import class_field, data_file, labels, minimum_pixels, page, second, spectral


class TrainingSummaryAlgorithm(base.BdgfAlgorithm):
    verb = "trainingsummary"
    required = interpreter.IN_EVERY_QGIS
    files = {"REPORT": "report", "JSON": "json", "CSV": "csv"}

    def displayName(self) -> str:
        return tr("Training summary")

    def tags(self) -> list[str]:
        return tr("polygons,labels,classes,pixels,overlap,separability,Jeffries-Matusita,check,report").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Says what your training polygons are worth before you train, and what to draw next.</p>"
            "<p>For each class it counts polygons, pixels and area. It finds overlaps of classes, polygons that are "
            "tiny, outside of the raster or on no data, classes with too few pixels or too few places, and classes "
            "that look alike to the sensors, by the Jeffries-Matusita distance of their pixels (0 to 2; from 1.9 on "
            "they are well apart).</p>"
            "<p><b>Training layer</b>: as in training; filters, edits not yet saved and <i>selected features only</i> "
            "are respected.</p>"
            "<p><b>Report</b>: advice first, then the figures, as HTML. The <b>table</b> has a row for each class; the "
            "JSON holds everything.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            spectral(),
            second(),
            labels(),
            class_field(default="class"),
            minimum_pixels(),
            page("REPORT", tr("Training summary")),
            data_file("JSON", tr("Summary as JSON")),
            data_file("CSV", tr("Table of classes")),
        ):
            self.addParameter(parameter)
        for name, description in (
            ("CLASSES", tr("Number of classes")),
            ("SMALLEST_CLASS", tr("Pixels of the smallest class")),
            ("LOWEST_SEPARABILITY", tr("Separability of the two classes most alike (0 to 2)")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, description))

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        self.refuse_rasters(parameters, context)
        self.refuse_labels(parameters, context)
        self.refuse_overwriting(parameters, context)

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "spectral": self.raster(parameters, "SPECTRAL", context),
            "second": self.raster(parameters, "SECOND", context),
            "labels": self.labels(parameters, context),
            "minimum_pixels": self.parameterAsInt(parameters, "MINIMUM_PIXELS", context),
            **self.files_out(parameters, context),
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        classes, pairs = result["summary"]["classes"], result["summary"]["separability"]
        return {
            **self.files_made(result),
            "CLASSES": len(classes),
            "SMALLEST_CLASS": min(c["pixels"] for c in classes),
            "LOWEST_SEPARABILITY": pairs[0]["value"] if pairs else None,
        }
