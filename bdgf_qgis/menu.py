"""The entry *BDGF* of the Plugins menu: short ways to what lies deep in dialogs."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtGui import QIcon

from .translation import tr


class Menu:
    """In the window of ``iface`` until it is removed."""

    def __init__(self, iface: Any, icon: QIcon) -> None:
        self._iface = iface
        self._menu = iface.pluginMenu().addMenu(icon, "BDGF")
        for text, work in (
            (tr("Install the engine"), lambda: _open("installengine")),
            (tr("Environment report"), lambda: _open("environment")),
            (tr("Settings"), self._settings),
        ):
            self._menu.addAction(text + "…").triggered.connect(lambda checked=False, work=work: work())

    def remove(self) -> None:
        self._iface.pluginMenu().removeAction(self._menu.menuAction())
        self._menu.deleteLater()

    def _settings(self) -> None:
        """Processing's page of QGIS's options; the provider stands there under Providers."""
        self._iface.showOptionsDialog(self._iface.mainWindow(), "processingOptions")


def _open(algorithm: str) -> None:
    import processing  # not there as the plugin is loaded

    processing.execAlgorithmDialog(f"bdgf:{algorithm}", {})
