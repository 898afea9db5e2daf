"""How unlike the training samples pixels are."""

from __future__ import annotations

import numpy as np
import torch

from bdgf_core.ood import OutOfDistribution
from bdgf_core.samples.patches import PatchSamples


def patches(values: torch.Tensor, classes: torch.Tensor) -> PatchSamples:
    """Even patches of these values (N, channels)."""
    return PatchSamples(values[:, :, None, None].expand(-1, -1, 9, 9).half(), None, None, classes)


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """200 samples of two classes, each drawn in five polygons that differ a little."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.arange(200) % 2
    groups = torch.arange(200) % 10
    shifts = 0.3 * torch.randn((10, 3), generator=generator)
    values = 4.0 * classes[:, None] + shifts[groups] + 0.1 * torch.randn((200, 3), generator=generator)
    return values, classes, groups.numpy().astype(np.int32)


def score(ood: OutOfDistribution, values: torch.Tensor) -> torch.Tensor:
    image = values.T[:, :, None].expand(-1, -1, 9).repeat_interleave(9, 1)  # each value a square of its own
    return ood.score(image, None)[::9, 0]


def test_polygons_kept_apart_set_the_yardstick():
    values, classes, groups = drawn()
    ood = OutOfDistribution.of(patches(values, classes), groups)
    again, _, _ = drawn(1)
    assert (score(ood, values) <= 1).float().mean() > 0.9, "the samples themselves"
    assert (score(ood, again) <= 1).float().mean() > 0.5, "other places of the same classes"
    assert (score(ood, torch.full((4, 3), 2.0)) > 1).all(), "between the classes"
    far, farther = score(ood, torch.tensor([[8.0, 8, 8], [12.0, 12, 12]]))
    assert 2 < far < farther
    alone = OutOfDistribution.of(patches(values, classes), np.zeros(200, np.int32) + np.arange(200))
    assert alone.threshold < ood.threshold, "a pixel of one's own polygon is no other place"


def test_all_classes_count_alike_and_are_no_more_than_can_be_compared():
    values, _, groups = drawn()
    many = values.repeat(40, 1)
    classes = (torch.arange(len(many)) % 400 == 0).long()
    ood = OutOfDistribution.of(patches(many, classes), np.tile(groups, 40))
    assert len(ood.samples) == 1000 + 20 and ood.neighbour == 5


def test_few_and_equal_samples_have_a_yardstick_too():
    classes = torch.tensor([0, 1])
    ood = OutOfDistribution.of(patches(torch.zeros(2, 3), classes), np.array([0, 1], np.int32))
    assert ood.neighbour == 1 and score(ood, torch.zeros(1, 3)) == 0 and score(ood, torch.ones(1, 3)) > 1


def test_stopping_is_asked_for_between_parts():
    values, classes, groups = drawn()
    ood, asked = OutOfDistribution.of(patches(values, classes), groups), []
    ood.score(torch.zeros(3, 108, 108), None, on_part=lambda: asked.append(1))
    assert len(asked) == 3
