"""Batch norm over the samples of several processes.

torch's SyncBatchNorm is for GPUs only; this one runs wherever the processes can talk. C channels.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

_AXES = (0, 2, 3, 4)


class Exchange(Protocol):
    """The processes that share."""

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over all of them, in place."""

    def gathered(self, tensor: Tensor) -> Tensor:
        """Those of all of them, stacked."""


def share_norms(network: nn.Module, among: Exchange) -> None:
    """Replace the 3-D batch norms of ``network`` by ones that see the samples of all processes in train mode; weights
    and statistics stay the same tensors."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm3d):
            setattr(network, name, _SharedNorm(child, among))
        else:
            share_norms(child, among)


class _SharedNorm(nn.BatchNorm3d):
    def __init__(self, norm: nn.BatchNorm3d, among: Exchange) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self._parameters, self._buffers = norm._parameters, norm._buffers
        self._among = among

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            var, mean = torch.var_mean(_exact(x), _AXES, correction=0)
            here = torch.cat((mean, var, mean.new_tensor([x.numel() / len(mean)])))  # (2C + 1,)
            means, variances, counts = self._among.gathered(here).tensor_split((len(mean), 2 * len(mean)), 1)
            count = counts.sum()
            mean = (means * counts).sum(0) / count
            var = ((variances + (means - mean).square()) * counts).sum(0) / count
            self._remember(mean, var * count / (count - 1))
        normalized: Tensor = _Normalize.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, mean, var, self.eps, count, self._among
        )
        return normalized

    def _remember(self, mean: Tensor, var: Tensor) -> None:
        assert self.num_batches_tracked is not None and self.running_mean is not None and self.running_var is not None
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(var, share)


class _Normalize(torch.autograd.Function):
    """(x − mean) / √(var + ε) · weight + bias, where mean and var depend on the x of all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float, count: Tensor,
        among: Exchange,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, weight, mean, (var + eps).rsqrt(), count)
        ctx.among = among
        return functional.batch_norm(x, mean, var, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, weight, mean, scale, count = ctx.saved_tensors
        grad = _exact(grad)
        normalized = (_exact(x) - _wide(mean)) * _wide(scale)
        sums = torch.stack((grad.sum(_AXES), (grad * normalized).sum(_AXES)))  # (2, C)
        # Those of the weights stay with this process: whoever trains adds gradients up.
        of_bias, of_weight = sums.clone()
        offset, slope = ctx.among.total(sums) / count
        of_x = (grad - _wide(offset) - normalized * _wide(slope)) * _wide(weight * scale)
        return of_x.to(x.dtype), of_weight, of_bias, None, None, None, None, None


def _exact(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _wide(tensor: Tensor) -> Tensor:
    return tensor[:, None, None, None]
