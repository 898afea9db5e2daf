"""Training summary: what the drawn polygons are worth, before anything is trained on them."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
)

from bdgf_qgis import layers
from bdgf_qgis.translation import tr

from . import base
from .parameters import advanced, integer, second, spectral

FILES = ("REPORT", "JSON", "CSV")


class TrainingSummaryAlgorithm(base.BdgfAlgorithm):
    verb = "trainingsummary"

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
        geometries = [QgsProcessing.SourceType.TypeVectorPolygon, QgsProcessing.SourceType.TypeVectorPoint]
        for parameter in (
            spectral(),
            second(),
            QgsProcessingParameterFeatureSource("LABELS", tr("Training layer (polygons or points)"), geometries),
            QgsProcessingParameterField(
                "CLASS_FIELD", tr("Class field"), defaultValue="class", parentLayerParameterName="LABELS"
            ),
            advanced(integer("MINIMUM_PIXELS", tr("Fewest labelled pixels for a class"), 10, minimum=1)),
            QgsProcessingParameterFileDestination("REPORT", tr("Training summary"), "HTML (*.html)", optional=True),
            QgsProcessingParameterFileDestination(
                "JSON", tr("Summary as JSON"), "JSON (*.json)", optional=True, createByDefault=False
            ),
            QgsProcessingParameterFileDestination(
                "CSV", tr("Table of classes"), "CSV (*.csv)", optional=True, createByDefault=False
            ),
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
        self.refuse_overwriting([self.optional_file(parameters, name, context) for name in FILES], [])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        return {
            "spectral": self.raster(parameters, "SPECTRAL", context),
            "second": self.raster(parameters, "SECOND", context),
            "labels": layers.label_source(self, parameters, context, name="LABELS", field=field),
            "minimum_pixels": self.parameterAsInt(parameters, "MINIMUM_PIXELS", context),
            **{name.lower(): self.optional_file(parameters, name, context) for name in FILES},
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        classes, pairs = result["summary"]["classes"], result["summary"]["separability"]
        return {
            **{name: result[name.lower()] for name in FILES if result.get(name.lower())},
            "CLASSES": len(classes),
            "SMALLEST_CLASS": min(c["pixels"] for c in classes),
            "LOWEST_SEPARABILITY": pairs[0]["value"] if pairs else None,
        }
