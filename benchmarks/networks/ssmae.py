"""SS-MAE (Lin et al. 2023, spatial-spectral masked auto-encoder), re-implemented after its abstract.

From the text: both sensors joined by channel; a spatial branch that masks patches and reconstructs their pixels, a
spectral branch that masks channels and reconstructs them, on unlabelled data; then training on labels with two
lightweight CNNs beside them for local features. Assumed: 3×3 blocks of pixels as spatial patches, 70 % of either
masked, encoders of two and decoders of one transformer block of width 64, 600 steps of 128 patches by Adam at 1e-3,
the squared error on what was masked, the patch of 9 pixels.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bdgf_core.device import Device
from bdgf_core.network.attention import SelfAttention
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import EMBEDDING
from bdgf_core.progress import Progress
from bdgf_core.samples.patches import PatchSamples

from .other import OtherNetwork, conv_block

MASKED = 0.7
STEPS, BATCH, RATE = 600, 128, 1e-3
_BLOCK = 3


class MaskedEncoder(nn.Module):
    """Tokens (B, N, values): encoded without the hidden ones, decoded with all."""

    def __init__(self, tokens: int, values: int) -> None:
        super().__init__()
        self.embed = nn.Linear(values, EMBEDDING)
        self.position = nn.Parameter(0.02 * torch.randn(tokens, EMBEDDING))
        self.blocks = nn.Sequential(*(SelfAttention(EMBEDDING, feed_forward=True) for _ in range(2)))
        self.hidden = nn.Parameter(0.02 * torch.randn(EMBEDDING))
        self.decoder = SelfAttention(EMBEDDING, feed_forward=True)
        self.restore = nn.Linear(EMBEDDING, values)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, E), the mean of the encoded tokens."""
        seen: Tensor = self.blocks(self.embed(tokens) + self.position)
        return seen.mean(1)

    def reconstruction_loss(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        count = tokens.shape[1]
        shown = max(1, round(count * (1 - MASKED)))
        order = torch.rand(tokens.shape[:2], generator=generator).argsort(1).to(tokens.device)
        at = order[:, :shown, None].expand(-1, -1, EMBEDDING)
        encoded = self.blocks((self.embed(tokens) + self.position).gather(1, at))  # (B, shown, E)
        whole = self.hidden.to(encoded.dtype).expand(len(tokens), count, -1).scatter(1, at, encoded)
        restored = self.restore(self.decoder(whole + self.position))
        away = order[:, shown:, None].expand(-1, -1, tokens.shape[2])
        return F.mse_loss(restored.gather(1, away), tokens.gather(1, away))


class AutoEncoder(nn.Module):
    """Both branches over ``channels`` joined channels."""

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.blocks = -(-patch // _BLOCK)
        self.spatial = MaskedEncoder(self.blocks**2, channels * _BLOCK**2)
        self.spectral = MaskedEncoder(channels, patch**2)

    def tokens(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the spatial branch (B, blocks², channels·9) and of the spectral one (B, channels, P·P)."""
        around = self.blocks * _BLOCK - self.patch
        padded = F.pad(x, (0, around, 0, around))
        return F.unfold(padded, _BLOCK, stride=_BLOCK).transpose(1, 2), x.flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2E)."""
        spatial, spectral = self.tokens(x)
        return torch.cat((self.spatial(spatial), self.spectral(spectral)), 1)

    def loss(self, x: Tensor, generator: torch.Generator) -> Tensor:
        spatial, spectral = self.tokens(x)
        return self.spatial.reconstruction_loss(spatial, generator) + self.spectral.reconstruction_loss(
            spectral, generator
        )


class SSMAE(OtherNetwork):
    """The encoders, and a small CNN for each sensor."""

    def __init__(self, config: GroupConfig) -> None:
        super().__init__(config)
        self.encoder = AutoEncoder(config.spectral + config.second, config.patch)
        self.local = nn.ModuleDict(
            {
                name: nn.Sequential(conv_block(width, EMBEDDING // 2), conv_block(EMBEDDING // 2, EMBEDDING))
                for name, width in (("spectral", config.spectral), ("second", config.second))
                if width
            }
        )
        self.head = nn.Linear((2 + len(self.local)) * EMBEDDING, config.classes)

    @classmethod
    def from_pretrained(cls, state: dict[str, Tensor], config: GroupConfig) -> SSMAE:
        network = cls(config)
        network.encoder.load_state_dict(state)
        return network

    def forward(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> Tensor:
        inputs = {"spectral": spectral, "second": second}
        seen = [self.encoder(_joined(spectral, second))]
        seen += [local(inputs[name]).mean((2, 3)) for name, local in self.local.items()]
        out: Tensor = self.head(torch.cat(seen, 1))
        return out


def pretrained_autoencoder(
    config: GroupConfig, unlabelled: PatchSamples, *, seed: int, device: Device, progress: Progress
) -> dict[str, Tensor]:
    """The weights of an :class:`AutoEncoder` that learnt to reconstruct these patches."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = AutoEncoder(config.spectral + config.second, config.patch).to(device.torch)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for step in range(STEPS):
        drawn = unlabelled.batch(torch.randint(len(unlabelled), (BATCH,), generator=generator), device.torch)
        loss = network.loss(_joined(drawn.spectral, drawn.second), generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress.update((step + 1) / STEPS)
    return {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}


def _joined(spectral: Tensor, second: Optional[Tensor]) -> Tensor:
    return spectral if second is None else torch.cat((spectral, second), 1)
