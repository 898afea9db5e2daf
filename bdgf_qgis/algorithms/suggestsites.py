"""Suggest sites: where to draw next, as numbered points to go through."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from bdgf_qgis import interpreter, layers
from bdgf_qgis.styling import FileStyle
from bdgf_qgis.translation import tr

from . import base
from .parameters import advanced, class_field, integer, labels

JUDGEMENTS = ("ENTROPY", "DISAGREEMENT", "OOD", "CONFIDENCE")


class SuggestSitesAlgorithm(base.BdgfAlgorithm):
    verb = "suggestsites"
    required = interpreter.IN_EVERY_QGIS

    def displayName(self) -> str:
        return tr("Suggest sites to draw at")

    def tags(self) -> list[str]:
        return tr("active learning,uncertainty,sampling,labels,where to draw next,points,field work,entropy").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Says where to draw next: numbered points at the places whose labels would help the classifier most.</p>"
            "<p><b>Map</b> and the rasters beside it: what <i>Classify</i> wrote. Give at least one of <b>Entropy</b>, "
            "<b>Disagreement</b>, <b>Out of distribution</b> and <b>Confidence</b>; the first three together know "
            "most.</p>"
            "<p>Chosen are places where the classifier is undecided, its branches disagree, or which are unlike the "
            "training samples; each figure is the mean over 9 × 9 pixels, so that borders, where pixels are mixed, do "
            "not win. Sites keep a distance from each other, and are dealt to the classes on the map.</p>"
            "<p><b>Training layer</b>: nothing is suggested where you have drawn already.</p>"
            "<p><b>Sites</b>: number 1 first, each with its reason. Draw a polygon around each in your training layer; "
            "or fill in the field <i>class</i> of the points, join them with your points by <i>Merge Vector "
            "Layers</i>, and train again.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        self.addParameter(QgsProcessingParameterRasterLayer("MAP", tr("Map (raster of classes)")))
        for name, description in (
            ("ENTROPY", tr("Entropy")),
            ("DISAGREEMENT", tr("Disagreement of the branches")),
            ("OOD", tr("Out of distribution")),
            ("CONFIDENCE", tr("Confidence")),
        ):
            self.addParameter(QgsProcessingParameterRasterLayer(name, description, optional=True))
        for parameter in (
            labels(optional=True),
            class_field(default="class", optional=True),
            integer("NUMBER", tr("Number of sites"), 30, minimum=1, maximum=1000),
            advanced(integer("DISTANCE", tr("Least distance between sites in pixels (empty: automatic)"), None)),
            QgsProcessingParameterVectorDestination("OUTPUT", tr("Sites"), QgsProcessing.SourceType.TypeVectorPoint),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputNumber("SITES", tr("Number of sites found")))

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        land_cover = self._layer(parameters, "MAP", context)
        given = [name for name in JUDGEMENTS if parameters.get(name)]
        if not given:
            raise QgsProcessingException(
                tr(
                    "Give at least one of Entropy, Disagreement, Out of distribution and Confidence: run Classify "
                    "again with these outputs."
                )
            )
        for name in given:
            raster = self._layer(parameters, name, context)
            if not layers.overlap(land_cover, raster, context):
                raise QgsProcessingException(
                    tr(
                        "The rasters {one} and {other} do not overlap; check their CRS.",
                        one=land_cover.name(),
                        other=raster.name(),
                    )
                )
        if parameters.get("LABELS"):
            self.refuse_labels(parameters, context, raster="MAP")
        path = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        if not path.lower().endswith(".gpkg"):
            raise QgsProcessingException(
                tr("The output {path} is no GeoPackage; choose a file name that ends in .gpkg.", path=path)
            )

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        rasters = {}
        for name in ("MAP", *JUDGEMENTS):
            layer = self.parameterAsRasterLayer(parameters, name, context) if parameters.get(name) else None
            rasters[name.lower()] = layers.raster_source(layer) if layer else None
        return {
            **rasters,
            "labels": self.labels(parameters, context),
            "number": self.parameterAsInt(parameters, "NUMBER", context),
            "distance": self.optional_number(parameters, "DISTANCE", context),
        }

    def rasters_out(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        self._path = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        return {"output": self._path}

    def outputs(self, result: base.Parameters) -> base.Parameters:
        return {"OUTPUT": self._path, **self.numbers(result)}

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        if context.willLoadLayerOnCompletion(self._path):
            context.layerToLoadOnCompletionDetails(self._path).setPostProcessor(FileStyle(on_top=True))
        return {}

    def _layer(self, parameters: base.Parameters, name: str, context: QgsProcessingContext) -> Any:
        layer = self.opened(parameters, name, context)
        if layer.bandCount() > 2:  # of two the other may say which pixels are transparent
            raise QgsProcessingException(
                tr(
                    "The raster {name} has {count} bands; choose one that Classify wrote with a single band.",
                    name=layer.name(),
                    count=layer.bandCount(),
                )
            )
        return layer
