"""Pretrain, train and classify on a tiny scene, one after the other."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from osgeo import gdal
from tiny_scene import CLASSES, HEIGHT, WIDTH, Events, TinyScene, read

from bdgf_core.calibration import calibrated
from bdgf_core.checkpoint import load_model, save_model
from bdgf_core.classify import FURTHER, ClassifyConfig, classify
from bdgf_core.errors import BdgfError, Canceled
from bdgf_core.fit import fit_networks
from bdgf_core.info import InfoConfig, info
from bdgf_core.pretrain import PRESETS, PretrainConfig, planned_steps, pretrain
from bdgf_core.progress import Progress
from bdgf_core.raster.stack import RasterSource
from bdgf_core.train import TrainConfig, train

OUTPUTS = ("output", "report", *FURTHER)


@dataclass
class Chain:
    """The configs of a chain on the scene, and what its steps returned."""

    scene: TinyScene
    pretrain: PretrainConfig
    train: TrainConfig
    classify: ClassifyConfig
    results: dict
    events: dict


def run(verb, config, events: Events | None = None):
    events = events or Events()
    return verb(config, Progress(events, events.canceled))


def chain_of(scene: TinyScene, name: str, *, second: bool = True, bands=None) -> Chain:
    """Configs of a chain whose files begin with ``name``; nothing is run yet."""
    sar = scene.source("sar.tif") if second else None
    model, classifier = scene.path(f"{name}_pre.bdgf"), scene.path(f"{name}.bdgf")
    common = dict(second=sar, device="cpu", memory_mb=1024)
    first = PretrainConfig(scene.source(bands=bands), model, second_kind="sar_db", steps=3, **common)
    then = TrainConfig(
        model, scene.source(), scene.labels, classifier, epochs=1, report=scene.path(f"{name}.html"), **common
    )
    last = ClassifyConfig(
        classifier, scene.source(), scene.path(f"{name}.tif"),
        **{further: scene.path(f"{name}_{further}.tif") for further in FURTHER},
        report=scene.path(f"{name}_map.html"), **common,
    )  # fmt: skip
    return Chain(scene, first, then, last, {}, {})


def run_chain(chain: Chain) -> Chain:
    for verb in (pretrain, train, classify):
        chain.events[verb.__name__] = Events()
        chain.results[verb.__name__] = run(verb, getattr(chain, verb.__name__), chain.events[verb.__name__])
    return chain


@pytest.fixture(scope="module", autouse=True)
def _few_batches():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bdgf_core.pretrain._RECALIBRATION_BATCHES", 4)
        patch.setattr("bdgf_core.train._TREES", 10)
        yield


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> TinyScene:
    return TinyScene(tmp_path_factory.mktemp("verbs"))


@pytest.fixture(scope="module")
def chain(scene: TinyScene) -> Chain:
    return run_chain(chain_of(scene, "full"))


@pytest.fixture(scope="module")
def lone(scene: TinyScene) -> Chain:
    """One sensor only, and three of its bands."""
    return run_chain(chain_of(scene, "lone", second=False, bands=(5, 2, 3)))


def test_results_tell_what_the_contract_promises(chain):
    assert {"output", "steps", "seconds", "device", "peak_memory_mb"} <= set(chain.results["pretrain"])
    trained = chain.results["train"]
    assert trained["classes"] == 3 and 0 <= trained["overall_accuracy"] <= 1 and Path(trained["report"]).is_file()
    mapped = chain.results["classify"]
    assert mapped["classes"][0] == {"value": 10, "label": "10", "name": "Water", "color": "#102030"}
    assert mapped["pixels"] == HEIGHT * WIDTH - 20 - 12
    json.dumps(chain.results, allow_nan=False)
    for events in chain.events.values():
        shares = [event["fraction"] for event in events.seen if event["event"] == "progress"]
        assert shares == sorted(shares) and shares[-1] == 1.0


def test_the_map_carries_the_classes(chain):
    dataset = gdal.Open(chain.classify.output)
    band = dataset.GetRasterBand(1)
    assert (dataset.RasterYSize, dataset.RasterXSize) == (HEIGHT, WIDTH) and band.GetNoDataValue() == 255
    assert set(np.unique(band.ReadAsArray())) <= {value for value, _ in CLASSES} | {255}
    assert dataset.GetGeoTransform() == gdal.Open(chain.scene.path("spectral.tif")).GetGeoTransform()
    table = band.GetDefaultRAT()
    assert table.GetRowCount() == 3
    assert "Water" in {table.GetValueAsString(0, column) for column in range(table.GetColumnCount())}
    assert "validation" in dataset.GetMetadataItem("BDGF_OVERALL_ACCURACY")


def test_rasters_agree_with_each_other(chain):
    found = {name: read(getattr(chain.classify, name)) for name in ("output", *FURTHER)}
    mapped = found["output"][0] != 255
    probabilities = found["probabilities"][:, mapped]
    assert np.allclose(probabilities.sum(0), 1, atol=1e-5)
    assert np.array_equal(np.array([10, 20, 30])[probabilities.argmax(0)], found["output"][0][mapped])
    assert np.allclose(found["confidence"][0][mapped], probabilities.max(0))
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(0) / np.log(3)
    assert np.allclose(found["entropy"][0][mapped], entropy, atol=1e-5)
    assert (found["ood"][0][mapped] > 0).all() and 0 <= found["disagreement"][0][mapped].min()
    assert found["disagreement"].max() <= 1 and len(np.unique(found["disagreement"][0][mapped])) > 100
    for name in ("confidence", "probabilities", "entropy", "disagreement", "ood"):
        assert (found[name][:, ~mapped] == -1).all()


def test_further_rasters_leave_the_map_as_it_is(chain):
    alone = replace(chain.classify, output=chain.scene.path("alone.tif"), **dict.fromkeys(FURTHER))
    run(classify, alone)
    assert np.array_equal(read(alone.output), read(chain.classify.output))


def test_every_further_raster_tells_what_it_is(chain):
    for name in FURTHER:
        dataset = gdal.Open(getattr(chain.classify, name))
        assert dataset.GetRasterBand(1).GetDescription() and dataset.GetMetadataItem("BDGF_VERSION")
        styled = Path(getattr(chain.classify, name)).with_suffix(".qml").exists()
        assert styled == (name not in ("probabilities", "quality"))


def test_what_differs_from_all_training_samples_is_told(chain, tmp_path):
    """The same scene with a patch of another material."""
    strange = chain.scene.spectral.copy()
    strange[:, 20:28, 8:16] = 3000.0
    source = RasterSource(chain.scene.write("strange.tif", strange))
    config = replace(chain.classify, spectral=source, output=str(tmp_path / "m.tif"), **dict.fromkeys(FURTHER))
    run(classify, replace(config, ood=str(tmp_path / "ood.tif")))
    before, now = read(chain.classify.ood)[0], read(str(tmp_path / "ood.tif"))[0]
    assert now[22:26, 10:14].min() > 1.5 and (before[:, 2:38][before[:, 2:38] >= 0] < 1).mean() > 0.8


def test_a_classifier_of_an_older_version_maps_but_knows_no_ood(chain, tmp_path):
    model = load_model(chain.train.output)
    document = {name: value for name, value in model.document.items() if name != "ood"}
    tensors = {name: tensor for name, tensor in model.tensors.items() if not name.startswith("ood.")}
    old = str(tmp_path / "old.bdgf")
    save_model(old, "classifier", document, tensors)
    config = replace(chain.classify, classifier=old, output=str(tmp_path / "m.tif"), **dict.fromkeys(FURTHER))
    with pytest.raises(BdgfError, match="train it anew"):
        run(classify, replace(config, ood=str(tmp_path / "ood.tif")))
    run(classify, config)
    assert np.array_equal(read(config.output), read(chain.classify.output))


def test_what_has_too_little_data_stays_nodata(chain):
    classes, quality = read(chain.classify.output)[0], read(chain.classify.quality)
    there = (chain.scene.spectral > -9000).mean(0)
    assert np.array_equal(quality[0], np.round(100 * there)) and (quality[1] == 100).all()
    assert np.array_equal(classes == 255, there < 0.5)


def test_calibration_scales_confidence_and_leaves_the_map(chain):
    """Training stores what it found on samples kept apart; classify applies what is stored."""
    model = load_model(chain.train.output)
    found = model.document["calibration"]
    assert found["samples"] == np.sum(model.document["accuracy"]["confusion"]) and found["folds"] >= 2
    assert chain.results["train"]["temperature"] == found["temperature"]
    plain, warm = ({**model.document, "calibration": {**found, "temperature": t}} for t in (1.0, 2.0))
    maps = []
    for name, document in (("plain", plain), ("warm", warm)):
        save_model(chain.scene.path(f"{name}.bdgf"), "classifier", document, model.tensors)
        paths = {key: chain.scene.path(f"{name}_{key}.tif") for key in ("output", "confidence", "probabilities")}
        config = replace(
            chain.classify,
            classifier=chain.scene.path(f"{name}.bdgf"),
            **{**dict.fromkeys((*FURTHER, "report")), **paths},
        )
        run(classify, config)
        maps.append({key: read(path) for key, path in paths.items()})
    one, other = maps
    there = one["output"][0] != 255
    assert np.array_equal(one["output"], other["output"])
    scaled = calibrated(one["probabilities"][:, there], 2.0, axis=0)
    assert np.allclose(scaled, other["probabilities"][:, there], atol=1e-6)
    assert np.array_equal(other["confidence"][0][there], other["probabilities"][:, there].max(0))
    assert (other["confidence"][0][there] < one["confidence"][0][there]).mean() > 0.9


def test_the_page_tells_what_the_map_holds(chain):
    told, page = chain.results["classify"], Path(chain.classify.report).read_text("utf-8")
    classes = read(chain.classify.output)[0]
    confidence = read(chain.classify.confidence)[0]
    assert told["mean_confidence"] == pytest.approx(confidence[classes != 255].mean(), abs=1e-6)
    assert told["mapped_share"] == (classes != 255).mean() and told["report"] == chain.classify.report
    for entry in told["classes"]:
        count = int((classes == entry["value"]).sum())
        assert f"{entry['name']}</td>" in page and f">{count:,}</td>" in page, entry
    assert "data:image/png;base64," in page and "<script" not in page


def test_branches_are_shown_on_a_plane_with_samples_kept_apart(chain):
    features = load_model(chain.train.output).document["features"]
    assert features["held_out"] and set(features["branches"]) == {"cnn", "transformer", "mamba"}
    for places in features["branches"].values():
        assert np.shape(places) == (len(features["classes"]), 2) and np.abs(places).max() <= 1


@pytest.mark.parametrize("least,unmapped", [(0.0, 20), (0.9, 20 + 12 + 12)])
def test_the_least_share_of_data_is_a_choice(chain, least, unmapped):
    output = chain.scene.path(f"least_{least}.tif")
    config = ClassifyConfig(
        chain.classify.classifier, chain.scene.source(), output, chain.scene.source("sar.tif"), "cpu", min_data=least
    )
    assert run(classify, config)["pixels"] == HEIGHT * WIDTH - unmapped
    assert (read(output) == 255).sum() == unmapped


def test_the_same_seed_gives_the_same_files(chain, tmp_path):
    again = run_chain(chain_of(TinyScene(tmp_path), "full"))
    for name in ("pretrain", "train"):
        one, other = (load_model(getattr(c, name).output).tensors for c in (chain, again))
        assert one.keys() == other.keys() and all(one[key].equal(other[key]) for key in one)
    for name in ("output", *FURTHER):
        assert np.array_equal(read(getattr(chain.classify, name)), read(getattr(again.classify, name)))


def test_the_tiling_makes_no_difference(chain):
    maps, confidences = [], []
    for tile in (16, 64):
        names = [chain.scene.path(f"tile_{tile}{suffix}.tif") for suffix in ("", "_confidence")]
        config = replace(chain.classify, tile=tile, output=names[0], **dict.fromkeys(FURTHER))
        config = replace(config, confidence=names[1])
        run(classify, config)
        maps.append(read(names[0]))
        confidences.append(read(names[1]))
    assert (maps[0] == maps[1]).mean() >= 0.9999
    assert np.abs(confidences[0] - confidences[1]).max() <= 1e-3


def test_cloud_optimised_maps_are_the_same(chain, tmp_path):
    outputs = {"output": str(tmp_path / "cog.tif"), "confidence": str(tmp_path / "cog_confidence.tif")}
    run(classify, replace(chain.classify, cog=True, **{**dict.fromkeys(OUTPUTS), **outputs}))
    for name, path in outputs.items():
        assert gdal.Open(path).GetMetadataItem("LAYOUT", "IMAGE_STRUCTURE") == "COG"
        assert np.array_equal(read(path), read(getattr(chain.classify, name)))


def test_what_is_told_at_the_start_leaves_the_map_as_it_is(chain, tmp_path, monkeypatch):
    odd = chain.scene.spectral.copy()
    odd[5, :2] = 1e6
    source = RasterSource(chain.scene.write("odd.tif", odd))
    events, names = Events(), [str(tmp_path / name) for name in ("told.tif", "silent.tif")]
    config = replace(chain.classify, spectral=source, **dict.fromkeys(FURTHER))
    run(classify, replace(config, output=names[0]), events)
    assert [text[:16] for text in events.texts("warning")] == ["odd.tif, bands 6"]
    monkeypatch.setattr("bdgf_core.classify.warn_of_inputs", lambda *given, **how: None)
    run(classify, replace(config, output=names[1]))
    assert np.array_equal(read(names[0]), read(names[1]))


def test_a_subset_of_bands_is_remembered(lone):
    """The full raster, the same choice of bands, and a raster of just these bands give one map."""
    scene = lone.scene
    subset = scene.write("subset.tif", scene.spectral[[4, 1, 2]], names=False)
    expected = read(lone.classify.output)
    for i, source in enumerate((scene.source(bands=(5, 2, 3)), RasterSource(subset))):
        output = scene.path(f"subset_{i}.tif")
        run(classify, ClassifyConfig(lone.classify.classifier, source, output, device="cpu"))
        assert np.array_equal(read(output), expected)


def test_one_sensor_is_enough(lone):
    assert any("One raster only" in text for text in lone.events["pretrain"].texts("message"))
    assert set(load_model(lone.train.output).document["sensors"]) == {"spectral"}
    assert read(lone.classify.quality).shape[0] == 1


def test_info_describes_both_files(chain):
    for path, kind in ((chain.pretrain.output, "pretrained"), (chain.train.output, "classifier")):
        page = path + ".html"
        summary = info(InfoConfig(path, html=page), Progress())["summary"]
        assert summary["kind"] == kind and summary["parameters"]["denoiser"] == 4_299_633
        assert set(summary["sensors"]) == {"spectral", "second"} and Path(page).stat().st_size > 500


@pytest.mark.parametrize("verb", [pretrain, train, classify])
def test_a_stop_leaves_no_file(chain, verb):
    config = getattr(chain, verb.__name__)
    outputs = {"output": chain.scene.path(f"stopped{Path(config.output).suffix}")}
    for name in OUTPUTS[1:]:
        if hasattr(config, name):
            outputs[name] = chain.scene.path(f"stopped_{name}{'.html' if name == 'report' else '.tif'}")
    config = replace(config, **outputs)
    known = {path.name for path in chain.scene.folder.iterdir()}
    asked = chain.events[verb.__name__].asked
    for stop in (0, 2, asked // 2, *([asked - 1] if verb is classify else [])):
        with pytest.raises(Canceled):
            run(verb, config, Events(stop))
        assert not chain.scene.leftovers(known), (stop, asked)


def test_a_random_split_and_none(chain):
    output = chain.scene.path("split.bdgf")
    config = replace(chain.train, output=output, report=None, samples_per_class=12, preset="quick")
    run(train, replace(config, validation="random"))
    accuracy = load_model(output).document["accuracy"]
    assert accuracy["protocol"] == "random" and np.sum(accuracy["confusion"]) == 36
    result = run(train, replace(config, validation="none"))
    assert load_model(output).document["accuracy"] is None and result["overall_accuracy"] is None


def test_no_model_appears_without_its_report(chain, tmp_path, monkeypatch):
    def fail(*given, **how):
        raise RuntimeError("no page")

    monkeypatch.setattr("bdgf_core.train.training_report", fail)
    output, report = tmp_path / "lone.bdgf", tmp_path / "lone.html"
    with pytest.raises(RuntimeError, match="no page"):
        run(train, replace(chain.train, output=str(output), report=str(report), validation="none"))
    assert not output.exists() and not report.exists()


def test_what_pretraining_brings_is_measured_on_request(chain, monkeypatch):
    asked = []

    def fit(config, samples, runs, how, **more):
        asked.append((config, runs))
        return fit_networks(config, samples, runs, how, **more)

    monkeypatch.setattr("bdgf_core.train.fit_networks", fit)
    output, events = chain.scene.path("worth.bdgf"), Events()
    report = chain.scene.path("worth.html")
    run(train, replace(chain.train, output=output, report=report, without_features=True), events)
    accuracy = load_model(output).document["accuracy"]
    plain = load_model(chain.train.output).document["accuracy"]
    assert accuracy["confusion"] == plain["confusion"] and "without_features" not in plain
    without = accuracy["without_features"]
    assert np.sum(without["confusion"]) == np.sum(accuracy["confusion"])
    (config, runs), (unguided, again) = asked
    off = {"guide_cnn": False, "guide_transformer": False, "guide_mamba": False, "guide_trees": False}
    assert unguided == replace(config, **off) and len(again) == len(runs) - 1  # the last one has all samples
    assert any("without them" in text for text in events.texts("message"))
    assert "What pretraining brings" in Path(report).read_text("utf-8")


def test_held_out_polygons_settle_the_shares(chain):
    document = load_model(chain.train.output).document
    shares, network = document["training"]["shares"], document["method"]["network"]
    assert list(shares) == ["branches", "trees", "regression"] and sum(shares.values()) == pytest.approx(1, abs=2e-4)
    assert shares["trees"] == pytest.approx(network["trees_share"], abs=1e-4) != 0.45
    assert shares["regression"] == pytest.approx(network["regression_share"], abs=1e-4)
    assert f"branches {100 * shares['branches']:.0f} %" in Path(chain.train.report).read_text("utf-8")


def test_random_pixels_settle_no_shares(chain):
    output = chain.scene.path("random.bdgf")
    run(train, replace(chain.train, output=output, report=None, validation="random"))
    shares = load_model(output).document["training"]["shares"]
    assert shares == {"branches": 0.35, "trees": 0.45, "regression": 0.2}


def test_the_paper_preset_trains(chain):
    output = chain.scene.path("paper.bdgf")
    run(
        train, replace(chain.train, output=output, report=None, validation="none", preset="paper", samples_per_class=12)
    )
    network = load_model(output).document["method"]["network"]
    assert network["padded_cnn"] and network["guidance_kernel"] == 3 and network["attention_cells"] == 9
    assert not network["trees"] and not network["average_branches"]


def test_unlabelled_pixels_teach_on_request(chain):
    output = chain.scene.path("unlabelled.bdgf")
    run(train, replace(chain.train, output=output, report=None, validation="none", unlabelled=True))
    training = load_model(output).document["training"]
    assert training["unlabelled"] and "unlabelled, sure" in training["losses"][-1]


WRONG = {
    "a preset that is not there": ("pretrain", dict(preset="best"), "quick"),
    "no step": ("pretrain", dict(steps=0), "at least one"),
    "no looks": ("pretrain", dict(looks=0.0), "looks"),
    "a sensor kind that is not there": ("pretrain", dict(second_kind="radar"), "sar_db"),
    "the wrong unit": ("pretrain", dict(second_kind="sar_linear"), "sar_db"),
    "too little memory": ("pretrain", dict(memory_mb=1000), "1024"),
    "a device that is not there": ("pretrain", dict(device="cuda:99"), "cuda"),
    "a device of no kind": ("pretrain", dict(device="tpu"), "auto"),
    "a raster that is not there": ("pretrain", dict(spectral=RasterSource("/none.tif")), "none.tif"),
    "a folder that is not there": ("pretrain", dict(output="/none/a.bdgf"), "/none"),
    "a name of another kind": ("pretrain", dict(output="{folder}/a.pt"), ".bdgf"),
    "a second raster far away": ("pretrain", dict(second="{folder}/far.tif"), "overlap"),
    "a classifier to train from": ("train", dict(pretrained="{folder}/full.bdgf"), "classifier"),
    "a model that is not there": ("train", dict(pretrained="{folder}/none.bdgf"), "none.bdgf"),
    "a raster for a model": ("train", dict(pretrained="{folder}/sar.tif"), "sar.tif"),
    "another number of bands": ("train", dict(spectral="{folder}/sar.tif"), "6"),
    "another choice of bands": ("train", dict(spectral=("{folder}/spectral.tif", (1, 2))), "6"),
    "no second raster": ("train", dict(second=None), "second raster"),
    "a class alone": ("train", dict(labels="one.gpkg"), "at least two"),
    "too few pixels": ("train", dict(minimum_pixels=51), "draw more"),
    "a field that is not there": ("train", dict(labels="field"), "nothing"),
    "labels far away": ("train", dict(spectral="{folder}/far6.tif", second="{folder}/far.tif"), "lies on the raster"),
    "a validation of no kind": ("train", dict(validation="best"), "polygon"),
    "no epoch": ("train", dict(epochs=0), "epoch"),
    "a report nowhere": ("train", dict(report="/none/a.html"), "/none"),
    "a pretrained model to classify with": ("classify", dict(classifier="{folder}/full_pre.bdgf"), "train"),
    "an input as output": ("classify", dict(output="{folder}/sar.tif"), "inputs"),
    "an input as second output": ("classify", dict(quality="{folder}/spectral.tif"), "inputs"),
    "an output twice": ("classify", dict(confidence="{folder}/./full.tif"), "same name"),
    "an output of another kind": ("classify", dict(output="{folder}/a.png"), ".tif"),
    "another unit": ("classify", dict(second="{folder}/linear.tif"), "unit"),
    "a share above one": ("classify", dict(min_data=50.0), "between 0 and 1"),
    "a tile of nothing": ("classify", dict(tile=0), "tile"),
    "no data anywhere": ("classify", dict(spectral="{folder}/empty.tif"), "data"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_inputs_are_told_in_a_sentence(chain, wrong):
    verb, changes, word = WRONG[wrong]
    scene = chain.scene
    scene.write("far.tif", scene.sar, shift=1e5)
    scene.write("linear.tif", 10 ** (scene.sar / 10))
    scene.write("far6.tif", scene.spectral, shift=1e5)
    scene.write("empty.tif", np.full_like(scene.spectral, -9999.0))
    config = getattr(chain, verb)
    if verb != "classify":
        changes = {"output": scene.path("wrong.bdgf"), **changes}
    else:
        changes = {"output": scene.path("wrong.tif"), **changes} if wrong != "an output twice" else changes
    known = {path.name for path in scene.folder.iterdir()}
    with pytest.raises(BdgfError) as caught:
        changes = {name: _placed(scene, name, value) for name, value in changes.items()}
        run({"pretrain": pretrain, "train": train, "classify": classify}[verb], replace(config, **changes))
    text = str(caught.value)
    assert word in text and text.rstrip().endswith(".") and "\n" not in text, text
    assert not scene.leftovers(known | {"one.gpkg"})


def _placed(scene: TinyScene, name: str, value):
    """A value of :data:`WRONG` in the scene's folder."""
    if name == "labels":
        return scene.write_labels(value, [1]) if value == "one.gpkg" else replace(scene.labels, field="nothing")
    path, bands = value if isinstance(value, tuple) else (value, None)
    path = path.format(folder=scene.folder) if isinstance(path, str) else path
    return RasterSource(path, bands) if name in ("spectral", "second") and isinstance(path, str) else path


@pytest.mark.parametrize(
    ("preset", "machine", "steps"),
    [
        ("quick", "float32", 77), ("quick", "matrix units", 1542), ("quick", "CUDA", 10_280),
        ("standard", "float32", 257), ("standard", "matrix units", 2570), ("standard", "CUDA", 10_000),
        ("paper", "float32", 30_000),
    ],
)  # fmt: skip
def test_steps_of_pretraining_go_by_the_machine(preset: str, machine: str, steps: int):
    stack = SimpleNamespace(depth=38)
    device = SimpleNamespace(is_cuda=machine == "CUDA", matrix_units=machine != "float32")
    assert planned_steps(PRESETS[preset], stack, device) == steps
