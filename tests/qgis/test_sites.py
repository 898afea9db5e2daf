"""Suggested sites in QGIS: what is refused, and the layer as it looks."""

from __future__ import annotations

import os

import pytest
from qgis.core import (
    QgsApplication,
    QgsGraduatedSymbolRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.site_layer import Site, write_sites

Source = QgsProcessingModelChildParameterSource
LEGEND = Legend((LandCoverClass(3, "w", 'Open "water"', "#1122ee"), LandCoverClass(9, "9", "Wood", "#117733")))


@pytest.fixture
def judged(scene):
    rasters = {name: scene.raster(f"{name}.tif", bands=1) for name in ("map", "entropy", "ood")}
    return dict(MAP=rasters["map"], ENTROPY=rasters["entropy"], OOD=rasters["ood"])


def test_the_job_is_what_was_chosen(engine, scene, run, judged):
    labels = dict(LABELS=scene.polygons, CLASS_FIELD="CLASS")
    results = run("suggestsites", **judged, **labels, NUMBER=7, OUTPUT=scene.path("sites.gpkg"))
    assert results == {"OUTPUT": scene.path("sites.gpkg"), "SITES": 1}
    job = engine.job
    assert job["map"] == judged["MAP"] and job["ood"] == judged["OOD"] and job["confidence"] is None
    assert job["labels"]["field"] == "class" and job["number"] == 7 and job["distance"] is None
    run("suggestsites", **judged, DISTANCE=5, OUTPUT="TEMPORARY_OUTPUT")
    assert engine.job["labels"] is None and engine.job["distance"] == 5 and engine.job["output"].endswith(".gpkg")


def test_what_is_refused(check, scene, judged):
    given = dict(OUTPUT=scene.path("sites.gpkg"))
    assert check("suggestsites", **judged, **given) == ""
    assert "run Classify again" in check("suggestsites", MAP=judged["MAP"], **given)
    assert "has 4 bands" in check("suggestsites", **{**judged, "OOD": scene.spectral}, **given)
    far = scene.raster("far.tif", bands=1, west=700000.0)
    assert "map and far do not overlap" in check("suggestsites", **{**judged, "OOD": far}, **given)
    assert "none.tif" in check("suggestsites", **{**judged, "ENTROPY": scene.path("none.tif")}, **given)
    assert "has no field kind" in check("suggestsites", **judged, LABELS=scene.polygons, CLASS_FIELD="kind", **given)
    assert "no GeoPackage" in check("suggestsites", **judged, OUTPUT=scene.path("sites.shp"))


def site(rank: int) -> Site:
    return Site(500000.0 + 10 * rank, 5800000.0, 0.5, "branches disagree", 3, 'Open "water"', None, 0.5, 0.1, 0.2)


@pytest.mark.parametrize(("count", "ranges"), [(1, 1), (3, 3), (30, 5)])
def test_the_style_in_the_file_is_the_layer_s(qgis_app, scene, count, ranges):
    path = scene.path("styled.gpkg")
    write_sites(path, [site(rank) for rank in range(count)], LEGEND, Grid.of(scene.spectral))
    layer = QgsVectorLayer(f"{path}|layername=suggested_sites", "sites", "ogr")
    assert layer.isValid() and layer.featureCount() == count and layer.crs().authid() == "EPSG:32633"
    assert layer.loadDefaultStyle()[1]
    renderer = layer.renderer()
    assert isinstance(renderer, QgsGraduatedSymbolRenderer) and renderer.classAttribute() == "rank"
    assert len(renderer.ranges()) == ranges and renderer.ranges()[0].label().startswith("Site")
    colors = [found.symbol().color().name() for found in renderer.ranges()]
    assert len(set(colors)) == ranges and all(found.symbol().size() >= 3 for found in renderer.ranges())
    for rank in range(1, count + 1):
        assert renderer.rangeForValue(rank) is not None, rank
    assert renderer.orderByEnabled() and layer.labelsEnabled()
    settings = layer.labeling().settings()
    assert settings.fieldName == "rank" and settings.format().buffer().enabled()
    widget = layer.editorWidgetSetup(layer.fields().lookupField("class"))
    assert widget.type() == "ValueMap" and widget.config()["map"] == [{'Open "water"': "w"}, {"Wood": "9"}]
    assert "reason" in layer.displayExpression() and "reason" in layer.mapTipTemplate()


def test_a_model_takes_the_rasters_from_classify(engine, scene):
    """Those that the sites want are made although classify does not make them by default."""
    model = QgsProcessingModelAlgorithm("classify and suggest", "tests")
    for parameter in (
        QgsProcessingParameterRasterLayer("image", "image"),
        QgsProcessingParameterFile("model", "model"),
    ):
        model.addModelParameter(parameter, QgsProcessingModelParameter(parameter.name()))
    rasters = {"MAP": "OUTPUT", "ENTROPY": "ENTROPY", "OOD": "OOD"}
    steps = {
        "classify": {
            "CLASSIFIER": Source.fromModelParameter("model"),
            "SPECTRAL": Source.fromModelParameter("image"),
            "DEVICE": Source.fromStaticValue("cpu"),
            "MIN_DATA": Source.fromStaticValue(0.5),
        },
        "suggestsites": {
            "NUMBER": Source.fromStaticValue(9),
            **{name: Source.fromChildOutput("classify", output) for name, output in rasters.items()},
        },
    }
    for name, sources in steps.items():
        child = QgsProcessingModelChildAlgorithm(f"bdgf:{name}")
        child.setChildId(name)
        for parameter, source in sources.items():
            child.addParameterSources(parameter, [source])
        if name == "suggestsites":
            output = QgsProcessingModelOutput("sites", "sites")
            output.setChildId(name)
            output.setChildOutputName("OUTPUT")
            child.setModelOutputs({"sites": output})
        model.addChildAlgorithm(child)
    model.updateDestinationParameters()
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    classifier = scene.model("c.bdgf", "classifier", second=False)
    destination = model.destinationParameterDefinitions()[0].name()  # newer QGIS names it otherwise
    parameters = {"image": scene.spectral, "model": classifier, destination: scene.path("sites.gpkg")}
    ok, message = model.checkParameterValues(parameters, context)
    assert ok, message
    assert model.run(parameters, context, QgsProcessingFeedback(False), {}, False)[1]
    job = engine.job
    assert job["number"] == 9 and job["disagreement"] is None and job["output"] == scene.path("sites.gpkg")
    assert all(os.path.exists(job[name]) for name in ("map", "entropy", "ood"))


@pytest.fixture
def load_sites(engine, scene, judged, monkeypatch):
    """Runs the algorithm and lets Processing load the layer, as its dialog does."""
    import processing
    from processing.gui.Postprocessing import handleAlgorithmResults

    from bdgf_qgis import engine as engine_module

    def run_engine(verb, job, feedback, *, python):
        write_sites(job["output"], [site(1), site(2)], LEGEND, Grid.of(scene.spectral))
        return {"output": job["output"], "sites": 2}

    monkeypatch.setattr(engine_module, "run", run_engine)

    def load() -> QgsVectorLayer:
        path = scene.path("loaded.gpkg")
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("bdgf:suggestsites")
        details = QgsProcessingContext.LayerDetails("Sites", QgsProject.instance(), "OUTPUT")
        context.addLayerToLoadOnCompletion(path, details)
        given, feedback = {**judged, "OUTPUT": path}, QgsProcessingFeedback(False)
        processing.run(algorithm, given, context=context, feedback=feedback, onFinish=lambda *_: None)
        assert handleAlgorithmResults(algorithm, context, feedback)
        (layer,) = (la for la in QgsProject.instance().mapLayers().values() if isinstance(la, QgsVectorLayer))
        return layer

    yield load
    QgsProject.instance().clear()


def test_sites_are_loaded_with_their_style(load_sites):
    """By Processing, which opens files without it."""
    layer = load_sites()
    assert isinstance(layer.renderer(), QgsGraduatedSymbolRenderer) and layer.labelsEnabled()


def test_sites_lie_above_the_map(load_sites, scene):
    """Also where QGIS inserts what it loads below it, as it does where the layer of the polygons is active."""
    root = QgsProject.instance().layerTreeRoot()
    for name in ("map", "polygons below"):
        land_cover = QgsRasterLayer(scene.raster(f"{name}.tif", bands=1), name)
        QgsProject.instance().addMapLayer(land_cover, False)
        root.addLayer(land_cover)
    bridge = QgsProject.instance().layerTreeRegistryBridge()
    if hasattr(bridge, "setLayerInsertionPoint"):
        bridge.setLayerInsertionPoint(bridge.InsertionPoint(root, 1))
    else:
        bridge.setLayerInsertionPoint(root, 1)
    layer = load_sites()
    assert [node.name() for node in root.findLayers()] == [layer.name(), "map", "polygons below"]
    assert [found.id() for found in root.layerOrder()][0] == layer.id()
