"""The branches' features on a plane, to see which classes each tells apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .device import Device
from .fit import embed
from .network.group import GroupNetwork
from .progress import Progress
from .samples.patches import PatchSamples
from .samples.splits import choose_per_class, evenly
from .tsne import tsne

_MOST = 500
_LEAST = 10


def project_branches(
    network: GroupNetwork,
    samples: PatchSamples,
    index: NDArray[np.int64],
    *,
    held_out: bool,
    seed: int,
    device: Device,
    progress: Progress,
) -> dict[str, Any] | None:
    """Up to 500 of the samples of ``index``, classes as evenly as they come, as the model document holds them: their
    ``classes``, and by branch their places, thousandths from −1 to 1; None of fewer than ten. ``held_out`` says
    whether the network was trained without them."""
    if len(index) < _LEAST:
        return None
    classes = samples.classes.numpy()[index]
    per_class = evenly(np.bincount(classes).tolist(), _MOST)
    chosen = index[choose_per_class(classes, per_class, np.random.default_rng(seed))][:_MOST]
    branches = {}
    for done, (name, features) in enumerate(embed(network, samples, chosen, device).items(), start=1):
        branches[name] = np.round(tsne(features), 3).tolist()
        progress.update(done / len(network.config.branches))
    return {"held_out": held_out, "classes": samples.classes[torch.from_numpy(chosen)].tolist(), "branches": branches}
