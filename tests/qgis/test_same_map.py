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
        options += ["--device", "cpu", "--memory-mb", "256"]
        if verb == "pretrain":
            options += ["--second-kind", "sar_db", "--steps", "3"]
        elif verb == "train":
            labels = config.labels
            options += ["--pretrained", config.pretrained, "--labels", labels.path, "--class-field", labels.field]
            options += ["--epochs", "1"]
        else:
            options += ["--classifier", config.classifier, "--confidence", config.confidence]
        subprocess.run([sys.executable, "-m", "bdgf_core", verb, *options], cwd=ROOT, check=True)


def by_qgis(chain, folder: Path) -> None:
    subprocess.run(
        ["bash", str(ROOT / "scripts" / "dev_plugin.sh"), str(folder)], check=True, stdout=subprocess.DEVNULL
    )
    try:
        qgis = QgisProcess.find(folder, folder / "profile", python=Path(sys.executable))
    except StepFailed as reason:
        pytest.skip(str(reason))
    for verb, config in configs(chain, "qgis"):
        parameters = {"SPECTRAL": config.spectral.path, "SECOND": config.second.path, "OUTPUT": config.output}
        parameters |= {"DEVICE": "cpu", "MEMORY": "256"}
        if verb == "pretrain":
            parameters |= {"SECOND_KIND": "sar_db", "STEPS": "3"}
        elif verb == "train":
            parameters |= {"PRETRAINED": config.pretrained, "LABELS": config.labels.path, "EPOCHS": "1"}
            parameters |= {"CLASS_FIELD": config.labels.field, "REPORT": config.output + ".html"}
        else:
            parameters |= {"CLASSIFIER": config.classifier, "CONFIDENCE": config.confidence}
        qgis.run(f"bdgf:{verb}", parameters)


@pytest.mark.long
@pytest.mark.parametrize("front_end", ["job", "shell", "qgis"])
def test_the_same_map(chain, front_end, tmp_path):
    assert os.environ["OMP_NUM_THREADS"] == "1"  # for the child processes too
    {"job": by_job, "shell": by_shell}.get(front_end, lambda chain: by_qgis(chain, tmp_path))(chain)
    for name in ("output", "confidence"):
        one = read(getattr(chain.classify, name))
        assert np.array_equal(one, read(chain.scene.path(f"{front_end}_{name}.tif")))
