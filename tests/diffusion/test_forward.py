"""The forward process: its noise, its masks, its loss, and what stays out of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bdgf_core.diffusion.forward import BandStack, ForwardProcess
from bdgf_core.diffusion.loss import denoising_loss
from bdgf_core.diffusion.masking import draw_keep, masking_probability
from bdgf_core.diffusion.schedule import STEPS, NoiseSchedule
from bdgf_core.diffusion.speckle import SpeckleTable


def test_schedule():
    schedule = NoiseSchedule.linear()
    assert schedule.betas.shape == (STEPS,) == (500,)
    assert schedule.betas[0] == pytest.approx(1e-4) and schedule.betas[-1] == pytest.approx(0.02)
    assert schedule.alphas_cumprod[1] == pytest.approx((1 - schedule.betas[0]) * (1 - schedule.betas[1]))


@pytest.mark.parametrize("looks", [1.0, 4.0])
@pytest.mark.parametrize("t", [0, 5, 99, 499])
def test_speckle_is_distributed_like_the_product_of_gammas(t, looks):
    count = 20_000 if t < 100 else 8_000
    rng = np.random.default_rng(t)
    betas = NoiseSchedule.linear().betas
    shapes = looks / betas.numpy()[: t + 1]
    logs = np.zeros(count)
    for shape in shapes:
        logs += np.log(rng.gamma(shape, 1.0 / shape, count))
    table = SpeckleTable.of(betas, looks)
    standard = np.sort((logs - float(table.log_mean[t])) / float(table.log_std[t]))
    normal = 0.5 * (1 + np.vectorize(math.erf)(standard / math.sqrt(2)))
    steps = np.arange(count + 1) / count
    distance = max(np.abs(normal - steps[1:]).max(), np.abs(normal - steps[:-1]).max())
    assert distance <= 0.02


@pytest.mark.parametrize("looks", [1.0, 4.0])
def test_speckle_has_mean_one(looks):
    table = SpeckleTable.of(NoiseSchedule.linear().betas, looks)
    assert (torch.exp(table.log_mean + table.log_std**2 / 2) - 1).abs().max() < 0.02


@pytest.mark.parametrize("t", [5, 100, 300])
def test_noised_voxels_are_unbiased(t):
    process = ForwardProcess.of(BandStack(6, 2, True))
    x0 = torch.full((1, 8, 400, 400), 0.3)
    noised = process.noise(x0, torch.ones_like(x0), torch.tensor([t]), torch.randn(x0.shape))[0, 0]
    expected = 0.3 * float(process.schedule.alphas_cumprod[t].sqrt())
    # Speckle's standard error grows with t: a relative variance of about 1 / (1 − abar) − 1.
    assert noised[:6].mean() == pytest.approx(expected, abs=0.005)
    assert noised[6:].mean() == pytest.approx(expected, rel=0.03)


def test_gaussian_bands_keep_unit_variance():
    process = ForwardProcess.of(BandStack(8, 0, False))
    x0 = torch.randn(1, 8, 100, 100)
    for t in (5, 250, 499):
        noised = process.noise(x0, torch.ones_like(x0), torch.tensor([t]), torch.randn(x0.shape))
        assert noised.std() == pytest.approx(1.0, abs=0.02)


SHAPES = [(6, 2, True), (4, 0, False), (1, 1, True), (13, 1, False), (3, 9, True)]


@pytest.mark.parametrize("spectral,second,speckle", SHAPES)
def test_depth_is_padded_with_the_spectral_edge(spectral, second, speckle):
    stack = BandStack(spectral, second, speckle)
    assert stack.depth % 8 == 0 and 0 <= stack.depth - stack.bands < 8
    assert len(stack.order) == stack.depth
    assert [stack.order[place] for place in stack.places] == list(range(stack.bands))
    padding = set(range(stack.depth)) - set(stack.places)
    assert {stack.order[place] for place in padding} <= {spectral - 1}
    process = ForwardProcess.of(stack)
    x0, keep = torch.rand(2, stack.bands, 3, 3), (torch.rand(2, stack.bands, 3, 3) > 0.5).float()
    noised = process.noise(x0, keep, torch.tensor([4, 300]), torch.randn(x0.shape))
    for place in padding:  # with the mask and the noise of its source
        assert torch.equal(noised[:, :, place], noised[:, :, spectral - 1])


def test_what_is_missing_or_masked_does_not_show():
    process = ForwardProcess.of(BandStack(6, 2, True))
    x0, normal, t = torch.rand(2, 8, 4, 4), torch.randn(2, 8, 4, 4), torch.tensor([5, 200])
    keep = (torch.rand(x0.shape) > 0.4).float()
    other = torch.where(keep > 0, x0, torch.full_like(x0, 0.9))
    noised = process.noise(x0, keep, t, normal)
    assert torch.equal(noised, process.noise(other, keep, t, normal))
    assert (noised[:, 0, 6:][keep[:, 6:] == 0] == 0).all()
    spread = (1 - process.schedule.alphas_cumprod[5]).sqrt().float()
    hidden = keep[0, :6] == 0
    assert torch.allclose(noised[0, 0, :6][hidden], spread * normal[0, :6][hidden])


def test_masking_probability_follows_tanh():
    assert masking_probability(0.0) == 0.0
    assert masking_probability(0.5) == pytest.approx(math.tanh(0.5))
    assert masking_probability(1.0) == pytest.approx(0.76159, abs=1e-5)


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.76])
def test_masks_keep_what_was_not_drawn(probability):
    keep = draw_keep((400, 3, 6, 6), probability, generator=torch.Generator().manual_seed(0))
    assert set(keep.unique().tolist()) <= {0.0, 1.0}
    blank = keep.flatten(1).amax(1) == 0
    assert blank.float().mean() == pytest.approx(probability, abs=0.07)  # whole cubes
    assert keep[~blank].mean() == pytest.approx(1 - probability, abs=0.02)  # single voxels


def test_masks_are_drawn_anew():
    generator = torch.Generator().manual_seed(0)
    one, other = (draw_keep((8, 3, 6, 6), 0.3, generator=generator) for _ in range(2))
    assert not torch.equal(one, other)


def test_loss_and_its_parts():
    predicted, target = torch.zeros(1, 4, 1, 2), torch.ones(1, 4, 1, 2)
    target[0, 0] = 2.0  # spectral, kept
    target[0, 1] = 3.0  # spectral, masked
    target[0, 2] = 100.0  # spectral, missing
    target[0, 3, 0] = torch.tensor([7.0, 500.0])  # second sensor, one missing
    valid = torch.tensor([[1.0, 1], [1, 1], [0, 0], [1, 0]]).view(1, 4, 1, 2)
    keep = valid.clone()
    keep[0, 1] = 0.0
    loss = denoising_loss(predicted, target, valid=valid, keep=keep, spectral=3)
    assert loss.unmasked == 2.0 and loss.masked == 3.0 and loss.second == 7.0
    assert loss.total == pytest.approx((2 * 2 + 2 * 3 + 7) / 5)


def test_loss_without_any_data_is_zero():
    nothing = torch.zeros(1, 2, 1, 1)
    loss = denoising_loss(nothing, nothing + 1, valid=nothing, keep=nothing, spectral=1)
    assert loss.total == 0 and loss.second.isnan()
