"""Fitting the group network: it learns, the same from the same seed, and stops when asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdgf_core.device import choose_device
from bdgf_core.errors import BdgfError, Canceled
from bdgf_core.fit import Consistency, FitConfig, fit_network, fit_networks, predict_members
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.trees import Trees
from bdgf_core.progress import Progress
from bdgf_core.samples.patches import PatchSamples

CONFIG = GroupConfig(spectral=3, second=1, diffusion=8, classes=3)
HOW = FitConfig(
    steps=25,
    batch=16,
    learning_rate=3e-3,
    schedule="cosine",
    balance=0.5,
    weight_decay=0.0,
    jitter=0.0,
    feature_dropout=0.0,
)
DEVICE = choose_device("cpu")


def samples(count: int = 60) -> PatchSamples:
    """Patches whose level tells the class."""
    classes = torch.arange(count) % 3
    level = (classes - 1.0)[:, None, None, None]
    return PatchSamples(*(level + 0.5 * torch.randn(count, c, 9, 9) for c in (3, 1, 8)), classes)


def fit(how: FitConfig = HOW, given=None, seed: int = 0, index=None, canceled=lambda: False, unlabelled=None):
    given = given or samples()
    index = np.arange(len(given)) if index is None else index
    progress = Progress(canceled=canceled)
    return fit_network(CONFIG, given, index, how, unlabelled=unlabelled, seed=seed, device=DEVICE, progress=progress)


def test_learns_what_can_be_told_apart():
    given = samples()
    train, test = np.arange(0, 45), np.arange(45, 60)
    network, curve = fit(given=given, index=train)
    probabilities = predict_members(network, given, test, DEVICE)[0]
    assert probabilities.shape == (15, 3) and np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (probabilities.argmax(1) == given.classes.numpy()[test]).mean() > 0.9
    assert not network.training and curve[-1]["step"] == 25
    assert curve[-1]["cross-entropy"] < curve[0]["cross-entropy"]
    assert all(np.isfinite(value) for point in curve for value in point.values())


def test_the_same_seed_gives_the_same_weights():
    given = samples()
    how = FitConfig(4, 16, 1e-3, "steps", 0.0, 0.0, 0.1, 0.5)
    one, same, other = (fit(how, given, seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(value.equal(same[name]) for name, value in one.items())
    assert any(not value.equal(other[name]) for name, value in one.items())


def test_unlabelled_patches_teach_where_the_labels_cannot():
    """What the drawn samples show best, their first band, tells nothing elsewhere."""
    torch.manual_seed(0)

    def draw(count: int, first: float) -> PatchSamples:
        classes = torch.arange(count) % 3
        level = 0.4 * (classes - 1.0)[:, None, None, None] + 0.4 * torch.randn(count, 1, 1, 1)
        truth = (classes - 1.0)[:, None, None, None]
        spectral = torch.cat((first * truth, 0.7 * truth, level), 1) + 0.7 * torch.randn(count, 3, 9, 9)
        return PatchSamples(spectral, level + 0.5 * torch.randn(count, 1, 9, 9), torch.zeros(count, 8, 9, 9), classes)

    drawn, elsewhere = draw(60, 2.0), draw(300, 0.8)
    how = replace(HOW, steps=101, consistency=Consistency(16, 0.3, 0.5, 0.7, 0.2))  # no two phases end together
    unlabelled = replace(elsewhere, diffusion=None, classes=torch.full((300,), -1))
    index = np.arange(300)
    right = []
    for given in (None, unlabelled):
        network, curve = fit(how, drawn, unlabelled=given)
        right.append(
            (predict_members(network, elsewhere, index, DEVICE)[0].argmax(1) == elsewhere.classes.numpy()).mean()
        )
    assert right[1] > right[0] + 0.2
    assert 0 <= curve[-1]["unlabelled, sure"] <= 1 and "unlabelled, sure" not in curve[0]


def test_a_fold_may_lack_a_class_or_hold_one_sample():
    given = samples(9)
    how = FitConfig(2, 16, 1e-3, "cosine", 0.5, 0.0, 0.0, 0.0)
    for index in (np.array([0, 3, 6, 1]), np.array([4])):
        assert predict_members(fit(how, given, index=index)[0], given, np.array([2]), DEVICE).shape == (1, 1, 3)


def test_nothing_to_predict():
    given = samples(6)
    network, _ = fit(FitConfig(1, 4, 1e-3, "steps", 0.0, 0.0, 0.0, 0.0), given)
    assert predict_members(network, given, np.array([], np.int64), DEVICE).shape == (1, 0, 3)


def test_stops_when_asked():
    with pytest.raises(Canceled):
        fit(canceled=lambda: True)


def fit_two(given: PatchSamples, how: FitConfig, progress=None):
    runs = [(np.arange(0, 40), 1), (np.arange(20, 60), 2)]
    progress = progress or Progress()
    return fit_networks(CONFIG, given, runs, how, unlabelled=None, device=DEVICE, progress=progress)


def test_networks_fitted_side_by_side_are_those_fitted_alone():
    given, events = samples(), []
    how = replace(HOW, steps=4)
    before = torch.get_num_threads()
    together = fit_two(given, how, Progress(events.append))
    assert torch.get_num_threads() == before
    torch.set_num_threads(1)
    try:
        alone = [fit(how, given, seed, np.arange(20 * seed - 20, 20 * seed + 20)) for seed in (1, 2)]
    finally:
        torch.set_num_threads(before)
    if before == 2:  # a thread each
        for (one, curve), (other, expected) in zip(together, alone):
            assert curve == expected
            assert all(value.equal(other.state_dict()[name]) for name, value in one.state_dict().items())
    fractions = [event["fraction"] for event in events if event["event"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert sum(event["event"] == "message" for event in events) == 1


def test_one_failure_stops_the_fits_beside_it():
    given = samples()
    given.spectral[45:] = np.nan  # only the second run meets them
    with pytest.raises(BdgfError, match="diverged"):
        fit_two(given, replace(HOW, steps=200))


@pytest.mark.parametrize("indices, copies", [(True, 1), (False, 3)])
def test_trees_that_see_ratios_get_no_jittered_samples(monkeypatch, indices, copies):
    grown, grow = [], Trees.grown
    monkeypatch.setattr(Trees, "grown", lambda *seen, **how: grown.append(seen) or grow(*seen, **how))
    config = replace(CONFIG, trees=3, landmarks=5, indices=indices)
    given, how = samples(), replace(HOW, steps=1, jitter=0.05)
    network, _ = fit_network(
        config, given, np.arange(len(given)), how, seed=0, device=DEVICE, progress=Progress()
    )  # fmt: skip
    ((features, classes),) = grown
    assert features.shape == (copies * len(given), config.tree_features)
    assert (classes == np.tile(given.classes.numpy(), copies)).all()
    plain = network.tree_features(given.spectral, given.second, given.diffusion).numpy()
    assert np.allclose(features[: len(given)], plain, atol=1e-6)
