"""The pages behind the Help buttons, which are packed into the plugin (scripts/help_pages.py)."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).absolute().parent / "help"


def page_url(name: str) -> str:
    """Of the page of an algorithm; empty where there is none, as in a checkout."""
    page = _FOLDER / "algorithms" / f"{name}.html"
    return page.as_uri() if page.is_file() else ""
