"""A batch norm over the samples of several processes is that of one process with all of them."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from bdgf_core.diffusion.features import recalibrate_batchnorm
from bdgf_core.shared_norm import share_norms


class Threads:
    """``count`` threads in place of processes; each says in ``here.rank`` which one it is."""

    def __init__(self, count: int) -> None:
        self.here = threading.local()
        self._barrier = threading.Barrier(count, timeout=60)
        self._given = [torch.empty(0)] * count

    def gathered(self, tensor: Tensor) -> Tensor:
        self._given[self.here.rank] = tensor
        self._barrier.wait()
        found = torch.stack(self._given)
        self._barrier.wait()
        return found

    def total(self, tensor: Tensor) -> Tensor:
        return tensor.copy_(self.gathered(tensor.clone()).sum(0))


def network_of(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    layers = [nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.BatchNorm3d(4), nn.Conv3d(4, 6, 3, padding=1)]
    return nn.Sequential(*layers, nn.ReLU(), nn.BatchNorm3d(6), nn.Conv3d(6, 1, 1)).to(dtype)


def together(network: nn.Sequential, batches: list[Tensor], count: int, *, learn: bool) -> list[nn.Sequential]:
    """A copy of ``network`` for each of so many threads, which have gone through their parts of the batches."""
    threads = Threads(count)
    copies = [copy.deepcopy(network) for _ in range(count)]

    def work(rank: int) -> None:
        threads.here.rank = rank
        share_norms(copies[rank], threads)
        for batch in batches:
            with torch.set_grad_enabled(learn):
                loss = copies[rank](batch.tensor_split(count)[rank]).square().sum()
            if learn:
                loss.backward()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))
    return copies


@pytest.mark.parametrize("count", [2, 3])
def test_gradients_and_statistics_are_those_of_the_whole_batch(count):
    """Of parts of unequal size."""
    network, batch = network_of(), torch.randn(5, 1, 8, 4, 6, dtype=torch.float64) + 2
    parts = together(network, [batch], count, learn=True)
    network(batch).square().sum().backward()
    for name, weight in network.named_parameters():
        found = sum(dict(part.named_parameters())[name].grad for part in parts)
        assert torch.allclose(found, weight.grad, rtol=1e-9, atol=1e-9), name
    for name, statistics in network.named_buffers():
        assert all(torch.allclose(dict(part.named_buffers())[name], statistics) for part in parts), name


def test_recalibration_averages_over_all_batches():
    network, batches = network_of(), [torch.randn(4, 1, 2, 5, 5, dtype=torch.float64) + i for i in range(3)]
    recalibrate_batchnorm(network)
    shared = together(network, batches, 2, learn=False)[1]
    for batch in batches:
        network(batch)
    assert shared.state_dict().keys() == network.state_dict().keys()
    assert torch.allclose(shared.eval()(batches[0]), network.eval()(batches[0]), rtol=1e-9)


def test_half_precision_is_normalised_in_single():
    network = nn.Sequential(nn.BatchNorm3d(4))
    batch = (torch.randn(4, 4, 2, 8, 8) * 3 + 50).bfloat16()
    parts = together(network, [batch], 2, learn=True)
    network(batch)
    assert torch.allclose(parts[0][0].running_var, network[0].running_var, rtol=1e-4)
    assert parts[0].eval()(batch).dtype == torch.bfloat16 and parts[0][0].weight.grad.dtype == torch.float32
