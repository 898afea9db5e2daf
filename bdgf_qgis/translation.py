"""The one door for texts that people read."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication


def tr(text: str, **values: object) -> str:
    """``text`` in the user's language, with ``values`` for its placeholders like ``{path}``."""
    translated = QCoreApplication.translate("BDGF", text)
    return translated.format(**values) if values else translated
