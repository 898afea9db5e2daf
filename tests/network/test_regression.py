"""The regression on pixels: it is scikit-learn's on the same functions, and a file's tables are looked at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bdgf_core.errors import Canceled
from bdgf_core.network import regression
from bdgf_core.network.regression import KernelRegression


@pytest.fixture
def samples() -> tuple[torch.Tensor, torch.Tensor]:
    """Of classes 1, 4 and 5 out of 7, one around the other, in channels of unlike units."""
    rng = np.random.default_rng(0)
    classes = np.repeat([1, 4, 5], [60, 50, 7])
    angle = rng.uniform(0, 2 * np.pi, len(classes))
    radius = np.where(classes == 1, 3.0, np.where(classes == 4, 1.0, 5.0)) + rng.normal(0, 0.3, len(classes))
    pixels = np.stack((radius * np.cos(angle), 100 * radius * np.sin(angle) + 700, rng.normal(size=len(classes))), 1)
    return torch.from_numpy(pixels).float(), torch.from_numpy(classes)


def fit(pixels, classes, landmarks=40, seed=3, **more) -> KernelRegression:
    return KernelRegression.fitted(pixels, classes, known=7, landmarks=landmarks, seed=seed, **more)


def test_it_parts_what_no_plane_parts(samples):
    found = fit(*samples)(samples[0])
    assert (found.argmax(1) == samples[1]).float().mean() > 0.9
    assert torch.allclose(found.sum(1), torch.ones(len(found)))
    assert found[:, [0, 2, 3, 6]].max() == 0


def test_it_is_that_of_scikit_learn(samples, monkeypatch):
    monkeypatch.setattr(regression, "_MOST_STEPS", 2000)
    pixels, classes = samples
    found = fit(pixels, classes)
    x = ((pixels - pixels.mean(0)) / pixels.std(0, correction=0)).numpy() / 3**0.5
    functions = np.exp(-regression._WIDTH * ((x[:, None] - found.landmarks.numpy()) ** 2).sum(2))
    functions /= np.sqrt((functions**2).sum(1).mean())
    seen = np.concatenate((functions, x), 1)
    theirs = LogisticRegression(C=1 / regression._PENALTY, tol=1e-8, max_iter=10_000).fit(seen, classes.numpy())
    assert np.abs(found(pixels).numpy()[:, [1, 4, 5]] - theirs.predict_proba(seen)).max() < 2e-3


def test_half_precision_does_not_blur_it(samples):
    found = fit(*samples)
    with torch.autocast("cpu", torch.bfloat16):
        blurred = found(samples[0])
    assert torch.equal(blurred, found(samples[0]))


def test_all_samples_are_landmarks_where_they_are_few(samples):
    assert len(fit(*samples, landmarks=1000).landmarks) == len(samples[0])


def test_one_class_is_no_question(samples):
    found = fit(samples[0], torch.full((len(samples[0]),), 2))(samples[0])
    assert torch.equal(found[:, 2], torch.ones(len(found)))


def test_one_sample_and_channels_that_never_vary_will_do(samples):
    assert fit(samples[0][:1], samples[1][:1])(samples[0]).isfinite().all()
    flat = samples[0].clone()
    flat[:, 2] = 5.0
    assert (fit(flat, samples[1])(flat).argmax(1) == samples[1]).float().mean() > 0.9


def test_the_seed_decides_and_it_can_be_stopped(samples):
    def stop():
        raise Canceled

    one, same, other = (fit(*samples, seed=seed).landmarks for seed in (3, 3, 4))
    assert torch.equal(one, same) and not torch.equal(one, other)
    with pytest.raises(Canceled):
        fit(*samples, on_step=stop)


WRONG = {
    "no landmarks": lambda t: t.pop("landmarks"),
    "a landmark that is a number": lambda t: t.update(landmarks=torch.tensor(3.0)),
    "more landmarks than wanted": lambda t: t.update(
        landmarks=torch.cat((t["landmarks"], t["landmarks"])), weight=torch.zeros(7, 83)
    ),
    "another channel": lambda t: t.update(mean=torch.zeros(4)),
    "another class": lambda t: t.update(bias=torch.zeros(8)),
    "no number": lambda t: t["weight"].__setitem__((0, 0), float("nan")),
    "another type": lambda t: t.update(scale=t["scale"].double()),
    "a table too many": lambda t: t.update(more=t["bias"]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_other_tables_are_refused(samples, wrong):
    tensors = {name: tensor.clone() for name, tensor in fit(*samples).state_dict().items()}
    known = {"channels": 3, "classes": 7, "landmarks": 40}
    assert torch.equal(KernelRegression.of(dict(tensors), **known)(samples[0]), fit(*samples)(samples[0]))
    WRONG[wrong](tensors)
    with pytest.raises(ValueError, match="regression"):
        KernelRegression.of(tensors, **known)
