"""The fit of the denoiser: what it makes of batches without data, and of numbers that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_out_of_memory import refuse

import bdgf_core.pretrain as module
from bdgf_core.device import choose_device
from bdgf_core.diffusion.forward import BandStack, ForwardProcess
from bdgf_core.diffusion.unet import DenoisingUNet
from bdgf_core.errors import BdgfError
from bdgf_core.progress import Progress

PROCESS = ForwardProcess.of(BandStack(3, 2, False))
PRESET = replace(module.PRESETS["quick"], side=8, batch=2)


class Pool:
    """Batches of nothing, with data in ``share`` of the places; after ``sound`` of them, of no numbers."""

    def __init__(self, share: float, sound: int = 1000) -> None:
        self.share, self.left = share, sound

    def draw(self, count: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.left -= 1
        shape = (count, 5, side, side)
        return torch.full(shape, 0.0 if self.left >= 0 else float("nan")), (torch.rand(shape) < self.share).float()


def fit(pool: Pool) -> DenoisingUNet:
    how = dict(steps=2, seed=0, device=choose_device("cpu"), masking=False, progress=Progress())
    return module.fit_denoiser(pool, PROCESS, PRESET, **how)[0]


def test_batches_without_data_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECALIBRATION_BATCHES", 1)
    refuse(monkeypatch, DenoisingUNet, 1)  # worked on in parts
    assert all(bool(weight.isfinite().all()) for weight in fit(Pool(0.0)).parameters())


def test_a_denoiser_that_is_no_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECALIBRATION_BATCHES", 1)
    with pytest.raises(BdgfError, match="diverged"):
        fit(Pool(1.0, sound=2))
