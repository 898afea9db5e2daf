"""The networks that can be measured, by name: the group network, its structural variants, and those of others."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from bdgf_core.device import Device
from bdgf_core.errors import InputError
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import GroupNetwork
from bdgf_core.progress import Progress
from bdgf_core.samples.patches import PatchSamples

from .fusionhct import FusionHCT
from .group_variants import with_pixel_tokens, with_shared_tokenizers
from .msfmamba import MSFMamba
from .spectraldiff import SpectralDiffClassifier
from .ssmae import SSMAE, pretrained_autoencoder

Build = Callable[[GroupConfig], Any]
_OURS: dict[str, Callable[..., GroupNetwork]] = {
    "group": GroupNetwork,
    "pixel-tokens": with_pixel_tokens,
    "shared-tokenizers": with_shared_tokenizers,
}
_OTHERS: dict[str, Build] = {
    "spectraldiff": SpectralDiffClassifier,
    "msfmamba": MSFMamba,
    "fusion-hct": FusionHCT,
}


def builder(
    name: str,
    config: GroupConfig,
    unlabelled: Optional[PatchSamples],
    *,
    units: Optional[NDArray[np.float32]],
    seed: int,
    device: Device,
    progress: Progress,
) -> Build:
    """What makes the network ``name`` for a fit; ``units`` are those of :class:`GroupNetwork`. SS-MAE is pretrained on
    ``unlabelled`` patches first."""
    if name in _OURS:
        return partial(_OURS[name], units=units)
    if name == "ss-mae":
        assert unlabelled is not None
        state = pretrained_autoencoder(config, unlabelled, seed=seed, device=device, progress=progress)
        return partial(SSMAE.from_pretrained, state)
    if name not in _OTHERS:
        raise InputError(f"Network {name!r} is not known; use one of ss-mae, {', '.join((*_OURS, *_OTHERS))}.")
    return _OTHERS[name]
