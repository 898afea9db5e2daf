"""The plugin: it brings the Processing provider, and takes it away again."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsApplication

from .provider import BdgfProvider


class BdgfPlugin:
    def __init__(self) -> None:
        self._provider: Optional[BdgfProvider] = None

    def initProcessing(self) -> None:
        """Called by itself under qgis_process, where there is no window."""
        self._provider = BdgfProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        self.initProcessing()

    def unload(self) -> None:
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
