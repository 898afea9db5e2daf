"""Layers become plain values: what the engine is told of rasters and training layers."""

from __future__ import annotations

import pytest
from osgeo import ogr
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
    QgsRendererCategory,
    QgsSymbol,
    QgsVectorLayer,
    QgsVectorLayerJoinInfo,
)
from qgis.PyQt.QtGui import QColor


@pytest.fixture
def layer(engine, scene):
    """The polygons as a layer of the project."""
    layer = QgsVectorLayer(scene.polygons, "fields", "ogr")
    QgsProject.instance().addMapLayer(layer)
    yield layer
    QgsProject.instance().removeAllMapLayers()


@pytest.fixture
def labels_of(engine, scene, run):
    """``labels_of(LABELS, "class")``: the labels in the job that the engine gets."""

    def labels(value, field="class") -> dict:
        run(
            "train",
            PRETRAINED=scene.model("p.bdgf", "pretrained", second=False),
            SPECTRAL=scene.spectral,
            LABELS=value,
            CLASS_FIELD=field,
            OUTPUT=scene.path("c.bdgf"),
        )
        return engine.job["labels"]

    return labels


def values(labels) -> list:
    """The class values as the engine will read them."""
    file = ogr.Open(labels["path"])
    layer = file.GetLayerByName(labels["layer"]) if labels["layer"] else file.GetLayer(0)
    assert layer.GetSpatialRef() is not None
    return [feature[labels["field"]] for feature in layer if not feature.GetGeometryRef().IsEmpty()]


def test_plain_file_is_used_in_place(layer, labels_of, scene):
    for value in (layer, scene.polygons, f"{scene.polygons}|layername=fields"):
        labels = labels_of(value)
        assert labels["path"] == scene.polygons and labels["layer"] in ("fields", None)
        assert values(labels) == ["water", "wood", "wood"]


def test_selection_only(layer, labels_of, scene):
    layer.selectByExpression("\"class\" = 'wood'")
    assert len(values(labels_of(layer))) == 3
    labels = labels_of(QgsProcessingFeatureSourceDefinition(layer.id(), selectedFeaturesOnly=True))
    assert labels["path"] != scene.polygons and values(labels) == ["wood", "wood"]


def test_empty_selection_is_refused(layer, labels_of):
    with pytest.raises(QgsProcessingException, match="has no features"):
        labels_of(QgsProcessingFeatureSourceDefinition(layer.id(), selectedFeaturesOnly=True))


def test_filter_is_respected(layer, labels_of):
    layer.setSubsetString('"code" = 3')
    assert values(labels_of(layer)) == ["water"]


def test_edits_not_yet_saved_are_respected(layer, labels_of):
    layer.startEditing()
    feature = next(layer.getFeatures("\"class\" = 'water'"))
    layer.changeAttributeValue(feature.id(), layer.fields().indexOf("class"), "lake")
    assert sorted(values(labels_of(layer))) == ["lake", "wood", "wood"]


def test_joined_and_virtual_fields(layer, labels_of):
    table = QgsVectorLayer("None?field=code:integer&field=group:string", "groups", "memory")
    for code, group in ((3, "wet"), (9, "dry")):
        row = QgsFeature(table.fields())
        row.setAttributes([code, group])
        table.dataProvider().addFeature(row)
    QgsProject.instance().addMapLayer(table)
    join = QgsVectorLayerJoinInfo()
    join.setJoinLayer(table)
    join.setJoinFieldName("code")
    join.setTargetFieldName("code")
    layer.addJoin(join)
    assert values(labels_of(layer, "groups_group")) == ["wet", "dry", "dry"]
    shout = QgsField(layer.fields().field("class"))
    shout.setName("shout")
    layer.addExpressionField('upper("class")', shout)
    assert values(labels_of(layer, "shout")) == ["WATER", "WOOD", "WOOD"]


def test_layer_in_memory_with_invalid_geometry(labels_of):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633&field=fid:integer&field=class:string", "drawn", "memory")
    feature = QgsFeature(layer.fields())
    bow_tie = "500000 5800000, 500100 5799900, 500100 5800000, 500000 5799900, 500000 5800000"
    feature.setGeometry(QgsGeometry.fromWkt(f"POLYGON (({bow_tie}))"))
    feature.setAttributes([7, "Straße"])
    layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    assert values(labels_of(layer)) == ["Straße"]
    assert values(labels_of(layer, "fid")) == [7]


def test_points_from_delimited_text(labels_of, scene):
    from pathlib import Path

    Path(scene.path("points.csv")).write_text("x;y;class\n500050;5799950;water\n500150;5799950;wood\n")
    uri = Path(scene.path("points.csv")).as_uri() + "?delimiter=;&xField=x&yField=y&crs=EPSG:32633"
    layer = QgsVectorLayer(uri, "points", "delimitedtext")
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    assert values(labels_of(layer)) == ["water", "wood"]


def test_crs_of_the_project_wins_over_the_file(layer, labels_of, scene):
    from qgis.core import QgsCoordinateReferenceSystem

    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:25833"))
    labels = labels_of(layer)
    assert labels["path"] != scene.polygons
    assert ogr.Open(labels["path"]).GetLayer(0).GetSpatialRef().GetAuthorityCode(None) == "25833"


