"""What comes out: declared outputs, the styled map, and chains in the Model Designer."""

from __future__ import annotations

import os

import pytest
from qgis.core import (
    QgsApplication,
    QgsPalettedRasterRenderer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsRasterLayer,
)

Source = QgsProcessingModelChildParameterSource


def test_pretrain_train_classify_info(engine, scene, run):
    rasters = dict(SPECTRAL=scene.spectral, SECOND=scene.second)
    pretrained = run("pretrain", **rasters, SECOND_KIND="sar_linear", SEED=7, OUTPUT=scene.path("p.bdgf"))["OUTPUT"]
    assert engine.job["second_kind"] == "sar_linear" and engine.job["seed"] == 7 and engine.job["looks"] == 1.0
    trained = run(
        "train",
        PRETRAINED=pretrained,
        **rasters,
        LABELS=scene.polygons,
        CLASS_FIELD="CLASS",
        VALIDATION="random",
        OUTPUT="TEMPORARY_OUTPUT",
        REPORT=scene.path("report.html"),
    )
    assert engine.job["validation"] == "random" and engine.job["labels"]["field"] == "class"
    assert (trained["OVERALL_ACCURACY"], trained["AVERAGE_ACCURACY"], trained["KAPPA"]) == (0.75, 0.5, 0.25)
    assert (trained["CALIBRATION_ERROR"], trained["TEMPERATURE"]) == (0.125, 1.5)
    assert trained["OUTPUT"].endswith(".bdgf") and os.path.exists(trained["REPORT"])
    mapped = run("classify", CLASSIFIER=trained["OUTPUT"], **rasters, MIN_DATA=0.8, OUTPUT=scene.path("map.tif"))
    assert mapped == {"OUTPUT": scene.path("map.tif"), "MAPPED_SHARE": 0.75, "MEAN_CONFIDENCE": 0.5}
    assert engine.job["min_data"] == 0.8
    assert engine.job["confidence"] is None and engine.job["quality"] is None
    told = run("modelinfo", MODEL=trained["OUTPUT"], HTML=scene.path("i.html"), JSON=scene.path("i.json"))
    assert told == {"HTML": scene.path("i.html"), "JSON": scene.path("i.json")}


def test_an_assessment_tells_its_figures_and_files(engine, scene, run):
    given = dict(MAP=scene.raster("map.tif", bands=1), REFERENCE=scene.polygons, CLASS_FIELD="CLASS", SEED=3)
    figures = {"OVERALL_ACCURACY": 0.75, "AVERAGE_ACCURACY": 0.5, "KAPPA": 0.25}
    assert run("assess", **given) == figures
    assert engine.job["reference"]["field"] == "class" and engine.job["pairs"] is None and engine.job["seed"] == 3
    files = {name: scene.path(f"out.{name}") for name in ("REPORT", "CSV", "JSON")}
    assert run("assess", **given, **files, PAIRS=[["wood", "9"], ["water", "3"]]) == {**files, **figures}
    assert engine.job["pairs"] == [["wood", "9"], ["water", "3"]] and all(map(os.path.exists, files.values()))


def test_a_check_tells_its_counts_and_the_shift(engine, scene, run):
    found = {"ERRORS": 0, "WARNINGS": 1, "NOTES": 2, "SHIFT": 30.0, "SHIFT_PIXELS": None}
    assert run("checkinputs", SPECTRAL=scene.spectral) == found
    assert engine.job["labels"] is None and engine.job["second"] is None and engine.job["second_kind"] == "sar_db"
    files = {name: scene.path(f"out.{name}") for name in ("REPORT", "JSON")}
    labels = dict(LABELS=scene.polygons, CLASS_FIELD="CLASS")
    results = run("checkinputs", SPECTRAL=scene.spectral, SECOND=scene.second, SECOND_KIND="other", **labels, **files)
    assert results == {**files, **found} and all(map(os.path.exists, files.values()))
    assert engine.job["labels"]["field"] == "class" and engine.job["second_kind"] == "other"


