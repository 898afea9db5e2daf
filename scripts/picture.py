"""A picture of a mapping: both rasters with the training polygons, the map with its legend, the confidence.

Run as ``PYTHONPATH=. python scripts/picture.py --help``, with the interpreter of the system's QGIS.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
from composites import Composite, second_composite, spectral_composite
from osgeo import gdal, ogr, osr
from qgis.core import QgsApplication, QgsMapRendererSequentialJob, QgsMapSettings, QgsRasterLayer
from qgis.PyQt.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from qgis.PyQt.QtGui import QColor, QFont, QFontMetricsF, QImage, QLinearGradient, QPainter, QPen, QPolygonF

ogr.UseExceptions()
osr.UseExceptions()

PANEL = 640  # pixels, the longer side of a panel
MARGIN, GAP, HEAD, CAPTION, LEGEND = 36, 28, 92, 34, 270
INK, FAINT, PAPER, EMPTY = QColor("#22262b"), QColor("#6d747c"), QColor("#ffffff"), QColor("#e9ebed")


@dataclass(frozen=True)
class MappedFiles:
    """The files of a mapping, of which ``second`` and ``confidence`` may be missing, and what stands above them."""

    land_cover: Path
    confidence: Path | None
    spectral: Path
    second: Path | None
    second_kind: str
    labels: Path
    class_field: str
    headline: str = "Land cover"
    subtitle: str = ""


def draw_picture(output: Path, mapped: MappedFiles) -> None:
    """Write the picture as a PNG. The map and the confidence look as QGIS shows them.

    Raises OSError where a file cannot be read or written.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QgsApplication([], False)
    application.initQgis()
    try:
        if not _drawn(mapped).save(str(output)):
            raise OSError(f"The picture {output} could not be written.")
    finally:
        application.exitQgis()


def _drawn(mapped: MappedFiles) -> QImage:
    layer = _layer(mapped.land_cover)
    classes = [(c.label, c.color) for c in layer.renderer().classes()]
    frame = _frame(mapped.land_cover)
    spectral = spectral_composite(str(mapped.spectral), frame)
    if mapped.second:
        second = second_composite(str(mapped.second), frame, mapped.second_kind)
    else:
        second = spectral_composite(str(mapped.spectral), frame, infrared=True)

    ground_width = frame.RasterXSize * _stretch(frame)
    scale = PANEL / max(ground_width, frame.RasterYSize)
    size = QSize(round(ground_width * scale), round(frame.RasterYSize * scale))
    columns = [MARGIN, MARGIN + size.width() + GAP, MARGIN + 2 * (size.width() + GAP)]
    rows = [HEAD + CAPTION, HEAD + 2 * CAPTION + size.height() + GAP]
    places = [[QRectF(QPointF(column, row), QSizeF(size)) for column in columns[:2]] for row in rows]

    canvas = QImage(columns[2] + LEGEND, rows[1] + size.height() + MARGIN, QImage.Format.Format_RGB32)
    canvas.fill(PAPER)
    painter = QPainter(canvas)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    _text(painter, MARGIN, 52, mapped.headline, size=30, bold=True)
    _text(painter, MARGIN, 78, mapped.subtitle, size=15, color=FAINT)
    _panel(painter, places[0][0], _image(spectral), f"{mapped.spectral.name}: {spectral.title}; training data")
    _training_data(painter, places[0][0], mapped, frame, _colors_by_label(mapped.land_cover, dict(classes)))
    _panel(painter, places[0][1], _image(second), f"{(mapped.second or mapped.spectral).name}: {second.title}")
    _panel(painter, places[1][0], _rendered(layer, size), "Land-cover map")
    _scale_bar(painter, places[1][0], frame)
    _legend(painter, QRectF(columns[2], rows[0], LEGEND - MARGIN, size.height()), classes)
    if mapped.confidence:
        confidence = _layer(mapped.confidence)
        _panel(painter, places[1][1], _rendered(confidence, size), "Confidence")
        _ramp(painter, QRectF(columns[2], rows[1], LEGEND - MARGIN, 16), confidence)
    painter.end()
    return canvas


def _layer(path: Path) -> QgsRasterLayer:
    layer = QgsRasterLayer(str(path), path.stem)
    if not layer.isValid():
        raise OSError(f"{path} cannot be opened as a raster.")
    return layer


