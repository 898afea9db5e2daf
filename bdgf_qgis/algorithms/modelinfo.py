"""Model information: what a ``.bdgf`` file holds."""

from __future__ import annotations

from qgis.core import QgsProcessingContext, QgsProcessingParameterFile

from bdgf_qgis import interpreter, model_header
from bdgf_qgis.translation import tr

from . import base
from .parameters import MODEL_FILTER, data_file, page


class ModelInfoAlgorithm(base.BdgfAlgorithm):
    verb = "info"
    required = interpreter.IN_EVERY_QGIS
    files = {"HTML": "html", "JSON": "json"}

    def name(self) -> str:
        return "modelinfo"

    def displayName(self) -> str:
        return tr("Model information")

    def tags(self) -> list[str]:
        return tr("model,metadata,classes,accuracy,provenance,bands,sensors,report").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Says what a .bdgf file holds: sensors, bands and units, classes, parameters, accuracy, and where "
            "it comes from. The HTML is for reading, the JSON for scripts.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            QgsProcessingParameterFile("MODEL", tr("Model (pretrained or classifier)"), fileFilter=MODEL_FILTER),
            page("HTML", tr("Model information")),
            data_file("JSON", tr("Model information as JSON")),
        ):
            self.addParameter(parameter)

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        model = self.parameterAsFile(parameters, "MODEL", context)
        model_header.read(model)
        self.refuse_overwriting(parameters, context, inputs=[model])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {"model": self.parameterAsFile(parameters, "MODEL", context), **self.files_out(parameters, context)}

    def outputs(self, result: base.Parameters) -> base.Parameters:
        return self.files_made(result)
