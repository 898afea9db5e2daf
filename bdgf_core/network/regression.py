"""Kernel logistic regression (Zhu & Hastie 2005) on the centre pixel alone: one more opinion beside those of the
branches. Not in the paper. Where the spectrum tells the classes apart, nothing else is to be learnt from few polygons.

n pixels; C channels of both sensors; L landmarks; K classes.
"""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_WIDTH = 0.3  # γ, of squared distances between standardised pixels, by channel
_PENALTY = 1 / 30  # of the squared weights, against the sum of all samples' cross-entropies
_MOST_STEPS = 100
_NEVER = -1e4  # the bias of a class that no sample shows


class KernelRegression(nn.Module):
    """Softmax of ``weight`` (K, L + C) on a standardised pixel's radial basis functions exp(−γ d²) about ``landmarks``
    (L, C), and on the pixel itself; ``mean`` and ``scale`` (C,) standardise it, ``bias`` is (K,)."""

    mean: Tensor
    scale: Tensor
    landmarks: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, mean: Tensor, scale: Tensor, landmarks: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        tensors = {"mean": mean, "scale": scale, "landmarks": landmarks, "weight": weight, "bias": bias}
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    @classmethod
    def fitted(
        cls,
        pixels: Tensor,
        classes: Tensor,
        *,
        known: int,
        landmarks: int,
        seed: int,
        on_step: Callable[[], None] = lambda: None,
    ) -> KernelRegression:
        """To ``pixels`` (n, C) of ``classes`` (n,) out of ``known`` ones; as many ``landmarks`` as wanted are drawn of
        them, all where they are fewer. ``on_step`` is called now and then, and may raise."""
        x = pixels.double()
        mean, scale = x.mean(0), 1 / (x.std(0, correction=0) + 1e-6) / x.shape[1] ** 0.5
        x = (x - mean) * scale
        drawn = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:landmarks]
        functions = _functions(x, x[drawn])
        level = functions.square().sum(1).mean().sqrt()
        seen = torch.cat((functions / level, x), 1)
        counts = classes.bincount(minlength=known)
        weight = seen.new_zeros((known, seen.shape[1]), requires_grad=True)
        bias = torch.where(counts > 0, 0.0, _NEVER).to(seen).requires_grad_()
        solver = torch.optim.LBFGS(
            [weight, bias], max_iter=_MOST_STEPS, tolerance_grad=1e-7, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            on_step()
            solver.zero_grad()
            misfit = F.cross_entropy(F.linear(seen, weight, bias), classes)
            loss = misfit + 0.5 * _PENALTY * weight.square().sum() / len(seen)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        solver.step(closure)  # type: ignore[no-untyped-call]
        found = weight.detach()
        found[:, : len(drawn)] /= level
        return cls(mean.float(), scale.float(), x[drawn].float(), found.float(), bias.detach().float())

    @classmethod
    def of(cls, tensors: dict[str, Tensor], *, channels: int, classes: int, landmarks: int) -> KernelRegression:
        """From the tensors of a file. Raises ValueError for others than :meth:`fitted` makes."""
        count = tensors["landmarks"].shape[0] if tensors.get("landmarks", torch.tensor(0)).dim() else 0
        shapes = {
            "mean": (channels,),
            "scale": (channels,),
            "landmarks": (count, channels),
            "weight": (classes, count + channels),
            "bias": (classes,),
        }
        if tensors.keys() != shapes.keys() or not 1 <= count <= landmarks:
            raise ValueError("its regression has other tables")
        for name, shape in shapes.items():
            table = tensors[name]
            if table.shape != shape or table.dtype != torch.float32 or not torch.isfinite(table).all():
                raise ValueError("a table of its regression has another shape or type")
        return cls(**tensors)

    def forward(self, pixels: Tensor) -> Tensor:
        """Class probabilities (n, K) of pixels (n, C)."""
        with torch.autocast(pixels.device.type, enabled=False):  # distances are differences
            x = (pixels.float() - self.mean) * self.scale
            functions = _functions(x, self.landmarks)
            return torch.softmax(F.linear(torch.cat((functions, x), 1), self.weight, self.bias), 1)


def _functions(x: Tensor, landmarks: Tensor) -> Tensor:
    """(n, L), from pixels (n, C) and landmarks (L, C)."""
    squares = x.square().sum(1, keepdim=True) + landmarks.square().sum(1)
    return torch.addmm(squares, x, landmarks.T, alpha=-2.0).clamp_(min=0.0).mul_(-_WIDTH).exp_()
