"""Every network that is measured learns, without a second sensor too, and every variant can be set up."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bdgf_core.device import choose_device
from bdgf_core.errors import InputError
from bdgf_core.network.config import GroupConfig
from bdgf_core.progress import Progress
from bdgf_core.samples.patches import PatchSamples
from bdgf_core.train import PRESETS
from benchmarks.configurations import SUITES, find_configuration, suite
from benchmarks.networks import builder, ssmae
from benchmarks.variants import variants_of

CONFIG = GroupConfig(spectral=5, second=2, diffusion=16, classes=3)
NAMES = ("group", "pixel-tokens", "shared-tokenizers", "spectraldiff", "ss-mae", "msfmamba", "fusion-hct")


def made(name: str, config: GroupConfig) -> torch.nn.Module:
    patches = [torch.randn(20, width, 9, 9) if width else None for width in (config.spectral, config.second)]
    unlabelled = PatchSamples(patches[0], patches[1], None, torch.full((20,), -1))
    device = choose_device("cpu")
    torch.manual_seed(0)
    return builder(name, config, unlabelled, units=None, seed=0, device=device, progress=Progress())(config)


@pytest.mark.parametrize("second", [2, pytest.param(0, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", NAMES)
def test_every_network_learns(name: str, second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssmae, "STEPS", 2)
    config = replace(CONFIG, second=second)
    network = made(name, config)
    target = torch.arange(12) % 3
    widths = (config.spectral, config.second, config.diffusion)
    inputs = [torch.randn(12, w, 9, 9) + target[:, None, None, None] if w else None for w in widths]
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss, parts = network.loss(network(*inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(parts["cross-entropy"])
    assert losses[-1] < 0.7 * losses[0]
    with torch.no_grad():
        found = network.eval().probabilities(network(*inputs))
    assert found.shape == (12, 3) and torch.allclose(found.sum(1), torch.ones(12), atol=1e-5)


@pytest.mark.parametrize("name", ["pixel-tokens", "shared-tokenizers"])
def test_a_structural_variant_is_another_network(name: str) -> None:
    def size(network: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    assert size(made(name, CONFIG)) != size(made("group", CONFIG))


def test_the_autoencoder_is_pretrained_and_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns channels that repeat each other, and its classifier starts from that."""
    base = torch.randn(64, 1, 9, 9)
    patches = PatchSamples(base.repeat(1, 5, 1, 1), base.repeat(1, 2, 1, 1), None, torch.full((64,), -1))
    x, generator = torch.cat((patches.spectral, patches.second), 1), torch.Generator().manual_seed(0)

    def loss_after(steps: int) -> float:
        monkeypatch.setattr(ssmae, "STEPS", steps)
        state = ssmae.pretrained_autoencoder(CONFIG, patches, seed=0, device=choose_device("cpu"), progress=Progress())
        network = ssmae.AutoEncoder(7, 9)
        network.load_state_dict(state)
        assert torch.equal(
            ssmae.SSMAE.from_pretrained(state, CONFIG).encoder.spatial.position, network.spatial.position
        )
        with torch.no_grad():
            return float(network.loss(x, generator))

    assert loss_after(30) < 0.9 * loss_after(0)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_variant_changes_something_and_can_be_set_up(preset: str) -> None:
    plain = find_configuration(preset).settings()
    for name in variants_of(preset):
        settings = find_configuration(f"{preset}+{name}").settings()
        same_by_name = {"row12"} if preset == "paper" else set()
        assert settings != plain or name in same_by_name | {"masking-group"}, name
        assert builder_name(settings.build)


def builder_name(build: str) -> bool:
    return build in NAMES


def test_table_2_has_twelve_rows_that_differ() -> None:
    rows = [find_configuration(f"quick+row{number}").settings() for number in range(1, 13)]
    assert all(rows[i] != rows[j] for i in range(12) for j in range(i))
    assert not rows[9].pretraining.masking and rows[11].network.branches == ["cnn", "transformer", "mamba"]
    assert [row.network.branches for row in rows[:3]] == [["cnn"], ["transformer"], ["mamba"]]


def test_suites_name_what_can_be_found() -> None:
    for name in SUITES:
        for member in suite(name, "quick"):
            assert find_configuration(member).name == member


def test_variants_are_joined() -> None:
    found = find_configuration("quick+mutual+fit-x2+no-turns").settings()
    plain = find_configuration("quick").settings()
    assert found.network.mutual_learning and found.fit.symmetries == (0,) and found.fit.steps == 2 * plain.fit.steps
    with pytest.raises(InputError, match="Two networks"):
        find_configuration("quick+pixel-tokens+shared-tokenizers")


@pytest.mark.parametrize("name", ["fast", "quick+", "quick+nothing", "forest+row1", ""])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not known|no variant"):
        find_configuration(name)
