"""Classify: the map, with its names and colours."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
)

from bdgf_qgis.translation import tr

from . import base, mapping
from .parameters import MODEL_FILTER, cog, device, further_raster, memory, min_data, page, resume, second, spectral


class ClassifyAlgorithm(mapping.MappingAlgorithm):
    verb = "classify"
    rasters = ("OUTPUT", "CONFIDENCE", "ENTROPY", "DISAGREEMENT", "OOD", "PROBABILITIES", "QUALITY")
    files = {"REPORT": "report"}

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
        ) + tr(
            "<p><b>Report</b>: the map with its legend, how much there is of each class, and where it comes from, as "
            "HTML.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            QgsProcessingParameterFile("CLASSIFIER", tr("Classifier"), fileFilter=MODEL_FILTER),
            spectral(),
            second(),
            device(),
            min_data(),
            memory(),
            cog(),
            resume(),
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Land cover")),
            further_raster("CONFIDENCE", tr("Confidence")),
            further_raster("ENTROPY", tr("Entropy")),
            further_raster("DISAGREEMENT", tr("Disagreement of the branches")),
            further_raster("OOD", tr("Out of distribution")),
            further_raster("PROBABILITIES", tr("Probabilities")),
            further_raster("QUALITY", tr("Quality")),
            page("REPORT", tr("Report of the map")),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputNumber("MAPPED_SHARE", tr("Share of the pixels that are mapped (0 to 1)")))
        self.addOutput(QgsProcessingOutputNumber("MEAN_CONFIDENCE", tr("Mean confidence (0 to 1)")))

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        self.refuse_model(self.parameterAsFile(parameters, "CLASSIFIER", context), "classifier", parameters)
        self.refuse_rasters(parameters, context)
        self.refuse_maps(parameters, context)

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "classifier": self.parameterAsFile(parameters, "CLASSIFIER", context),
            "spectral": self.raster(parameters, "SPECTRAL", context),
            "second": self.raster(parameters, "SECOND", context),
            "device": self.parameterAsString(parameters, "DEVICE", context),
            "min_data": self.parameterAsDouble(parameters, "MIN_DATA", context),
            "memory_mb": self.memory_mb(parameters, context),
            "cog": self.parameterAsBool(parameters, "COG", context),
            "resume": self.parameterAsBool(parameters, "RESUME", context),
            **self.files_out(parameters, context),
        }
