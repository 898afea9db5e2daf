"""The scan in C++ that bounds ours computes the same."""

from __future__ import annotations

import shutil

import pytest
import torch

from bdgf_core.network.scan import selective_scan
from benchmarks.fused_scan import CHANNELS, fused_scan


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_results_and_gradients_are_those_of_ours():
    torch.manual_seed(0)
    batch, length, channels, states = 5, 7, 2 * CHANNELS, 16
    u, delta, z = (torch.randn(batch, channels, length) for _ in range(3))
    B, C = (torch.randn(batch, states, length) for _ in range(2))
    A, D, delta_bias = -torch.rand(channels, states) * 8, torch.randn(channels), torch.randn(channels)
    x = {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "delta_bias": delta_bias}
    for value in x.values():
        value.requires_grad_()
    weights = torch.randn(batch, channels, length)
    fused = fused_scan()
    assert fused is not None
    found, ours = fused(**x), selective_scan(**x, delta_softplus=True)
    torch.testing.assert_close(found, ours, atol=1e-5, rtol=1e-5)
    gradients = [torch.autograd.grad((y * weights).sum(), list(x.values())) for y in (found, ours)]
    for name, one, other in zip(x, *gradients):
        assert (one - other).abs().max() <= 1e-5 * other.abs().max(), name
