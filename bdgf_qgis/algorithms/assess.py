"""Assess: how well a map agrees with polygons or points that it was not made from."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterMatrix,
    QgsProcessingParameterRasterLayer,
)

from bdgf_qgis import interpreter, layers
from bdgf_qgis.styling import as_label
from bdgf_qgis.translation import tr

from . import base
from .parameters import accuracies, advanced, class_field, data_file, labels, report, seed


class AssessAlgorithm(base.BdgfAlgorithm):
    verb = "assess"
    required = interpreter.IN_EVERY_QGIS
    files = {"REPORT": "html", "CSV": "csv", "JSON": "json"}

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
        headers = [tr("Reference"), tr("Map")]
        for parameter in (
            QgsProcessingParameterRasterLayer("MAP", tr("Map (raster of classes)")),
            labels("REFERENCE", tr("Reference layer (polygons or points)")),
            class_field("REFERENCE", description=tr("Class field of the reference layer")),
            advanced(
                QgsProcessingParameterMatrix(
                    "PAIRS", tr("Classes named differently"), headers=headers, defaultValue=[], optional=True
                )
            ),
            seed(),
            report(),
            data_file("CSV", tr("Table")),
            data_file("JSON", tr("Assessment as JSON")),
        ):
            self.addParameter(parameter)
        for output in accuracies():
            self.addOutput(output)

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        raster = self.opened(parameters, "MAP", context)
        if raster.bandCount() > 2:  # of two the other may say which pixels are transparent
            raise QgsProcessingException(
                tr(
                    "The raster {name} has {count} bands: choose a map, which has one band with its classes.",
                    name=raster.name(),
                    count=raster.bandCount(),
                )
            )
        self.refuse_labels(parameters, context, name="REFERENCE", raster="MAP")
        cells = self._cells(parameters, context)
        if len(cells) % 2 or any(bool(one) != bool(other) for one, other in zip(cells[::2], cells[1::2])):
            raise QgsProcessingException(tr("Classes come in pairs, one of the reference and one of the map each."))
        self.refuse_overwriting(parameters, context, inputs=[layers.raster_source(raster)])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        cells = self._cells(parameters, context)
        raster = self.parameterAsRasterLayer(parameters, "MAP", context)
        return {
            "map": layers.raster_source(raster),
            "reference": self.labels(parameters, context, "REFERENCE"),
            "pairs": [list(pair) for pair in zip(cells[::2], cells[1::2]) if all(pair)] or None,
            "seed": self.parameterAsInt(parameters, "SEED", context),
            **self.files_out(parameters, context),
        }

    def _cells(self, parameters: base.Parameters, context: QgsProcessingContext) -> list[str]:
        """Of the pairs, row by row; scripts may give rows as lists of their own."""
        rows = self.parameterAsMatrix(parameters, "PAIRS", context)
        return [as_label(cell).strip() for row in rows for cell in (row if isinstance(row, list) else [row])]

    def outputs(self, result: base.Parameters) -> base.Parameters:
        return {**self.files_made(result), **self.numbers(result)}
