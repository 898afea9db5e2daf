"""Training layer: an empty GeoPackage layer to draw polygons in, with classes and colours."""

from __future__ import annotations

import os
from itertools import zip_longest
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterCrs,
    QgsProcessingParameterMatrix,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)
from qgis.PyQt.QtGui import QColor

from bdgf_qgis import drawing
from bdgf_qgis.nomenclatures import NOMENCLATURES
from bdgf_qgis.styling import as_label
from bdgf_qgis.translation import tr

from . import base
from .parameters import choice

OWN = "own"
_STARTER = [
    "Water",
    "#3b7dd8",
    "Forest",
    "#1b7837",
    "Grassland",
    "#a6d96a",
    "Cropland",
    "#e6c84b",
    "Built-up",
    "#d7301f",
]


class TrainingLayerAlgorithm(base.BdgfAlgorithm):
    """Works in QGIS alone, without the engine."""

    verb = "traininglayer"

    def displayName(self) -> str:
        return tr("Create a training layer")

    def tags(self) -> list[str]:
        return tr("draw,digitize,polygons,labels,samples,legend,classes,nomenclature,LCZ,CORINE,GeoPackage").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Makes an empty layer to draw training polygons in. It is loaded ready for editing: choose <i>Add "
            "Polygon Feature</i>, draw inside of one land cover, choose its class from the list.</p>"
            "<p><b>Classes</b>: a published nomenclature (Local Climate Zones, CORINE, the data sets of the paper) or "
            "<i>own</i>, the table below it. A class without a colour gets one. Names and colours go with the layer "
            "into the model and the map.</p>"
            "<p><b>Raster to draw on</b> gives the layer its coordinate reference system, unless you choose one; "
            "without either it is the project's.</p>"
            "<p><b>Training layer</b>: a GeoPackage. Name a file, since temporary ones go when QGIS closes. Its style, "
            "list of classes and checks are stored inside, so they are there in every project. An existing file is "
            "never overwritten.</p>"
            "<p>Draw three or more polygons of each class, in different places, and check them with <i>Training "
            "summary</i>. Snapping and <i>Avoid Overlap on Active Layer</i>, which keep neighbours from overlapping, "
            "are switched on in a project that does not snap yet (Snapping Toolbar).</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        table = QgsProcessingParameterMatrix(
            "CLASSES",
            tr("Own classes"),
            headers=[tr("Name"), tr("Colour (#rrggbb)")],
            defaultValue=_STARTER,
            optional=True,
        )
        for parameter in (
            choice("NOMENCLATURE", tr("Classes (own: those of the table)"), [OWN, *NOMENCLATURES], OWN),
            table,
            QgsProcessingParameterRasterLayer("GRID", tr("Raster to draw on"), optional=True),
            QgsProcessingParameterCrs(
                "CRS", tr("Coordinate reference system (empty: that of the raster, or the project's)"), optional=True
            ),
            QgsProcessingParameterVectorDestination(
                "OUTPUT", tr("Training layer"), QgsProcessing.SourceType.TypeVectorPolygon
            ),
        ):
            self.addParameter(parameter)

    def canExecute(self) -> tuple[bool, str]:
        return True, ""

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        self._classes(parameters, context)
        self._crs(parameters, context)
        path = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        if not path.lower().endswith(".gpkg"):
            raise QgsProcessingException(
                tr("The output {path} is no GeoPackage; choose a file name that ends in .gpkg.", path=path)
            )
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            raise QgsProcessingException(
                tr("The folder {folder} does not exist; please create it or choose another.", folder=folder)
            )
        if os.path.exists(path):
            raise QgsProcessingException(
                tr("{path} exists, and what was drawn in it would be lost; choose another file name.", path=path)
            )

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {"classes": self._classes(parameters, context), "crs": self._crs(parameters, context)}

    def processAlgorithm(
        self, parameters: base.Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> base.Parameters:
        self._path = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        drawing.create_layer(self._path, self._job["classes"], self._job["crs"], context)
        if base.is_temporary(self._path):
            feedback.pushWarning(tr("{path} is deleted when QGIS closes: export the layer before.", path=self._path))
        return {"OUTPUT": self._path}

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        if context.willLoadLayerOnCompletion(self._path):
            context.layerToLoadOnCompletionDetails(self._path).setPostProcessor(drawing.ReadyToDraw(self._job["crs"]))
        return {}

    def _classes(self, parameters: base.Parameters, context: QgsProcessingContext) -> list[tuple[str, str]]:
        """Names and colours, each name once."""
        chosen = self.parameterAsEnumString(parameters, "NOMENCLATURE", context)
        if chosen != OWN:
            return list(NOMENCLATURES[chosen])
        cells = [as_label(cell).strip() for cell in self.parameterAsMatrix(parameters, "CLASSES", context)]
        rows = [(name, color) for name, color in zip_longest(cells[::2], cells[1::2], fillvalue="") if name]
        if not rows:
            raise QgsProcessingException(tr("The table has no classes; fill in their names or choose a nomenclature."))
        for name, color in rows:
            if [other for other, _ in rows].count(name) > 1:
                raise QgsProcessingException(tr("The class {name} is in the table twice; remove one.", name=name))
            if color and not QColor(color).isValid():
                raise QgsProcessingException(
                    tr("{color}, the colour of {name}, is none; write it like #3b7dd8.", color=color, name=name)
                )
        return [(name, QColor(color).name() if color else _hue(place)) for place, (name, color) in enumerate(rows)]

    def _crs(self, parameters: base.Parameters, context: QgsProcessingContext) -> QgsCoordinateReferenceSystem:
        crs = self.parameterAsCrs(parameters, "CRS", context)
        grid = self.parameterAsRasterLayer(parameters, "GRID", context)
        if parameters.get("GRID") and grid is None:
            raise QgsProcessingException(
                tr("{raster} cannot be opened as a raster; choose another file.", raster=parameters["GRID"])
            )
        if not crs.isValid() and grid is not None:
            return grid.crs()  # invalid where the raster has none: then the layer lies in its pixels
        if not crs.isValid() and context.project() is not None:
            crs = context.project().crs()
        if not crs.isValid():
            raise QgsProcessingException(tr("The training layer needs a CRS; choose it, or the raster to draw on."))
        return crs


def _hue(place: int) -> str:
    """Colours far apart for neighbours in the table: hues by the golden angle."""
    return QColor.fromHsvF((0.07 + 0.618034 * place) % 1.0, 0.7, 0.85).name()
