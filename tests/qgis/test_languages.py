"""The plugin in every language of its catalogues, in real QGIS."""

from __future__ import annotations

import json
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Iterable

import pytest
from qgis_process import QgisProcess, StepFailed

ROOT = Path(__file__).parents[2]
CATALOGUES = {path.stem: json.loads(path.read_text("utf-8")) for path in (ROOT / "i18n").glob("*.json")}


def shown(monkeypatch, locale: str) -> dict[str, list[str]]:
    """What the dialog of each algorithm shows where QGIS has this language."""
    from qgis.core import QgsApplication

    monkeypatch.setattr(QgsApplication, "locale", staticmethod(lambda: locale))
    texts = {}
    for registered in QgsApplication.processingRegistry().providerById("bdgf").algorithms():
        algorithm = type(registered)()
        algorithm.initAlgorithm({})
        described = [*algorithm.parameterDefinitions(), *algorithm.outputDefinitions()]
        texts[algorithm.name()] = [algorithm.displayName(), algorithm.shortHelpString(), ",".join(algorithm.tags())]
        texts[algorithm.name()] += [item.description() for item in described if item.name() != "VERBOSE_LOG"]  # QGIS's
    return texts


def left_of(text: str, known: Iterable[str]) -> str:
    """What remains of a text made of ``known`` ones."""
    for part in sorted(known, key=len, reverse=True):
        text = text.replace(part, "")
    return text


@pytest.mark.parametrize("code", CATALOGUES)
def test_dialogs_are_translated_throughout(qgis_app, monkeypatch, code):
    english = shown(monkeypatch, "en")
    translated = shown(monkeypatch, code)
    catalogue = CATALOGUES[code]
    for name, texts in english.items():
        assert [left_of(text, catalogue.keys()) for text in texts] == [""] * len(texts)
        assert [left_of(text, catalogue.values()) for text in translated[name]] == [""] * len(texts)


def test_the_plugin_manager_finds_a_description(qgis_app):
    metadata = ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    descriptions = {metadata["general"][f"description[{code}]"] for code in CATALOGUES}
    assert len(descriptions - {metadata["general"]["description"]}) == len(CATALOGUES)


def test_qgis_process_speaks_the_language_of_the_profile(tmp_path):
    plugins = tmp_path / "plugins"
    subprocess.run(["bash", str(ROOT / "scripts" / "dev_plugin.sh"), str(plugins)], check=True, capture_output=True)
    settings = tmp_path / "profile" / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[locale]\noverrideFlag=true\nuserLocale=zh-Hans\n", encoding="utf-8")
    try:
        qgis = QgisProcess.find(plugins, tmp_path / "profile", python=Path(sys.executable))
    except StepFailed as reason:
        pytest.skip(str(reason))
    (tmp_path / "no.bdgf").write_bytes(b"no model")
    with pytest.raises(StepFailed) as refused:
        qgis.run("bdgf:modelinfo", {"MODEL": str(tmp_path / "no.bdgf"), "HTML": str(tmp_path / "info.html")})
    english = "{path} is not a BDGF model, or it is damaged; choose a .bdgf file written by this plugin."
    assert CATALOGUES["zh"][english].partition("{path}")[2] in str(refused.value)
