"""The one door for texts that people read: English in the sources, other languages in ``i18n/``.

Whoever starts the process names the language in the environment variable ``BDGF_LANGUAGE``. Keys and values of jobs,
events, documents and tables, the options of the shell and programming errors stay English.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path


def tr(text: str, **values: object) -> str:
    """``text`` in the user's language, with ``values`` for its placeholders like ``{path}`` or ``{share:.1%}``."""
    translated = _catalogue(language()).get(text) or text
    return translated.format(**values) if values else translated


def language() -> str:
    """Two letters; ``en`` where none is named."""
    return os.environ.get("BDGF_LANGUAGE", "")[:2].lower() or "en"


@functools.cache
def _catalogue(code: str) -> dict[str, str]:
    """Translations by English text; empty where there are none."""
    for folder in Path(__file__).resolve().parents[1:3]:  # the checkout, or the installed plugin around engine/
        try:
            catalogue: dict[str, str] = json.loads((folder / "i18n" / f"{code}.json").read_text("utf-8"))
            return catalogue
        except (OSError, ValueError):
            continue
    return {}
