"""The denoiser: its size, what it sees, and the features taken from it."""

from __future__ import annotations

import pytest
import torch

from bdgf_core.diffusion.features import extract_features, feature_channels, position_noise, recalibrate_batchnorm
from bdgf_core.diffusion.forward import BandStack, ForwardProcess
from bdgf_core.diffusion.unet import HALO, DenoisingUNet, channels_last


@pytest.fixture(scope="module")
def denoiser() -> DenoisingUNet:
    torch.manual_seed(0)
    return DenoisingUNet().eval()


def test_has_the_size_of_spectraldiff(denoiser):
    assert sum(p.numel() for p in denoiser.parameters()) == 4_299_633


@pytest.mark.parametrize("shape", [(2, 1, 8, 5, 7), (1, 1, 16, 1, 1)])
def test_shapes(denoiser, shape):
    x, t = torch.randn(shape), torch.zeros(shape[0], dtype=torch.long)
    with torch.no_grad():
        assert denoiser(x, t).shape == shape
        assert denoiser.encode(x, t).shape == (shape[0], 128, shape[2] // 8, *shape[3:])


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("halo", [(13, 13, 13, 13), (0, 13, 5, 0), (2, 0, 0, 9)])
def test_a_halo_is_cut_off_and_changes_nothing(denoiser, blocks, halo):
    above, below, before, after = halo
    x, t = torch.randn(1, 1, 8, above + 3 + below, before + 4 + after), torch.zeros(1, dtype=torch.long)
    with torch.no_grad():
        whole, inside = denoiser.encode(x, t, blocks=blocks), denoiser.encode(x, t, blocks=blocks, halo=halo)
    assert inside.shape[-2:] == (3, 4)
    torch.testing.assert_close(inside, whole[..., above : above + 3, before : before + 4], atol=1e-5, rtol=1e-4)


def test_every_parameter_learns():
    torch.manual_seed(0)
    net = DenoisingUNet()
    net(torch.randn(2, 1, 8, 4, 4), torch.tensor([3, 400])).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("depth", [8, 16])
def test_gradients_in_bfloat16_are_near_those_in_float32(depth):
    torch.manual_seed(0)
    net, x, t = channels_last(DenoisingUNet()), torch.randn(2, 1, depth, 4, 4), torch.tensor([3, 400])
    aim = torch.randn(x.shape)

    def gradients(bfloat16: bool) -> list[torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = (net(x, t).float() - aim).square().mean()
        return list(torch.autograd.grad(loss, list(net.parameters())))

    wanted = gradients(False)
    for _ in range(3):
        left = [torch.full((2**k,), torch.nan) for k in range(4, 21)]
        del left  # what is allocated next holds it
        for name, found, want in zip(dict(net.named_parameters()), gradients(True), wanted):
            assert (found - want).norm() <= 0.5 * want.norm(), name


def test_knows_the_time(denoiser):
    x = torch.randn(1, 1, 8, 3, 3)
    with torch.no_grad():
        early, late = (denoiser(x, torch.tensor([t])) for t in (5, 450))
    assert not torch.allclose(early, late)


@torch.no_grad()
def test_the_halo_is_exact(denoiser):
    """Beyond 13 px nothing reaches a feature; at 13 px something does."""
    x, t = torch.randn(1, 1, 8, 31, 31), torch.tensor([5])
    changed = x.clone()
    changed[..., 0, 0] += 10.0
    reached = (denoiser.encode(changed, t) - denoiser.encode(x, t)).abs().amax((0, 1, 2)) > 0
    assert not reached[HALO + 1 :].any() and not reached[:, HALO + 1 :].any()
    assert reached[HALO, : HALO + 1].any() and reached[: HALO + 1, HALO].any()


@pytest.mark.parametrize("speckle", [True, False])
@torch.no_grad()
def test_a_tile_with_its_halo_equals_the_whole_image(denoiser, speckle):
    process = ForwardProcess.of(BandStack(5, 2, speckle))
    torch.manual_seed(1)
    x0, valid = torch.rand(7, 50, 46), (torch.rand(7, 50, 46) > 0.05).float()
    noise = position_noise(7, 0, 0, 50, 46, seed=3)
    whole = extract_features(denoiser, process, x0, valid, noise)
    assert whole.shape == (feature_channels(process.stack.depth), 50, 46)
    rows, cols = slice(20 - HALO, 50), slice(0, 24 + HALO)  # touches the raster's edge below and at the left
    noise = position_noise(7, rows.start, cols.start, 50 - rows.start, cols.stop, seed=3)
    tile = extract_features(denoiser, process, x0[:, rows, cols], valid[:, rows, cols], noise)
    assert (tile[:, HALO:, :24] - whole[:, 20:, :24]).abs().max() <= 1e-5 * whole.abs().max()


@pytest.mark.parametrize("window", [(0, 0, 3, 70), (63, 64, 2, 2), (60, 3, 80, 66), (127, 128, 10, 1)])
def test_noise_belongs_to_the_pixel(window):
    row, col, height, width = window
    whole = position_noise(3, 0, 0, 150, 140, seed=5)
    assert torch.equal(position_noise(3, *window, seed=5), whole[:, row : row + height, col : col + width])


def test_noise_is_standard_normal_and_seeded():
    noise = position_noise(4, 0, 0, 128, 128, seed=1)
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    blocks = noise.view(4, 2, 64, 2, 64).permute(0, 1, 3, 2, 4).reshape(16, -1)
    assert (torch.corrcoef(blocks) - torch.eye(16)).abs().max() < 0.07  # no block repeats another
    assert not torch.equal(noise, position_noise(4, 0, 0, 128, 128, seed=2))


def test_recalibrated_statistics_are_plain_averages():
    torch.manual_seed(0)
    net = DenoisingUNet().train()
    first = net.down[0].norm1
    seen = []
    first.register_forward_pre_hook(lambda _, given: seen.append(given[0].mean((0, 2, 3, 4)).detach()))
    with torch.no_grad():
        net(50 + torch.randn(2, 1, 8, 4, 4), torch.tensor([5, 5]))  # what comes before is forgotten
        seen.clear()
        recalibrate_batchnorm(net)
        for shift in (0.0, 3.0, -1.0):
            net(shift + torch.randn(2, 1, 8, 4, 4), torch.tensor([5, 5]))
    assert torch.allclose(first.running_mean, torch.stack(seen).mean(0), atol=1e-5)
