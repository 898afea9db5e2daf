"""Texts in the user's language, and English where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bdgf_core import translation
from bdgf_core.translation import language, tr


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A German catalogue of the test's own, in a checkout of its own."""
    monkeypatch.setattr(translation, "__file__", str(tmp_path / "bdgf_core" / "translation.py"))
    monkeypatch.setenv("BDGF_LANGUAGE", "de_AT")
    translation._catalogue.cache_clear()
    (tmp_path / "i18n").mkdir()
    yield tmp_path / "i18n" / "de.json"
    translation._catalogue.cache_clear()


def test_texts_are_found_and_filled(catalogue: Path) -> None:
    texts = {"{path} is a folder.": "Ein Ordner ist {path!r}.", "Empty": ""}
    catalogue.write_text(json.dumps(texts), encoding="utf-8")
    assert language() == "de"
    assert tr("{path} is a folder.", path="{a}") == "Ein Ordner ist '{a}'."
    assert tr("Empty") == "Empty"
    assert tr("{share:.1%} of {name}", share=0.25, name="x") == "25.0% of x"
    assert tr("Braces {} stay without values") == "Braces {} stay without values"


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"{"])
def test_english_without_a_catalogue(catalogue: Path, content: bytes | None) -> None:
    if content is not None:
        catalogue.write_bytes(content)
    assert tr("{path} is a folder.", path=1) == "1 is a folder."


@pytest.mark.parametrize("code", ["", "e", "../../etc", "/", "xx"])
def test_no_such_language_is_english(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setenv("BDGF_LANGUAGE", code)
    assert tr("{path} is a folder.", path=1) == "1 is a folder."
