"""The selective scan on a CPU, in plain torch: chunks of the batch whose state stays in the cache, on Python threads.

    B  batch (b: of a chunk)      L  sequence length      D  channels (d_inner)      N  states a channel (d_state)

A state is kept as (b, N, D), the long axis innermost, and exp(x) is computed as exp2(x log2 e), as in mamba-ssm's
kernel: torch vectorises exp2 better.

Half-precision operands become float32 in the copy that puts a chunk's time first, and its result half again.

Nothing of size B L N D is ever held: the backward pass computes the states of a chunk anew. Python threads instead of
OpenMP: the single operations are small, and OpenMP's barriers between them stall whenever a core is shared. The
arithmetic of a sample does not depend on its chunk, so the forward pass is bitwise the same for any chunking.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from bdgf_core.network.scan_sequential import Operands
from bdgf_core.network.threads import side_by_side

CHUNK = 2**18  # elements of h in a chunk: large enough that threads seldom wait for Python, small enough for the caches
KEPT = 2**22  # elements of h that the backward pass keeps for a chunk's whole sequence: a second bound, 16 MiB a thread


def pooled_scan(operands: Operands, *, delta_softplus: bool, chunk: Optional[int] = None) -> Tensor:
    """-> (B, L, D), differentiable once. ``chunk``: the samples worked on at a time (default: by the cache)."""
    y: Tensor = _PooledScan.apply(delta_softplus, chunk, *operands)  # type: ignore[no-untyped-call]
    return y


class _PooledScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, softplus: bool, chunk: Optional[int], *tensors: Tensor) -> Tensor:
        operands = Operands(*tensors)
        u, A = operands.u, operands.A
        result = torch.empty(u.shape, dtype=u.dtype, device=u.device)

        def work(part: slice) -> None:
            x = _chunk(operands, part)
            y = _recur(x.step_sizes(softplus), x, None)  # (L, b, D)
            if x.D is not None:
                y.addcmul_(x.u, x.D)
            if x.z is not None:
                y.mul_(F.silu(x.z))
            result[part] = y.transpose(0, 1)

        _each_chunk(work, u, chunk or CHUNK // A.numel())
        ctx.save_for_backward(*tensors)
        ctx.softplus, ctx.chunk = softplus, chunk
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_result: Tensor) -> tuple[Optional[Tensor], ...]:
        operands = Operands(*ctx.saved_tensors)
        per_sample = {name: torch.empty_like(getattr(operands, name), memory_format=torch.contiguous_format)
                      for name in ("u", "delta", "B", "C", "z") if getattr(operands, name) is not None}  # fmt: skip
        shared = [name for name in ("A", "D", "delta_bias") if getattr(operands, name) is not None]
        shares: dict[int, list[Tensor]] = {}  # each chunk's part of the gradients of what all samples share

        def work(part: slice) -> None:
            x = _chunk(operands, part)
            grads = _chunk_gradients(x, _by_time(grad_result[part], x.A.dtype), ctx.softplus)
            for name, out in per_sample.items():
                out[part] = grads[name].transpose(0, 1)
            shares[part.start] = [grads[name] for name in shared]

        size = min(CHUNK, max(KEPT // grad_result.shape[1], CHUNK // 8)) // operands.A.numel()
        _each_chunk(work, operands.u, ctx.chunk or size)
        in_order = [shares[start] for start in sorted(shares)]  # so that the threads' order cannot reach the sums
        totals = (torch.stack(parts).sum(0) for parts in zip(*in_order))
        grads = {**per_sample, **dict(zip(shared, totals))}
        return (None, None, *(grads.get(name) for name in Operands._fields))


def _chunk(operands: Operands, part: slice) -> Operands:
    """The samples of a chunk, time first and of A's type: delta, u, z (L, b, D), B, C (L, b, N). What every step reads
    is dense; u and z, which whole operations read, are copied for their type alone."""
    dtype = operands.A.dtype
    delta, B, C = (_by_time(x[part], dtype) for x in (operands.delta, operands.B, operands.C))
    u = operands.u[part].transpose(0, 1).to(dtype)
    z = None if operands.z is None else operands.z[part].transpose(0, 1).to(dtype)
    return operands._replace(u=u, delta=delta, B=B, C=C, z=z)


def _by_time(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(b, L, ·) → (L, b, ·), dense."""
    first = x.transpose(0, 1)
    return torch.empty(first.shape, dtype=dtype, device=x.device).copy_(first)


