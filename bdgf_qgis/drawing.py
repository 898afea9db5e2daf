"""A layer to draw training polygons in: its form asks for the class and nothing else."""

from __future__ import annotations

import os
from typing import Sequence

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsEditFormConfig,
    QgsEditorWidgetSetup,
    QgsFieldConstraints,
    QgsFillSymbol,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
    QgsRendererCategory,
    QgsSnappingConfig,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtGui import QColor

from .styling import to_top
from .translation import tr

FIELD = "class"

_FILL = 90  # of 255: the image shows through


def create_layer(
    path: str,
    classes: Sequence[tuple[str, str]],
    crs: QgsCoordinateReferenceSystem,
    context: QgsProcessingContext,
) -> None:
    """Write a GeoPackage with an empty polygon layer for ``classes`` (name, colour), and its style as the default one.

    Raises QgsProcessingException where the file cannot be written.
    """
    # A memory layer names its types in words, which are the same with Qt 5 and Qt 6.
    fields = QgsVectorLayer(f"Polygon?field={FIELD}:string", "", "memory").fields()
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", os.path.splitext(os.path.basename(path))[0]
    # Single polygons: each one drawn is one place for the validation.
    writer = QgsVectorFileWriter.create(
        path, fields, QgsWkbTypes.Type.Polygon, crs, context.transformContext(), options
    )
    problem = writer.errorMessage()
    del writer  # closes the file
    if not problem:
        layer = QgsVectorLayer(f"{path}|layername={options.layerName}", options.layerName, "ogr")
        prepare_layer(layer, classes)
        problem = layer.saveStyleToDatabase(options.layerName, tr("Training classes"), True, "")
    if problem:
        raise QgsProcessingException(
            tr("The training layer could not be written to {path}: {reason}.", path=path, reason=problem)
        )


def prepare_layer(layer: QgsVectorLayer, classes: Sequence[tuple[str, str]]) -> None:
    """Colours, form and drawing aids for ``classes`` (name, colour)."""
    layer.setRenderer(_renderer(classes))
    column = layer.fields().lookupField(FIELD)
    layer.setEditorWidgetSetup(column, QgsEditorWidgetSetup("ValueMap", {"map": [{name: name} for name, _ in classes]}))
    layer.setFieldAlias(column, tr("Class"))
    # A constraint NOT NULL has no words of its own: the expression says them.
    layer.setConstraintExpression(column, f'"{FIELD}" IS NOT NULL', tr("Choose the class of this polygon."))
    kinds, hard = QgsFieldConstraints.Constraint, QgsFieldConstraints.ConstraintStrength.ConstraintStrengthHard
    for kind in (kinds.ConstraintNotNull, kinds.ConstraintExpression):
        layer.setFieldConstraint(column, kind, hard)
    for other in range(layer.fields().count()):
        if other != column:
            layer.setEditorWidgetSetup(other, QgsEditorWidgetSetup("Hidden", {}))
    form = layer.editFormConfig()
    form.setSuppress(QgsEditFormConfig.FeatureFormSuppress.SuppressOff)  # whatever the user's settings say
    form.setReuseLastValue(column, True)  # the next polygon is often of the same class
    layer.setEditFormConfig(form)
    layer.setDisplayExpression(f'"{FIELD}"')
    # All that a layer itself can do for clean borders: snapping and the avoidance of overlaps are the project's.
    layer.geometryOptions().setRemoveDuplicateNodes(True)
    layer.geometryOptions().setGeometryChecks(["QgsIsValidCheck"])


class ReadyToDraw(QgsProcessingLayerPostProcessorInterface):
    """Loads the style out of the file, and starts editing: with snapping, and without overlaps, in a project that does
    not snap yet. ``crs`` is the one that the layer was made with."""

    _kept: list[ReadyToDraw] = []  # Processing keeps no reference of its own

    def __init__(self, crs: QgsCoordinateReferenceSystem) -> None:
        super().__init__()
        self._crs = crs
        self._kept.append(self)

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        self._kept.remove(self)
        layer.loadDefaultStyle()
        if not self._crs.isValid():
            layer.setCrs(self._crs)  # in the file it is an undefined one, which QGIS would reproject
        layer.startEditing()
        layer.triggerRepaint()
        to_top(layer, context)
        if context.project() is not None and not context.project().snappingConfig().enabled():
            snap(context.project())
            feedback.pushInfo(tr("Snapping to the active layer is on, and what is drawn avoids its polygons."))


def snap(project: QgsProject) -> None:
    """The active layer attracts, and its polygons cannot overlap, as if set in the Snapping Toolbar."""
    newer = hasattr(Qgis, "SnappingMode")  # from 3.26 on
    config = project.snappingConfig()
    config.setEnabled(True)
    config.setMode((Qgis if newer else QgsSnappingConfig).SnappingMode.ActiveLayer)
    project.setSnappingConfig(config)
    avoid = (Qgis if newer else QgsProject).AvoidIntersectionsMode
    project.setAvoidIntersectionsMode(avoid.AvoidIntersectionsCurrentLayer)


def _renderer(classes: Sequence[tuple[str, str]]) -> QgsCategorizedSymbolRenderer:
    categories = [QgsRendererCategory(name, _symbol(color), name) for name, color in classes]
    # What is pasted from elsewhere may be of no class, and must not be invisible.
    categories.append(QgsRendererCategory("", _symbol("#808080"), tr("other values")))
    return QgsCategorizedSymbolRenderer(FIELD, categories)


def _symbol(color: str) -> QgsFillSymbol:
    symbol = QgsFillSymbol.createSimple({"outline_color": color, "outline_width": "0.5"})
    fill = QColor(color)
    fill.setAlpha(_FILL)
    symbol.setColor(fill)
    return symbol
