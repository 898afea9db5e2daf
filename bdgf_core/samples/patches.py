"""The training samples as tensors: a patch of every modality around each labelled pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import torch
from torch import Tensor


@dataclass(frozen=True)
class PatchSamples:
    """N labelled patches: ``spectral`` (N, S, P, P), ``second`` (N, R, P, P) or None, ``diffusion`` (N, C, P, P) or
    None, ``classes`` (N,) int64. Images may be half precision; a batch is float32."""

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
