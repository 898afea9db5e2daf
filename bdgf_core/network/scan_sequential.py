"""The selective scan as it is written: its operands and the plain loop that every other form is measured by.

    B  batch        L  sequence length        D  channels (d_inner)        N  states a channel (d_state)

Every channel d has N states h_t = exp(delta_t A) h_{t-1} + delta_t u_t B_t and gives y_t = sum_n C_t h_t
(Mamba, Eqs. 2 and 4, with its simplified discretisation of B).
"""

from __future__ import annotations

from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch import Tensor


class Operands(NamedTuple):
    """u, delta, z (B, L, D), A (D, N), B, C (B, L, N), D, delta_bias (D): those of samples of one floating dtype, the
    others of the same or of float32 where that is half precision."""

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Optional[Tensor]
    z: Optional[Tensor]
    delta_bias: Optional[Tensor]

    def widened(self) -> Operands:
        """All of A's type."""
        return Operands._make(x if x is None else x.to(self.A.dtype) for x in self)

    def step_sizes(self, softplus: bool) -> Tensor:
        delta = self.delta if self.delta_bias is None else self.delta + self.delta_bias
        return F.softplus(delta) if softplus else delta


def sequential_scan(operands: Operands, *, delta_softplus: bool) -> Tensor:
    """-> (B, L, D). Autograd keeps every state, so this is for float64 and for comparison."""
    operands = operands.widened()
    u, _, A, B, C, D, z, _ = operands
    delta = operands.step_sizes(delta_softplus)
    h = u.new_zeros((u.shape[0], *A.shape))  # (B, D, N)
    steps = []
    for t in range(u.shape[1]):
        drive = (delta[:, t] * u[:, t])[..., None] * B[:, t, None, :]
        h = torch.exp(delta[:, t, :, None] * A) * h + drive
        steps.append((h * C[:, t, None, :]).sum(-1))  # (B, D)
    y = torch.stack(steps, dim=1)
    if D is not None:
        y = y + D * u
    return y if z is None else y * F.silu(z)
