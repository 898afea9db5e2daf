"""The plugin: it brings the Processing provider, and takes it away again."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtGui import QIcon

from .menu import Menu
from .provider import ICON, BdgfProvider


class BdgfPlugin:
    def __init__(self, iface: Any = None) -> None:
        self._iface = iface
        self._provider: Optional[BdgfProvider] = None
        self._menu: Optional[Menu] = None

    def initProcessing(self) -> None:
        """Called by itself under qgis_process, where there is no window."""
        self._provider = BdgfProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)
        self._provider.refreshAlgorithms()  # now with the chains, whose steps the registry has to know

    def initGui(self) -> None:
        self.initProcessing()
        self._menu = Menu(self._iface, QIcon(ICON))

    def unload(self) -> None:
        if self._menu is not None:
            self._menu.remove()
            self._menu = None
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
