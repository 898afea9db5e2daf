"""The QGIS style of suggested sites: coloured and numbered by rank, with a list of the classes to choose from."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree  # nosec B405: XML is written here, and none is read
from xml.etree.ElementTree import Element, SubElement  # nosec B405

from bdgf_core.errors import one_line
from bdgf_core.legend import Legend
from bdgf_core.translation import tr

# From the first to the last: cividis, which looks the same to people with and without colour vision deficiency.
_COLORS = ("253,231,55", "195,179,105", "138,134,120", "87,93,109", "18,53,112")
_SIZES = ("5", "4.5", "4", "3.5", "3")


def site_style(count: int, legend: Legend) -> str:
    """For ``count`` sites; the classes go by their labels, as in the layer that the map was trained on."""
    root = Element("qgis", {"version": "3.22.0", "styleCategories": "Symbology|Labeling|Fields|Forms|MapTips"})
    fields = SubElement(root, "fieldConfiguration")
    config = SubElement(
        SubElement(SubElement(fields, "field", {"name": "class"}), "editWidget", type="ValueMap"), "config"
    )
    choices = SubElement(SubElement(config, "Option", type="Map"), "Option", {"type": "List", "name": "map"})
    for entry in legend.classes:
        pair = SubElement(choices, "Option", type="Map")
        SubElement(pair, "Option", {"type": "QString", "name": one_line(entry.name), "value": one_line(entry.label)})
    _renderer(root, count)
    _labels(root)
    SubElement(root, "mapTip").text = '[% "rank" %]. [% "predicted_name" %]: [% "reason" %]'
    SubElement(root, "previewExpression").text = '"rank" || \'. \' || "predicted_name" || \': \' || "reason"'
    body = ElementTree.tostring(root, encoding="unicode")
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{body}\n"


def _renderer(root: Element, count: int) -> None:
    """Ranks in up to five ranges, the first ones drawn above the others."""
    renderer = SubElement(
        root, "renderer-v2", type="graduatedSymbol", attr="rank", graduatedMethod="GraduatedColor", symbollevels="0",
        enableorderby="1",
    )  # fmt: skip
    ranges, symbols = SubElement(renderer, "ranges"), SubElement(renderer, "symbols")
    parts = min(len(_COLORS), count)
    edges = [round(count * part / parts) for part in range(parts + 1)]
    for part, (low, high) in enumerate(zip(edges, edges[1:])):
        label = (
            tr("Site {first}", first=low + 1)
            if high == low + 1
            else tr("Sites {first} to {last}", first=low + 1, last=high)
        )
        SubElement(
            ranges, "range", lower=f"{low + 0.5}", upper=f"{high + 0.5}", symbol=f"{part}", label=label, render="true"
        )
        symbol = SubElement(symbols, "symbol", type="marker", name=f"{part}", alpha="1")
        kind = {"class": "SimpleMarker", "enabled": "1", "pass": "0", "locked": "0"}  # nosec B105: the order of drawing
        marker = SubElement(symbol, "layer", kind)
        look = {
            "name": "circle", "color": f"{_COLORS[part]},255", "size": _SIZES[part], "size_unit": "MM",
            "outline_color": "255,255,255,255", "outline_style": "solid", "outline_width": "0.4",
            "outline_width_unit": "MM",
        }  # fmt: skip
        options = SubElement(marker, "Option", type="Map")
        for name, value in look.items():
            SubElement(options, "Option", type="QString", name=name, value=value)
    order = SubElement(SubElement(renderer, "orderby"), "orderByClause", asc="0", nullsFirst="0")
    order.text = '"rank"'


def _labels(root: Element) -> None:
    settings = SubElement(SubElement(root, "labeling", type="simple"), "settings", calloutType="simple")
    text = SubElement(
        settings, "text-style", fieldName="rank", isExpression="0", fontSize="9", fontSizeUnit="Point",
        fontWeight="75", textColor="20,20,20,255", textOpacity="1",
    )  # fmt: skip
    SubElement(
        text, "text-buffer", bufferDraw="1", bufferSize="0.8", bufferSizeUnits="MM", bufferColor="255,255,255,255",
        bufferOpacity="1",
    )  # fmt: skip
    SubElement(settings, "placement", placement="6", dist="0", distUnits="MM", priority="5")
    SubElement(settings, "rendering", drawLabels="1", obstacle="0", scaleVisibility="0")