def test_unknown_field_is_named(labels_of, scene):
    with pytest.raises(QgsProcessingException, match="no field sort; it has fid, class, code"):
        labels_of(scene.polygons, "sort")


def styled(layer, field, entries):
    categories = []
    for value, name, color in entries:
        symbol = QgsSymbol.defaultSymbol(layer.geometryType())
        symbol.setColor(QColor(color))
        categories.append(QgsRendererCategory(value, symbol, name))
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, categories))


WATER = {"label": "water", "name": "Open water", "color": "#0000ff"}
WOOD = {"label": "wood", "name": "wood", "color": "#00ff00"}


def test_names_and_colors_come_from_the_categories(layer, labels_of):
    assert labels_of(layer)["classes"] is None
    styled(layer, "class", [("water", "Open water", "#0000ff"), ("wood", "", "#00ff00"), ("", "", "#000000")])
    assert labels_of(layer)["classes"] == [WATER, WOOD]
    assert labels_of(layer, "code")["classes"] is None


def test_whole_numbers_are_labels_without_decimals(layer, labels_of):
    styled(layer, '"code"', [(3, "Water", "#0000ff"), (9.0, "Wood", "#00ff00"), (None, "", "#000000")])
    assert [c["label"] for c in labels_of(layer, "code")["classes"]] == ["3", "9"]


@pytest.mark.parametrize(("legend", "name"), [("Both", "Both"), ("", "water, wood")])
def test_values_of_a_merged_category_share_its_name(layer, labels_of, legend, name):
    styled(layer, "class", [(["water", "wood"], legend, "#0000ff")])
    assert [(c["label"], c["name"]) for c in labels_of(layer)["classes"]] == [("water", name), ("wood", name)]


def test_names_come_from_the_value_map_of_the_field(layer, labels_of):
    from qgis.core import QgsEditorWidgetSetup

    setup = QgsEditorWidgetSetup("ValueMap", {"map": [{"Open water": "3"}, {"Wood": "9"}]})
    layer.setEditorWidgetSetup(layer.fields().indexOf("code"), setup)
    classes = labels_of(layer, "code")["classes"]
    assert [(c["label"], c["name"], c["color"]) for c in classes] == [("3", "Open water", ""), ("9", "Wood", "")]


def test_style_beside_the_file_counts_without_a_project(layer, labels_of, scene):
    styled(layer, "class", [("water", "Open water", "#0000ff"), ("wood", "wood", "#00ff00")])
    layer.saveDefaultStyle()
    QgsProject.instance().removeAllMapLayers()
    assert labels_of(scene.polygons)["classes"] == [WATER, WOOD]


def test_raster_is_told_by_path_and_bands(engine, scene, run):
    run("pretrain", SPECTRAL=scene.spectral, SPECTRAL_BANDS=[3, 1], SECOND=scene.second, OUTPUT=scene.path("p.bdgf"))
    assert engine.job["spectral"] == {"path": scene.spectral, "bands": [3, 1]}
    assert engine.job["second"] == {"path": scene.second, "bands": None}
    run("pretrain", SPECTRAL=scene.spectral, OUTPUT=scene.path("p.bdgf"))
    assert engine.job["second"] is None and engine.job["memory_mb"] is None and engine.job["steps"] is None


def test_subdataset_and_layer_of_the_project(engine, scene, run):
    layer = QgsRasterLayer(f"GTIFF_DIR:1:{scene.spectral}", "first page", "gdal")
    assert layer.isValid()
    run("pretrain", SPECTRAL=layer, OUTPUT=scene.path("p.bdgf"))
    assert engine.job["spectral"]["path"] == f"GTIFF_DIR:1:{scene.spectral}"


def test_raster_that_only_qgis_reads_is_refused(check, scene):
    layer = QgsRasterLayer("type=xyz&url=https://example.org/{z}/{x}/{y}.png", "tiles", "wms")
    QgsProject.instance().addMapLayer(layer)
    assert "tiles" in check("pretrain", SPECTRAL=layer, OUTPUT=scene.path("p.bdgf"))
    QgsProject.instance().removeAllMapLayers()


def test_raster_with_open_options_is_refused(check, scene):
    layer = QgsRasterLayer(f"{scene.spectral}|option:NUM_THREADS=1", "opened", "gdal")
    assert layer.isValid()
    assert "NUM_THREADS" in check("pretrain", SPECTRAL=layer, OUTPUT=scene.path("p.bdgf"))


def test_what_only_the_project_knows_of_a_raster_is_refused(check, scene):
    layer = QgsRasterLayer(scene.spectral, "assigned", "gdal")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:23033"))
    told = check("pretrain", SPECTRAL=layer, OUTPUT=scene.path("p.bdgf"))
    assert "EPSG:23033" in told and "EPSG:32633" in told
    layer = QgsRasterLayer(scene.spectral, "holed", "gdal")
    layer.dataProvider().setUserNoDataValue(2, [QgsRasterRange(-1.0, 0.0)])
    assert "additional no data value" in check("pretrain", SPECTRAL=layer, OUTPUT=scene.path("p.bdgf"))
