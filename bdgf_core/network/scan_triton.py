"""The selective scan on a GPU as two Triton kernels; on a CPU under TRITON_INTERPRET=1, for tests.

    B  batch        L  sequence length        D  channels (d_inner)        N  states a channel (d_state)

A program owns one sample and BLOCK_D channels: their states (BLOCK_D, N) stay in registers for the whole sequence,
which suits the short sequences of a spectrum. The backward kernel first runs forward, leaving its states in a scratch
tensor, then walks back over them. Nothing is added atomically, so results repeat to the bit: sums over programs (of A
over samples, of B and C over blocks of channels) are left to torch, as is what is elementwise around the recurrence.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
# Triton gives parameter annotations a meaning of its own.

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from bdgf_core.network.scan_sequential import Operands

BLOCK_D = 32
SCRATCH = 2**28  # elements: the backward pass takes no more samples at a time than keep their states in 1 GiB


def triton_scan(operands: Operands, *, delta_softplus: bool) -> Tensor:
    """-> (B, L, D), in float32, differentiable once. All operands are on one GPU."""
    operands = operands.widened()
    u, _, A, B, C, D, z, _ = operands
    y: Tensor = _TritonScan.apply(u, operands.step_sizes(delta_softplus), A, B, C)
    if D is not None:
        y = y + D * u
    return y if z is None else y * F.silu(z)


class _TritonScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        u, delta, A, B, C = (x.contiguous() for x in tensors)
        y = torch.empty_like(u)
        batch, length, channels = u.shape
        grid = (batch, triton.cdiv(channels, BLOCK_D))
        states = A.shape[1]
        with torch.cuda.device_of(u):  # Triton launches on the current device, not on that of its operands
            _forward[grid](u, delta, A, B, C, y, length, channels, states, BLOCK_D, triton.next_power_of_2(states))
        ctx.save_for_backward(u, delta, A, B, C)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor, ...]:
        u, delta, A, B, C = ctx.saved_tensors
        batch, length, channels = u.shape
        size = max(1, SCRATCH // (length * A.numel()))
        per_sample, grad_A = [], torch.zeros_like(A)
        for some in zip(*(x.contiguous().split(size) for x in (grad_y, u, delta, B, C))):
            with torch.cuda.device_of(u):
                grad_u, grad_delta, share, grad_B, grad_C = _gradients(A, *some)
            per_sample.append((grad_u, grad_delta, grad_B, grad_C))
            grad_A += share
        grad_u, grad_delta, grad_B, grad_C = (torch.cat(parts) for parts in zip(*per_sample))
        return grad_u, grad_delta, grad_A, grad_B, grad_C


def _gradients(A: Tensor, grad_y: Tensor, u: Tensor, delta: Tensor, B: Tensor, C: Tensor) -> tuple[Tensor, ...]:
    batch, length, channels = u.shape
    states, blocks = A.shape[1], triton.cdiv(channels, BLOCK_D)
    h = u.new_empty((batch, length, channels, states))
    grad_u, grad_delta = torch.empty_like(u), torch.empty_like(delta)
    grad_A = u.new_empty((batch, channels, states))
    grad_B, grad_C = (u.new_empty((blocks, batch, length, states)) for _ in range(2))
    _backward[(batch, blocks)](
        u, delta, A, B, C, h, grad_y, grad_u, grad_delta, grad_A, grad_B, grad_C,
        batch, length, channels, states, BLOCK_D, triton.next_power_of_2(states),
    )  # fmt: skip
    return grad_u, grad_delta, grad_A.sum(0), grad_B.sum(0), grad_C.sum(0)


@triton.jit
def _forward(
    u, delta, A, B, C, y, L, D, N: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr
):  # fmt: skip
    b = tl.program_id(0).to(tl.int64)
    d, n = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_N)
    has_d, has_n = d < D, n < N
    at, has = d[:, None] * N + n[None, :], has_d[:, None] & has_n[None, :]
    rates = tl.load(A + at, has, 0.0) * 1.4426950408889634  # log2 e: exp2 is the hardware's own
    h = tl.zeros((BLOCK_D, BLOCK_N), tl.float32)
    for t in range(L):
        row = b * L + t
        delta_t, u_t = tl.load(delta + row * D + d, has_d, 0.0), tl.load(u + row * D + d, has_d, 0.0)
        B_t, C_t = tl.load(B + row * N + n, has_n, 0.0), tl.load(C + row * N + n, has_n, 0.0)
        h = tl.exp2(delta_t[:, None] * rates) * h + (delta_t * u_t)[:, None] * B_t[None, :]
        tl.store(y + row * D + d, tl.sum(h * C_t[None, :], 1), has_d)


@triton.jit
def _backward(
    u, delta, A, B, C, states, grad_y, grad_u, grad_delta, grad_A, grad_B, grad_C,
    batch, L, D, N: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    b, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    d, n = block * BLOCK_D + tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_N)
    has_d, has_n = d < D, n < N
    at, has = d[:, None] * N + n[None, :], has_d[:, None] & has_n[None, :]
    a = tl.load(A + at, has, 0.0)
    h = tl.zeros((BLOCK_D, BLOCK_N), tl.float32)
    for t in range(L):
        row = b * L + t
        delta_t, u_t = tl.load(delta + row * D + d, has_d, 0.0), tl.load(u + row * D + d, has_d, 0.0)
        B_t = tl.load(B + row * N + n, has_n, 0.0)
        tl.store(states + row * D * N + at, h, has)  # the state before the step
        h = tl.exp2(delta_t[:, None] * a * 1.4426950408889634) * h + (delta_t * u_t)[:, None] * B_t[None, :]
    tl.debug_barrier()  # the states are read below by whichever thread
    g, share = tl.zeros((BLOCK_D, BLOCK_N), tl.float32), tl.zeros((BLOCK_D, BLOCK_N), tl.float32)
    for back in range(L):
        row = b * L + L - 1 - back
        delta_t, u_t = tl.load(delta + row * D + d, has_d, 0.0), tl.load(u + row * D + d, has_d, 0.0)
        B_t, C_t = tl.load(B + row * N + n, has_n, 0.0), tl.load(C + row * N + n, has_n, 0.0)
        grad_t = tl.load(grad_y + row * D + d, has_d, 0.0)
        before = tl.load(states + row * D * N + at, has, 0.0)  # h_{t-1}
        decay = tl.exp2(delta_t[:, None] * a * 1.4426950408889634)
        h = decay * before + (delta_t * u_t)[:, None] * B_t[None, :]
        g += grad_t[:, None] * C_t[None, :]  # the gradient of h_t
        partial = (block.to(tl.int64) * batch * L + row) * N + n
        tl.store(grad_C + partial, tl.sum(h * grad_t[:, None], 0), has_n)
        tl.store(grad_B + partial, tl.sum(g * (delta_t * u_t)[:, None], 0), has_n)
        drive = tl.sum(g * B_t[None, :], 1)  # the gradient of delta u
        g *= decay
        share += g * before * delta_t[:, None]
        tl.store(grad_u + row * D + d, drive * delta_t, has_d)
        tl.store(grad_delta + row * D + d, drive * u_t + tl.sum(g * before * a, 1), has_d)
    tl.store(grad_A + b * D * N + at, share, has)
