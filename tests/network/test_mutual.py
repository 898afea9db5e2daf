"""Mutual learning: one-directional, at a temperature that cannot switch it off."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bdgf_core.network.mutual import PAIRS, MutualLearning

BRANCHES = ["cnn", "transformer", "mamba"]


def given(requires_grad: bool = False):
    logits = {name: (3 * torch.randn(6, 4)).requires_grad_(requires_grad) for name in BRANCHES}
    return logits, {name: torch.randn(6, 8, requires_grad=requires_grad) for name in BRANCHES}


def learned(literal: bool, bias: float = 1.0) -> MutualLearning:
    mutual = MutualLearning(BRANCHES, literal=literal)
    for linear in mutual.temperature.values():
        torch.nn.init.constant_(linear.bias, bias)
    return mutual


@pytest.mark.parametrize("literal", [True, False])
def test_loss_is_the_weighted_divergence(literal):
    logits, embeddings = given()
    total, temperatures = learned(literal)(logits, embeddings)
    expected = 0.0
    for teacher, student in PAIRS:
        t = temperatures[f"{teacher}‖{student}"]
        by = 1.0 if literal else t
        p, q = torch.softmax(logits[teacher] / by, 1), torch.softmax(logits[student] / by, 1)
        expected += t**2 * float((p * (p / q).log()).sum(1).mean())
    assert float(total.detach()) == pytest.approx(expected, rel=1e-4)


def test_temperature_comes_from_similarity_and_entropies():
    logits, embeddings = given()
    mutual = learned(True)
    _, temperatures = mutual(logits, embeddings)
    for teacher, student in PAIRS:
        similarity = F.cosine_similarity(embeddings[teacher], embeddings[student]).mean()
        p = [torch.softmax(logits[name], 1) for name in (teacher, student)]
        entropy = sum(-(x * x.log()).sum(1).mean() for x in p)
        linear = mutual.temperature[f"{teacher}_{student}"]
        t = F.softplus(linear(torch.stack((similarity, entropy)))) + 1e-6
        assert temperatures[f"{teacher}‖{student}"] == pytest.approx(float(t.detach()), rel=1e-5)


def test_temperature_has_a_floor_unless_literal():
    logits, embeddings = given()
    assert all(t == pytest.approx(0.5) for t in learned(False, -20.0)(logits, embeddings)[1].values())
    assert all(t < 1e-3 for t in learned(True, -20.0)(logits, embeddings)[1].values())


def test_branches_that_agree_cost_nothing():
    same = torch.randn(6, 4)
    total, _ = learned(False)(dict.fromkeys(BRANCHES, same), given()[1])
    assert float(total.detach()) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("literal", [True, False])
def test_gradient_reaches_logits_and_temperature_only(literal):
    logits, embeddings = given(requires_grad=True)
    mutual = learned(literal)
    total, _ = mutual(logits, embeddings)
    total.backward()
    assert all(x.grad.abs().sum() > 0 for x in logits.values())
    assert all(x.grad is None for x in embeddings.values())  # similarity is detached
    assert all(p.grad.abs().sum() > 0 for p in mutual.parameters())


def test_entropy_carries_no_gradient():
    """With both temperatures fixed at the floor or not, the logits' gradient is that of the divergence alone."""
    logits, embeddings = given(requires_grad=True)
    mutual = MutualLearning(["cnn", "mamba"], literal=True)
    total, temperatures = mutual(logits, embeddings)
    (found,) = torch.autograd.grad(total, logits["cnn"])
    t = temperatures["mamba‖cnn"]
    p, q = torch.softmax(logits["mamba"], 1), torch.softmax(logits["cnn"], 1)
    assert torch.allclose(found, t**2 * (q - p) / 6, atol=1e-5)


def test_the_divergence_is_not_symmetric():
    logits, embeddings = given()
    pair = MutualLearning(["cnn", "mamba"], literal=True)
    swapped = {"cnn": logits["mamba"], "mamba": logits["cnn"]}
    assert float(pair(logits, embeddings)[0]) != pytest.approx(float(pair(swapped, embeddings)[0]), rel=1e-3)


def test_only_the_pairs_of_the_branches_there_are():
    assert MutualLearning(["cnn", "mamba"], literal=False).pairs == [("mamba", "cnn")]
    assert len(MutualLearning(BRANCHES, literal=False).pairs) == 3


def test_a_given_temperature_is_not_learned():
    mutual = MutualLearning(BRANCHES, literal=False, temperature=2.0)
    loss, temperatures = mutual(*given(requires_grad=True))
    assert set(temperatures.values()) == {2.0} and loss > 0
    loss.backward()
    assert all(p.grad is None or not p.grad.any() for p in mutual.parameters())
