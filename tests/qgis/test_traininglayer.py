"""The layer to draw in: its classes, colours and form, in the file and where it is loaded; and the summary of it."""

from __future__ import annotations

import re

import pytest
from qgis.core import (
    QgsApplication,
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsEditFormConfig,
    QgsFeature,
    QgsFieldConstraints,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)

Source = QgsProcessingModelChildParameterSource
OWN = ["Open water", "#1122EE", "Wood", "green", "Straße, 'neu'", ""]


@pytest.fixture
def made(run, scene):
    """``made(NOMENCLATURE="lcz")``: the layer out of the file, with the style in it."""

    def make(**parameters) -> QgsVectorLayer:
        parameters = {"GRID": scene.spectral, "OUTPUT": scene.path("training.gpkg"), **parameters}
        layer = QgsVectorLayer(run("traininglayer", **parameters)["OUTPUT"], "training", "ogr")
        assert layer.isValid() and layer.featureCount() == 0
        return layer

    return make


def categories(layer) -> list:
    renderer = layer.renderer()
    assert isinstance(renderer, QgsCategorizedSymbolRenderer) and renderer.classAttribute() == "class"
    return [(c.value(), c.symbol().color().name()) for c in renderer.categories() if c.value()]


def polygon(layer, label) -> QgsFeature:
    feature = QgsFeature(layer.fields())
    ring = "500010 5799950, 500060 5799950, 500060 5799990, 500010 5799990, 500010 5799950"
    feature.setGeometry(QgsGeometry.fromWkt(f"POLYGON (({ring}))"))
    feature["class"] = label
    return feature


def test_own_classes(made):
    layer = made(NOMENCLATURE="own", CLASSES=OWN)
    names = ["Open water", "Wood", "Straße, 'neu'"]
    assert [name for name, _ in categories(layer)] == names
    colors = [color for _, color in categories(layer)]
    assert colors[:2] == ["#1122ee", "#008000"] and len(set(colors)) == 3
    assert layer.fields().names() == ["fid", "class"] and layer.wkbType() == QgsWkbTypes.Type.Polygon
    widget = layer.editorWidgetSetup(1)
    assert widget.type() == "ValueMap" and widget.config()["map"] == [{name: name} for name in names]


def test_a_last_class_without_its_cell_of_colour(made):
    assert [name for name, _ in categories(made(CLASSES="Water,#0000ff,Wood"))] == ["Water", "Wood"]


def test_the_form_asks_for_the_class_and_nothing_else(made):
    layer = made(NOMENCLATURE="augsburg")
    assert layer.editorWidgetSetup(0).type() == "Hidden"
    form = layer.editFormConfig()
    assert form.suppress() == QgsEditFormConfig.FeatureFormSuppress.SuppressOff and form.reuseLastValue(1)
    hard = QgsFieldConstraints.ConstraintStrength.ConstraintStrengthHard
    constraints = layer.fields().at(1).constraints()
    assert constraints.constraintStrength(QgsFieldConstraints.Constraint.ConstraintNotNull) == hard
    assert layer.constraintDescription(1) == "Choose the class of this polygon."
    for label, accepted in (("Water", True), (None, False)):
        ok, _ = QgsVectorLayerUtils.validateAttribute(layer, polygon(layer, label), 1)
        assert ok == accepted


def test_layer_options_that_help_drawing(made):
    layer = made(NOMENCLATURE="lcz")
    options = layer.geometryOptions()
    assert options.removeDuplicateNodes() and options.geometryChecks() == ["QgsIsValidCheck"]


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("lcz", 17, ("LCZ 1 Compact high-rise", "#8c0000")),
        ("corine1", 5, ("1 Artificial surfaces", "#e6004d")),
        ("corine2", 15, ("1.1 Urban fabric", "#e6004d")),
        ("berlin", 8, ("Forest", "#1b7837")),
        ("augsburg", 7, ("Forest", "#1b7837")),
        ("yellow_river", 5, ("Spartina Alterniflora", "#a6d96a")),
        ("hong_kong", 13, ("Compact High-rise", "#8c0000")),
    ],
)
def test_nomenclatures(made, name, count, first):
    classes = categories(made(NOMENCLATURE=name))
    assert len(classes) == count and classes[0] == first
    assert len({n for n, _ in classes}) == len({c for _, c in classes}) == count
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for _, color in classes)


