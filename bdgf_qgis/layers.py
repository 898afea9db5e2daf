"""Layers become plain values that another process can use: a raster's source, a vector file with a class field."""

from __future__ import annotations

import os
from typing import Any, Optional

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsFeatureRequest,
    QgsFields,
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingUtils,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from .styling import classes_of
from .translation import tr

_PLAIN_FILES = (".gpkg", ".shp", ".geojson", ".fgb")


def raster_source(layer: QgsRasterLayer) -> str:
    """What GDAL opens to read ``layer`` in another process.

    Raises QgsProcessingException for a raster that only QGIS itself can read.
    """
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            tr(
                "The raster {name} comes from the provider {provider}, not from a file: save it as a GeoTIFF first.",
                name=layer.name(),
                provider=layer.providerType(),
            )
        )
    provider = layer.dataProvider()
    if provider.crs().isValid() and layer.crs() != provider.crs():
        raise QgsProcessingException(
            tr(
                "The layer {name} has the CRS {shown} in this project, but its file has {stored}: write the right one "
                "into the file (Raster ▸ Projections ▸ Assign Projection), or give the layer the file's.",
                name=layer.name(),
                shown=layer.crs().authid() or layer.crs().description(),
                stored=provider.crs().authid() or provider.crs().description(),
            )
        )
    if any(provider.userNoDataValues(band) for band in range(1, layer.bandCount() + 1)):
        raise QgsProcessingException(
            tr(
                "The layer {name} has an additional no data value in this project, of which its file knows nothing: "
                "write it into the file (Raster ▸ Conversion ▸ Translate), or remove it from the layer.",
                name=layer.name(),
            )
        )
    source = provider.dataSourceUri()
    if source.startswith(("/vsimem/", "MEM:")):
        raise QgsProcessingException(
            tr("The raster {name} exists in memory only: save it as a GeoTIFF first.", name=layer.name())
        )
    if "|" in source:
        raise QgsProcessingException(
            tr(
                "The raster {name} is opened with options of its own ({options}): save it as a GeoTIFF first.",
                name=layer.name(),
                options=source.split("|", 1)[1],
            )
        )
    return os.path.abspath(source) if os.path.exists(source) else source


def label_source(
    algorithm: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    *,
    name: str,
    field: str,
) -> dict[str, Any]:
    """A layer of polygons or points as the engine's job wants it: path, layer, field and classes.

    A layer whose features are exactly those of its file is used in place; anything else (in memory, filtered,
    joined, edited, reprojected by hand, or only its selection wanted) is written to a temporary GeoPackage.
    Belongs to the main thread.
    """
    source = algorithm.parameterAsSource(parameters, name, context)
    field = source.fields().at(source.fields().lookupField(field)).name()  # as the file spells it
    layer = label_layer(parameters, context, name)
    plain = None if _features_are_chosen(parameters[name]) else _plain_file(layer)
    path, layer_name = plain or (_export(source, field, context), None)
    return {"path": path, "layer": layer_name, "field": field, "classes": classes_of(layer, field) if layer else None}


def refuse_labels(
    source: Optional[QgsProcessingFeatureSource], field: str, raster: QgsRasterLayer, context: Any
) -> None:
    """Raises QgsProcessingException where ``field`` of ``source`` tells nothing of ``raster``."""
    refuse_without_classes(source, field)
    if not overlap(raster, source, context):
        raise QgsProcessingException(
            tr(
                "The layer {labels} does not overlap the raster {raster}; check their CRS.",
                labels=source.sourceName(),
                raster=raster.name(),
            )
        )


def refuse_without_classes(source: Optional[QgsProcessingFeatureSource], field: str) -> None:
    """Raises QgsProcessingException where ``source`` has no features or no such field."""
    if source is None:
        raise QgsProcessingException(tr("The layer of polygons or points could not be opened; choose another."))
    if source.fields().lookupField(field) < 0:
        raise QgsProcessingException(
            tr(
                "The layer {name} has no field {field}; it has {fields}.",
                name=source.sourceName(),
                field=field,
                fields=", ".join(source.fields().names()) or tr("none"),
            )
        )
    if source.featureCount() == 0:
        raise QgsProcessingException(
            tr(
                "The layer {name} has no features: draw some, or mind its selection and filter.",
                name=source.sourceName(),
            )
        )


