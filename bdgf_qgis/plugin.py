"""The plugin: it brings the Processing provider, and takes it away again."""

from __future__ import annotations

import os
from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QLocale, QSettings, QTranslator

from .provider import BdgfProvider


class BdgfPlugin:
    def __init__(self) -> None:
        self._provider: Optional[BdgfProvider] = None
        self._translator: Optional[QTranslator] = None

    def initProcessing(self) -> None:
        """Called by itself under qgis_process, where there is no window."""
        self._install_translator()
        self._provider = BdgfProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        self.initProcessing()

    def unload(self) -> None:
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None

    def _install_translator(self) -> None:
        locale = str(QSettings().value("locale/userLocale", QLocale().name()))[:2]
        path = os.path.join(os.path.dirname(__file__), "i18n", f"bdgf_{locale}.qm")
        translator = QTranslator()
        if os.path.exists(path) and translator.load(path):
            QCoreApplication.installTranslator(translator)
            self._translator = translator
