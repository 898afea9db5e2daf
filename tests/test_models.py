"""Model files as working objects, and files whose document or tensors were tampered with."""

from __future__ import annotations

import copy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from bdgf_core.checkpoint import load_model, save_model
from bdgf_core.diffusion.forward import BandStack
from bdgf_core.diffusion.unet import DenoisingUNet
from bdgf_core.errors import ModelFileError
from bdgf_core.inputs import FeatureScale
from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.models import classifier_tensors, load_classifier, load_pretrained
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import GroupNetwork
from bdgf_core.ood import OutOfDistribution
from bdgf_core.samples.sensor import Sensor, SensorBand

LEGEND = Legend((LandCoverClass(3, "a", "Water", "#0000ff"), LandCoverClass(300, "b", "Wood", "#00ff00")))


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    sample = np.random.default_rng(0).normal(0, 1, (4, 500)).astype(np.float32)
    bands = [SensorBand(i, f"B{i}", None, True) for i in range(1, 5)]
    sensor = Sensor.measure(sample, bands, kind="optical", source="a.tif", source_bands=4, depth_limit=16)
    pretrained = {
        "method": {"stack": asdict(BandStack(4, 0, False)), "looks": 1.0},
        "sensors": {"spectral": sensor.to_json()},
        "training": {"seed": 5},
    }
    config = GroupConfig(4, 0, 128, 2)
    network = GroupNetwork(config)
    document = {
        "method": {"network": asdict(config)},
        "pretrained": pretrained,
        "legend": LEGEND.to_json(),
    }
    return document, DenoisingUNet(), network, FeatureScale(torch.randn(128), torch.rand(128) + 0.1)


def save(parts, path: Path, change=lambda document: None) -> Path:
    document, *rest = parts
    document = copy.deepcopy(document)
    change(document)
    save_model(path, "classifier", document, classifier_tensors(*rest))
    return path


def test_a_classifier_comes_back_as_it_was(parts, tmp_path):
    classifier = load_classifier(save(parts, tmp_path / "m.bdgf"))
    _, denoiser, network, scale = parts
    assert classifier.legend == LEGEND and classifier.pretrained.seed == 5
    assert not classifier.network.training and not classifier.pretrained.denoiser.training
    assert classifier.scale.mean.equal(scale.mean) and classifier.scale.std.equal(scale.std)
    x = torch.randn(2, 4, 9, 9), None, torch.randn(2, 128, 9, 9)
    with torch.no_grad():
        assert network.eval()(*x).logits.equal(classifier.network(*x).logits)
    state = classifier.pretrained.denoiser.state_dict()
    assert all(value.equal(state[name]) for name, value in denoiser.state_dict().items())


@pytest.fixture(scope="module")
def with_indices(parts):
    """Bands far from zero, of which trees and regression see ratios."""
    document, denoiser, _, scale = copy.deepcopy(parts)
    sample = np.random.default_rng(0).normal(9, 1, (4, 500)).astype(np.float32)
    bands = [SensorBand(i, f"B{i}", None, True) for i in range(1, 5)]
    sensor = Sensor.measure(sample, bands, kind="optical", source="a.tif", source_bands=4, depth_limit=16)
    document["pretrained"]["sensors"]["spectral"] = sensor.to_json()
    config = GroupConfig(4, 0, 128, 2, indices=True)
    document["method"]["network"] = asdict(config)
    return document, denoiser, GroupNetwork(config, torch.from_numpy(sensor.units)), scale


def test_the_units_of_bands_come_back(with_indices, tmp_path):
    classifier = load_classifier(save(with_indices, tmp_path / "m.bdgf"))
    sensor = classifier.pretrained.sensors["spectral"]
    assert classifier.network.units.equal(torch.from_numpy(sensor.units)) and sensor.units[0].min() > 8


def test_other_units_than_the_sensors_are_refused(with_indices, parts, tmp_path):
    document, denoiser, network, scale = with_indices
    other = copy.deepcopy(network)
    other.units[0, 0] += 1.0
    with pytest.raises(ModelFileError, match="other units"):
        load_classifier(save((document, denoiser, other, scale), tmp_path / "m.bdgf"))
    centred = copy.deepcopy(document)
    centred["pretrained"]["sensors"] = parts[0]["pretrained"]["sensors"]
    with pytest.raises(ModelFileError, match="ratios do not fit"):
        load_classifier(save((centred, denoiser, network, scale), tmp_path / "m.bdgf"))


