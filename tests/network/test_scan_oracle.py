"""The scan and the block against mamba-ssm's own plain-torch code: kept numbers, and its source where it is at hand."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from mamba_ssm_reference import FIXTURE, LENGTHS, case, definition, output_and_gradients, reference_scan, source

from bdgf_core.network.mamba import MambaBlock
from bdgf_core.network.scan import selective_scan

needs_source = pytest.mark.skipif(
    source("modules/mamba_simple.py") is None, reason="mamba-ssm's source is not here; name it in BDGF_MAMBA_SSM_SOURCE"
)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """Within 2e-6 (the output) and 5e-6 (the gradients) of the largest value."""
    for name, value in expected.items():
        error, size = (found[name].double() - value.double()).abs().max(), value.double().abs().max()
        assert error <= (2e-6 if name == "y" else 5e-6) * size, (name, float(error / size))


@pytest.mark.parametrize("backend", ["pooled", "sequential"])
@pytest.mark.parametrize("length", LENGTHS)
def test_scan_gives_the_kept_numbers(length, backend):
    x, weights = case(length)
    scan = functools.partial(selective_scan, backend=backend)
    found = output_and_gradients(scan, {k: v.float() for k, v in x.items()}, weights.float())
    with np.load(FIXTURE) as kept:
        assert_close(found, {name: torch.from_numpy(kept[f"{length}_{name}"]) for name in found})


@needs_source
@pytest.mark.parametrize("length", LENGTHS)
def test_scan_is_mamba_ssm_s(length):
    x, weights = case(length, channels=128, states=16)
    found = output_and_gradients(selective_scan, {k: v.float() for k, v in x.items()}, weights.float())
    assert_close(found, output_and_gradients(reference_scan(double=True), x, weights))


@needs_source
def test_block_is_mamba_ssm_s():
    def scan(*operands, return_last_state, **options):
        return reference_scan()(*operands, **options)

    text = source("modules/mamba_simple.py")
    their_class = definition(text, "Mamba", selective_scan_fn=scan, causal_conv1d_fn=None)
    torch.manual_seed(0)
    theirs = their_class(64)
    torch.manual_seed(0)
    ours = MambaBlock(64)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name
    other = MambaBlock(64)
    other.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(other.state_dict(), strict=True)
    tokens = torch.randn(3, 30, 64)
    assert torch.allclose(other(tokens), theirs(tokens), atol=1e-6)
