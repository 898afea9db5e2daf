"""The same seed gives the same map, to the last bit, through every front end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qgis_process import QgisProcess, StepFailed
from tiny_scene import TinyScene, read

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    pytest.importorskip("torch")
    from test_verbs import chain_of, run_chain

    return run_chain(chain_of(TinyScene(tmp_path_factory.mktemp("same map")), "full"))


def configs(chain, mark: str) -> list[tuple[str, Any]]:
    """The chain's configs with files of their own, without the pages."""
    scene = chain.scene
    model, classifier = scene.path(f"{mark}_pre.bdgf"), scene.path(f"{mark}.bdgf")
    rasters = {name: scene.path(f"{mark}_{name}.tif") for name in ("output", "confidence")}
    further = dict.fromkeys(("probabilities", "quality", "entropy", "disagreement", "ood"))
    return [
        ("pretrain", replace(chain.pretrain, output=model)),
        ("train", replace(chain.train, pretrained=model, output=classifier, report=None)),
        ("classify", replace(chain.classify, classifier=classifier, **further, **rasters)),
    ]


def by_job(chain) -> None:
    for verb, config in configs(chain, "job"):
        job = Path(chain.scene.path("job.json"))
        job.write_text(json.dumps(asdict(config), default=str))
        subprocess.run([sys.executable, "-m", "bdgf_core", verb, "--job", str(job)], cwd=ROOT, check=True)


def by_shell(chain) -> None:
    for verb, config in configs(chain, "shell"):
        options = ["--spectral", config.spectral.path, "--second", config.second.path, "--output", config.output]
        options += ["--device", "cpu", "--memory-mb", "1024"]
        if verb == "pretrain":
            options += ["--second-kind", "sar_db", "--steps", "3"]
        elif verb == "train":
            labels = config.labels
            options += ["--pretrained", config.pretrained, "--labels", labels.path, "--class-field", labels.field]
            options += ["--epochs", "1"]
        else:
            options += ["--classifier", config.classifier, "--confidence", config.confidence]
        subprocess.run([sys.executable, "-m", "bdgf_core", verb, *options], cwd=ROOT, check=True)


def in_one_go(chain, name: str) -> dict[str, str]:
    """What landcover is given, by the names of its options."""
    scene, train = chain.scene, chain.train
    return {
        "spectral": train.spectral.path, "second": train.second.path, "second-kind": "sar_db",
        "labels": train.labels.path, "class-field": train.labels.field, "steps": "3", "epochs": "1", "device": "cpu",
        "output": scene.path(f"{name}_output.tif"), "confidence": scene.path(f"{name}_confidence.tif"),
    }  # fmt: skip


def by_shell_in_one_go(chain) -> None:
    options = {**in_one_go(chain, "shell_in_one_go"), "memory-mb": "1024"}
    command = [sys.executable, "-m", "bdgf_core", "landcover"]
    subprocess.run([*command, *(f"--{key}={value}" for key, value in options.items())], cwd=ROOT, check=True)


def by_qgis(chain, qgis: QgisProcess) -> None:
    for verb, config in configs(chain, "qgis"):
        parameters = {"SPECTRAL": config.spectral.path, "SECOND": config.second.path, "OUTPUT": config.output}
        parameters |= {"DEVICE": "cpu", "MEMORY": "1024"}
        if verb == "pretrain":
            parameters |= {"SECOND_KIND": "sar_db", "STEPS": "3"}
        elif verb == "train":
            parameters |= {"PRETRAINED": config.pretrained, "LABELS": config.labels.path, "EPOCHS": "1"}
            parameters |= {"CLASS_FIELD": config.labels.field, "REPORT": config.output + ".html"}
        else:
            parameters |= {"CLASSIFIER": config.classifier, "CONFIDENCE": config.confidence}
        qgis.run(f"bdgf:{verb}", parameters)


def by_qgis_in_one_go(chain, qgis: QgisProcess) -> None:
    given = in_one_go(chain, "qgis_in_one_go").items()
    qgis.run("bdgf:landcover", {**{key.upper().replace("-", "_"): value for key, value in given}, "MEMORY": "1024"})


def by_model(chain, qgis: QgisProcess) -> None:
    """The chain that comes with the plugin, changed as in the Model Designer to take few steps."""
    from qgis.core import QgsApplication, QgsProcessingModelChildParameterSource

    model = QgsApplication.processingRegistry().algorithmById("bdgf:chainmap").copy()
    for step, changes in {"pretrain": {"STEPS": 3}, "train": {"EPOCHS": 1}, "classify": {}}.items():
        child = model.childAlgorithm(step)
        for name, value in {**changes, "MEMORY": 1024}.items():
            child.addParameterSources(name, [QgsProcessingModelChildParameterSource.fromStaticValue(value)])
        model.setChildAlgorithm(child)
    path = chain.scene.path("chain.model3")
    assert model.toFile(path)
    given = {key.upper().replace("-", "_"): value for key, value in in_one_go(chain, "model").items()}
    results = {"classify:OUTPUT": given.pop("OUTPUT"), "classify:CONFIDENCE": given.pop("CONFIDENCE")}
    del given["STEPS"], given["EPOCHS"]
    qgis.run(path, {**given, **results})


@pytest.fixture
def qgis(qgis_app, tmp_path) -> QgisProcess:
    """QGIS's command line with the plugin and the real engine."""
    lay_out = str(ROOT / "scripts" / "dev_plugin.sh")
    subprocess.run(["bash", lay_out, str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    try:
        return QgisProcess.find(tmp_path, tmp_path / "profile", python=Path(sys.executable))
    except StepFailed as reason:
        pytest.skip(str(reason))


def same_as_by_hand(chain, name: str) -> None:
    assert os.environ["OMP_NUM_THREADS"] == "1"  # for the child processes too
    for raster in ("output", "confidence"):
        one = read(getattr(chain.classify, raster))
        assert np.array_equal(one, read(chain.scene.path(f"{name}_{raster}.tif")))


@pytest.mark.long
@pytest.mark.parametrize("front_end", [by_job, by_shell, by_shell_in_one_go])
def test_the_same_map_without_qgis(chain, front_end):
    front_end(chain)
    same_as_by_hand(chain, front_end.__name__[len("by_") :])


@pytest.mark.long
@pytest.mark.parametrize("front_end", [by_qgis, by_qgis_in_one_go, by_model])
def test_the_same_map_by_qgis(chain, qgis, front_end):
    front_end(chain, qgis)
    same_as_by_hand(chain, front_end.__name__[len("by_") :])
