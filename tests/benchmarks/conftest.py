"""A tiny scene as the benchmark sees it, and presets that take a moment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_scene import TinyScene

from bdgf_core import pretrain, train


@pytest.fixture(scope="session")
def scene_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scène à mesurer")
    TinyScene(folder)
    described = {
        "name": "tiny", "spectral": "spectral.tif", "second": "sar.tif", "second_kind": "sar_db",
        "labels": ["labels.gpkg"], "field": "class", "per_class": [5, 8],
    }  # fmt: skip
    path = folder / "tiny.json"
    path.write_text(json.dumps(described), "utf-8")
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pretrained models of ``momentary`` presets are kept from one test to the next."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def momentary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset quick in a few steps."""
    monkeypatch.setattr(pretrain, "_RECALIBRATION_BATCHES", 1)
    monkeypatch.setitem(pretrain.PRESETS, "quick", replace(pretrain.PRESETS["quick"], steps=2, side=8, batch=2))
    preset = train.PRESETS["quick"]
    fit = replace(preset.fit, steps=3, batch=12)
    monkeypatch.setitem(train.PRESETS, "quick", replace(preset, fit=fit))
