"""The reverse process leads back to the image whose noise the denoiser knows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bdgf_core.diffusion.forward import BandStack, ForwardProcess
from benchmarks.reverse import first_state, reverse_step, sample_images


class Oracle:
    """Knows the clean image (U, h, w), and so the noise in anything."""

    def __init__(self, process: ForwardProcess, clean: Tensor) -> None:
        self.process, self.clean = process, clean

    def __call__(self, x: Tensor, timestep: Tensor) -> Tensor:
        p, stack, t = self.process, self.process.stack, int(timestep[0])
        bands = x[:, 0, stack.places]
        signal = float(p.schedule.alphas_cumprod[t])
        noise = (bands - signal**0.5 * self.clean) / (1 - signal) ** 0.5
        if stack.speckle:
            product = (bands / (signal**0.5 * self.clean))[:, stack.spectral :].log()
            noise[:, stack.spectral :] = (product - float(p.speckle.log_mean[t])) / float(p.speckle.log_std[t])
        out = torch.zeros_like(x)
        out[:, 0, stack.places] = noise
        return out


def image(stack: BandStack) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    clean = torch.rand((stack.bands, 6, 5), generator=generator) * 2 - 1
    if stack.speckle:
        clean[stack.spectral :] = 0.02 + 0.9 * torch.rand((stack.second, 6, 5), generator=generator)
    return clean


@pytest.mark.parametrize("stack", [BandStack(5, 2, True), BandStack(5, 2, False), BandStack(3, 0, False)])
def test_an_oracle_leads_back_to_its_image(stack: BandStack) -> None:
    process = ForwardProcess.of(stack)
    clean, told = image(stack), []
    found = sample_images(
        Oracle(process, clean), process, (2, 6, 5), generator=torch.Generator().manual_seed(0), on_step=told.append
    )
    assert found.shape == (2, stack.bands, 6, 5) and torch.allclose(found, clean.expand_as(found), atol=2e-3)
    assert len(told) == 500 and told[-1] > 0.99 and told == sorted(told)


def test_a_step_back_has_the_forward_process_spread() -> None:
    """Steps back from x_t drawn from the forward process, by the oracle, give x_{t−1} of its mean and deviation."""
    stack = BandStack(1, 1, True)
    process, t = ForwardProcess.of(stack), 200
    clean = torch.tensor([0.4, 0.3])[:, None, None].expand(2, 100, 200)
    generator = torch.Generator().manual_seed(0)
    normal, other = (torch.randn((1, 2, 100, 200), generator=generator) for _ in range(2))
    keep = torch.ones_like(normal)
    there = process.noise(clean[None], keep, torch.tensor([t]), normal)[:, 0, stack.places]
    back = reverse_step(process, there, normal, t, other)
    wanted = process.noise(clean[None], keep, torch.tensor([t - 1]), normal)[:, 0, stack.places]
    assert float((back[:, 0].mean() - wanted[:, 0].mean()).abs()) < 0.01
    assert float(back[:, 0].std() / wanted[:, 0].std()) == pytest.approx(1, abs=0.02)
    logs = [x[:, 1].log() for x in (back, wanted)]
    assert float((logs[0].mean() - logs[1].mean()).abs()) < 0.02
    assert float(logs[0].std() / logs[1].std()) == pytest.approx(1, abs=0.02)


def test_the_same_seed_gives_the_same_images() -> None:
    process = ForwardProcess.of(BandStack(2, 1, True))
    made = [first_state(process, (1, 4, 4), generator=torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert all(x.isfinite().all() and (x[:, 2:] > 0).all() for x in made)
