"""The Mamba block (Gu and Dao 2023, Section 3.4; the paper's Eqs. 20-22), with the parameters of mamba-ssm's ``Mamba``.

    B  batch      L  sequence length      M  model width (d_model)      D  inner width (expand * M)
    N  states a channel (d_state)      R  rank of delta (ceil(M / 16))      K  taps of the causal convolution (d_conv)

Names, shapes and initialisation are mamba-ssm's own, so weights load strictly both ways.
"""

from __future__ import annotations

import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bdgf_core.network.scan import selective_scan

DELTA_MIN, DELTA_MAX, DELTA_FLOOR = 1e-3, 1e-1, 1e-4  # the range of the initial step sizes


class MambaBlock(nn.Module):
    """(B, L, M) -> (B, L, M): gated selective state space over the sequence. ``backend`` as in ``selective_scan``."""

    def __init__(
        self, d_model: int, *, d_state: int = 16, d_conv: int = 4, expand: int = 2, backend: str = "auto"
    ) -> None:
        super().__init__()
        self.d_inner, self.d_state, self.dt_rank = expand * d_model, d_state, math.ceil(d_model / 16)
        self.backend = backend
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=False)
        self.conv1d = nn.Conv1d(self.d_inner, self.d_inner, d_conv, groups=self.d_inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(self.d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, self.d_inner)
        self._initialise_delta()
        rates = torch.arange(1, d_state + 1, dtype=torch.float32).repeat(self.d_inner, 1)  # (D, N), S4D-real
        self.A_log = nn.Parameter(rates.log())
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x, z = self.in_proj(tokens).chunk(2, dim=-1)  # (B, L, D) each
        x = F.silu(causal_conv(x, self.conv1d.weight, self.conv1d.bias))  # (B, L, D)
        low, B, C = self.x_proj(x).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        delta = F.linear(low, self.dt_proj.weight)  # (B, L, D); its bias is added inside the scan, in float32
        A = -torch.exp(self.A_log.float())  # (D, N)
        x, delta, B, C, z = (v.transpose(1, 2) for v in (x, delta, B, C, z))
        bias = self.dt_proj.bias.float()
        y = selective_scan(x, delta, A, B, C, self.D.float(), z, delta_bias=bias, backend=self.backend)  # (B, D, L)
        out: Tensor = self.out_proj(y.transpose(1, 2))  # (B, L, M)
        return out

    @torch.no_grad()
    def _initialise_delta(self) -> None:
        """softplus(dt_proj.bias) log-uniform in [DELTA_MIN, DELTA_MAX]; a weight that keeps the input's variance."""
        nn.init.uniform_(self.dt_proj.weight, -(self.dt_rank**-0.5), self.dt_rank**-0.5)
        low, high = math.log(DELTA_MIN), math.log(DELTA_MAX)
        delta = torch.exp(torch.rand(self.d_inner) * (high - low) + low).clamp(min=DELTA_FLOOR)
        self.dt_proj.bias.copy_(delta + torch.log(-torch.expm1(-delta)))  # the inverse of softplus


def causal_conv(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    """Depthwise convolution over the past only: x (B, L, D), weight (D, 1, K), bias (D) -> (B, L, D).

    K shifted multiply-adds in the layout at hand: as fast as a grouped ``conv1d``, in half the time with gradients.
    """
    taps, length = weight.shape[-1], x.shape[1]
    padded = F.pad(x, (0, 0, taps - 1, 0))  # (B, K - 1 + L, D)
    y = padded[:, :length] * weight[:, 0, 0]
    for k in range(1, taps):
        y.addcmul_(padded[:, k : k + length], weight[:, 0, k])
    return y if bias is None else y.add_(bias)
