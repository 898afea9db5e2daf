"""BDGF for QGIS: land-cover maps from two sensors, as a Processing provider.

Nothing here imports torch: the engine ``bdgf_core`` runs in a process of its own.
"""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: N802 (the name QGIS calls)
    """The plugin; ``iface`` is None under qgis_process."""
    from .plugin import BdgfPlugin

    return BdgfPlugin(iface)
