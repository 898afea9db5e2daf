"""The parameters scripts rely on, and what is refused before any work."""

from __future__ import annotations

import pytest
from qgis.core import QgsApplication, QgsProcessingParameterDefinition

from bdgf_core.samples.sensor import DEFAULT_SECOND_KIND

ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced
DECLARED = {
    "pretrain": (
        "SPECTRAL SPECTRAL_BANDS SECOND SECOND_BANDS SECOND_KIND PRESET SEED* DEVICE "
        "LOOKS* STEPS* MEMORY* RESUME* OUTPUT",
        "OUTPUT",
    ),
    "train": (
        "PRETRAINED SPECTRAL SECOND LABELS CLASS_FIELD SAMPLES_PER_CLASS VALIDATION PRESET SEED* DEVICE "
        "EPOCHS* MINIMUM_PIXELS* UNLABELLED* WITHOUT_FEATURES* MEMORY* RESUME* OUTPUT REPORT",
        "OUTPUT REPORT OVERALL_ACCURACY AVERAGE_ACCURACY KAPPA CALIBRATION_ERROR TEMPERATURE",
    ),
    "classify": (
        "CLASSIFIER SPECTRAL SECOND DEVICE MIN_DATA* MEMORY* COG* RESUME* OUTPUT CONFIDENCE ENTROPY DISAGREEMENT OOD "
        "PROBABILITIES QUALITY REPORT",
        "OUTPUT CONFIDENCE ENTROPY DISAGREEMENT OOD PROBABILITIES QUALITY REPORT MAPPED_SHARE MEAN_CONFIDENCE",
    ),
    "landcover": (
        "SPECTRAL SECOND SECOND_KIND LABELS CLASS_FIELD PRESET DEVICE SPECTRAL_BANDS* SECOND_BANDS* PRETRAINED* "
        "VALIDATION* SAMPLES_PER_CLASS* SEED* LOOKS* STEPS* EPOCHS* MINIMUM_PIXELS* UNLABELLED* MIN_DATA* MEMORY* "
        "COG* RESUME* OUTPUT CONFIDENCE ENTROPY DISAGREEMENT OOD REPORT MAP_REPORT",
        "OUTPUT CONFIDENCE ENTROPY DISAGREEMENT OOD REPORT MAP_REPORT PRETRAINED_MODEL CLASSIFIER OVERALL_ACCURACY "
        "AVERAGE_ACCURACY KAPPA",
    ),
    "assess": (
        "MAP REFERENCE CLASS_FIELD PAIRS* SEED* REPORT CSV JSON",
        "REPORT CSV JSON OVERALL_ACCURACY AVERAGE_ACCURACY KAPPA",
    ),
    "suggestsites": (
        "MAP ENTROPY DISAGREEMENT OOD CONFIDENCE LABELS CLASS_FIELD NUMBER DISTANCE* OUTPUT",
        "OUTPUT SITES",
    ),
    "checkinputs": (
        "SPECTRAL SPECTRAL_BANDS SECOND SECOND_BANDS SECOND_KIND LABELS CLASS_FIELD REPORT JSON",
        "REPORT JSON ERRORS WARNINGS NOTES SHIFT SHIFT_PIXELS",
    ),
    "traininglayer": ("NOMENCLATURE CLASSES GRID CRS OUTPUT", "OUTPUT"),
    "trainingsummary": (
        "SPECTRAL SECOND LABELS CLASS_FIELD MINIMUM_PIXELS* REPORT JSON CSV",
        "REPORT JSON CSV CLASSES SMALLEST_CLASS LOWEST_SEPARABILITY",
    ),
    "modelinfo": ("MODEL HTML JSON", "HTML JSON"),
    "environment": ("DEVICE HTML JSON", "HTML JSON READY PROBLEMS"),
    "installengine": ("BUILD WHEELS", "FOLDER TORCH"),
}


def algorithm(name):
    return QgsApplication.processingRegistry().algorithmById(f"bdgf:{name}")


@pytest.mark.parametrize("name", DECLARED)
def test_declared_parameters_and_outputs(qgis_app, name):
    parameters, outputs = DECLARED[name]
    declared = [d.name() + "*" * bool(d.flags() & ADVANCED) for d in algorithm(name).parameterDefinitions()]
    assert declared == parameters.split()
    assert [o.name() for o in algorithm(name).outputDefinitions()] == outputs.split()


