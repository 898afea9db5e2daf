from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bdgf_core.network.scan import selective_scan
from bdgf_core.network.scan_pooled import _by_time, pooled_scan
from bdgf_core.network.scan_sequential import Operands

LENGTHS = (1, 3, 16, 81, 244)
NAMES = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def operands(length: int, *, batch: int = 3, channels: int = 64, states: int = 16, seed: int = 0) -> dict[str, Tensor]:
    """Trained-like values, float64, in mamba-ssm's layout."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    u, delta, z = (draw(batch, channels, length) for _ in range(3))
    B, C = draw(batch, states, length), draw(batch, states, length)
    A = -torch.arange(1, states + 1, dtype=torch.float64) * (0.3 * draw(channels, states)).exp()
    values = (u, delta, A, B, C, draw(channels), z, draw(channels) - 3)
    return {name: value.float().double() for name, value in zip(NAMES, values)}  # exact in either precision


def run(x: dict[str, Tensor], *, backend: str, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """Output and all gradients of one scan against fixed random weights."""
    leaves = {name: value.to(dtype).requires_grad_() for name, value in x.items()}
    y = selective_scan(*list(leaves.values())[:7], delta_bias=leaves["delta_bias"], backend=backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
    return y.detach(), list(torch.autograd.grad((y * weights).sum(), list(leaves.values())))


def error(found: Tensor, expected: Tensor) -> float:
    """The largest difference relative to the largest value."""
    size = float(expected.double().abs().max())
    return float((found.double() - expected.double()).abs().max()) / (size or 1.0)


@pytest.mark.parametrize("length", LENGTHS)
def test_pooled_scan_is_the_plain_loop(length):
    x = operands(length)
    y, gradients = run(x, backend="pooled", dtype=torch.float32)
    expected, expected_gradients = run(x, backend="sequential", dtype=torch.float64)
    assert error(y, expected) <= 2e-6
    errors = {name: error(a, b) for name, a, b in zip(NAMES, gradients, expected_gradients)}
    assert max(errors.values()) <= 5e-6, errors


def test_gradients_are_those_of_finite_differences():
    x = operands(5, batch=2, channels=3, states=2)
    inside = [v.transpose(1, 2) if v.dim() == 3 else v for v in x.values()]
    leaves = [v.contiguous().requires_grad_() for v in inside]
    assert torch.autograd.gradcheck(lambda *v: pooled_scan(Operands(*v), delta_softplus=True, chunk=1), leaves)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_forward_is_bitwise_the_same_for_any_chunking(chunk, threads):
    x = {name: value.float() for name, value in operands(6, batch=13).items()}
    inside = Operands(*(v.transpose(1, 2) if v.dim() == 3 else v for v in x.values()))
    expected = pooled_scan(inside, delta_softplus=True)
    torch.set_num_threads(threads)
    assert torch.equal(pooled_scan(inside, delta_softplus=True, chunk=chunk), expected)


def test_gradients_do_not_depend_on_the_order_of_the_threads():
    x = operands(6, batch=40)
    torch.set_num_threads(4)
    first, second = (run(x, backend="pooled", dtype=torch.float32)[1] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second))


@pytest.mark.parametrize("absent", ["D", "z", "delta_bias"])
@pytest.mark.parametrize("softplus", [True, False])
def test_optional_operands(absent, softplus):
    x = {name: value for name, value in operands(7).items() if name != absent}
    x["delta"] = x["delta"].abs() if softplus else x["delta"].abs() + 7  # a negative step would explode
    y = selective_scan(**{k: v.float() for k, v in x.items()}, delta_softplus=softplus, backend="pooled")
    assert error(y, selective_scan(**x, delta_softplus=softplus)) <= 2e-6
    leaves = {k: v.float().requires_grad_() for k, v in x.items()}
    selective_scan(**leaves, delta_softplus=softplus, backend="pooled").sum().backward()
    assert all(v.grad is not None and v.grad.shape == v.shape for v in leaves.values())


def test_thread_settings_do_not_leak():
    torch.set_num_threads(2)
    run(operands(4, batch=8), backend="pooled", dtype=torch.float32)
    assert torch.get_num_threads() == 2
    from threading import Thread

    seen = []
    thread = Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [2]


def test_modes_of_the_caller_hold_in_the_threads():
    torch.set_num_threads(2)
    x = {name: value.float() for name, value in operands(4, batch=8).items()}
    expected = selective_scan(**x)
    with torch.inference_mode():
        assert torch.equal(selective_scan(**x), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(selective_scan(**x), expected)
    with torch.no_grad():
        assert not selective_scan(**{**x, "u": x["u"].requires_grad_()}).requires_grad


def test_half_precision_comes_back_as_it_went_in():
    x = operands(5)
    y = selective_scan(**{k: v.bfloat16() if v.dim() == 3 else v.float() for k, v in x.items()})
    assert y.dtype == torch.bfloat16 and error(y, selective_scan(**x)) < 3e-2


def test_refuses_what_does_not_fit():
    x = operands(5)
    with pytest.raises(ValueError, match="backend 'fast'"):
        selective_scan(**x, backend="fast")
    with pytest.raises(ValueError, match=r"needs B of shape \(3, 16, 5\)"):
        selective_scan(**{**x, "B": x["B"][:, :, :4]})


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16))
def test_a_chunk_is_laid_out_by_time(dtype):
    found = _by_time(torch.randn(4, 5, 6).to(dtype), torch.float32)  # strided operands would halve the speed
    assert found.shape == (5, 4, 6) and found.is_contiguous() and found.dtype == torch.float32