def test_all_rasters_of_classify(engine, scene, run):
    classifier = scene.model("c.bdgf", "classifier", second=False)
    names = ("OUTPUT", "CONFIDENCE", "ENTROPY", "DISAGREEMENT", "OOD", "PROBABILITIES", "QUALITY")
    wanted = dict.fromkeys((*names, "REPORT"), "TEMPORARY_OUTPUT")
    results = run("classify", CLASSIFIER=classifier, SPECTRAL=scene.spectral, **wanted)
    assert set(results) == {*wanted, "MAPPED_SHARE", "MEAN_CONFIDENCE"}
    assert all(os.path.exists(results[name]) and results[name].endswith(".tif") for name in names)
    assert os.path.exists(results["REPORT"]) and results["REPORT"].endswith(".html")


def test_further_rasters_of_land_cover(engine, scene, run):
    names = ("OUTPUT", "CONFIDENCE", "ENTROPY", "DISAGREEMENT", "OOD")
    drawn = dict(LABELS=scene.polygons, CLASS_FIELD="class")
    results = run("landcover", SPECTRAL=scene.spectral, **drawn, **dict.fromkeys(names, "TEMPORARY_OUTPUT"))
    assert all(os.path.exists(results[name]) and engine.job[name.lower()] == results[name] for name in names)


def test_no_validation_means_no_figures(engine, scene, run):
    pretrained = scene.model("p.bdgf", "pretrained", second=False)
    results = run(
        "train",
        PRETRAINED=pretrained,
        SPECTRAL=scene.spectral,
        LABELS=scene.polygons,
        CLASS_FIELD="class",
        VALIDATION="none",
        OUTPUT=scene.path("c.bdgf"),
    )
    assert results["OVERALL_ACCURACY"] is None and results["KAPPA"] is None


def test_engine_error_reaches_the_caller(engine, scene, run):
    engine.behave("error")
    with pytest.raises(QgsProcessingException, match="Band 7 of Größe.tif holds no data; choose others."):
        run("pretrain", SPECTRAL=scene.spectral, OUTPUT=scene.path("p.bdgf"))


def test_map_over_an_input_is_refused(engine, scene, check):
    classifier = scene.model("c.bdgf", "classifier", second=False)
    given = dict(CLASSIFIER=classifier, SPECTRAL=scene.spectral)
    assert "is an input or another output" in check("classify", **given, OUTPUT=scene.spectral)
    same = scene.path("same.tif")
    assert "is an input or another output" in check("classify", **given, OUTPUT=same, CONFIDENCE=same)
    assert "is an input or another output" in check("classify", **given, OUTPUT=same, REPORT=same)
    assert ".png" in check("classify", **given, OUTPUT=scene.path("map.png"))


@pytest.mark.parametrize("how", ["noted before", "by the dialog", "relative"])
def test_loaded_map_has_names_and_colors(engine, scene, monkeypatch, how):
    import processing
    from processing.gui.Postprocessing import handleAlgorithmResults

    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("bdgf:classify")
    parameters = {
        "CLASSIFIER": scene.model("c.bdgf", "classifier", second=False),
        "SPECTRAL": scene.spectral,
        "OUTPUT": scene.path("map.tif"),
    }
    if how == "noted before":
        details = QgsProcessingContext.LayerDetails("Land cover", QgsProject.instance(), "OUTPUT")
        context.addLayerToLoadOnCompletion(scene.path("map.tif"), details)
    else:
        monkeypatch.chdir(os.path.dirname(scene.spectral))
        path = "map.tif" if how == "relative" else scene.path("map.tif")
        parameters["OUTPUT"] = QgsProcessingOutputLayerDefinition(path, QgsProject.instance())
    feedback = QgsProcessingFeedback(False)
    processing.run(algorithm, parameters, context=context, feedback=feedback, onFinish=lambda *_: None)
    assert handleAlgorithmResults(algorithm, context, feedback)
    (layer,) = (la for la in QgsProject.instance().mapLayers().values() if isinstance(la, QgsRasterLayer))
    renderer = layer.renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer)
    entries = [(c.value, c.label, c.color.name()) for c in renderer.classes()]
    assert entries == [(3, "Open water", "#1122ee"), (9, "Wood", "#117733")]
    QgsProject.instance().removeAllMapLayers()


