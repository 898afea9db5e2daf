"""The jobs that the algorithms write are those that the engine reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

READ = """
import dataclasses, json, sys
from importlib import import_module
from bdgf_core.job import read_job
jobs = json.load(sys.stdin)
for verb, job in jobs.items():
    read_job(getattr(import_module(f"bdgf_core.{verb}"), f"{verb.capitalize()}Config"), job)
"""


def test_the_engine_reads_every_job(engine, scene, run):
    pytest.importorskip("torch")
    rasters = dict(SPECTRAL=scene.spectral, SECOND=scene.second)
    jobs = {}
    pretrained = run("pretrain", **rasters, SPECTRAL_BANDS=[1, 2], STEPS=3, OUTPUT=scene.path("p.bdgf"))["OUTPUT"]
    jobs["pretrain"] = engine.job
    labels = dict(LABELS=scene.polygons, CLASS_FIELD="class")
    trained = run("train", PRETRAINED=pretrained, **rasters, **labels, MEMORY=4000, OUTPUT=scene.path("c.bdgf"))
    jobs["train"] = engine.job
    run("classify", CLASSIFIER=trained["OUTPUT"], **rasters, OUTPUT=scene.path("map.tif"))
    jobs["classify"] = engine.job
    mapped = run(
        "landcover", **rasters, **labels, PRETRAINED=pretrained, SECOND_BANDS=[2], OUTPUT=scene.path("all.tif")
    )
    jobs["landcover"] = engine.job
    assert mapped["KAPPA"] == 0.25 and mapped["CLASSIFIER"].endswith("classifier.bdgf")
    reference = dict(REFERENCE=scene.polygons, CLASS_FIELD="class", PAIRS=["wood", "9"])
    run("assess", MAP=scene.raster("lone.tif", bands=1), **reference, CSV=scene.path("t.csv"))
    jobs["assess"] = engine.job
    judged = dict(MAP=scene.raster("lone.tif", bands=1), ENTROPY=scene.raster("entropy.tif", bands=1))
    run("suggestsites", **judged, **labels, NUMBER=5, OUTPUT=scene.path("sites.gpkg"))
    jobs["suggestsites"] = engine.job
    run("checkinputs", **rasters, **labels, SECOND_BANDS=[2], JSON=scene.path("checks.json"))
    jobs["checkinputs"] = engine.job
    run("trainingsummary", **rasters, **labels, CSV=scene.path("classes.csv"))
    jobs["trainingsummary"] = engine.job
    run("modelinfo", MODEL=pretrained, HTML=scene.path("info.html"))
    jobs["info"] = engine.job
    run("environment", HTML=scene.path("environment.html"))
    jobs["environment"] = engine.job
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr


def test_names_without_a_folder_belong_to_the_folder_of_the_caller(engine, scene, run, monkeypatch):
    monkeypatch.chdir(scene.folder)
    scene.model("c.bdgf", "classifier", second=False)
    run("modelinfo", MODEL="c.bdgf", HTML="info.html")
    assert [engine.job["model"], engine.job["html"]] == [scene.path("c.bdgf"), scene.path("info.html")]
    found = run("classify", CLASSIFIER="c.bdgf", SPECTRAL="spectral.tif", OUTPUT="map.tif", CONFIDENCE="sure.tif")
    assert [engine.job[name] for name in ("classifier", "output", "confidence")] == [
        scene.path(name) for name in ("c.bdgf", "map.tif", "sure.tif")
    ]
    assert engine.job["spectral"]["path"] == scene.spectral
    assert found["OUTPUT"] == scene.path("map.tif")