def test_kinds_are_not_mixed_up(parts, tmp_path):
    with pytest.raises(ModelFileError, match="classifier"):
        load_pretrained(save(parts, tmp_path / "m.bdgf"))


def _shorten(document):
    document["pretrained"]["sensors"]["spectral"]["mean"] = [1.0]


def save_with_ood(parts, path: Path, samples=None, **changes) -> Path:
    document, denoiser, network, scale = parts
    ood = OutOfDistribution(torch.randn(20, 12), 5, 1.5)
    tensors = classifier_tensors(denoiser, network, scale, ood)
    tensors["ood.samples"] = ood.samples if samples is None else samples
    save_model(path, "classifier", {**document, "ood": {**ood.to_json(), **changes}}, tensors)
    return path


def test_what_training_samples_are_like_comes_back(parts, tmp_path):
    path = save_with_ood(parts, tmp_path / "m.bdgf")
    found = load_classifier(path).ood
    assert found.samples.equal(load_model(path).tensors["ood.samples"])
    assert (found.neighbour, found.threshold) == (5, 1.5)
    assert load_classifier(save(parts, tmp_path / "old.bdgf")).ood is None


STRANGE = {
    "no threshold": dict(threshold=0.0),
    "a threshold in words": dict(threshold="2"),
    "a threshold beyond bounds": dict(threshold=1e30),
    "no neighbour": dict(neighbour=0),
    "more neighbours than samples": dict(neighbour=21),
    "samples of other sensors": dict(samples=torch.randn(20, 15)),
    "no sample": dict(samples=torch.randn(0, 12)),
    "too many samples": dict(samples=torch.zeros(2001, 12)),
    "samples that are no numbers": dict(samples=torch.full((20, 12), torch.nan)),
    "samples beyond bounds": dict(samples=torch.full((20, 12), 1e30)),
    "samples of another type": dict(samples=torch.zeros((20, 12), dtype=torch.float64)),
}


@pytest.mark.parametrize("changes", STRANGE)
def test_strange_training_samples_are_refused(parts, tmp_path, changes):
    with pytest.raises(ModelFileError, match="not of the expected form"):
        load_classifier(save_with_ood(parts, tmp_path / "m.bdgf", **STRANGE[changes]))


def test_the_temperature_comes_back_and_older_files_have_none(parts, tmp_path):
    warm = save(parts, tmp_path / "warm.bdgf", lambda d: d.update(calibration={"temperature": 1.75}))
    assert load_classifier(warm).temperature == 1.75
    assert load_classifier(save(parts, tmp_path / "none.bdgf", lambda d: d.update(calibration=None))).temperature == 1.0
    assert load_classifier(save(parts, tmp_path / "old.bdgf")).temperature == 1.0


TAMPERED = {
    "a temperature of nothing": lambda d: d.update(calibration={"temperature": 0}),
    "a temperature beyond bounds": lambda d: d.update(calibration={"temperature": 1e6}),
    "a temperature in words": lambda d: d.update(calibration={"temperature": "1"}),
    "a calibration without one": lambda d: d.update(calibration={}),
    "a calibration of another form": lambda d: d.update(calibration=[1.0]),
    "ood without samples": lambda d: d.update(ood={"neighbour": 1, "threshold": 1.0}),
    "ood of another form": lambda d: d.update(ood=[]),
    "no legend": lambda d: d.pop("legend"),
    "a class too few": lambda d: d["legend"].pop(),
    "no method": lambda d: d.pop("method"),
    "an unknown switch": lambda d: d["method"]["network"].update(wings=2),
    "other widths": lambda d: d["method"]["network"].update(spectral=5),
    "other channels": lambda d: d["method"]["network"].update(diffusion=64),
    "no sensors": lambda d: d["pretrained"].pop("sensors"),
    "no seed": lambda d: d["pretrained"].pop("training"),
    "another stack": lambda d: d["pretrained"]["method"]["stack"].update(spectral=3),
    "statistics of other bands": _shorten,
    "a list for a document": lambda d: d.update(pretrained=[]),
}


@pytest.mark.parametrize("change", TAMPERED)
def test_other_forms_are_refused_in_a_sentence(parts, tmp_path, change):
    path = save(parts, tmp_path / "m.bdgf", TAMPERED[change])
    with pytest.raises(ModelFileError, match="not of the expected form") as caught:
        load_classifier(path)
    assert "\n" not in str(caught.value)
