"""Assess: how well a map agrees with polygons or points that it was not made from."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMatrix,
    QgsProcessingParameterRasterLayer,
)

from bdgf_qgis import layers
from bdgf_qgis.translation import tr

from . import base
from .parameters import accuracies, advanced, seed

FILES = {"REPORT": "html", "CSV": "csv", "JSON": "json"}  # outputs by the names of the engine's


class AssessAlgorithm(base.BdgfAlgorithm):
    verb = "assess"

    def displayName(self) -> str:
        return tr("4. Assess a map")

    def tags(self) -> list[str]:
        return tr("accuracy,validation,confusion matrix,error matrix,kappa,area,reference,land cover").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Says how well a map agrees with reference data, and how large its classes really are. The map may "
            "come from anywhere.</p>"
            "<p><b>Map</b>: a raster of whole numbers, one for each class.</p>"
            "<p><b>Reference layer</b> and <b>Class field</b>: polygons or points that the map was <i>not</i> made "
            "from, in any coordinate reference system; best are points drawn at random. The field's text is compared "
            "with the names of the map's classes, whatever the case, its numbers with their values. Filters, edits "
            "not yet saved and <i>selected features only</i> are respected.</p>"
            "<p><b>Classes named differently</b>: pairs of a class of the reference and the class of the map that it "
            "is, by name or value. What has no partner is left out, and the log says so.</p>"
            "<p><b>Report</b>: overall and average accuracy, kappa and each class's figures with 95 % intervals, the "
            "confusion matrix, and areas estimated after Olofsson et al. 2014. Pixels of one polygon resemble each "
            "other, so intervals come from drawing whole polygons anew. The <b>table</b> is for spreadsheets, the "
            "JSON for scripts.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        geometries = [QgsProcessing.SourceType.TypeVectorPolygon, QgsProcessing.SourceType.TypeVectorPoint]
        headers = [tr("Reference"), tr("Map")]
        for parameter in (
            QgsProcessingParameterRasterLayer("MAP", tr("Map (raster of classes)")),
            QgsProcessingParameterFeatureSource("REFERENCE", tr("Reference layer (polygons or points)"), geometries),
            QgsProcessingParameterField("CLASS_FIELD", tr("Class field"), parentLayerParameterName="REFERENCE"),
            advanced(
                QgsProcessingParameterMatrix(
                    "PAIRS", tr("Classes named differently"), headers=headers, defaultValue=[], optional=True
                )
            ),
            seed(),
            QgsProcessingParameterFileDestination("REPORT", tr("Accuracy report"), "HTML (*.html)", optional=True),
            QgsProcessingParameterFileDestination(
                "CSV", tr("Table"), "CSV (*.csv)", optional=True, createByDefault=False
            ),
            QgsProcessingParameterFileDestination(
                "JSON", tr("Assessment as JSON"), "JSON (*.json)", optional=True, createByDefault=False
            ),
        ):
            self.addParameter(parameter)
        for output in accuracies():
            self.addOutput(output)

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        raster = self.parameterAsRasterLayer(parameters, "MAP", context)
        if raster is None:
            raise QgsProcessingException(
                tr("{raster} cannot be opened as a raster; choose another file.", raster=parameters.get("MAP"))
            )
        if raster.bandCount() > 2:  # of two the other may say which pixels are transparent
            raise QgsProcessingException(
                tr(
                    "The raster {name} has {count} bands: choose a map, which has one band with its classes.",
                    name=raster.name(),
                    count=raster.bandCount(),
                )
            )
        reference = self.parameterAsSource(parameters, "REFERENCE", context)
        layers.refuse_labels(reference, self.parameterAsString(parameters, "CLASS_FIELD", context), raster, context)
        if len(self._cells(parameters, context)) % 2:
            raise QgsProcessingException(tr("Classes come in pairs, one of the reference and one of the map each."))
        outputs = [self.optional_file(parameters, name, context) for name in FILES]
        self.refuse_overwriting(outputs, [layers.raster_source(raster)])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        cells = self._cells(parameters, context)
        raster = self.parameterAsRasterLayer(parameters, "MAP", context)
        return {
            "map": layers.raster_source(raster),
            "reference": layers.label_source(self, parameters, context, name="REFERENCE", field=field),
            "pairs": [list(pair) for pair in zip(cells[::2], cells[1::2]) if all(pair)] or None,
            "seed": self.parameterAsInt(parameters, "SEED", context),
            **{key: self.optional_file(parameters, name, context) for name, key in FILES.items()},
        }

    def _cells(self, parameters: base.Parameters, context: QgsProcessingContext) -> list[str]:
        """Of the pairs, row by row; scripts may give rows as lists of their own."""
        rows = self.parameterAsMatrix(parameters, "PAIRS", context)
        return [str(cell) for row in rows for cell in (row if isinstance(row, list) else [row])]

    def outputs(self, result: base.Parameters) -> base.Parameters:
        outputs = {name: result[key] for name, key in FILES.items() if result.get(key)}
        for name in ("overall_accuracy", "average_accuracy", "kappa"):
            outputs[name.upper()] = result.get(name)
        return outputs
