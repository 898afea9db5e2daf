from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bdgf_core.network.mamba import MambaBlock, causal_conv


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def block(**options) -> MambaBlock:
    torch.manual_seed(0)
    return MambaBlock(64, **options)


def test_parameters_are_those_of_mamba_ssm():
    shapes = {name: tuple(value.shape) for name, value in block().state_dict().items()}
    assert shapes == {
        "A_log": (128, 16),
        "D": (128,),
        "in_proj.weight": (256, 64),
        "conv1d.weight": (128, 1, 4),
        "conv1d.bias": (128,),
        "x_proj.weight": (36, 128),
        "dt_proj.weight": (128, 4),
        "dt_proj.bias": (128,),
        "out_proj.weight": (64, 128),
    }


def test_initial_values():
    model = block()
    assert torch.allclose(model.A_log.exp(), torch.arange(1.0, 17.0).expand(128, 16))
    delta = F.softplus(model.dt_proj.bias)
    assert delta.min() >= 0.99e-3 and delta.max() <= 1.01e-1
    assert model.dt_proj.weight.abs().max() <= 0.5 and torch.equal(model.D, torch.ones(128))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 30])
def test_causal_convolution_is_conv1d(length):
    conv = torch.nn.Conv1d(24, 24, 4, groups=24, padding=3)
    x = torch.randn(5, length, 24, requires_grad=True)
    ours = causal_conv(x, conv.weight, conv.bias)
    theirs = conv(x.transpose(1, 2))[..., :length].transpose(1, 2)
    assert torch.allclose(ours, theirs, atol=1e-6)
    weights = torch.randn_like(ours)
    of = (x, conv.weight, conv.bias)
    for a, b in zip(*(torch.autograd.grad((y * weights).sum(), of) for y in (ours, theirs))):
        assert torch.allclose(a, b, atol=1e-5)


def test_backends_agree():
    tokens = torch.randn(6, 30, 64)
    fast, plain = block(), block(backend="sequential")
    assert torch.allclose(fast(tokens), plain(tokens), atol=1e-6)


def test_looks_only_at_the_past():
    model, tokens = block(), torch.randn(2, 12, 64)
    changed = tokens.clone()
    changed[:, 7] += 1
    with torch.no_grad():
        difference = (model(changed) - model(tokens)).abs().amax((0, 2))
    assert torch.equal(difference[:7], torch.zeros(7)) and (difference[7:] > 0).all()


def test_every_parameter_learns():
    model = block()
    model(torch.randn(3, 5, 64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_runs_under_autocast():
    model, tokens = block(), torch.randn(3, 5, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(tokens)
        y.float().sum().backward()
    assert torch.allclose(y.float(), model(tokens), atol=2e-2)