@pytest.mark.parametrize("path", ["a.tif", "z.tif"])
def test_the_map_lies_above_what_belongs_to_it(engine, scene, path):
    """Processing loads layers by the order of their paths."""
    import processing
    from processing.gui.Postprocessing import handleAlgorithmResults

    project = QgsProject.instance()
    context = QgsProcessingContext()
    context.setProject(project)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("bdgf:classify")
    paths = {"OUTPUT": path, "CONFIDENCE": "m.tif", "ENTROPY": "n.tif", "OOD": "o.tif"}
    parameters = {
        "CLASSIFIER": scene.model("c.bdgf", "classifier", second=False),
        "SPECTRAL": scene.spectral,
        **{name: QgsProcessingOutputLayerDefinition(scene.path(file), project) for name, file in paths.items()},
    }
    feedback = QgsProcessingFeedback(False)
    processing.run(algorithm, parameters, context=context, feedback=feedback, onFinish=lambda *_: None)
    assert handleAlgorithmResults(algorithm, context, feedback)
    order = [os.path.basename(node.layer().source()) for node in project.layerTreeRoot().findLayers()]
    assert order[0] == path and sorted(order) == sorted(paths.values())
    project.removeAllMapLayers()


@pytest.fixture
def chain(engine) -> QgsProcessingModelAlgorithm:
    """pretrain → train → classify as people draw it in the Model Designer."""
    model = QgsProcessingModelAlgorithm("chain", "tests")
    for parameter in (
        QgsProcessingParameterRasterLayer("image", "image"),
        QgsProcessingParameterRasterLayer("radar", "radar"),
        QgsProcessingParameterFeatureSource("labels", "labels"),
    ):
        model.addModelParameter(parameter, QgsProcessingModelParameter(parameter.name()))
    rasters = {"SPECTRAL": Source.fromModelParameter("image"), "SECOND": Source.fromModelParameter("radar")}
    steps = {
        "pretrain": {**rasters, "PRESET": Source.fromStaticValue("quick")},
        "train": {
            **rasters,
            "PRETRAINED": Source.fromChildOutput("pretrain", "OUTPUT"),
            "LABELS": Source.fromModelParameter("labels"),
            "CLASS_FIELD": Source.fromStaticValue("class"),
        },
        "classify": {**rasters, "CLASSIFIER": Source.fromChildOutput("train", "OUTPUT")},
    }
    for name, sources in steps.items():
        child = QgsProcessingModelChildAlgorithm(f"bdgf:{name}")
        child.setChildId(name)
        defaults = {
            d.name(): d.defaultValue()
            for d in QgsApplication.processingRegistry().algorithmById(child.algorithmId()).parameterDefinitions()
        }
        filled_in = {k: Source.fromStaticValue(v) for k, v in defaults.items() if v is not None}
        for parameter, source in {**filled_in, **sources}.items():
            child.addParameterSources(parameter, [source])
        model.addChildAlgorithm(child)
    output = QgsProcessingModelOutput("map", "map")
    output.setChildId("classify")
    output.setChildOutputName("OUTPUT")
    child = model.childAlgorithm("classify")
    child.setModelOutputs({"map": output})
    model.setChildAlgorithm(child)
    model.updateDestinationParameters()
    return model


def run_model(model: QgsProcessingAlgorithm, scene) -> dict:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    parameters = {"image": scene.spectral, "radar": scene.second, "labels": scene.polygons}
    destination = next(d.name() for d in model.destinationParameterDefinitions())
    parameters[destination] = scene.path("map.tif")
    ok, message = model.checkParameterValues(parameters, context)
    assert ok, message
    results, ok = model.run(parameters, context, QgsProcessingFeedback(False), {}, False)
    assert ok
    return results


def test_chain_runs_as_a_model(chain, scene, engine):
    for child in chain.childAlgorithms():
        assert chain.validateChildAlgorithm(child) == (True, [])
    results = run_model(chain, scene)
    assert os.path.exists(scene.path("map.tif")) and engine.job["classifier"].endswith(".bdgf")
    assert results["CHILD_RESULTS"]["train"]["KAPPA"] == 0.25


def test_chain_survives_a_model_file(chain, scene):
    path = scene.path("chain.model3")
    assert chain.toFile(path)
    again = QgsProcessingModelAlgorithm()
    assert again.fromFile(path)
    run_model(again, scene)
    assert os.path.exists(scene.path("map.tif"))


def test_designer_offers_the_model_of_the_step_before(chain):
    sources = chain.availableSourcesForChild("train", ["file"], ["outputFile", "outputString"])
    assert ("pretrain", "OUTPUT") in [(s.outputChildId(), s.outputName()) for s in sources]
