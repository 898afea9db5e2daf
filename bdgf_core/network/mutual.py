"""Mutual learning: branches that agree on a sample learn from each other's class probabilities (Eqs. 25–28).

B batch; K classes; E embedding width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAIRS = (("transformer", "cnn"), ("mamba", "cnn"), ("mamba", "transformer"))  # teacher ‖ student


class MutualLearning(nn.Module):
    """KL divergences between the branches, one directional, at a learned temperature.

    Deviations, with ``literal=True`` undoing them: both sides are tempered by T (the paper tempers neither and only
    multiplies by T²), and T lies 0.5 higher, because learned freely T → 0 switches the loss off. A ``temperature``
    above 0 is taken in place of the learned one.
    """

    def __init__(self, branches: list[str], *, literal: bool, temperature: float = 0.0) -> None:
        super().__init__()
        self.literal, self.fixed = literal, temperature
        self.pairs = [pair for pair in PAIRS if set(pair) <= set(branches)]
        self.temperature = nn.ModuleDict({f"{a}_{b}": nn.Linear(2, 1) for a, b in self.pairs})

    def forward(self, logits: dict[str, Tensor], embeddings: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The summed loss and the temperature of each pair, from (B, K) logits and (B, E) embeddings by branch."""
        total = next(iter(logits.values())).new_zeros(())
        temperatures = {}
        for teacher, student in self.pairs:
            similarity = F.cosine_similarity(embeddings[teacher], embeddings[student]).mean()  # Eq. 25
            entropy = _entropy(logits[teacher]) + _entropy(logits[student])  # Eq. 26
            given = torch.stack((similarity, entropy)).detach().float()
            t = F.softplus(self.temperature[f"{teacher}_{student}"](given)).squeeze()  # Eq. 27
            t = torch.full_like(t, self.fixed) if self.fixed else t + (1e-6 if self.literal else 0.5)
            tempering = 1.0 if self.literal else t
            log_p = F.log_softmax(logits[teacher].float() / tempering, 1)
            log_q = F.log_softmax(logits[student].float() / tempering, 1)
            total = total + t**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)  # Eq. 28
            temperatures[f"{teacher}‖{student}"] = float(t.detach())
        return total, temperatures


def _entropy(logits: Tensor) -> Tensor:
    log_p = F.log_softmax(logits.float(), 1)
    return -(log_p.exp() * log_p).sum(1).mean()
