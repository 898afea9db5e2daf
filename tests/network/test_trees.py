"""The trees on patch statistics: they vote as scikit-learn's do, and a file's lead to an end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier

from bdgf_core.errors import Canceled
from bdgf_core.network.statistics import as_rows, patch_statistics, statistics_count, window_statistics
from bdgf_core.network.trees import Trees, _as_float32


@pytest.fixture
def samples(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Of classes 1, 4 and 5 out of 7, one of them rare; features of few values, so that thresholds lie near."""
    classes = np.repeat([1, 4, 5], [60, 50, 7])
    features = rng.normal(size=(len(classes), 6)).round(1) + 0.5 * classes[:, None]
    return features.astype(np.float32), classes


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def grow(features, classes, trees=12, seed=3):
    return Trees.grown(features, classes, trees=trees, known=7, seed=seed)


def test_they_vote_like_those_of_scikit_learn(samples, rng):
    features, classes = samples
    weight = np.array([len(classes) / 3 / (classes == k).sum() for k in classes])
    theirs = ExtraTreesClassifier(12, max_features=0.3, random_state=3).fit(features, classes, sample_weight=weight)
    seen = (features[rng.integers(len(features), size=500)] + rng.normal(size=(500, 6)).round(1)).astype(np.float32)
    found = grow(features, classes)(torch.from_numpy(seen)).numpy()
    assert np.abs(found[:, [1, 4, 5]] - theirs.predict_proba(seen)).max() < 1e-6
    assert found[:, [0, 2, 3, 6]].max() == 0


def test_many_are_grown_part_by_part_and_can_be_stopped(samples):
    def stop():
        raise Canceled

    many = grow(*samples, trees=50)
    assert len(many.roots) == 50 and torch.equal(many.feature[many.roots[0] :][:3], grow(*samples).feature[:3])
    with pytest.raises(Canceled):
        Trees.grown(*samples, trees=5, known=7, seed=0, on_part=stop)


def test_the_seed_decides(samples):
    one, same, other = (grow(*samples, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), same.buffers()))
    assert not torch.equal(one.threshold[:50], other.threshold[:50])


def test_parts_make_no_difference(samples, monkeypatch):
    features, trees = torch.from_numpy(samples[0]), grow(*samples)
    whole = trees(features)
    monkeypatch.setattr("bdgf_core.network.trees._AT_ONCE", 40)
    assert torch.equal(trees(features), whole)


def test_thresholds_part_float32_values_alike(rng):
    values = rng.normal(size=1000).astype(np.float32)
    thresholds = np.concatenate([values, (values[1:].astype(float) + values[:-1]) / 2, np.nextafter(values * 1.0, 1)])
    assert ((values[:, None] <= thresholds) == (values[:, None] <= _as_float32(thresholds))).all()


def test_one_class_is_no_question(samples):
    features, _ = samples
    found = grow(features, np.full(len(features), 2))(torch.from_numpy(features))
    assert torch.equal(found[:, 2], torch.ones(len(features)))


WRONG = {
    "a way in circles": lambda t: t["next"].__setitem__(t["feature"] >= 0, 0),
    "a child beyond the end": lambda t: t["next"].__setitem__(t["feature"] >= 0, len(t["next"])),
    "an unknown feature": lambda t: t["feature"].__setitem__(0, 6),
    "a negative feature": lambda t: t["feature"].__setitem__(0, -2),
    "a last node that asks": lambda t: t["feature"].__setitem__(-1, 0),
    "an unknown class": lambda t: t["next"].__setitem__(t["feature"] < 0, 7),
    "a negative class": lambda t: t["next"].__setitem__(-1, -1),
    "a threshold that is no number": lambda t: t["threshold"].__setitem__(0, float("nan")),
    "a root beyond the end": lambda t: t["roots"].__setitem__(3, len(t["next"])),
    "a negative root": lambda t: t["roots"].__setitem__(3, -1),
    "a shorter table": lambda t: t.update(threshold=t["threshold"][1:]),
    "another type": lambda t: t.update(next=t["next"].long()),
    "fewer trees": lambda t: t.update(roots=t["roots"][1:]),
    "a table in two dimensions": lambda t: t.update(feature=t["feature"][:, None]),
    "no nodes": lambda t: t.update({name: t[name][:0] for name in ("feature", "threshold", "next")}),
    "no table": lambda t: t.pop("next"),
    "a child of two parents": lambda t: t["next"].__setitem__(0, len(t["next"]) - 1),
    "a root within a tree": lambda t: t["roots"].__setitem__(3, 1),
    "a table too many": lambda t: t.update(more=t["next"]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_tables_that_lead_nowhere_are_refused(samples, wrong):
    tensors = {name: tensor.clone() for name, tensor in grow(*samples).state_dict().items()}
    assert torch.equal(Trees.of(dict(tensors), features=6, classes=7, trees=12).next, tensors["next"])
    WRONG[wrong](tensors)
    with pytest.raises(ValueError, match="its trees"):
        Trees.of(tensors, features=6, classes=7, trees=12)


@pytest.mark.parametrize(("inner", "fine"), [(999, True), (1000, False)])
def test_a_tree_without_end_in_sight_is_refused(inner, fine):
    """A chain, each node of which has a leaf and the rest of the chain: its time would grow with the file's size."""
    feature = torch.full((2 * inner + 1,), -1, dtype=torch.int32)
    onward = torch.zeros_like(feature)
    feature[:inner] = 0
    onward[:inner] = torch.arange(2 * inner, inner, -1)
    tensors = {
        "feature": feature, "threshold": torch.zeros(len(feature)), "next": onward,
        "roots": torch.zeros(1, dtype=torch.int32),
    }  # fmt: skip
    if fine:
        Trees.of(tensors, features=1, classes=2, trees=1)
        return
    with pytest.raises(ValueError, match="too deep"):
        Trees.of(tensors, features=1, classes=2, trees=1)


def test_statistics_are_those_of_their_windows():
    torch.manual_seed(0)
    spectral, second, diffusion = (torch.randn(2, channels, 9, 9) for channels in (4, 2, 3))
    found = as_rows(window_statistics(spectral, second, diffusion, patch=9, widest=9))
    assert found.shape == (2, statistics_count(6, 3, patch=9, widest=9))
    assert statistics_count(6, 0, patch=9, widest=9) == 42
    sensors = torch.cat((spectral, second), 1)
    three = sensors[..., 3:6, 3:6]
    expected = [
        sensors[..., 4, 4], three.mean((2, 3)), three.std((2, 3), correction=0),
        diffusion[..., 4, 4], diffusion.mean((2, 3)),
    ]  # fmt: skip
    parts = [found[:, :6], found[:, 6:12], found[:, 12:18], found[:, -6:-3], found[:, -3:]]
    assert all(torch.allclose(part, want, atol=1e-3) for part, want in zip(parts, expected))
    near = as_rows(window_statistics(spectral, second, None, patch=9, widest=3))
    assert torch.equal(near, found[:, :18]) and statistics_count(6, 0, patch=9, widest=3) == 18
    plain = patch_statistics(spectral, second, 9)
    assert torch.equal(plain[:, :12], torch.cat((found[:, :6], found[:, 30:36]), 1))
