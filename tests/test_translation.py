"""Texts in the user's language, and English where there is none."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from string import Formatter
from typing import Iterator

import pytest

from bdgf_core import translation
from bdgf_core.translation import language, tr

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "i18n"))
from extract import texts  # noqa: E402

CATALOGUES = sorted((ROOT / "i18n").glob("*.json"))
SOURCES = sorted([*(ROOT / "bdgf_core").rglob("*.py"), *(ROOT / "bdgf_qgis").rglob("*.py")])
# what people read as it stands, where it is called or assigned to
SHOWN = {"message", "warning", "pushInfo", "pushWarning", "reportError", "setProgressText", "BdgfError", "InputError"}
SHOWN |= {"ModelFileError", "DeviceError", "ResourceError", "QgsProcessingException"}


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A German catalogue of the test's own, in a checkout of its own."""
    monkeypatch.setattr(translation, "__file__", str(tmp_path / "bdgf_core" / "translation.py"))
    monkeypatch.setenv("BDGF_LANGUAGE", "de_AT")
    translation._catalogue.cache_clear()
    (tmp_path / "i18n").mkdir()
    yield tmp_path / "i18n" / "de.json"
    translation._catalogue.cache_clear()


def parts(text: str) -> tuple[list[tuple[str | None, ...]], list[str]]:
    """The placeholders with their formats, and the tags."""
    fields = [tuple(field[1:]) for field in Formatter().parse(text) if field[1] is not None]
    return sorted(fields, key=repr), sorted(re.findall(r"</?\w+>", text))


def test_there_are_six_languages() -> None:
    assert [path.stem for path in CATALOGUES] == ["de", "es", "fr", "it", "pt", "zh"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_is_translated(path: Path) -> None:
    """``python3 i18n/extract.py`` puts new texts into the catalogues, to be translated there, and drops old ones."""
    catalogue, wanted = json.loads(path.read_text("utf-8")), texts()
    assert not [text for text in wanted if not catalogue.get(text)], "untranslated"
    assert not catalogue.keys() - set(wanted), "obsolete"
    # what is copied only looks translated; words such as "Name" are the same in some languages, sentences are not
    assert not [text for text in wanted if catalogue[text] == text and len(re.findall(r"[a-z]{3,}", text)) > 3]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_translations_keep_placeholders_and_tags(path: Path) -> None:
    catalogue = json.loads(path.read_text("utf-8"))
    pairs = [(text, translated) for text, translated in catalogue.items() if translated]
    assert not [(text, translated) for text, translated in pairs if parts(text) != parts(translated)]
    assert not [translated for _, translated in pairs if translated != translated.strip()]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_people_read_goes_through_tr(path: Path) -> None:
    assert not list(_untranslated(ast.parse(path.read_text("utf-8"))))


def _untranslated(tree: ast.AST) -> Iterator[str]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in SHOWN and call.args and isinstance(call.args[0], (ast.JoinedStr, ast.Constant)):
            yield f"line {call.lineno}: {ast.unparse(call)}"


@pytest.mark.parametrize("code,words", [("de", "Ordner"), ("zh_CN", "文件夹"), ("en", "folder"), ("", "folder")])
def test_the_engine_speaks_the_language_named(tmp_path: Path, code: str, words: str) -> None:
    command = [sys.executable, "-m", "bdgf_core", "info", "--model", "a.bdgf", "--html", str(tmp_path)]
    environment = {**os.environ, "BDGF_LANGUAGE": code, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert (
        done.returncode == 1 and words in done.stderr.decode("utf-8") and str(tmp_path) in done.stderr.decode("utf-8")
    )


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