def _colors_by_label(path: Path, by_name: dict[str, QColor]) -> dict[str, QColor]:
    """The classes' colours by what stands in the training layer's field, which the map's attribute table keeps."""
    dataset = gdal.Open(str(path))
    table = dataset.GetRasterBand(1).GetDefaultRAT()
    columns = {table.GetNameOfCol(i): i for i in range(table.GetColumnCount())} if table else {}
    if not {"Class", "Label"} <= columns.keys():
        return by_name
    rows = range(table.GetRowCount())
    names = [(table.GetValueAsString(i, columns["Label"]), table.GetValueAsString(i, columns["Class"])) for i in rows]
    return {label: by_name[name] for label, name in names if name in by_name}


def _frame(path: Path) -> gdal.Dataset:
    """An empty raster that covers the map with at most PANEL pixels a side."""
    source = gdal.Open(str(path))
    shrink = max(1.0, max(source.RasterXSize, source.RasterYSize) / PANEL)
    width, height = round(source.RasterXSize / shrink), round(source.RasterYSize / shrink)
    frame = gdal.GetDriverByName("MEM").Create("", width, height, 1)
    transform = np.array(source.GetGeoTransform())
    transform[[1, 4]] *= source.RasterXSize / width
    transform[[2, 5]] *= source.RasterYSize / height
    frame.SetGeoTransform(transform.tolist())
    frame.SetProjection(source.GetProjection())
    return frame


def _stretch(frame: gdal.Dataset) -> float:
    """How much wider than high a pixel is on the ground: degrees of longitude shrink with the latitude."""
    transform, crs = frame.GetGeoTransform(), frame.GetSpatialRef()
    wide, high = np.hypot(transform[1], transform[4]), np.hypot(transform[2], transform[5])
    if crs is not None and crs.IsGeographic():
        wide *= np.cos(np.radians(transform[3] + frame.RasterYSize / 2 * transform[5]))
    return float(wide / high)


def _image(composite: Composite) -> QImage:
    height, width = composite.shown.shape
    alpha = np.where(composite.shown, 255, 0).astype(np.uint8)
    pixels = np.ascontiguousarray(np.dstack([composite.rgb, alpha]))
    return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def _rendered(layer: QgsRasterLayer, size: QSize) -> QImage:
    """The layer as QGIS draws it: pixel by pixel where it is smaller than ``size``, then scaled."""
    extent = layer.extent()
    height = min(layer.height(), size.height())
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(extent)
    settings.setOutputSize(QSize(round(height * extent.width() / extent.height()), height))
    settings.setBackgroundColor(EMPTY)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    fill, fast = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.FastTransformation
    return job.renderedImage().scaled(size, fill, fast)


def _panel(painter: QPainter, place: QRectF, image: QImage, caption: str) -> None:
    painter.fillRect(place, EMPTY)
    painter.drawImage(place, image)
    _text(painter, place.left(), place.top() - 11, caption, size=15, width=place.width())


def _training_data(
    painter: QPainter, place: QRectF, mapped: MappedFiles, frame: gdal.Dataset, colors: dict[str, QColor]
) -> None:
    """Polygons and dots of points in their classes' colours."""
    source = ogr.Open(str(mapped.labels))
    layers = [source.GetLayer(i) for i in range(source.GetLayerCount())]
    layer = next((a for a in layers if a.FindFieldIndex(mapped.class_field, 0) >= 0), layers[0])
    there, here = layer.GetSpatialRef(), frame.GetSpatialRef()
    transform = None
    if there is not None and here is not None:
        for crs in (there, here):
            crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        transform = osr.CoordinateTransformation(there, here)
    inverse = gdal.InvGeoTransform(frame.GetGeoTransform())
    wide, high = place.width() / frame.RasterXSize, place.height() / frame.RasterYSize
    painter.save()
    painter.setClipRect(place)
    for feature in layer:
        geometry = feature.GetGeometryRef()
        if geometry is None:
            continue
        if transform is not None:
            geometry.Transform(transform)
        color = colors.get(feature.GetFieldAsString(mapped.class_field), QColor("#ffffff"))
        painter.setPen(QPen(color.lighter(125), 2))
        painter.setBrush(QColor(color.red(), color.green(), color.blue(), 110))
        for line, closed in _lines(geometry):
            pixels = [gdal.ApplyGeoTransform(inverse, x, y) for x, y, *_ in line]
            points = [QPointF(place.left() + col * wide, place.top() + row * high) for col, row in pixels]
            if closed:
                painter.drawPolygon(QPolygonF(points))
            else:
                painter.drawEllipse(points[0], 2.5, 2.5)
    painter.restore()


