"""Land cover: from rasters and polygons to the map in one dialog."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputFile,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
)

from bdgf_qgis import layers
from bdgf_qgis.translation import tr

from . import base, mapping
from .parameters import (
    MODEL_FILTER,
    accuracies,
    advanced,
    bands,
    class_field,
    device,
    epochs,
    labels,
    looks,
    memory,
    min_data,
    minimum_pixels,
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
    rasters = ("OUTPUT", "CONFIDENCE")

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
            class_field("LABELS"),
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
            resume(),
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Land cover")),
            QgsProcessingParameterRasterDestination(
                "CONFIDENCE", tr("Confidence"), optional=True, createByDefault=False
            ),
            report(),
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
        self.refuse_maps(parameters, context, others=[self.optional_file(parameters, "REPORT", context)])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        return {
            "spectral": self.raster(parameters, "SPECTRAL", context),
            "second": self.raster(parameters, "SECOND", context),
            "second_kind": self.parameterAsEnumString(parameters, "SECOND_KIND", context),
            "labels": layers.label_source(self, parameters, context, name="LABELS", field=field),
            "pretrained": self.parameterAsFile(parameters, "PRETRAINED", context) or None,
            "preset": self.parameterAsEnumString(parameters, "PRESET", context),
            "seed": self.parameterAsInt(parameters, "SEED", context),
            "device": self.parameterAsString(parameters, "DEVICE", context),
            "samples_per_class": self.parameterAsInt(parameters, "SAMPLES_PER_CLASS", context),
            "validation": self.parameterAsEnumString(parameters, "VALIDATION", context),
            "looks": self.parameterAsDouble(parameters, "LOOKS", context),
            "steps": self.optional_number(parameters, "STEPS", context),
            "epochs": self.optional_number(parameters, "EPOCHS", context),
            "minimum_pixels": self.parameterAsInt(parameters, "MINIMUM_PIXELS", context),
            "unlabelled": self.parameterAsBool(parameters, "UNLABELLED", context),
            "min_data": self.parameterAsDouble(parameters, "MIN_DATA", context),
            "memory_mb": self.memory_mb(parameters, context),
            "resume": self.parameterAsBool(parameters, "RESUME", context),
            "report": self.optional_file(parameters, "REPORT", context),
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        figures = {name.upper(): result.get(name) for name in ("overall_accuracy", "average_accuracy", "kappa")}
        files = {"REPORT": "report", "PRETRAINED_MODEL": "pretrained", "CLASSIFIER": "classifier"}
        return {**super().outputs(result), **{name: result.get(key) for name, key in files.items()}, **figures}
