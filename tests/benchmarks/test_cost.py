"""The paper's Table 9 comes out of its own counting."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.cost import cost_of, denoiser_cost, table9


@pytest.mark.parametrize("depth,printed", [(128, 996.43), (64, 498.22), (16, 124.55)])
def test_the_papers_figures_of_pretraining(depth: int, printed: float) -> None:
    found = denoiser_cost(depth, 32, 8)
    assert found.parameters == 4_299_633
    assert round(found.counted / 1e9, 2) == printed


def test_another_batch_of_as_many_voxels_fits_too() -> None:
    assert round(denoiser_cost(128, 16, 32).counted / 1e9, 2) == 996.43


def test_the_true_cost_by_voxel() -> None:
    voxels = 8 * 16 * 32 * 32
    whole, encoder = denoiser_cost(16, 32, 8).macs, denoiser_cost(16, 32, 8, encoder=True).macs
    assert whole // voxels == 859_712  # the rest is the time embedding's
    assert encoder // voxels == 649_136


def test_every_data_set_has_both_phases() -> None:
    rows = table9()
    assert [phase for _, phase, _ in rows] == ["P", "T"] * 4
    assert all(cost.parameters > 1e5 and cost.counted >= cost.macs > 0 for _, _, cost in rows)


def test_layers_are_counted_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(100, 2))
    found = cost_of(network.eval(), lambda: network(torch.zeros(1, 3, 5, 5)))
    assert found.counted == 25 * 4 * 27 + 4 * 100 + 200 and found.macs == 25 * 4 * 27 + 200
    assert found.parameters == 4 * 27 + 4 + 8 + 202
