"""What this machine does at best: the measure of how much of its time a stage spends on arithmetic."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch.nn import functional as F

from bdgf_core.device import Device

_WIDTH, _DEPTH, _SIDE, _TAPS = 64, 16, 32, 27  # of less torch leaves a single image to a slow loop of its own
_MATRIX = 1024
_COPIED = 64 << 20  # bytes


@dataclass(frozen=True)
class Rates:
    """A second: multiply-adds in 3-D convolutions and in products of matrices, and bytes read or written."""

    convolution: float
    product: float
    moved: float

    @classmethod
    def of(cls, device: Device, *, repeats: int = 5) -> Rates:
        """In the precision that ``device`` computes in."""
        x = torch.randn(1, _WIDTH, _DEPTH, _SIDE, _SIDE, device=device.torch)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        weight = torch.randn(_WIDTH, _WIDTH, 3, 3, 3, device=device.torch)
        weight = weight.contiguous(memory_format=torch.channels_last_3d)
        a, b = (torch.randn(_MATRIX, _MATRIX, device=device.torch) for _ in range(2))
        source, target = (torch.zeros(_COPIED // 4, device=device.torch) for _ in range(2))
        with torch.no_grad(), device.autocast():
            convolving = seconds(lambda: F.conv3d(x, weight, padding=1), device, repeats=repeats)
            multiplying = seconds(lambda: a @ b, device, repeats=repeats)
            copying = seconds(lambda: target.copy_(source), device, repeats=repeats)
        return cls(x.numel() * _WIDTH * _TAPS / convolving, _MATRIX**3 / multiplying, 2 * _COPIED / copying)


def seconds(run: Callable[[], Any], device: Device, *, repeats: int) -> float:
    """The least that ``run`` takes in several runs, after one that warms up."""
    found = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        run()
        if device.is_cuda:
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return min(found[1:])