def test_crs_is_the_chosen_one_then_the_rasters_then_the_projects(made, scene, check):
    assert made().crs().authid() == "EPSG:32633"
    layer = made(CRS="EPSG:4326", OUTPUT=scene.path("degrees.gpkg"))
    assert layer.crs().authid() == "EPSG:4326"
    empty = dict(NOMENCLATURE="lcz", OUTPUT=scene.path("other.gpkg"))
    QgsProject.instance().setCrs(QgsCoordinateReferenceSystem("EPSG:3035"))
    assert made(GRID=None, **empty).crs().authid() == "EPSG:3035"
    QgsProject.instance().setCrs(QgsCoordinateReferenceSystem())
    assert "needs a CRS" in check("traininglayer", NOMENCLATURE="lcz", OUTPUT=scene.path("none.gpkg"))


def test_bad_requests_are_sentences(check, scene, made):
    given = dict(GRID=scene.spectral, OUTPUT=scene.path("training.gpkg"))
    assert check("traininglayer", **given) == ""
    nowhere = {**given, "OUTPUT": scene.path("nowhere/training.gpkg")}
    assert "does not exist; please create it" in check("traininglayer", **nowhere)
    for classes, words in (
        ([], "no classes"),
        (["", "#ffffff"], "no classes"),
        (["Wood", "", "Wood", ""], "Wood is in the table twice"),
        (["Wood", "greenish"], "greenish, the colour of Wood, is none"),
    ):
        assert words in check("traininglayer", CLASSES=classes, **given)
    assert "nowhere.tif" in check("traininglayer", **{**given, "GRID": scene.path("nowhere.tif")})
    assert "ends in .gpkg" in check("traininglayer", **{**given, "OUTPUT": scene.path("training.shp")})


def test_what_was_drawn_is_never_overwritten(made, run, scene):
    layer = made()
    assert layer.dataProvider().addFeatures([polygon(layer, "Water")])[0]
    with pytest.raises(QgsProcessingException, match="would be lost"):
        run("traininglayer", GRID=scene.spectral, OUTPUT=scene.path("training.gpkg"))
    assert layer.featureCount() == 1


def test_any_file_name(made, scene):
    assert len(categories(made(OUTPUT=scene.path("l'été “2”.gpkg")))) == 5


def test_a_file_that_cannot_be_written_is_named(run, scene):
    path = scene.path("x" * 300 + ".gpkg")
    with pytest.raises(QgsProcessingException, match="could not be written to .*x.gpkg"):
        run("traininglayer", GRID=scene.spectral, OUTPUT=path)


def test_temporary_output_is_a_geopackage_with_its_style_and_a_warning(made):
    feedback = QgsProcessingFeedback(False)
    layer = made(OUTPUT="TEMPORARY_OUTPUT", feedback=feedback)
    assert "is deleted when QGIS closes" in feedback.textLog()
    assert layer.source().split("|")[0].endswith(".gpkg") and len(categories(layer)) == 5


def test_train_gets_names_and_colors(engine, made, run, scene):
    layer = made(CLASSES=OWN)
    assert layer.dataProvider().addFeatures([polygon(layer, "Wood")])[0]
    path = layer.source().split("|")[0]
    rasters = dict(SPECTRAL=scene.spectral, SECOND=scene.second)
    labels = dict(LABELS=path, CLASS_FIELD="class")
    run("train", PRETRAINED=scene.model("p.bdgf", "pretrained"), **rasters, **labels, OUTPUT=scene.path("c.bdgf"))
    job = engine.job["labels"]
    assert job["path"] == path
    assert job["classes"][:2] == [
        {"label": "Open water", "name": "Open water", "color": "#1122ee"},
        {"label": "Wood", "name": "Wood", "color": "#008000"},
    ]
    assert len(job["classes"]) == 3


def test_summary_of_a_training_layer(engine, made, run, scene):
    layer = made(NOMENCLATURE="berlin")
    assert layer.dataProvider().addFeatures([polygon(layer, "Water")])[0]
    given = dict(SPECTRAL=scene.spectral, LABELS=layer, CLASS_FIELD="class")
    results = run("trainingsummary", **given, REPORT=scene.path("r.html"))
    assert engine.job["labels"]["field"] == "class" and len(engine.job["labels"]["classes"]) == 8
    assert engine.job["second"] is None and engine.job["json"] is None and engine.job["minimum_pixels"] == 10
    assert results == {
        "REPORT": scene.path("r.html"), "CLASSES": 2, "SMALLEST_CLASS": 12, "LOWEST_SEPARABILITY": 1.5,
    }  # fmt: skip


