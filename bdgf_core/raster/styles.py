"""QGIS layer styles (.qml): what a raster looks like when QGIS loads it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree  # nosec B405: XML is written here, and none is read

from bdgf_core.errors import one_line
from bdgf_core.legend import Legend

# Cividis, which looks the same to people with and without colour vision deficiency (Nuñez et al. 2018).
_RAMP = ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#fee838")


def class_style(legend: Legend) -> str:
    """The classes of band 1 as a palette with names and colours."""
    root, renderer = _document("paletted")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for entry in legend.classes:
        attributes = {"value": str(entry.value), "color": entry.color, "label": one_line(entry.name), "alpha": "255"}
        ElementTree.SubElement(palette, "paletteEntry", attributes)
    return _text(root)


def ramp_style(low: float = 0.0, high: float = 1.0) -> str:
    """Band 1 in colours from dark (``low``) to bright (``high``), linear between."""
    root, renderer = _document("singlebandpseudocolor")
    renderer.set("classificationMin", f"{low:g}")
    renderer.set("classificationMax", f"{high:g}")
    shader = ElementTree.SubElement(
        ElementTree.SubElement(renderer, "rastershader"),
        "colorrampshader",
        {
            "colorRampType": "INTERPOLATED",
            "classificationMode": "1",
            "clip": "0",
            "minimumValue": f"{low:g}",
            "maximumValue": f"{high:g}",
        },
    )
    for index, color in enumerate(_RAMP):
        value = f"{low + (high - low) * index / (len(_RAMP) - 1):.6g}"
        ElementTree.SubElement(shader, "item", {"value": value, "color": color, "label": value, "alpha": "255"})
    return _text(root)


def _document(renderer_type: str) -> tuple[ElementTree.Element, ElementTree.Element]:
    root = ElementTree.Element("qgis", {"version": "3.22.0", "styleCategories": "Symbology"})
    pipe = ElementTree.SubElement(root, "pipe")
    renderer = ElementTree.SubElement(
        pipe,
        "rasterrenderer",
        {"type": renderer_type, "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""},
    )
    ElementTree.SubElement(renderer, "rasterTransparency")
    ElementTree.SubElement(pipe, "brightnesscontrast", {"brightness": "0", "contrast": "0", "gamma": "1"})
    ElementTree.SubElement(pipe, "huesaturation", {"saturation": "0", "grayscaleMode": "0", "colorizeOn": "0"})
    ElementTree.SubElement(pipe, "rasterresampler", {"maxOversampling": "2"})
    ElementTree.SubElement(root, "blendMode").text = "0"
    return root, renderer


def _text(root: ElementTree.Element) -> str:
    body = ElementTree.tostring(root, encoding="unicode")
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{body}\n"
