"""The one door for texts that people read: English in the sources, other languages in ``i18n/``.

The engine, which knows no Qt, reads the same files in a process of its own.
"""

from __future__ import annotations

import functools
import json
import os

from qgis.core import QgsApplication


def tr(text: str, **values: object) -> str:
    """``text`` in the user's language, with ``values`` for its placeholders like ``{path}``."""
    translated = _catalogue(language()).get(text) or text
    return translated.format(**values) if values else translated


def language() -> str:
    """The two letters of QGIS's language."""
    return QgsApplication.locale()[:2].lower()


@functools.cache
def _catalogue(code: str) -> dict[str, str]:
    """Translations by English text; empty where there are none."""
    here = os.path.dirname(os.path.realpath(__file__))
    for folder in (here, os.path.dirname(here)):  # the installed plugin, or the checkout
        try:
            with open(os.path.join(folder, "i18n", f"{code}.json"), encoding="utf-8") as file:
                catalogue: dict[str, str] = json.load(file)
            return catalogue
        except (OSError, ValueError):
            continue
    return {}
