"""The selective scan in C++, compiled for this machine: a bound for the one that the plugin has in plain torch, which
cannot bring compiled code along. Where there is no g++ there is no bound."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Callable, Optional

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_SOURCE = Path(__file__).with_suffix(".cpp")
_OPTIONS = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp", "-shared", "-fPIC"]
CHANNELS = 16  # they come in multiples of it


@cache
def fused_scan() -> Optional[Callable[..., Tensor]]:
    """A scan of u, delta, z (B, D, L), B, C (B, N, L), A (D, N), D and delta_bias (D), all there, in float32, with
    softplus; None without a compiler."""
    compiler = shutil.which("g++")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:  # what is loaded stays loaded
        library = Path(folder) / "scan.so"
        subprocess.run([compiler, *_OPTIONS, str(_SOURCE), "-o", str(library)], check=True)
        loaded = ctypes.CDLL(str(library))

    def scan(
        u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, delta_bias: Tensor,
        delta_softplus: bool = True,
    ) -> Tensor:  # fmt: skip
        assert delta_softplus and u.shape[1] % CHANNELS == 0
        by_time = [x.transpose(1, 2) for x in (u, delta, B, C, z)]
        y: Tensor = _Scan.apply(loaded, *by_time[:2], A, *by_time[2:4], D, by_time[4], delta_bias)
        return y.transpose(1, 2)

    return scan


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loaded: ctypes.CDLL, *operands: Tensor) -> Tensor:
        u, delta, A, *rest = (x.detach().contiguous() for x in operands)
        given = [u, delta, (A.t() * math.log2(math.e)).contiguous(), *rest]
        y = torch.empty_like(u)
        _call(loaded.scan, *given, y)
        ctx.loaded = loaded
        ctx.save_for_backward(*given)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Optional[Tensor], ...]:
        given = list(ctx.saved_tensors)
        found = [torch.zeros_like(x) for x in given]
        _call(ctx.loaded.scan_back, *given, grad.contiguous(), *found)
        found[2] = found[2].t()
        return (None, *found)


def _call(function: Any, *tensors: Tensor) -> None:
    """With u (B, L, D) first and A (N, D) third."""
    function(*tensors[0].shape, tensors[2].shape[0], *(ctypes.c_void_p(x.data_ptr()) for x in tensors))