def _lines(geometry: ogr.Geometry) -> Iterator[tuple[list[tuple[float, ...]], bool]]:
    """The rings (closed) and points of a geometry of any kind."""
    if geometry.GetGeometryCount():
        for part in range(geometry.GetGeometryCount()):
            yield from _lines(geometry.GetGeometryRef(part))
    elif geometry.GetPointCount():
        yield geometry.GetPoints(), geometry.GetPointCount() > 1


def _legend(painter: QPainter, place: QRectF, entries: list[tuple[str, QColor]]) -> None:
    _text(painter, place.left(), place.top() - 11, "Classes", size=15, bold=True)
    step = min(28.0, place.height() / max(len(entries), 1))
    for number, (name, color) in enumerate(entries):
        top = place.top() + number * step
        painter.fillRect(QRectF(place.left(), top, 24, 0.7 * step), color)
        _text(painter, place.left() + 34, top + 0.58 * step, name, size=min(15, 0.55 * step), width=place.width() - 34)


def _ramp(painter: QPainter, place: QRectF, layer: QgsRasterLayer) -> None:
    """The colours of a raster drawn in a colour ramp, between its ends."""
    shader = getattr(layer.renderer(), "shader", lambda: None)()
    if shader is None:
        return
    items = shader.rasterShaderFunction().colorRampItemList()
    low, high = items[0].value, items[-1].value
    gradient = QLinearGradient(place.topLeft(), place.topRight())
    for item in items:
        gradient.setColorAt((item.value - low) / (high - low), item.color)
    _text(painter, place.left(), place.top() - 11, "Confidence", size=15, bold=True)
    painter.fillRect(place, gradient)
    _text(painter, place.left(), place.bottom() + 18, f"{low:g}", size=13, color=FAINT)
    _text(painter, place.right() - 10, place.bottom() + 18, f"{high:g}", size=13, color=FAINT)


def _scale_bar(painter: QPainter, place: QRectF, frame: gdal.Dataset) -> None:
    crs = frame.GetSpatialRef()
    if crs is None:
        return
    transform = frame.GetGeoTransform()
    height = np.hypot(transform[2], transform[5]) * frame.RasterYSize
    metres = height * (111_320 if crs.IsGeographic() else crs.GetLinearUnits()) / place.height() * place.width()
    round_lengths = [f * 10**e for e in range(1, 7) for f in (1, 2, 5)]
    length = max([r for r in round_lengths if r < 0.3 * metres], default=10)
    wide = length / metres * place.width()
    bar = QRectF(place.left() + 14, place.bottom() - 20, wide, 5)
    painter.fillRect(bar.adjusted(-6, -24, 6, 8), QColor(255, 255, 255, 200))
    painter.fillRect(bar, INK)
    _text(painter, bar.left(), bar.top() - 6, f"{length / 1000:g} km" if length >= 1000 else f"{length} m", size=13)


def _text(
    painter: QPainter,
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    bold: bool = False,
    color: QColor = INK,
    width: float | None = None,
) -> None:
    font = QFont("Open Sans")
    font.setStyleHint(QFont.StyleHint.SansSerif)
    font.setPixelSize(max(9, round(size)))
    font.setBold(bold)
    painter.setFont(font)
    painter.setPen(color)
    if width is not None:
        text = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideMiddle, width)
    painter.drawText(QPointF(x, y), text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a picture of a mapped.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--map", type=Path, required=True, dest="land_cover")
    parser.add_argument("--confidence", type=Path)
    parser.add_argument("--spectral", type=Path, required=True)
    parser.add_argument("--second", type=Path)
    parser.add_argument("--second-kind", default="other", choices=("sar_linear", "sar_amplitude", "sar_db", "other"))
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--class-field", required=True)
    parser.add_argument("--headline", default="Land cover")
    parser.add_argument("--subtitle", default="")
    options = vars(parser.parse_args())
    draw_picture(options.pop("output"), MappedFiles(**options))


if __name__ == "__main__":
    main()
