"""The chains that come with the plugin: listed, sound, run, and open in the Model Designer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProject,
)

NAMES = ("chainassess", "chainmap", "chainupdate")


def chain_named(name: str):
    return QgsApplication.processingRegistry().createAlgorithmById(f"bdgf:{name}")


def run_chain(name: str, **parameters) -> dict:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    chain = chain_named(name)
    assert chain.checkParameterValues(parameters, context) == (True, "")
    results, ok = chain.run(parameters, context, QgsProcessingFeedback(False), {}, False)
    assert ok
    return results


def test_the_provider_lists_them_beside_the_algorithms(qgis_app):
    listed = {a.name(): a for a in QgsApplication.processingRegistry().providerById("bdgf").algorithms()}
    assert set(NAMES) <= set(listed) and "landcover" in listed
    files = {path.stem for path in (Path(__file__).parents[2] / "bdgf_qgis" / "models").glob("*")}
    assert files == set(NAMES)
    for name in NAMES:
        assert listed[name].group() and listed[name].displayName().startswith("Chain: ")
        assert len(listed[name].shortHelpString()) > 100 and not listed[name].icon().isNull()


@pytest.mark.parametrize("name", NAMES)
def test_every_step_has_what_it_needs(qgis_app, name):
    chain = chain_named(name)
    for child_id, child in chain.childAlgorithms().items():
        assert chain.validateChildAlgorithm(child_id) == (True, [])
        known = {definition.name() for definition in child.algorithm().parameterDefinitions()}
        assert set(child.parameterSources()) <= known
        for parameter, sources in child.parameterSources().items():  # as its algorithm would have it
            values = [source.staticValue() for source in sources if source.staticValue() is not None]
            default = child.algorithm().parameterDefinition(parameter).defaultValue()
            assert not values or values == [default] or parameter == "DEVICE"


@pytest.mark.parametrize("name", NAMES)
def test_the_texts_of_the_inputs_are_those_of_the_algorithms(qgis_app, name):
    """So that they are translated with them."""
    chain = chain_named(name)
    texts = set()
    for child in chain.childAlgorithms().values():
        texts |= {definition.description() for definition in child.algorithm().parameterDefinitions()}
    shown = {d.description() for d in chain.parameterDefinitions() if not d.name().startswith("VERBOSE")}
    assert shown <= texts, shown - texts


def test_a_chain_runs(engine, scene):
    rasters = dict(SPECTRAL=scene.spectral, SECOND=scene.second, SECOND_KIND="sar_linear")
    drawn = dict(LABELS=scene.polygons, CLASS_FIELD="class", SEED=5)
    files = {"classify:OUTPUT": scene.path("map.tif"), "train:REPORT": scene.path("r.html")}
    results = run_chain("chainmap", **rasters, **drawn, **files)
    assert all(map(os.path.exists, files.values())) and engine.job["confidence"] is None
    assert results["CHILD_RESULTS"]["train"]["KAPPA"] == 0.25
    assert results["CHILD_INPUTS"]["pretrain"]["SECOND_KIND"] == "sar_linear"
    assert [results["CHILD_INPUTS"][step]["SEED"] for step in ("pretrain", "train")] == [5, 5]


def test_one_raster_is_enough(engine, scene):
    drawn = dict(LABELS=scene.polygons, CLASS_FIELD="class")
    run_chain("chainmap", SPECTRAL=scene.spectral, **drawn, **{"classify:OUTPUT": scene.path("map.tif")})
    assert engine.job["second"] is None and os.path.exists(scene.path("map.tif"))


def test_an_assessed_map(engine, scene):
    given = dict(SPECTRAL=scene.spectral, LABELS=scene.polygons, CLASS_FIELD="class")
    reference = {"REFERENCE": scene.polygons, "REFERENCE_FIELD": "code", "assess:REPORT": scene.path("r.html")}
    run_chain("chainassess", **given, **reference, **{"classify:OUTPUT": scene.path("map.tif")})
    assert engine.job["reference"]["field"] == "code" and engine.job["map"] == scene.path("map.tif")
    assert os.path.exists(scene.path("r.html"))


def test_more_polygons(engine, scene):
    pretrained = scene.model("p.bdgf", "pretrained", second=False)
    given = dict(SPECTRAL=scene.spectral, LABELS=scene.polygons, CLASS_FIELD="class", PRETRAINED=pretrained)
    files = {"classify:OUTPUT": scene.path("map.tif"), "train:OUTPUT": scene.path("c.bdgf")}
    run_chain("chainupdate", **given, **files)
    assert engine.job["classifier"] == scene.path("c.bdgf") and os.path.exists(scene.path("map.tif"))


def test_a_copy_is_a_model_of_the_users_own(qgis_app, scene):
    copy = chain_named("chainmap").copy()
    assert type(copy) is QgsProcessingModelAlgorithm and not copy.sourceFilePath()
    assert copy.displayName() == "Chain: rasters and polygons to a map"
    assert copy.toFile(scene.path("mine.model3"))
    mine = QgsProcessingModelAlgorithm()
    assert mine.fromFile(scene.path("mine.model3")) and set(mine.childAlgorithms()) == {"pretrain", "train", "classify"}