@pytest.mark.parametrize("name", DECLARED)
def test_algorithm_describes_itself(qgis_app, name):
    alg = algorithm(name)
    assert alg.name() == name and alg.displayName() and alg.tags() and alg.shortHelpString()
    assert len(alg.shortHelpString()) > 100 and not alg.icon().isNull()


@pytest.mark.parametrize("name", ["pretrain", "landcover", "checkinputs"])
def test_dialogs_and_engine_take_the_second_raster_for_the_same(qgis_app, name):
    assert algorithm(name).parameterDefinition("SECOND_KIND").defaultValue() == DEFAULT_SECOND_KIND


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("pretrain", "SECOND_KIND", ["sar_linear", "sar_amplitude", "sar_db", "other"]),
        ("checkinputs", "SECOND_KIND", ["sar_linear", "sar_amplitude", "sar_db", "other"]),
        ("pretrain", "PRESET", ["quick", "standard", "paper"]),
        ("installengine", "BUILD", ["auto", "cpu", "cuda"]),
        ("train", "VALIDATION", ["polygon", "random", "none"]),
    ],
)
def test_choices_are_words(qgis_app, name, parameter, values):
    definition = algorithm(name).parameterDefinition(parameter)
    assert definition.usesStaticStrings() and definition.options() == values


def test_good_parameters_pass(check, scene):
    given = dict(SPECTRAL=scene.spectral, SECOND=scene.second, OUTPUT=scene.path("m.bdgf"))
    assert check("pretrain", **given) == ""
    assert check("pretrain", **given, PRESET="paper", SPECTRAL_BANDS=[1, 3], SECOND_KIND="other") == ""
    assert check("pretrain", **given, PRESET=2, SPECTRAL_BANDS="1;3", SECOND_KIND="0") == ""


def test_wrong_choice_is_refused(check, scene):
    given = dict(SPECTRAL=scene.spectral, OUTPUT=scene.path("m.bdgf"))
    assert "PRESET" in check("pretrain", **given, PRESET="gigantic")
    assert "PRESET" in check("pretrain", **given, PRESET="7")


def test_band_out_of_range_is_named(check, scene):
    message = check("pretrain", SPECTRAL=scene.spectral, SPECTRAL_BANDS=[2, 5], OUTPUT=scene.path("m.bdgf"))
    assert message == "SPECTRAL_BANDS names band 5, but the raster spectral has the bands 1 to 4."


def test_rasters_far_apart_are_refused_by_name(check, scene):
    far = scene.raster("far.tif", bands=1, west=700000.0)
    message = check("pretrain", SPECTRAL=scene.spectral, SECOND=far, OUTPUT=scene.path("m.bdgf"))
    assert "spectral" in message and "far" in message and "do not overlap" in message


def test_what_is_to_be_checked_may_be_wrong_but_must_be_there(check, scene):
    far = scene.raster("far.tif", bands=1, west=700000.0)
    assert check("checkinputs", SPECTRAL=scene.spectral, REPORT=scene.path("r.html")) == ""
    given = dict(SPECTRAL=far, SECOND=scene.second, LABELS=scene.polygons)
    assert check("checkinputs", **given, CLASS_FIELD="code") == ""
    assert "has no field kind" in check("checkinputs", **given, CLASS_FIELD="kind")
    assert "names band 9" in check("checkinputs", SPECTRAL=scene.spectral, SPECTRAL_BANDS=[9])
    same = scene.path("same")
    assert "another output" in check("checkinputs", SPECTRAL=scene.spectral, REPORT=same, JSON=same)


def test_labels_far_away_are_refused(check, scene):
    far = scene.raster("far.tif", bands=1, west=700000.0)
    pretrained = scene.model("p.bdgf", "pretrained", second=False)
    given = dict(PRETRAINED=pretrained, LABELS=scene.polygons, CLASS_FIELD="class", OUTPUT=scene.path("c.bdgf"))
    assert check("train", **given, SPECTRAL=scene.spectral) == ""
    assert "does not overlap the raster far" in check("train", **given, SPECTRAL=far)


