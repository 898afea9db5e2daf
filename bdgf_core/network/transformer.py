"""Global feature guidance: the transformer branch (Eqs. 13–19).

B batch; S, R, C channels of the spectral, second-sensor and diffusion inputs; E = 64; N = 4 tokens a patch; P = 9.
"""

from __future__ import annotations

from typing import Mapping, Optional

import torch
from torch import Tensor, nn

from .attention import CrossAttention, SelfAttention
from .statistics import box_mean

TOKENS = 4
_BOUND = 15.0


class Tokenizer(nn.Module):
    """N tokens of a P×P patch: a softmax over its positions weighs the mapped values (Eq. 13).

    Position by position the logits and values are 1×1 maps, and a softmax over a window is a ratio of two box sums,
    so (B, channels, rows, cols) → (B, rows − P + 1, cols − P + 1, N, E): one token set for every full patch. The
    logits are bounded to ±15 so that the exponentials need no patch's own maximum subtracted.
    """

    def __init__(self, channels: int, *, embedding: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.w7 = nn.Conv2d(channels, embedding, 1)
        self.attention = nn.Conv2d(embedding, TOKENS, 1)
        self.map = nn.Conv2d(channels, embedding, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != (self.patch, self.patch):  # box sums of channels-last maps are many times faster
            x = x.contiguous(memory_format=torch.channels_last)
        logits = _BOUND * torch.tanh(self.attention(torch.relu(self.w7(x))).float() / _BOUND)
        weight = torch.exp(logits)  # (B, N, rows, cols)
        values = self.map(x).float()  # (B, E, rows, cols)
        if x.shape[-2:] == (self.patch, self.patch):
            tokens = weight.flatten(2) @ values.flatten(2).transpose(1, 2)  # (B, N, E)
            tokens = tokens / weight.flatten(2).sum(-1, keepdim=True)
            patch: Tensor = tokens[:, None, None]
            return patch
        total = box_mean(weight, self.patch).permute(0, 2, 3, 1)
        sums = [box_mean(values * w, self.patch).permute(0, 2, 3, 1) for w in weight.unsqueeze(2).unbind(1)]
        return torch.stack(sums, 3) / total.unsqueeze(4)


class GuidedTransformer(nn.Module):
    """Global features of every full patch: (B, rows, cols) patches → (B · patches, E)."""

    def __init__(
        self, spectral: int, second: int, *, diffusion: int, embedding: int, patch: int, feed_forward: bool
    ) -> None:
        super().__init__()
        streams = {"spectral": spectral, "second": second, "diffusion": diffusion}
        self.tokenizers = nn.ModuleDict(
            {name: Tokenizer(width, embedding=embedding, patch=patch) for name, width in streams.items() if width}
        )
        self.cls = nn.ParameterDict({name: nn.Parameter(0.02 * torch.randn(embedding)) for name in self.tokenizers})
        self.position = nn.ParameterDict(
            {name: nn.Parameter(0.02 * torch.randn(TOKENS + 1, embedding)) for name in self.tokenizers}
        )
        self.attend = nn.ModuleDict(
            {name: SelfAttention(embedding, feed_forward=feed_forward) for name in self.tokenizers}
        )
        self.cross = nn.ModuleDict()
        if second:
            self.cross["spectral"] = CrossAttention(embedding)
            self.cross["second"] = CrossAttention(embedding)
        if diffusion:
            self.cross["diffusion"] = CrossAttention(embedding)
        self.norm = nn.LayerNorm(embedding)

    def forward(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> Tensor:
        return self.attended({name: t.flatten(0, 2) for name, t in self.tokens(spectral, second, diffusion).items()})

    def tokens(
        self, spectral: Optional[Tensor], second: Optional[Tensor], diffusion: Optional[Tensor]
    ) -> dict[str, Tensor]:
        """The tokens of every full patch by stream, (B, rows, cols, N, E)."""
        inputs = {"spectral": spectral, "second": second, "diffusion": diffusion}
        return {name: tokenizer(inputs[name]) for name, tokenizer in self.tokenizers.items()}

    def attended(self, patches: Mapping[str, Tensor]) -> Tensor:
        """The features (n, E) of patches, by whose streams' tokens (n, N, E)."""
        cls, tokens = {}, {}
        for name, patch_tokens in patches.items():
            first = self.cls[name].expand(len(patch_tokens), 1, -1)
            stream = self.attend[name](torch.cat((first, patch_tokens), 1) + self.position[name])
            cls[name], tokens[name] = stream[:, 0], stream[:, 1:]
        merged = tokens["spectral"]
        if "second" in cls:
            cls["spectral"], cls["second"] = (
                self.cross["spectral"](cls["spectral"], tokens["second"]),
                self.cross["second"](cls["second"], tokens["spectral"]),
            )
            merged = merged + tokens["second"]
        if "diffusion" in cls:
            cls["diffusion"] = self.cross["diffusion"](cls["diffusion"], merged)
        out: Tensor = self.norm(torch.stack(list(cls.values())).sum(0))  # Eq. 19
        return out