def label_layer(parameters: dict[str, Any], context: QgsProcessingContext, name: str) -> Optional[QgsVectorLayer]:
    """The vector layer behind a feature source parameter, with the style it has in the project or beside its file."""
    value = parameters.get(name)
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source
    if hasattr(value, "valueAsString"):
        value = value.valueAsString(context.expressionContext())[0]
    layer = value if isinstance(value, QgsMapLayer) else QgsProcessingUtils.mapLayerFromString(str(value), context)
    if not isinstance(layer, QgsVectorLayer):
        return None
    if context.project() is None or context.project().mapLayer(layer.id()) is None:
        layer.loadDefaultStyle()  # Processing opens files without it
    return layer


def overlap(one: QgsMapLayer, other: Any, context: QgsProcessingContext) -> bool:
    """Whether the extents of a layer and of another layer or feature source meet; True where that cannot be told."""
    crs, extent = _crs_and_extent(one)
    other_crs, other_extent = _crs_and_extent(other)
    if not crs.isValid() or not other_crs.isValid() or extent.isEmpty() or other_extent.isNull():
        return True
    try:
        transform = QgsCoordinateTransform(other_crs, crs, context.transformContext())
        return extent.intersects(transform.transformBoundingBox(other_extent))
    except QgsCsException:
        return True


def _crs_and_extent(layer: Any) -> tuple[Any, QgsRectangle]:
    if isinstance(layer, QgsProcessingFeatureSource):
        return layer.sourceCrs(), layer.sourceExtent()
    return layer.crs(), layer.extent()


def _features_are_chosen(value: Any) -> bool:
    if not isinstance(value, QgsProcessingFeatureSourceDefinition):
        return False
    limit, expression = getattr(value, "featureLimit", -1), getattr(value, "filterExpression", "")
    return value.selectedFeaturesOnly or limit > 0 or bool(expression)


def _plain_file(layer: Optional[QgsVectorLayer]) -> Optional[tuple[str, Optional[str]]]:
    """Path and layer name, where OGR sees there just what QGIS sees."""
    if layer is None or layer.providerType() != "ogr" or layer.isEditable() or layer.subsetString():
        return None
    provider = layer.dataProvider()
    if layer.fields().names() != provider.fields().names() or layer.crs() != provider.crs():
        return None  # joined or virtual fields; a CRS that only the project knows
    parts = QgsProviderRegistry.instance().decodeUri("ogr", layer.source())
    path = str(parts.get("path") or "")
    understood = {key for key, value in parts.items() if value not in (None, "", [])} <= {
        "path",
        "layerName",
        "databaseName",
    }
    if not understood or not os.path.isfile(path) or not path.lower().endswith(_PLAIN_FILES):
        return None
    return os.path.abspath(path), parts.get("layerName") or None


def _export(source: QgsProcessingFeatureSource, field: str, context: QgsProcessingContext) -> str:
    """Write geometries and the class field to a temporary GeoPackage."""
    path = QgsProcessingUtils.generateTempFilename("training.gpkg")
    index = source.fields().lookupField(field)
    fields = QgsFields()
    fields.append(source.fields().at(index))
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", "training"
    # A class field may be named like the key that GeoPackages add.
    options.layerOptions = ["FID=bdgf_fid", "GEOMETRY_NAME=bdgf_geometry"]
    writer = QgsVectorFileWriter.create(
        path, fields, source.wkbType(), source.sourceCrs(), context.transformContext(), options
    )
    request = QgsFeatureRequest().setSubsetOfAttributes([index])
    # Invalid geometries are the engine's to mend: no reason to stop here.
    flags = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
    for feature in source.getFeatures(request, flags):
        copy = QgsFeature(fields)
        copy.setGeometry(feature.geometry())
        copy.setAttributes([feature.attributes()[index]])
        if not writer.addFeature(copy):
            break
    problem = writer.errorMessage()
    del writer  # closes the file
    if problem:
        raise QgsProcessingException(
            tr("The layer could not be written to {path}: {reason}.", path=path, reason=problem)
        )
    return path
