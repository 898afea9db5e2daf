"""A map made tile by tile is what the network says of every single patch, whatever the tiles and the form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from test_inputs import reader, scene  # noqa: F401
from tiny_scene import HEIGHT, WIDTH

from bdgf_core.device import choose_device
from bdgf_core.diffusion.features import feature_channels
from bdgf_core.inputs import FeatureScale, InputReader
from bdgf_core.models import load_classifier
from bdgf_core.network.group import GroupNetwork
from bdgf_core.network.image_patches import gather_patches
from bdgf_core.pretrain import PretrainConfig, pretrain
from bdgf_core.progress import Progress
from bdgf_core.raster.labels import LabelSource
from bdgf_core.raster.stack import RasterSource
from bdgf_core.raster.window import Window, tiles
from bdgf_core.sensors import open_stack
from bdgf_core.train import PRESETS, TrainConfig, network_form, train


def dense(network: GroupNetwork, reads: InputReader, side: int, whole: Window) -> torch.Tensor:
    """Class probabilities (K, H, W) by tiles of ``side`` pixels, as classify makes them."""
    rows = []
    for window in tiles(whole.height, whole.width, side):
        seen = reads.read(window.shift(whole.row, whole.col))
        found = network.classify_image(seen.spectral, seen.second, seen.diffusion, batch=50)
        if window.col == 0:
            rows.append([])
        rows[-1].append(found)
    return torch.cat([torch.cat(row, 2) for row in rows], 1)


def patchwise(network: GroupNetwork, reads: InputReader, whole: Window, row, col) -> torch.Tensor:
    """Class probabilities (n, K) of single pixels, from patches of the whole raster's channels."""
    seen = reads.read(whole)
    found = []
    for at in zip(torch.as_tensor(row).split(64), torch.as_tensor(col).split(64)):
        patches = [
            None if x is None else gather_patches(x, *at, network.config.patch)
            for x in (seen.spectral, seen.second, seen.diffusion)
        ]
        found.append(network.probabilities(network(*patches)))
    return torch.cat(found)


@pytest.mark.parametrize(("preset", "sides"), [("quick", (13, 64)), ("standard", (32,)), ("paper", (27,))])
@torch.no_grad()
def test_tiles_say_what_patches_say(reader, preset, sides):  # noqa: F811
    """With random weights, up to the raster's edges and corners."""
    torch.manual_seed(0)
    how, channels = PRESETS[preset], feature_channels(reader.process.stack.depth)
    kept = min(how.feature_components or channels, channels)
    basis = torch.randn(kept, channels) / channels**0.5 if kept < channels else None
    network = GroupNetwork(network_form(how, spectral=6, second=2, diffusion=kept, classes=5)).train()
    network(torch.randn(8, 6, 9, 9), torch.randn(8, 2, 9, 9), torch.randn(8, kept, 9, 9))  # statistics unlike 0 and 1
    for name, parameter in network.named_parameters():
        if name.endswith("scale"):
            parameter.fill_(0.7)
    network.eval()
    scaled = reader.with_scale(FeatureScale(torch.zeros(channels), torch.ones(channels), basis))
    whole = Window(0, 0, HEIGHT, WIDTH)
    row = torch.cat((torch.tensor([0, 0, HEIGHT - 1, HEIGHT - 1]), torch.randint(HEIGHT, (60,))))
    col = torch.cat((torch.tensor([0, WIDTH - 1, 0, WIDTH - 1]), torch.randint(WIDTH, (60,))))
    expected = patchwise(network, scaled, whole, row, col)
    network.fold()
    for side in sides:
        found = dense(network, scaled, side, whole)[:, row, col].T
        assert (found.log() - expected.log()).abs().max() <= 1e-3
        assert torch.equal(found.argmax(1), expected.argmax(1))


@pytest.mark.long
@torch.no_grad()
def test_a_trained_classifier_maps_a_real_scene_as_by_patches(data_folder: Path, tmp_path: Path):
    folder = data_folder / "lcz_hong_kong"
    rasters = dict(spectral=RasterSource(folder / "oli.tif"), second=RasterSource(folder / "tirs.tif"), device="cpu")
    model, classifier = str(tmp_path / "p.bdgf"), str(tmp_path / "c.bdgf")
    with torch.enable_grad():
        pretrain(PretrainConfig(**rasters, output=model, second_kind="other", steps=30), Progress())
        labels = LabelSource(str(folder / "training_polygons.gpkg"), "class")
        train(TrainConfig(model, labels=labels, output=classifier, validation="none", epochs=2, **rasters), Progress())
    trained = load_classifier(classifier)
    whole = Window(200, 200, 60, 60)
    index = np.random.default_rng(0).choice(3600, 2000, replace=False)
    row, col = torch.from_numpy(index // 60), torch.from_numpy(index % 60)
    with open_stack(rasters["spectral"], rasters["second"], Progress(), second_kind="other") as stack:
        reader = trained.reader(stack, choose_device("cpu"))
        expected = patchwise(trained.network, reader, whole, row, col)
        trained.network.fold()
        for side in (17, 60):
            found = dense(trained.network, reader, side, whole)[:, row, col].T
            same = (found.argmax(1) == expected.argmax(1)).double().mean()
            off = (found.log() - expected.log()).abs()
            print(f"tiles of {side}: the same class on {same:.4%}, log-probabilities within {off.max():.1e}")
            assert same >= 0.9999 and off.max() <= 1e-3
