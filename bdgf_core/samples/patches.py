"""The training samples as tensors: a patch of every modality around each pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import torch
from torch import Tensor


@dataclass(frozen=True)
class PatchSamples:
    """N patches: ``spectral`` (N, S, P, P), ``second`` (N, R, P, P) or None, ``diffusion`` (N, C, P, P) or None,
    ``classes`` (N,) int64, -1 where unlabelled. Images may be half precision; a batch is float32."""

    spectral: Tensor
    second: Optional[Tensor]
    diffusion: Optional[Tensor]
    classes: Tensor

    def __len__(self) -> int:
        return len(self.classes)

    def batch(self, index: Tensor, device: torch.device) -> PatchSamples:
        """The samples of ``index`` in float32 on ``device``."""

        def take(x: Optional[Tensor]) -> Optional[Tensor]:
            if x is None:
                return None
            taken: Tensor = x[index].to(device=device, dtype=torch.float32)
            return taken

        spectral = take(self.spectral)
        assert spectral is not None
        return PatchSamples(spectral, take(self.second), take(self.diffusion), self.classes[index].to(device))

    @property
    def inputs(self) -> tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
        """What the group network takes."""
        return self.spectral, self.second, self.diffusion

    def joined(self, other: PatchSamples) -> PatchSamples:
        """These samples and then the ``other`` ones, which have the same modalities."""

        def join(x: Optional[Tensor], y: Optional[Tensor]) -> Optional[Tensor]:
            return None if x is None or y is None else torch.cat((x, y))

        classes = torch.cat((self.classes, other.classes))
        spectral = torch.cat((self.spectral, other.spectral))
        return PatchSamples(spectral, join(self.second, other.second), join(self.diffusion, other.diffusion), classes)

    def turned(self, symmetry: int) -> PatchSamples:
        """All patches turned by one of the 8 symmetries of the square: 0 is the identity."""

        def turn(x: Optional[Tensor]) -> Optional[Tensor]:
            if x is None:
                return None
            x = torch.rot90(x, symmetry % 4, (2, 3))
            turned: Tensor = x.flip(3) if symmetry >= 4 else x
            return turned

        spectral = turn(self.spectral)
        assert spectral is not None
        return PatchSamples(spectral, turn(self.second), turn(self.diffusion), self.classes)

    def without_features(self, probability: float, *, generator: torch.Generator) -> PatchSamples:
        """The diffusion features of each sample set to 0, their mean, with this probability."""
        if self.diffusion is None:
            return self
        keep = torch.rand((len(self), 1, 1, 1), generator=generator) >= probability
        return replace(self, diffusion=self.diffusion * keep.to(self.diffusion.device))

    def with_bands_hidden(self, most: float, second: float, *, generator: torch.Generator) -> PatchSamples:
        """A random share of up to ``most`` of each sample's bands set to 0, their mean, and its second sensor as a
        whole with probability ``second``."""
        share = most * torch.rand((len(self), 1, 1, 1), generator=generator)

        def hide(x: Tensor) -> Tensor:
            keep = torch.rand((*x.shape[:2], 1, 1), generator=generator) >= share
            return x * keep.to(x.device)

        spectral = hide(self.spectral)
        if self.second is None:
            return replace(self, spectral=spectral)
        keep = torch.rand((len(self), 1, 1, 1), generator=generator) >= second
        return replace(self, spectral=spectral, second=hide(self.second) * keep.to(spectral.device))

    def with_foreign_surroundings(self, probability: float, *, generator: torch.Generator) -> PatchSamples:
        """With this probability a sample's patch beyond a random straight edge, at least a pixel off its centre,
        becomes that of another sample: polygons lie inside of their class, and a map has edges."""
        count, side = len(self), self.spectral.shape[-1]
        reach = side // 2
        angle = 2 * torch.pi * torch.rand(count, generator=generator)
        distance = 1.0 + (reach - 0.5) * torch.rand(count, generator=generator)
        distance[torch.rand(count, generator=generator) >= probability] = 2.0 * side  # beyond every corner
        other = torch.randperm(count, generator=generator)
        offset = torch.arange(side) - reach
        across = angle.cos()[:, None, None] * offset + angle.sin()[:, None, None] * offset[:, None]
        foreign = (across > distance[:, None, None])[:, None].to(self.spectral.device)  # (N, 1, P, P)

        def mix(x: Optional[Tensor]) -> Optional[Tensor]:
            return None if x is None else torch.where(foreign, x[other], x)

        spectral = mix(self.spectral)
        assert spectral is not None
        return PatchSamples(spectral, mix(self.second), mix(self.diffusion), self.classes)

    def jittered(self, amount: float, *, generator: torch.Generator) -> PatchSamples:
        """Every sensor channel of every sample times 1 + ``amount``·ε plus ``amount``·ε′: illumination, haze and
        season differ between places, and a few polygons do not show it."""

        def jitter(x: Optional[Tensor]) -> Optional[Tensor]:
            if x is None:
                return None
            gain, offset = (amount * torch.randn((2, *x.shape[:2], 1, 1), generator=generator)).to(x.device)
            jittered: Tensor = x * (1.0 + gain) + offset
            return jittered

        spectral = jitter(self.spectral)
        assert spectral is not None
        return replace(self, spectral=spectral, second=jitter(self.second))
