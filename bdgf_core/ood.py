"""How unlike the training samples a pixel is: out of distribution, where a classifier only guesses.

The distance to the k-th nearest training sample (Sun et al. 2022), not among features that the network has learned,
which may place the unknown among the known, but among what it is given: centre, mean and deviation of every band in the
patch. As with the area of applicability (Meyer and Pebesma 2021), the yardstick is how far training samples lie from
those of the other polygons.

C channels of both sensors; n samples; h, w rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .network.config import PATCH
from .network.statistics import patch_statistics
from .samples.patches import PatchSamples
from .samples.splits import choose_per_class

_MOST = 2000  # samples that a pixel is compared with
_NEIGHBOUR = 5
_WITHIN = 0.95  # the share of training samples that are taken to be like the others
_AT_ONCE = 4096  # pixels
_LARGEST = 1e6  # distance or value; standardised inputs are of the order of 1
_LEAST = 1e-6


@dataclass(frozen=True)
class OutOfDistribution:
    """Statistics of training patches (n, 3C), which of their neighbours counts, from 1, and the distance that most
    training samples keep to those of other polygons. Raises ValueError for values that none can have."""

    samples: Tensor
    neighbour: int
    threshold: float

    def __post_init__(self) -> None:
        if self.samples.dim() != 2 or self.samples.dtype != torch.float32 or not 1 <= len(self.samples) <= _MOST:
            raise ValueError("its training samples are of another form")
        if not bool((self.samples.abs() <= _LARGEST).all()):
            raise ValueError("its training samples hold values that are no numbers")
        if type(self.neighbour) is not int or not 1 <= self.neighbour <= len(self.samples):
            raise ValueError(f"it counts neighbour {self.neighbour!r} of {len(self.samples)} training samples")
        if type(self.threshold) is not float or not _LEAST <= self.threshold <= _LARGEST:
            raise ValueError(f"its training samples lie {self.threshold!r} apart")

    @classmethod
    def of(cls, patches: PatchSamples, groups: NDArray[np.int32]) -> OutOfDistribution:
        """From the samples of at least two polygons, whose numbers are ``groups`` (N,); all classes count alike."""
        classes = patches.classes.numpy()
        each = max(1, _MOST // (int(classes.max()) + 1))
        chosen = choose_per_class(classes, each, np.random.default_rng(0))[:_MOST]
        index = torch.from_numpy(chosen)
        second = None if patches.second is None else patches.second[index].float()
        samples = patch_statistics(patches.spectral[index].float(), second, PATCH).clamp(-_LARGEST, _LARGEST)
        own = torch.from_numpy(groups[chosen])
        apart = torch.cdist(samples, samples).masked_fill(own[:, None] == own, torch.inf)
        neighbour = max(1, min(_NEIGHBOUR, int((own[:, None] != own).sum(1).min())))
        distance = apart.kthvalue(neighbour).values
        threshold = float(distance[distance.isfinite()].quantile(_WITHIN)) if bool(distance.isfinite().any()) else 0.0
        return cls(samples, neighbour, min(max(threshold, _LEAST), _LARGEST))

    @torch.no_grad()
    def score(
        self, spectral: Tensor, second: Optional[Tensor], *, on_part: Callable[[], None] = lambda: None
    ) -> Tensor:
        """Distance over threshold (h, w) for every full patch of an image (channels, h + P − 1, w + P − 1): above 1 a
        pixel is unlike the training samples. ``on_part`` is called now and then, and may raise."""
        rows, cols = (size - PATCH + 1 for size in spectral.shape[1:])
        points = patch_statistics(spectral[None], None if second is None else second[None], PATCH)
        found = []
        for start in range(0, len(points), _AT_ONCE):
            on_part()
            nearest = (
                torch.cdist(points[start : start + _AT_ONCE], self.samples)
                .topk(self.neighbour, 1, largest=False)
                .values
            )
            found.append(nearest[:, -1] / self.threshold)
        return torch.cat(found).reshape(rows, cols)

    def to(self, device: torch.device) -> OutOfDistribution:
        return replace(self, samples=self.samples.to(device))

    def to_json(self) -> dict[str, Any]:
        """All but the samples, which are :attr:`tensors`."""
        return {"neighbour": self.neighbour, "threshold": self.threshold}

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {"samples": self.samples}

    @classmethod
    def from_file(
        cls, item: Optional[Mapping[str, Any]], tensors: Mapping[str, Tensor], *, channels: int
    ) -> Optional[OutOfDistribution]:
        """Back from a model file, or None where it has none. Raises ValueError for what does not fit ``channels``."""
        if item is None:
            return None
        ood = cls(tensors["samples"], item["neighbour"], item["threshold"])
        if ood.samples.shape[1] != 3 * channels:
            raise ValueError("its training samples are of other sensors")
        return ood