def test_summary_over_one_file_twice_is_refused(check, scene):
    given = dict(SPECTRAL=scene.spectral, LABELS=scene.polygons, CLASS_FIELD="class")
    assert check("trainingsummary", **given) == ""
    same = scene.path("same.html")
    assert "another output" in check("trainingsummary", **given, REPORT=same, JSON=same)


def test_step_of_a_model(qgis_app, scene):
    model = QgsProcessingModelAlgorithm("draw", "tests")
    grid = QgsProcessingParameterRasterLayer("image", "image")
    model.addModelParameter(grid, QgsProcessingModelParameter("image"))
    child = QgsProcessingModelChildAlgorithm("bdgf:traininglayer")
    child.setChildId("draw")
    child.addParameterSources("NOMENCLATURE", [Source.fromStaticValue("corine1")])
    child.addParameterSources("GRID", [Source.fromModelParameter("image")])
    output = QgsProcessingModelOutput("layer", "layer")
    output.setChildId("draw")
    output.setChildOutputName("OUTPUT")
    child.setModelOutputs({"layer": output})
    model.addChildAlgorithm(child)
    model.updateDestinationParameters()
    assert model.validateChildAlgorithm("draw") == (True, [])
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    destination = next(d.name() for d in model.destinationParameterDefinitions())
    parameters = {"image": scene.spectral, destination: scene.path("model.gpkg")}
    results, ok = model.run(parameters, context, QgsProcessingFeedback(False), {}, False)
    assert ok and len(categories(QgsVectorLayer(scene.path("model.gpkg"), "model", "ogr"))) == 5


@pytest.fixture
def loaded(qgis_app):
    """``loaded(NOMENCLATURE="lcz", OUTPUT=path)``: the layer as the desktop loads it."""
    import processing
    from processing.gui.Postprocessing import handleAlgorithmResults

    def load(**parameters) -> QgsVectorLayer:
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("bdgf:traininglayer")
        details = QgsProcessingContext.LayerDetails("Training layer", QgsProject.instance(), "OUTPUT")
        context.addLayerToLoadOnCompletion(parameters["OUTPUT"], details)
        feedback = QgsProcessingFeedback(False)
        processing.run(algorithm, parameters, context=context, feedback=feedback, onFinish=lambda *_: None)
        assert handleAlgorithmResults(algorithm, context, feedback)
        (layer,) = QgsProject.instance().mapLayers().values()
        return layer

    yield load
    QgsProject.instance().removeAllMapLayers()


def test_loaded_layer_is_styled_and_editable(loaded, scene):
    layer = loaded(NOMENCLATURE="lcz", GRID=scene.spectral, OUTPUT=scene.path("training.gpkg"))
    assert layer.isEditable() and len(categories(layer)) == 17 and layer.crs().authid() == "EPSG:32633"
    assert layer.addFeature(polygon(layer, "LCZ G Water")) and layer.commitChanges()


@pytest.mark.parametrize("snapping", [False, True])
def test_a_project_that_does_not_snap_yet_does_so_without_overlaps(loaded, scene, snapping):
    project = QgsProject.instance()
    project.clear()
    config = project.snappingConfig()
    config.setEnabled(snapping)
    project.setSnappingConfig(config)
    loaded(NOMENCLATURE="lcz", GRID=scene.spectral, OUTPUT=scene.path("training.gpkg"))
    assert project.snappingConfig().enabled()
    assert (int(project.avoidIntersectionsMode()) == 1) != snapping  # 1: with the current layer
    project.clear()


def test_a_raster_without_crs_is_drawn_on_in_its_pixels(loaded, scene):
    from osgeo import gdal

    gdal.GetDriverByName("GTiff").Create(scene.path("bare.tif"), 5, 5)
    layer = loaded(NOMENCLATURE="lcz", GRID=scene.path("bare.tif"), OUTPUT=scene.path("training.gpkg"))
    assert layer.isEditable() and not layer.crs().isValid()
