"""Land cover: from rasters and polygons to the map in one dialog."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputFile,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
)

from bdgf_qgis.translation import tr

from . import base, mapping, training
from .parameters import (
    MODEL_FILTER,
    accuracies,
    advanced,
    bands,
    class_field,
    cog,
    device,
    epochs,
    further_raster,
    labels,
    looks,
    memory,
    min_data,
    minimum_pixels,
    page,
    preset,
    report,
    resume,
    samples_per_class,
    second,
    second_kind,
    seed,
    spectral,
    steps,
    unlabelled,
    validation,
)


class LandCoverAlgorithm(mapping.MappingAlgorithm):
    verb = "landcover"
    rasters = ("OUTPUT", "CONFIDENCE", "ENTROPY", "DISAGREEMENT", "OOD")
    files = {"REPORT": "report", "MAP_REPORT": "map_report"}

    def displayName(self) -> str:
        return tr("Land cover in one go")

    def tags(self) -> list[str]:
        return tr("land cover,map,classification,one step,workflow,sar,hyperspectral,fusion,polygons").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Makes a land-cover map out of one or two rasters and a layer of polygons or points: <i>pretrain</i>, "
            "<i>train</i> and <i>classify</i> one after the other, with the same result as by themselves. Their helps "
            "tell of the parameters.</p>"
            "<p>Give the map a file name, and both models are kept in a folder beside it: run it again after drawing "
            "more polygons, and only what has changed is done again. For another map of the same rasters choose "
            "<i>pretrained.bdgf</i> of that folder as <b>Pretrained model</b>; <i>classifier.bdgf</i> maps other "
            "scenes in <i>classify</i>.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            spectral(),
            second(),
            second_kind(),
            labels(),
            class_field(),
            preset(),
            device(),
            advanced(bands("SPECTRAL", tr("Bands of the spectral raster (none chosen: all)"))),
            advanced(bands("SECOND", tr("Bands of the second raster (none chosen: all)"))),
            advanced(
                QgsProcessingParameterFile(
                    "PRETRAINED", tr("Pretrained model (empty: made now)"), fileFilter=MODEL_FILTER, optional=True
                )
            ),
            advanced(validation()),
            advanced(samples_per_class()),
            seed(),
            looks(),
            steps(),
            epochs(),
            minimum_pixels(),
            unlabelled(),
            min_data(),
            memory(),
            cog(),
            resume(),
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Land cover")),
            further_raster("CONFIDENCE", tr("Confidence")),
            further_raster("ENTROPY", tr("Entropy")),
            further_raster("DISAGREEMENT", tr("Disagreement of the branches")),
            further_raster("OOD", tr("Out of distribution")),
            report(),
            page("MAP_REPORT", tr("Report of the map")),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputFile("PRETRAINED_MODEL", tr("Pretrained model")))
        self.addOutput(QgsProcessingOutputFile("CLASSIFIER", tr("Classifier")))
        for output in accuracies():
            self.addOutput(output)

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        pretrained = self.parameterAsFile(parameters, "PRETRAINED", context)
        if pretrained:
            self.refuse_model(pretrained, "pretrained", parameters)
        self.refuse_rasters(parameters, context)
        self.refuse_labels(parameters, context)
        self.refuse_maps(parameters, context)

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "second_kind": self.parameterAsEnumString(parameters, "SECOND_KIND", context),
            "pretrained": self.parameterAsFile(parameters, "PRETRAINED", context) or None,
            "looks": self.parameterAsDouble(parameters, "LOOKS", context),
            "steps": self.optional_number(parameters, "STEPS", context),
            "min_data": self.parameterAsDouble(parameters, "MIN_DATA", context),
            **training.settings(self, parameters, context),
            **self.files_out(parameters, context),
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        models = {"PRETRAINED_MODEL": result.get("pretrained"), "CLASSIFIER": result.get("classifier")}
        return {**super().outputs(result), **models}