def test_what_cannot_be_mapped_in_one_go_is_refused(check, scene):
    far = scene.raster("far.tif", bands=1, west=700000.0)
    lone = scene.model("p.bdgf", "pretrained", second=False)
    given = dict(SPECTRAL=scene.spectral, LABELS=scene.polygons, CLASS_FIELD="class", OUTPUT=scene.path("map.tif"))
    assert check("landcover", **given) == ""
    assert check("landcover", **given, SECOND=scene.second, REPORT=scene.path("r.html")) == ""
    assert check("landcover", **given, PRETRAINED=lone) == ""
    assert "leave SECOND empty" in check("landcover", **given, SECOND=scene.second, PRETRAINED=lone)
    assert "is a classifier" in check("landcover", **given, PRETRAINED=scene.model("c.bdgf", "classifier"))
    assert "does not exist" in check("landcover", **given, PRETRAINED=scene.path("nowhere.bdgf"))
    assert "do not overlap" in check("landcover", **given, SECOND=far)
    assert "does not overlap the raster far" in check("landcover", **{**given, "SPECTRAL": far})
    assert "has no field kind" in check("landcover", **{**given, "CLASS_FIELD": "kind"})
    assert ".png" in check("landcover", **{**given, "OUTPUT": scene.path("map.png")})
    assert "is an input or another output" in check("landcover", **{**given, "OUTPUT": scene.spectral})
    assert "is an input or another output" in check("landcover", **given, CONFIDENCE=scene.path("map.tif"))
    same = dict(REPORT=scene.path("r.html"), MAP_REPORT=scene.path("r.html"))
    assert "is an input or another output" in check("landcover", **given, **same)


def test_what_cannot_be_assessed_is_refused(check, scene):
    land_cover, far = scene.raster("map.tif", bands=1), scene.raster("far.tif", bands=1, west=700000.0)
    given = dict(REFERENCE=scene.polygons, CLASS_FIELD="class", REPORT=scene.path("r.html"))
    assert check("assess", MAP=land_cover, **given) == ""
    assert check("assess", MAP=land_cover, **given, PAIRS=["water", "3", "wood", "9"]) == ""
    assert check("assess", MAP=land_cover, **given, PAIRS=["water", "3", "", None]) == ""
    for wrong in (["water", "3", "wood"], ["water", "3", "wood", ""], ["water", "3", None, "9"]):
        assert "pairs" in check("assess", MAP=land_cover, **given, PAIRS=wrong)
    assert "does not overlap the raster far" in check("assess", MAP=far, **given)
    assert "has 4 bands" in check("assess", MAP=scene.spectral, **given)
    assert "CLASS_FIELD" in check("assess", MAP=land_cover, REFERENCE=scene.polygons)
    assert "has no field kind" in check("assess", MAP=land_cover, **{**given, "CLASS_FIELD": "kind"})
    assert "is an input or another output" in check("assess", MAP=land_cover, **given, CSV=scene.path("r.html"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not exist"),
        (b"", "is not a BDGF model"),
        (b"\xff" * 100, "is not a BDGF model"),
        (b"\x02\0\0\0\0\0\0\0{}", "is not a BDGF model"),
        (b"\x02\0\0\0\0\0\0\0[]", "is not a BDGF model"),
    ],
)
def test_unusable_model_file(check, scene, content, sentence):
    path = scene.folder / "model.bdgf"
    if content is not None:
        path.write_bytes(content)
    message = check("modelinfo", MODEL=str(path), HTML=scene.path("info.html"))
    assert sentence in message and str(path) in message


def test_wrong_kind_of_model(check, scene):
    pretrained, classifier = scene.model("p.bdgf", "pretrained"), scene.model("c.bdgf", "classifier")
    rasters = dict(SPECTRAL=scene.spectral, SECOND=scene.second)
    labels = dict(LABELS=scene.polygons, CLASS_FIELD="class", OUTPUT=scene.path("out.bdgf"))
    assert check("train", PRETRAINED=pretrained, **rasters, **labels) == ""
    assert "is a classifier" in check("train", PRETRAINED=classifier, **rasters, **labels)
    assert "is a pretrained model" in check("classify", CLASSIFIER=pretrained, **rasters, OUTPUT=scene.path("map.tif"))


def test_second_raster_must_agree_with_the_model(check, scene):
    with_second = scene.model("two.bdgf", "classifier")
    alone = scene.model("one.bdgf", "classifier", second=False)
    given = dict(SPECTRAL=scene.spectral, OUTPUT=scene.path("map.tif"))
    assert "give one of the same sensor as SECOND" in check("classify", CLASSIFIER=with_second, **given)
    assert "leave SECOND empty" in check("classify", CLASSIFIER=alone, SECOND=scene.second, **given)


def test_output_over_an_input_is_refused(check, scene, run):
    pretrained = scene.model("p.bdgf", "pretrained", second=False)
    message = check(
        "train",
        PRETRAINED=pretrained,
        SPECTRAL=scene.spectral,
        LABELS=scene.polygons,
        CLASS_FIELD="class",
        OUTPUT=pretrained,
    )
    assert "is an input or another output" in message
