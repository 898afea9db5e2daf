"""From a screening to what deserves to be confirmed."""

from __future__ import annotations

from typing import Sequence

from bdgf_core.errors import InputError

from .ledger import Entry
from .summary import paired


def best_variants(entries: Sequence[Entry], scene: str, protocol: str, preset: str, count: int) -> list[str]:
    """The ``count`` variants of ``preset`` that gained most there over the preset itself, by overall accuracy plus
    average accuracy, on the same folds and seeds; none that lost. Raises :class:`InputError` without a screening."""
    runs: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.scene == scene and entry.protocol == protocol:
            runs.setdefault(entry.configuration, []).append(entry)
    gains = {}
    for name, found in runs.items():
        differences = [paired(found, runs.get(preset, []), figure) for figure in ("overall", "average")]
        if name.startswith(f"{preset}+") and None not in differences:
            gains[name] = sum(difference.mean for difference in differences if difference is not None)
    if not gains:
        raise InputError(f"The ledger has no variants of {preset} on {scene} by {protocol}; run --suite screen first.")
    ranked = sorted(gains, key=lambda name: -gains[name])
    return [name for name in ranked if gains[name] > 0][:count]
