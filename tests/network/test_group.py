"""The group network: every ablation of the paper runs, and an image is classified like its patches."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from bdgf_core.network.config import PATCH, GroupConfig
from bdgf_core.network.group import GroupNetwork, GroupOutput
from bdgf_core.network.image_patches import gather_patches
from bdgf_core.network.regression import KernelRegression
from bdgf_core.network.sequence import SequenceEncoder
from bdgf_core.network.trees import Trees

FULL = GroupConfig(spectral=4, second=2, diffusion=16, classes=3)  # the paper's parts
ABLATIONS = {  # rows of Table 2; row 10, without masking, is a matter of pretraining
    1: dict(transformer=False, mamba=False),
    2: dict(cnn=False, mamba=False),
    3: dict(cnn=False, transformer=False),
    4: dict(cnn=False),
    5: dict(transformer=False),
    6: dict(mamba=False),
    7: dict(guide_cnn=False),
    8: dict(guide_transformer=False),
    9: dict(guide_mamba=False),
    11: dict(mutual_learning=False),
    12: dict(),
    "trees": dict(trees=5),
    "unguided trees": dict(trees=5, guide_trees=False, trees_share=0.8),
    "regression": dict(landmarks=7, regression_share=0.3),
    "trees and regression": dict(trees=5, landmarks=7, trees_share=0.3, regression_share=0.2),
    "ratios of bands": dict(trees=5, landmarks=7, trees_share=0.4, regression_share=0.4, indices=True),
    "no ratios of components": dict(trees=5, landmarks=7, indices=True, components=True),
    "trees and a lone branch": dict(trees=5, transformer=False, mamba=False),
}


def draw(config: GroupConfig, *shape: int) -> list:
    """Random inputs (…, channels, …) of a patch batch or, with two sizes, of an image."""
    sizes = [config.spectral, config.second, config.diffusion]
    lead, tail = (shape[:1], (config.patch, config.patch)) if len(shape) == 1 else ((), shape)
    return [torch.randn(*lead, size, *tail) if size else None for size in sizes]


def build(config: GroupConfig) -> GroupNetwork:
    """A network away from its start, with statistics that are not 0 and 1."""
    torch.manual_seed(0)
    network = GroupNetwork(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("scale"):
                parameter.fill_(0.7)
        network.train()
        network(*draw(config, 8))
        network.eval()
        if config.trees:
            seen = network.tree_features(*draw(config, 30)).numpy()
            classes = torch.randint(config.classes, (30,)).numpy()
            network.trees = Trees.grown(seen, classes, trees=config.trees, known=config.classes, seed=0)
        if config.landmarks:
            pixels, classes = network.pixels(*draw(config, 30)[:2]), torch.randint(config.classes, (30,))
            network.regression = KernelRegression.fitted(
                pixels, classes, known=config.classes, landmarks=config.landmarks, seed=0
            )
    return network


def batches(network: GroupNetwork, images: list, *, size: int = 7) -> torch.Tensor:
    """Class probabilities of every patch of an image, by :meth:`GroupNetwork.forward`."""
    side = network.config.patch
    rows, cols = (size - side + 1 for size in images[0].shape[1:])
    row, col = (x.flatten() for x in torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij"))
    patches = [None if x is None else gather_patches(x, row, col, side) for x in images]
    out = [
        network.probabilities(network(*(None if x is None else x[i : i + size] for x in patches)))
        for i in range(0, len(row), size)
    ]
    return torch.cat(out).T.reshape(-1, rows, cols)


@pytest.mark.parametrize("second", [2, 0])
@pytest.mark.parametrize("row", ABLATIONS)
def test_every_ablation_learns(row, second):
    config = replace(FULL, second=second, **ABLATIONS[row])
    network = GroupNetwork(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.1)  # λ starts at 0, where attention gets no gradient
    output = network(*draw(config, 5))
    assert output.logits.shape == (5, 3)
    assert list(output.branch_logits) == config.branches == list(output.embeddings)
    assert all(e.shape == (5, 64) for e in output.embeddings.values())
    loss, parts = network.loss(output, torch.tensor([0, 1, 2, 0, 1]))
    loss.backward()
    assert loss.isfinite() and parts["cross-entropy"] > 0
    peers = config.cnn + config.transformer + config.mamba
    assert ("mutual learning" in parts) == (config.mutual_learning and peers > 1)
    alone = len(config.branches) == 1
    untouched = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    allowed = ("heads.",) if alone else ("mutual.",)  # T at its floor
    allowed += () if config.guide_cnn else ("cnn.alpha", "cnn.beta", "cnn.gamma")
    allowed += () if second else ("cnn.alpha",)
    # a convolution's bias before a batch norm, and a key's bias in a softmax, change nothing
    assert not {n for n in untouched if not n.startswith(allowed) and not n.endswith("bias")}


@pytest.mark.parametrize("spectral", [1, 3, 4, 7, 13, 30])
def test_any_number_of_bands_will_do(spectral):
    config = replace(FULL, spectral=spectral)
    network = build(config)
    with torch.no_grad():
        assert network(*draw(config, 2)).logits.isfinite().all()
        assert network.classify_image(*draw(config, 9, 10), batch=4).shape == (3, 1, 2)


@pytest.mark.parametrize("second", [2, 0])
@pytest.mark.parametrize(
    "padded,kernel,cells", [(False, 1, 3), (False, 3, 9), (True, 3, 9), (True, 1, 3), (False, 1, 9)]
)
@torch.no_grad()
def test_an_image_is_classified_like_its_patches(padded, kernel, cells, second):
    config = replace(FULL, padded_cnn=padded, guidance_kernel=kernel, attention_cells=cells, second=second)
    network, images = build(config), draw(config, 14, 12)
    found = network.classify_image(*images, batch=16)
    assert (found - batches(network, images)).abs().max() <= 1e-5
    assert torch.allclose(found.sum(0), torch.ones(6, 4))


@pytest.mark.parametrize("spectral", [1, 2, 5, 6, 7])
@torch.no_grad()
def test_an_image_is_classified_like_its_patches_with_several_bands_a_token(spectral):
    config = replace(FULL, spectral=spectral, token_bands=3)
    network, images = build(config), draw(config, 14, 12)
    assert (network.classify_image(*images, batch=16) - batches(network, images)).abs().max() <= 1e-5


@torch.no_grad()
def test_a_token_holds_the_patches_of_neighbouring_bands():
    torch.manual_seed(0)
    encoder = SequenceEncoder(5, embedding=64, patch=9, states=4, expand=2, token_bands=2).eval()
    x = torch.randn(3, 5, 9, 9)
    bands = [*x.flatten(2).unbind(1), torch.zeros(3, 81)]  # what the last token lacks is 0
    pairs = torch.stack([torch.cat(bands[i : i + 2], 1) for i in (0, 2, 4)], 1)  # (B, 3, 2 · 81)
    restored = encoder.restore(encoder.mamba(encoder.embed(pairs)))
    parts = [restored[:, i // 2, 81 * (i % 2) : 81 * (i % 2 + 1)].view(3, 9, 9) for i in range(5)]
    expected = torch.relu(encoder.norm(encoder.mix(x + torch.stack(parts, 1))))
    assert torch.allclose(encoder(x), expected, atol=1e-5)


@torch.no_grad()
def test_each_member_counts_for_its_share():
    config = replace(FULL, **ABLATIONS["trees and regression"])
    network = build(config)
    output = network(*draw(config, 6))
    found = network.members(output)
    assert list(found) == config.members == ["branches", "trees", "regression"]
    expected = 0.5 * found["branches"] + 0.3 * found["trees"] + 0.2 * found["regression"]
    assert torch.allclose(network.probabilities(output), expected)
    assert config.with_shares([0.2, 0.7, 0.1]).shares(config.members) == pytest.approx([0.2, 0.7, 0.1])
    network.trees = None  # as it is while the branches learn
    output = network(*draw(config, 6))
    found = network.members(output)
    assert torch.allclose(network.probabilities(output), (5 * found["branches"] + 2 * found["regression"]) / 7)


@pytest.mark.parametrize("shares", [(-0.1, 0.5), (0.6, 0.5), (float("nan"), 0.0)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        replace(FULL, trees_share=shares[0], regression_share=shares[1])


@pytest.mark.parametrize("patch", [7, 11, 13])
@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_other_patch_sizes_will_do(padded, patch):
    config = replace(FULL, patch=patch, padded_cnn=padded, trees=5)
    network, images = build(config), draw(config, 15, 14)
    assert (network.classify_image(*images, batch=9) - batches(network, images)).abs().max() <= 1e-5


@pytest.mark.parametrize("patch", [8, 5, 99])
def test_impossible_patches_are_refused(patch):
    with pytest.raises(ValueError, match=f"patch of {patch}"):
        replace(FULL, patch=patch)


@pytest.mark.parametrize("row", ABLATIONS)
@torch.no_grad()
def test_every_ablation_classifies_images(row):
    config = replace(FULL, **ABLATIONS[row])
    network, images = build(config), draw(config, 11, 10)
    assert (network.classify_image(*images, batch=5) - batches(network, images)).abs().max() <= 1e-5


@pytest.mark.parametrize("wanted", [None, torch.arange(18) > 11])
@torch.no_grad()
def test_an_image_in_parts_is_classified_as_a_whole(monkeypatch, wanted):
    network, images = build(FULL), draw(FULL, 20, 26)
    wanted = None if wanted is None else wanted.expand(12, 18)
    whole = network.classify_image(*images, batch=16, wanted=wanted)
    monkeypatch.setattr("bdgf_core.network.group.AT_ONCE", 7)
    parts = network.classify_image(*images, batch=16, wanted=wanted)
    there = torch.ones(12, 18, dtype=torch.bool) if wanted is None else wanted
    assert (parts - whole)[:, there].abs().max() <= 1e-6 and whole[:, there].isfinite().all()
    assert parts[:, 0, 0].isnan().all() == (wanted is not None)


@torch.no_grad()
def test_batches_make_no_difference():
    network, images = build(FULL), draw(FULL, 15, 13)
    one, *others = (network.classify_image(*images, batch=size) for size in (1000, 7, 1))
    assert all((one - other).abs().max() <= 1e-6 for other in others)


@pytest.mark.parametrize("spectral", [1, 2, 3, 8])
def test_gradients_in_bfloat16_are_near_those_in_float32(spectral):
    config = replace(FULL, spectral=spectral, dropout=0.0)
    network, images = build(config).train(), draw(config, 8)
    target = torch.randint(config.classes, (8,))

    def gradients(bfloat16: bool) -> dict[str, torch.Tensor]:
        network.zero_grad()
        left = [torch.full((2**k,), torch.nan) for k in range(3, 21)]
        del left  # what is allocated next holds it
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            output = network(*images)
        network.loss(output, target)[0].backward()
        return {name: p.grad.clone() for name, p in network.named_parameters() if "3d.weight" in name}

    wanted = gradients(False)
    for _ in range(3):
        for name, found in gradients(True).items():
            assert (found - wanted[name]).norm() <= 0.7 * wanted[name].norm(), name


@torch.no_grad()
def test_batches_without_wanted_pixels_are_left_out():
    network, images = build(FULL), draw(FULL, 15, 13)
    wanted, calls = torch.zeros(7, 5, dtype=torch.bool), []
    wanted[5, 1] = wanted[6, 4] = True
    found = network.classify_image(*images, batch=4, wanted=wanted, on_batch=lambda: calls.append(1))
    assert torch.equal(found[:, wanted], network.classify_image(*images, batch=4)[:, wanted])
    assert found[:, :4].isnan().all() and len(calls) == 2


@torch.no_grad()
def test_each_batch_is_announced():
    calls = []
    build(FULL).classify_image(*draw(FULL, 12, 12), batch=5, on_batch=lambda: calls.append(1))
    assert len(calls) == 4


@torch.no_grad()
def test_only_the_patch_counts():
    network, images = build(FULL), draw(FULL, 20, 20)
    changed = [x.clone() for x in images]
    for x in changed:
        x[:, 0, 0] += 5.0
    reached = (network.classify_image(*images, batch=99) - network.classify_image(*changed, batch=99)).abs().amax(0)
    assert reached[0, 0] > 0
    reached[0, 0] = 0
    assert reached.max() <= 1e-6


@torch.no_grad()
def test_a_lone_branch_speaks_through_the_joint_head():
    """Its own head gets no cross-entropy, so it must not be averaged in."""
    network = build(replace(FULL, **ABLATIONS[1]))
    output = network(*draw(FULL, 3))
    assert torch.equal(network.probabilities(output), torch.softmax(output.logits, 1))


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_branches_disagree_from_not_at_all_to_wholly(classes):
    network = GroupNetwork(replace(FULL, classes=classes))
    nothing = torch.zeros(2, 1)

    def disagreement(*sure_of):
        """Of three branches, each sure of a class."""
        logits = {name: 100.0 * torch.eye(classes)[[k, k]] for name, k in zip(network.config.branches, sure_of)}
        return network.disagreement(GroupOutput(nothing, logits, {}))

    assert disagreement(1, 1, 1).abs().max() < 1e-6
    apart = [k % classes for k in range(3)]
    whole = disagreement(*apart)
    assert whole.allclose(torch.ones(2)) if classes != 2 else 0.9 < whole.min() < 1  # three cannot share two evenly
    assert 0 < disagreement(0, 1, 1).max() <= whole.min()
    torch.manual_seed(0)
    logits = {name: torch.randn(50, classes) for name in network.config.branches}
    p = torch.stack([z.softmax(1) for z in logits.values()])
    to_mean = (p * (p / p.mean(0)).log()).sum(2).mean(0)  # Kullback–Leibler, as Lin defines it
    expected = to_mean / math.log(min(3, classes))
    assert network.disagreement(GroupOutput(nothing, logits, {})).allclose(expected, atol=1e-6)


@torch.no_grad()
def test_disagreement_comes_beside_the_same_probabilities():
    config = replace(FULL, trees=5)
    network, images = build(config), draw(config, 13, 12)
    alone, both = (network.classify_image(*images, batch=7, disagreement=wanted) for wanted in (False, True))
    assert torch.equal(both[:3], alone) and both.shape == (4, 5, 4)
    patches = [gather_patches(x, torch.tensor([2]), torch.tensor([3]), PATCH) for x in images]
    assert torch.allclose(network.disagreement(network(*patches)), both[3, 2, 3], atol=1e-5)


def test_gathered_patches():
    image = torch.arange(2 * 12 * 11.0).view(2, 12, 11)
    patches = gather_patches(image, torch.tensor([0, 3]), torch.tensor([2, 1]), PATCH)
    assert torch.equal(patches[0], image[:, :9, 2:11]) and torch.equal(patches[1], image[:, 3:12, 1:10])
