"""Classify: the map, with its names and colours."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
)

from bdgf_qgis.styling import FileStyle
from bdgf_qgis.translation import tr

from . import base
from .parameters import MODEL_FILTER, advanced, decimal, device, memory, resume, second, spectral

RASTERS = ("OUTPUT", "CONFIDENCE", "ENTROPY", "DISAGREEMENT", "OOD", "PROBABILITIES", "QUALITY")


class ClassifyAlgorithm(base.BdgfAlgorithm):
    verb = "classify"

    def displayName(self) -> str:
        return tr("3. Classify into a map")

    def tags(self) -> list[str]:
        return tr("land cover,map,predict,classification,confidence,probability,inference").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Makes the land-cover map. This is the last of three steps: <i>pretrain</i>, <i>train</i>, "
            "<i>classify</i>.</p>"
            "<p><b>Rasters</b>: of the sensors that the classifier was trained with; the scene may be a larger or "
            "another one. Memory does not grow with its size.</p>"
            "<p><b>Least share of bands with data</b>: a pixel is mapped where each sensor has data in at least "
            "this share of its bands; elsewhere the map has no data.</p>"
            "<p><b>Land cover</b>: a GeoTIFF with names and colours of the classes inside, and in a .qml file "
            "beside it.</p>"
            "<p><b>Confidence</b>: the probability of the class on the map. <b>Probabilities</b>: a band for each "
            "class. <b>Quality</b>: what was missing where.</p>"
            "<p><b>Entropy</b>: how undecided the classifier is between all classes, from 0 to 1. "
            "<b>Disagreement</b>: how far the opinions of its branches lie apart, from 0 to 1. <b>Out of "
            "distribution</b>: above 1 a pixel is unlike the training samples, and its class is a guess. <i>Suggest "
            "sites</i> takes them to say where to draw next.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            QgsProcessingParameterFile("CLASSIFIER", tr("Classifier"), fileFilter=MODEL_FILTER),
            spectral(),
            second(),
            device(),
            advanced(decimal("MIN_DATA", tr("Least share of bands with data"), 0.5, minimum=0.0, maximum=1.0)),
            memory(),
            resume(),
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Land cover")),
        ):
            self.addParameter(parameter)
        for name, description in (
            ("CONFIDENCE", tr("Confidence")),
            ("ENTROPY", tr("Entropy")),
            ("DISAGREEMENT", tr("Disagreement of the branches")),
            ("OOD", tr("Out of distribution")),
            ("PROBABILITIES", tr("Probabilities")),
            ("QUALITY", tr("Quality")),
        ):
            self.addParameter(
                QgsProcessingParameterRasterDestination(name, description, optional=True, createByDefault=False)
            )

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        self.refuse_model(self.parameterAsFile(parameters, "CLASSIFIER", context), "classifier", parameters)
        self.refuse_rasters(parameters, context)
        inputs = [self.raster(parameters, name, context) for name in ("SPECTRAL", "SECOND")]
        outputs = [self.optional_file(parameters, name, context) for name in RASTERS]
        for path in filter(None, outputs):
            if not path.lower().endswith((".tif", ".tiff")):
                raise QgsProcessingException(
                    tr("The output {path} is no GeoTIFF; choose a file name that ends in .tif.", path=path)
                )
        self.refuse_overwriting(outputs, [source["path"] for source in inputs if source])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "classifier": self.parameterAsFile(parameters, "CLASSIFIER", context),
            "spectral": self.raster(parameters, "SPECTRAL", context),
            "second": self.raster(parameters, "SECOND", context),
            "device": self.parameterAsString(parameters, "DEVICE", context),
            "min_data": self.parameterAsDouble(parameters, "MIN_DATA", context),
            "memory_mb": self.memory_mb(parameters, context),
            "resume": self.parameterAsBool(parameters, "RESUME", context),
        }

    def rasters_out(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        self._destinations = {name: self.parameterAsOutputLayer(parameters, name, context) or None for name in RASTERS}
        return {name.lower(): path for name, path in self._destinations.items()}

    def outputs(self, result: base.Parameters) -> base.Parameters:
        self._classes = result.get("classes") or []
        return {name: path for name, path in self._destinations.items() if path}

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        for name, path in self._destinations.items():
            if path and context.willLoadLayerOnCompletion(path):
                style = FileStyle(self._classes if name == "OUTPUT" else ())
                context.layerToLoadOnCompletionDetails(path).setPostProcessor(style)
        return {}
