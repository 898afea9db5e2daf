"""Model information: what a ``.bdgf`` file holds."""

from __future__ import annotations

from qgis.core import QgsProcessingContext, QgsProcessingParameterFile, QgsProcessingParameterFileDestination

from bdgf_qgis import model_header
from bdgf_qgis.translation import tr

from . import base
from .parameters import MODEL_FILTER


class ModelInfoAlgorithm(base.BdgfAlgorithm):
    verb = "info"

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
            QgsProcessingParameterFileDestination("HTML", tr("Model information"), "HTML (*.html)", optional=True),
            QgsProcessingParameterFileDestination(
                "JSON", tr("Model information as JSON"), "JSON (*.json)", optional=True, createByDefault=False
            ),
        ):
            self.addParameter(parameter)

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        model = self.parameterAsFile(parameters, "MODEL", context)
        model_header.read(model)
        self.refuse_overwriting([self.optional_file(parameters, name, context) for name in ("HTML", "JSON")], [model])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "model": self.parameterAsFile(parameters, "MODEL", context),
            "html": self.optional_file(parameters, "HTML", context),
            "json": self.optional_file(parameters, "JSON", context),
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        return {name: result[name.lower()] for name in ("HTML", "JSON") if result.get(name.lower())}
