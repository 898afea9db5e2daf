"""Self-attention over the tokens of a stream and cross-attention between streams (Eqs. 15–18).

B batch; N tokens; E embedding width. Eqs. 16 and 18 print V·softmax(QKᵀ/√d); read as softmax(QKᵀ/√d)·V.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """Pre-norm self-attention with residual: (B, N, E) → (B, N, E).

    ``feed_forward`` adds the two-layer perceptron of a usual transformer block, which Eq. 16 does not print."""

    def __init__(self, embedding: int, *, feed_forward: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embedding)
        self.qkv = nn.Linear(embedding, 3 * embedding)
        self.feed_forward: Optional[nn.Sequential] = None
        if feed_forward:
            self.feed_forward = nn.Sequential(
                nn.LayerNorm(embedding),
                nn.Linear(embedding, 2 * embedding),
                nn.GELU(),
                nn.Linear(2 * embedding, embedding),
            )

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(tokens)).chunk(3, -1)
        tokens = F.scaled_dot_product_attention(q, k, v) + tokens
        return tokens if self.feed_forward is None else tokens + self.feed_forward(tokens)


class CrossAttention(nn.Module):
    """The class token of one stream looks at the patch tokens of another: (B, E), (B, N, E) → (B, E).

    The residual of Eq. 18 is the class token."""

    def __init__(self, embedding: int) -> None:
        super().__init__()
        self.norm_query = nn.LayerNorm(embedding)
        self.norm_tokens = nn.LayerNorm(embedding)
        self.query = nn.Linear(embedding, embedding)
        self.key_value = nn.Linear(embedding, 2 * embedding)

    def forward(self, cls: Tensor, tokens: Tensor) -> Tensor:
        q = self.query(self.norm_query(cls)).unsqueeze(1)
        k, v = self.key_value(self.norm_tokens(tokens)).chunk(2, -1)
        return F.scaled_dot_product_attention(q, k, v).squeeze(1) + cls


class ChannelAttention(nn.Module):
    """Channel attention of one feature map (Eqs. 21–23): (B, E, P, P) → (B, E, P, P).

    E′ = rowmax(E) − E turns the softmax towards channels *unlike* the query's, which counters redundancy; λ grows
    from 0. Positions come first inside, as channels-last maps have them in memory: the products are then whole rows.
    """

    def __init__(self, embedding: int) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(embedding, 3 * embedding, 1)
        self.scale = nn.Parameter(torch.zeros(()))  # λ

    def forward(self, f: Tensor) -> Tensor:
        q, k, v = self.qkv(f).flatten(2).transpose(1, 2).chunk(3, 2)  # (B, P·P, E)
        unlike = -q.transpose(1, 2) @ k  # −E (B, E, E), over positions
        attention = torch.softmax(unlike, -1)  # that of E′, whose row maxima a softmax does not see
        out = torch.add(v, self.scale * (v @ attention.transpose(1, 2)))  # (B, P·P, E)
        return out.transpose(1, 2).view(f.shape)
