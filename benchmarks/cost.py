"""Parameters and operations of a network, counted as in the paper's Table 9, and as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor, nn

from bdgf_core.diffusion.schedule import FEATURE_TIMESTEP
from bdgf_core.diffusion.unet import DenoisingUNet
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import GroupNetwork

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm)


@dataclass(frozen=True)
class Cost:
    """``counted`` multiply-adds as the counter *thop* has them, which the paper prints as FLOPs: transposed
    convolutions by their output, four operations for each normalised element, and nothing that is no layer
    (attention, scans). ``macs``: those of convolutions and linear maps alone, transposed ones by their input."""

    parameters: int
    counted: int
    macs: int


def cost_of(network: nn.Module, run: Callable[[], Any]) -> Cost:
    """What ``run``, a forward pass of ``network``, costs."""
    counted = macs = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted, macs
        x = inputs[0]
        if isinstance(module, (*_CONVOLUTIONS, *_TRANSPOSED)):
            taps = math.prod(module.kernel_size)
            by_output = output.numel() * (module.in_channels // module.groups) * taps
            counted += by_output
            by_input = x.numel() * (module.out_channels // module.groups) * taps
            macs += by_input if isinstance(module, _TRANSPOSED) else by_output
        elif isinstance(module, nn.Linear):
            counted += output.numel() * module.in_features
            macs += output.numel() * module.in_features
        elif isinstance(module, _NORMS):
            counted += 4 * x.numel()

    layers = [module for module in network.modules() if not any(module.children())]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(sum(parameter.numel() for parameter in network.parameters()), counted, macs)


def denoiser_cost(depth: int, side: int, batch: int, *, encoder: bool = False) -> Cost:
    """Of one pass over ``batch`` patches; no memory is used, whatever the size."""
    with torch.device("meta"):
        network = DenoisingUNet().eval()
        x = torch.empty((batch, 1, depth, side, side))
        timestep = torch.full((batch,), FEATURE_TIMESTEP)
    return cost_of(network, lambda: (network.encode if encoder else network)(x, timestep))


def group_cost(config: GroupConfig, batch: int) -> Cost:
    """Of one pass over ``batch`` patches."""
    network = GroupNetwork(config).eval()
    widths = (config.spectral, config.second, config.diffusion)
    inputs = [torch.zeros(1, w, config.patch, config.patch) if w else None for w in widths]
    one = cost_of(network, lambda: network(*inputs))
    return Cost(one.parameters, batch * one.counted, batch * one.macs)


def table9() -> list[tuple[str, str, Cost]]:
    """Data set, phase and cost of BDGF as printed: pretraining on 8 patches of 32 pixels (2^20 voxels at full depth),
    training on 64 patches of 9; on LCZ HK all 13 classes and few bands."""
    rows = []
    for name, depth, spectral, second, classes in (
        ("Augsburg", 128, 30, 4, 7),
        ("Yellow River Estuary", 64, 30, 3, 5),
        ("Berlin", 128, 30, 4, 8),
        ("LCZ HK", 16, 10, 4, 13),
    ):
        config = GroupConfig(
            spectral=spectral, second=second, diffusion=16 * depth, classes=classes,
            padded_cnn=True, guidance_kernel=3, attention_cells=9, feed_forward=False,
        )  # fmt: skip
        rows += [(name, "P", denoiser_cost(depth, 32, 8)), (name, "T", group_cost(config, 64))]
    return rows