def _chunk_gradients(x: Operands, grad: Tensor, softplus: bool) -> dict[str, Tensor]:
    """The gradients of every operand of a chunk, time first, from ``grad`` (L, b, D), that of its result."""
    delta = x.step_sizes(softplus)
    h = grad.new_empty((*grad.shape[:2], *x.A.t().shape))  # (L, b, N, D)
    y = _recur(delta, x, h)
    grads = {}
    if x.z is not None:
        y = y if x.D is None else y.addcmul_(x.u, x.D)
        gate = torch.sigmoid(x.z)
        grads["z"] = (1 - gate).mul_(x.z).add_(1).mul_(gate).mul_(y).mul_(grad)  # SiLU'(z) y
        grad = gate.mul_(x.z).mul_(grad)
    grad_drive, grad_delta, grads["A"], grads["B"], grads["C"] = _recur_back(delta, x, h, grad)
    grads["u"] = grad_drive * delta
    grads["delta"] = grad_delta.addcmul_(grad_drive, x.u)
    if x.D is not None:
        grads["u"].addcmul_(grad, x.D)
        grads["D"] = (grad * x.u).sum((0, 1))
    if softplus:
        grads["delta"].mul_(torch.sigmoid(x.delta if x.delta_bias is None else x.delta + x.delta_bias))
    if x.delta_bias is not None:
        grads["delta_bias"] = grads["delta"].sum((0, 1))
    return grads


def _recur(delta: Tensor, x: Operands, states: Optional[Tensor]) -> Tensor:
    """-> C h (L, b, D); every state is left in ``states`` (L, b, N, D) where that is given."""
    rates = (x.A.t() * math.log2(math.e)).contiguous()  # (N, D)
    y = torch.empty_like(delta)
    decay = y.new_empty((y.shape[1], *rates.shape))  # (b, N, D)
    h = torch.empty_like(decay)
    rows = (v.unsqueeze(2) for v in (delta, delta * x.u, x.C, y))  # (L, b, 1, D or N)
    for t, (delta_t, drive_t, C_t, y_t, B_t) in enumerate(zip(*rows, x.B.unsqueeze(3))):
        state = h if states is None else states[t]
        if t == 0:  # the state before the first step is zero
            h = torch.mul(drive_t, B_t, out=state)
        else:
            torch.mul(delta_t, rates, out=decay)
            torch.exp2(decay, out=decay)
            h = torch.mul(decay, h, out=state).addcmul_(drive_t, B_t)
        torch.bmm(C_t, h, out=y_t)
    return y


def _recur_back(delta: Tensor, x: Operands, h: Tensor, grad_y: Tensor) -> tuple[Tensor, ...]:
    """-> the gradients of delta u and of the decay's delta, (L, b, D), of A (D, N), and of B and C (L, b, N).

    g is the gradient of h_t: grad_y_t C_t + exp(delta_{t+1} A) g_{t+1}.
    """
    A = x.A.t().contiguous()  # (N, D)
    rates = A * math.log2(math.e)
    decay = torch.empty_like(h[0])  # (b, N, D)
    g, grad_A = torch.zeros_like(decay), torch.zeros_like(decay)
    results = [torch.zeros_like(v) for v in (delta, delta, x.B, x.C)]
    rows = (v.unsqueeze(2) for v in (delta, delta * x.u, grad_y, x.B, *results))  # (L, b, 1, D or N)
    steps = list(zip(*rows, x.C.unsqueeze(3), h))
    for t in reversed(range(len(h))):
        delta_t, drive_t, grad_t, B_t, to_drive, to_delta, to_B, to_C, C_t, h_t = steps[t]
        g.addcmul_(grad_t, C_t)
        torch.bmm(grad_t, h_t.transpose(1, 2), out=to_C)  # the row first: the other order is up to eight times slower
        torch.bmm(drive_t, g.transpose(1, 2), out=to_B)
        torch.bmm(B_t, g, out=to_drive)
        if t == 0:  # the state before the first step is zero
            break
        torch.mul(delta_t, rates, out=decay)
        torch.exp2(decay, out=decay)
        g.mul_(decay)
        product = torch.mul(g, h[t - 1], out=decay)  # the gradient of delta_t A
        grad_A.addcmul_(product, delta_t)
        torch.sum(product.mul_(A), 1, keepdim=True, out=to_delta)
    grad_drive, grad_delta, grad_B, grad_C = results
    return grad_drive, grad_delta, grad_A.sum(0).t(), grad_B, grad_C


def _each_chunk(work: Callable[[slice], None], like: Tensor, size: int) -> None:
    """Call ``work`` for slices of the batch, on as many threads as torch may use, with one intra-op thread in each."""
    batch, threads = like.shape[0], torch.get_num_threads()
    if like.is_cuda:
        size, threads = batch, 1
    rounds = -(-batch // (max(1, size) * threads))
    size = max(1, -(-batch // (rounds * threads))) if rounds else 1  # the same for every thread
    parts = [slice(start, min(start + size, batch)) for start in range(0, batch, size)]
    with torch.no_grad(), torch.autocast(like.device.type, enabled=False):
        side_by_side(work, parts)
