"""All in one go: the map of the three steps by hand, and a rerun that does again only what has changed."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_verbs import Chain, Events, chain_of, run, run_chain
from tiny_scene import TinyScene, read

import bdgf_core.landcover
import bdgf_core.pretrain
import bdgf_core.train
from bdgf_core.errors import BdgfError, Canceled, InputError, ModelFileError
from bdgf_core.files import claim
from bdgf_core.landcover import LandcoverConfig, landcover, models_folder
from bdgf_core.raster.stack import RasterSource

_NUMBERS = itertools.count()
_FURTHER = ("confidence", "entropy", "disagreement", "ood")
_MAPPED = {**dict.fromkeys(_FURTHER), "pixels": 1, "classes": [], "device": "cpu"}
_FIGURES = ("overall_accuracy", "average_accuracy", "kappa")
STEPS = ["pretrain", "train", "classify"]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory):
    """Of few and small steps: what they learn is not looked at."""
    first, then = bdgf_core.pretrain.PRESETS["quick"], bdgf_core.train.PRESETS["quick"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bdgf_core.pretrain, "_RECALIBRATION_BATCHES", 1)
        patch.setitem(bdgf_core.pretrain.PRESETS, "quick", replace(first, side=8, batch=2))
        patch.setitem(
            bdgf_core.train.PRESETS,
            "quick",
            replace(then, fit=replace(then.fit, batch=8), folds=2),
        )
        chain = chain_of(TinyScene(tmp_path_factory.mktemp("land cover")), "hand")
        chain.pretrain, chain.train = replace(chain.pretrain, steps=1), replace(chain.train, samples_per_class=10)
        yield run_chain(chain)


def config_of(chain: Chain) -> LandcoverConfig:
    """What the chain does by hand, with outputs of its own."""
    scene, name = chain.scene, f"go{next(_NUMBERS)}"
    return LandcoverConfig(
        chain.pretrain.spectral, chain.train.labels, scene.path(f"{name}.tif"), second=chain.pretrain.second,
        second_kind="sar_db", device="cpu", samples_per_class=10, steps=1, epochs=1, memory_mb=1024,
        **{further: scene.path(f"{name}_{further}.tif") for further in _FURTHER}, report=scene.path(f"{name}.html"),
        map_report=scene.path(f"{name}_map.html"),
    )  # fmt: skip


def same_map(chain: Chain, config: LandcoverConfig) -> bool:
    return all(
        np.array_equal(read(getattr(chain.classify, name)), read(getattr(config, name)))
        for name in ("output", *_FURTHER)
    )


def steps_done(events: Events) -> list[str]:
    """The steps that were worked on, and not taken from an earlier run."""
    told = [text for text in events.texts("message") if text.startswith("Step") and "earlier run" not in text]
    return [text.split(": ")[1].rstrip(".") for text in told]


@pytest.fixture(scope="module")
def mapped(chain: Chain):
    config, events = config_of(chain), Events()
    return config, run(landcover, config, events), events


def test_the_map_of_the_three_steps(chain, mapped):
    config, result, events = mapped
    assert same_map(chain, config)
    assert all(result[name] == chain.results["train"][name] for name in _FIGURES)
    assert steps_done(events) == STEPS
    assert "Land-cover classifier" in Path(config.report).read_text("utf-8")
    page = Path(config.map_report).read_text("utf-8")
    assert all(name in page for name in ("data:image/png", *(entry["name"] for entry in result["classes"])))
    assert {result["pretrained"], result["classifier"]} <= {str(p) for p in models_folder(config.output).iterdir()}


def test_progress_goes_from_the_beginning_to_the_end(mapped):
    fractions = [event["fraction"] for event in mapped[2].seen if event["event"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0 and fractions[0] < 0.1


def test_after_a_cancel_it_goes_on(chain, mapped):
    config = replace(config_of(chain), checkpoint_s=0.0)
    with pytest.raises(Canceled):
        run(landcover, config, Events(round(0.8 * mapped[2].asked)))
    assert not any(Path(path).exists() for path in (*config.rasters, config.report, config.map_report))
    again = Events()
    run(landcover, config, again)
    assert "pretrain" not in steps_done(again) and same_map(chain, config)


def test_a_pretrained_model_spares_the_first_step(chain):
    config, events = replace(config_of(chain), pretrained=chain.pretrain.output), Events()
    assert run(landcover, config, events)["pretrained"] == chain.pretrain.output
    assert steps_done(events) == ["train", "classify"] and same_map(chain, config)
    shutil.rmtree(models_folder(config.output))
    with pytest.raises(ModelFileError, match="made with a second raster"):
        run(landcover, replace(config, second=None))
    assert not models_folder(config.output).exists()  # where nothing was reached


def test_settings_of_pretraining_beside_a_pretrained_model_are_told(chain, steps):
    config = replace(config_of(chain), pretrained=chain.pretrain.output, steps=None)
    for changes, told in (
        ({}, ""),
        ({"second": None}, ""),
        ({"second_kind": "other", "steps": 3}, "second_kind, steps."),
        ({"spectral": RasterSource(config.spectral.path, (1, 2)), "looks": 4.0}, "spectral_bands, looks."),
        ({"second": RasterSource(config.second.path, (1,))}, "second_bands."),
    ):
        events = Events()
        run(landcover, replace(config, **changes), events)
        found = [text for text in events.texts("warning") if "pretrained model is given" in text]
        assert [told in text for text in found] == [True] * bool(told), (changes, found)
    events = Events()
    run(landcover, replace(config, pretrained=None, steps=3, looks=4.0), events)
    assert not any("pretrained model is given" in text for text in events.texts("warning"))


@pytest.fixture
def steps(chain, monkeypatch):
    """Steps that take no time; those that were done, and ``fail`` for the one that a cancel comes in."""
    done: list[str] = []
    fail: list[str] = []

    def stand_in(name: str):
        def step(config, progress, *, processes):
            if name in fail:
                raise Canceled
            done.append(name)
            Path(config.output).write_text(str(config))
            if getattr(config, "report", None):
                Path(config.report).write_text(str(config))
            progress.update(1.0)
            figures = dict.fromkeys(_FIGURES, 0.5)
            return {"output": config.output, "report": getattr(config, "report", None), **figures, **_MAPPED}

        step.__name__ = name
        return step

    for name in STEPS:
        monkeypatch.setattr(bdgf_core.landcover, name, stand_in(name))
    return done, fail


def test_a_rerun_does_what_has_changed(chain, steps):
    done, _ = steps
    config = config_of(chain)
    folder = models_folder(config.output)

    def rerun(**changes) -> list[str]:
        done.clear()
        run(landcover, replace(config, **changes))
        return list(done)

    assert rerun() == STEPS
    assert rerun(min_data=0.9, device="auto") == ["classify"]
    assert rerun(report=chain.scene.path("another.html")) == ["classify"]
    assert rerun(labels=chain.scene.write_labels("fewer.gpkg", range(2))) == ["train", "classify"]
    assert rerun() == ["train", "classify"] and rerun() == ["classify"]
    assert rerun(seed=1) == STEPS and rerun() == STEPS
    assert rerun(resume=False) == STEPS
    (folder / "classifier.bdgf").write_bytes(b"broken")
    assert rerun() == ["train", "classify"]
    (folder / "report.html").unlink()
    assert rerun() == ["train", "classify"]
    (folder / "pretrained.bdgf").unlink()
    assert rerun() == STEPS
    for nonsense in ("[", "[]", "\0", json.dumps({"pretrain": {"job": 3}, "train": []})):
        (folder / "steps.json").write_text(nonsense)
        assert rerun() == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_cancel_in_any_step_leaves_no_output(chain, steps, step):
    done, fail = steps
    config = config_of(chain)
    fail.append(step)
    with pytest.raises(Canceled):
        run(landcover, config)
    assert not any(Path(path).exists() for path in (config.output, config.report))
    assert models_folder(config.output).exists() == (step != "pretrain")
    fail.clear()
    run(landcover, config)
    assert done == STEPS


def test_what_a_later_step_would_refuse_is_refused_at_once(chain, steps):
    scene, config = chain.scene, config_of(chain)
    wrong = {
        "one class only": {"labels": scene.write_labels("one.gpkg", range(1))},
        "Too few labelled pixels": {"minimum_pixels": 1000},
        "no field": {"labels": replace(config.labels, field="kind")},
        "does not exist": {"report": scene.path("nowhere/report.html")},
        "cannot be written|does not exist": {"map_report": scene.path("nowhere/map.html")},
        "ends in .tif": {"output": scene.path("map.png")},
        "is one of the inputs": {"output": scene.path("spectral.tif")},
    }
    known = {path.name for path in scene.folder.iterdir()}
    for sentence, change in wrong.items():
        with pytest.raises(BdgfError, match=sentence):
            run(landcover, replace(config, **change))
    assert not steps[0] and not scene.leftovers(known)


def test_a_config_is_refused_by_the_step_that_it_is_for(chain):
    config = config_of(chain)
    same = {"ood": config.confidence}
    for change in ({"preset": "slow"}, {"validation": "hope"}, {"min_data": 2.0}, {"map_report": config.report}, same):
        with pytest.raises(InputError):
            replace(config, **change)


def test_two_runs_to_one_map(chain, steps):
    config = config_of(chain)
    run(landcover, config)
    with claim(models_folder(config.output) / "steps.json"), pytest.raises(InputError, match="Another job"):
        run(landcover, config)
    assert steps[0] == STEPS


def test_progress_goes_by_the_work_of_the_steps(chain):
    config = replace(config_of(chain), steps=None, epochs=None)

    def shares(size: int, **changed: object) -> tuple[float, float]:
        grid, bands = SimpleNamespace(width=size, height=size), {"spectral": (None,) * 4}
        return bdgf_core.landcover._shares(replace(config, **changed), SimpleNamespace(grid=grid, bands=bands), 4000)

    assert 0.0 < shares(100)[0] < shares(100)[1] < 1.0
    assert shares(10_000)[1] < 0.05 < 0.9 < shares(100)[1]  # a large map takes nearly all of the time
    assert shares(100, pretrained="model.bdgf")[0] == 0.0
    assert shares(500, preset="standard")[1] > shares(500)[1]
