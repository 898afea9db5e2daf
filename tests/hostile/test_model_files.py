"""A model file from anywhere is refused in a sentence, or loads and works; nothing in it runs, nothing it claims is
allocated."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
import torch
from model_mutations import FAMILIES, Case, ModelFile
from tally import Models, Tally, check_sentence

from bdgf_core.checkpoint import load_model, read_document
from bdgf_core.errors import BdgfError, ModelFileError
from bdgf_core.info import InfoConfig, info
from bdgf_core.models import Classifier, Pretrained, load_classifier, load_pretrained
from bdgf_core.progress import Progress

try:
    from qgis.core import QgsProcessingException

    from bdgf_qgis import model_header
except ImportError:
    model_header = None

ROOT = Path(__file__).parents[2]
KINDS = ("pretrained", "classifier")
LOAD: dict[str, Callable[[Path], Any]] = {"pretrained": load_pretrained, "classifier": load_classifier}
EVERY = {"truncations": 1, "flips": 3, "lengths": 1, "structures": 1, "tensors": 6, "documents": 12}  # every day every n-th
pytestmark = pytest.mark.usefixtures("bounded_memory")


@pytest.fixture(scope="module")
def files(models: Models) -> dict[str, ModelFile]:
    return {kind: ModelFile(getattr(models, kind).read_bytes()) for kind in KINDS}


def give(path: Path, kind: str) -> None:
    """Give the file to all that read model files; raises the refusal by the loader of its ``kind``."""
    for reader in (load_model, read_document, lambda path: info(InfoConfig(str(path)), Progress())):
        try:
            reader(path)
        except BdgfError as error:
            check_sentence(str(error))
    if model_header is not None:
        try:
            model_header.expect(str(path), kind).has_second  # noqa: B018
        except QgsProcessingException as error:
            check_sentence(str(error))
    works(LOAD[kind](path))


def works(model: Any) -> None:
    """What has loaded takes data and gives numbers."""
    pretrained: Pretrained = model.pretrained if isinstance(model, Classifier) else model
    rng = np.random.default_rng(0)
    inputs = []
    for sensor in pretrained.sensors.values():
        array = rng.normal(-10, 5, (len(sensor.bands), 9, 9)).astype(np.float32)
        x0, valid = sensor.denoiser_input(array)
        assert np.isfinite(x0).all() and valid.shape == (sensor.depth_bands, 9, 9)
        inputs.append(torch.from_numpy(sensor.network_input(array)))
    assert 0.1 <= pretrained.process.speckle.log_std[0] * 1e6
    if isinstance(model, Classifier):
        second = inputs[1] if len(inputs) > 1 else None
        features = torch.randn(model.network.config.diffusion, 9, 9)
        found = model.network.classify_image(inputs[0], second, features, batch=64)
        assert found.shape == (len(model.legend), 1, 1) and torch.isfinite(found).all()


def cases(family: str, file: ModelFile, rest: bool) -> Iterator[Case]:
    every = EVERY[family]
    for number, case in enumerate(FAMILIES[family](file, random.Random(family))):
        if (number % every != 0) == rest:
            yield case


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_malformed_files(files: dict[str, ModelFile], tmp_path: Path, kind: str, family: str) -> None:
    run(files[kind], tmp_path, kind, family, rest=False)


def run(file: ModelFile, folder: Path, kind: str, family: str, *, rest: bool) -> None:
    tally, path = Tally("model files"), folder / "model.bdgf"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, pieces in cases(family, file, rest):
        with path.open("wb") as whole:
            whole.writelines(pieces)
        with tally.case(f"{kind}, {family}, {name}", "loaded, and works"):
            give(path, kind)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    assert grown < 600, f"memory grew by {grown} MB"
    tally.check()
