"""The selective scan of Mamba (Gu and Dao 2023, Algorithm 2), by the fastest means at hand.

    B  batch        L  sequence length        D  channels (d_inner)        N  states a channel (d_state)

Tensors come and go as in mamba-ssm's ``selective_scan_fn``, (B, D, L); inside, everything is (B, L, D), so a caller
that holds (B, L, D) passes transposed views and nothing is copied. Deviation: A is real and B, C depend on the input;
Mamba does not use the complex and constant forms that mamba-ssm takes, too.
"""

from __future__ import annotations

import functools
import importlib
from typing import Optional, Protocol

import torch
from torch import Tensor

from bdgf_core.network.scan_pooled import pooled_scan
from bdgf_core.network.scan_sequential import Operands, sequential_scan

BACKENDS = ("auto", "mamba_ssm", "triton", "pooled", "sequential")
GPU_TOLERANCE = 1e-4  # relative; mamba-ssm is built with fast math, so equality to the bit is out of reach


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Optional[Tensor] = None,
    z: Optional[Tensor] = None,
    *,
    delta_bias: Optional[Tensor] = None,
    delta_softplus: bool = True,
    backend: str = "auto",
) -> Tensor:
    """SiLU(z) (scan(u) + D u): u, delta, z (B, D, L), A (D, N), B, C (B, N, L), D, delta_bias (D) -> (B, D, L).

    Half-precision operands are computed in float32; the result has the dtype of ``u``. ``backend`` "auto" takes, on a
    GPU, mamba-ssm's kernel or else our Triton kernel where it is installed and agrees with the plain loop; for float64
    the plain loop, "sequential"; else "pooled". Raises ValueError for an unknown backend or shapes that do not fit.
    """
    _check_shapes(u, delta, A, B, C)
    if backend == "auto":
        backend = "sequential" if u.dtype == torch.float64 else chosen_backend(u.device)
    if backend == "mamba_ssm":
        return _mamba_ssm(u, delta, A, B, C, D, z, delta_bias=delta_bias, delta_softplus=delta_softplus)
    dtype = torch.promote_types(u.dtype, torch.float32)
    with torch.autocast(u.device.type, enabled=False):
        operands = Operands(
            u.transpose(1, 2), delta.transpose(1, 2), A.to(dtype), B.transpose(1, 2), C.transpose(1, 2),
            D=None if D is None else D.to(dtype), z=None if z is None else z.transpose(1, 2),
            delta_bias=None if delta_bias is None else delta_bias.to(dtype),
        )  # fmt: skip
        y = _scan(backend)(operands, delta_softplus=delta_softplus)  # (B, L, D)
    return y.to(u.dtype).transpose(1, 2)


class _Scan(Protocol):
    def __call__(self, operands: Operands, *, delta_softplus: bool) -> Tensor: ...


def _scan(backend: str) -> _Scan:
    if backend == "sequential":
        return sequential_scan
    if backend == "pooled":
        return pooled_scan
    if backend == "triton":  # triton exists on few platforms and compiles on import
        scan: _Scan = importlib.import_module("bdgf_core.network.scan_triton").triton_scan
        return scan
    raise ValueError(f"The scan backend '{backend}' is unknown; choose one of {', '.join(BACKENDS)}.")


def chosen_backend(device: torch.device) -> str:
    """What "auto" takes for float32 on ``device``."""
    if device.type == "cuda":
        for backend in ("mamba_ssm", "triton"):
            if backend_agrees(backend, device):
                return backend
    return "pooled"


@functools.cache
def backend_agrees(backend: str, device: torch.device) -> bool:
    """Whether a GPU backend is there and, on that device, computes what the plain loop does, forward and backward."""
    try:
        found, expected = _trial(backend, device), _trial("sequential", device)
        pairs = list(zip(found, expected))
        return all(bool((a - b).abs().max() <= GPU_TOLERANCE * b.abs().max()) for a, b in pairs)
    except Exception:  # whatever a foreign binary raises on import or launch: it cannot be used here
        return False


def _trial(backend: str, device: torch.device) -> list[Tensor]:
    """Output and gradients of one small case, with a length and a width that fill no block."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device).requires_grad_()

    with torch.inference_mode(False), torch.enable_grad():
        u, delta, z = (draw(2, 40, 19) for _ in range(3))
        B, C, D, bias = draw(2, 16, 19), draw(2, 16, 19), draw(40), draw(40)
        A = (-draw(40, 16).detach().exp()).requires_grad_()
        y = selective_scan(u, delta, A, B, C, D, z, delta_bias=bias, backend=backend)
        return [y, *torch.autograd.grad(y.square().sum(), (u, delta, A, B, C, D, z, bias))]


def _mamba_ssm(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Optional[Tensor], z: Optional[Tensor], *,
    delta_bias: Optional[Tensor], delta_softplus: bool,
) -> Tensor:  # fmt: skip
    importlib.import_module("selective_scan_cuda")  # the package imports without its kernel, too: ask for the kernel
    interface = importlib.import_module("mamba_ssm.ops.selective_scan_interface")
    delta, B, C = (x.to(u.dtype) for x in (delta, B, C))  # the kernel takes one dtype beside its float32 parameters
    z = None if z is None else z.to(u.dtype)
    y: Tensor = interface.selective_scan_fn(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    return y


def _check_shapes(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> None:
    batch, channels, length = u.shape
    states = A.shape[-1]
    expected = (("delta", delta, u.shape), ("A", A, (channels, states)))
    for name, tensor, shape in (*expected, *((k, v, (batch, states, length)) for k, v in (("B", B), ("C", C)))):
        if tensor.shape != torch.Size(shape):
            raise ValueError(f"The selective scan needs {name} of shape {tuple(shape)}, not {tuple(tensor.shape)}.")
