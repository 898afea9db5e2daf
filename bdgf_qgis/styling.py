"""Names and colours of classes: out of a layer's style, and onto the map."""

from __future__ import annotations

from typing import Any, Iterator, Optional, Sequence

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor
from qgis.utils import iface


def classes_of(layer: QgsVectorLayer, field: str) -> Optional[list[dict[str, str]]]:
    """The classes that the layer's categories by ``field`` show, each with label (the field's value as text),
    name and colour, a category of several values with one for each; else those of the field's value map, without
    colour; else None. Belongs to the layer's thread."""
    renderer = layer.renderer()
    if isinstance(renderer, QgsCategorizedSymbolRenderer) and renderer.classAttribute().strip('"') == field:
        return [entry for category in renderer.categories() for entry in _classes_of_category(category)] or None
    widget = layer.editorWidgetSetup(layer.fields().lookupField(field))
    if widget.type() != "ValueMap":
        return None
    entries = widget.config().get("map", {})  # in files of older QGIS a single dictionary
    pairs = [pair for entry in (entries if isinstance(entries, list) else [entries]) for pair in entry.items()]
    return [{"label": as_label(value), "name": str(name), "color": ""} for name, value in pairs] or None


def _classes_of_category(category: QgsRendererCategory) -> Iterator[dict[str, str]]:
    grouped = category.value() if isinstance(category.value(), list) else [category.value()]
    labels = list(filter(None, map(as_label, grouped)))  # the category of all other values has none
    name = category.label() or ", ".join(labels)
    for label in labels:
        yield {"label": label, "name": name, "color": category.symbol().color().name()}


def as_label(value: Any) -> str:
    """A field's value as text: whole numbers without decimals, nothing as ''."""
    if value is None or str(value) == "NULL":
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


class FileStyle(QgsProcessingLayerPostProcessorInterface):
    """Gives a loaded layer the style that lies in or beside its file, and a map its classes' names and colours.
    With ``on_top`` it goes to the top of its group, and with ``under`` the layer of that source does."""

    _kept: list[FileStyle] = []  # Processing keeps no reference of its own

    def __init__(self, classes: Sequence[dict[str, Any]] = (), *, on_top: bool = False, under: str = "") -> None:
        super().__init__()
        self._classes, self._on_top, self._under = classes, on_top, under
        self._kept.append(self)

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        self._kept.remove(self)
        layer.loadDefaultStyle()
        if self._classes and isinstance(layer, QgsRasterLayer):
            layer.setRenderer(paletted(layer, self._classes))
        layer.triggerRepaint()
        if self._on_top:
            to_top(layer, context)
        loaded = context.project().mapLayers().values() if self._under and context.project() else ()
        for other in [other for other in loaded if other.source() == self._under]:
            to_top(other, context)


def to_top(layer: QgsMapLayer, context: QgsProcessingContext) -> None:
    """Moves a loaded layer to the top of its group: QGIS puts it above the active layer, which may lie below others."""
    node = context.project().layerTreeRoot().findLayer(layer.id()) if context.project() else None
    if node is None or node.parent().children()[0] == node:
        return
    group, active = node.parent(), iface.activeLayer() if iface else None
    group.insertChildNode(0, node.clone())
    group.removeChildNode(node)
    if active is not None:
        iface.setActiveLayer(active)  # where it was the one moved, another became active


def paletted(layer: QgsRasterLayer, classes: Sequence[dict[str, Any]]) -> QgsPalettedRasterRenderer:
    """A renderer for classes of the form ``{"value", "name", "color"}``."""
    entries = [QgsPalettedRasterRenderer.Class(c["value"], QColor(c["color"]), c["name"]) for c in classes]
    return QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries)
