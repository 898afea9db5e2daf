"""The help pages say what the algorithms really take and give."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Iterator

import pytest
from qgis.core import QgsApplication, QgsProcessingParameterDefinition, QgsProcessingParameterEnum
from qgis.PyQt.QtCore import QUrl

DOCS = Path(__file__).parents[2] / "docs"
CHAINS = "chains"  # the page that all of them share
PAGES = sorted(page for page in (DOCS / "algorithms").glob("*.md") if page.stem != CHAINS)
FLAGS = QgsProcessingParameterDefinition.Flag
KINDS = {
    "outputNumber": "number", "outputString": "text", "outputBoolean": "yes or no", "outputFile": "file",
    "outputFolder": "folder",
}  # fmt: skip


@pytest.fixture
def provider(qgis_app):
    return QgsApplication.processingRegistry().providerById("bdgf")


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for line in section[1].splitlines() if line.startswith("|")] if section else []
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def default(definition) -> str:
    value = definition.defaultValue()
    if value is None:
        return ""
    return f"`{value:g}`" if type(value) is float else f"`{value}`"


def page_of(algorithm) -> str:
    return CHAINS if algorithm.groupId() == "chains" else algorithm.name()


def test_every_algorithm_has_its_page_and_its_place_on_the_first_one(provider):
    assert {page_of(a) for a in provider.algorithms()} == {page.stem for page in (DOCS / "algorithms").glob("*.md")}
    first = (DOCS / "index.md").read_text("utf-8")
    for algorithm in provider.algorithms():
        name, text = page_of(algorithm), (DOCS / "algorithms" / f"{page_of(algorithm)}.md").read_text("utf-8")
        if name == CHAINS:
            assert f"`{algorithm.name()}`" in text and algorithm.displayName() in text
        else:
            assert text.startswith(f"# {algorithm.displayName()}\n")
            assert f"[{algorithm.displayName()}](algorithms/{name}.md)" in first


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_list_the_parameters_with_their_labels_and_defaults(provider, page):
    definitions = [d for d in provider.algorithm(page.stem).parameterDefinitions() if not d.isDestination()]
    for heading, advanced in (("Parameters", False), ("Advanced parameters", True)):
        wanted = [d for d in definitions if bool(d.flags() & FLAGS.FlagAdvanced) == advanced]
        told = rows(page, heading)
        assert [row[:2] for row in told] == [[f"`{d.name()}`", d.description()] for d in wanted]
        for row, definition in zip(told, wanted):
            assert len(row) == 4 and (definition.type() == "matrix" or row[2] == default(definition)), row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_list_the_outputs(provider, page):
    algorithm = provider.algorithm(page.stem)

    def made(output) -> str:
        definition = algorithm.parameterDefinition(output.name())
        if definition is None:
            return KINDS[output.type()]
        if not definition.flags() & FLAGS.FlagOptional:
            return "always"
        return "unless skipped" if definition.createByDefault() else "on request"

    wanted = [[f"`{o.name()}`", o.description(), made(o)] for o in algorithm.outputDefinitions()]
    assert [row[:3] for row in rows(page, "Outputs")] == wanted


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in sorted(DOCS.rglob("*.md")):
        for block in re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            yield page.stem, block


def commands() -> list[tuple[str, dict]]:
    """The algorithms that the pages run, with their parameters."""
    found = []
    for _, block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ["qgis_process", "run"]:
                found.append((words[2], dict(word[2:].split("=", 1) for word in words[3:])))
    for _, block in blocks("python"):
        nodes = list(ast.walk(ast.parse(block)))
        named = {ast.unparse(node.targets[0]): node.value for node in nodes if isinstance(node, ast.Assign)}
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "processing.run":
                found.append((node.args[0].value, dict(entries(node.args[1], named))))
    return found


def entries(node: ast.Dict, named: dict[str, ast.expr]) -> Iterator[tuple[str, object]]:
    for key, value in zip(node.keys, node.values):
        if key is None:
            yield from entries(named[ast.unparse(value)], named)
        else:
            yield key.value, getattr(value, "value", None)


@pytest.mark.parametrize(("name", "given"), commands(), ids=lambda value: value if type(value) is str else "")
def test_commands_name_what_there_is(provider, name, given):
    definitions = {d.name(): d for d in provider.algorithm(name.removeprefix("bdgf:")).parameterDefinitions()}
    assert set(given) <= set(definitions)
    for name, definition in definitions.items():
        needed = not definition.flags() & FLAGS.FlagOptional and definition.defaultValue() is None
        assert name in given or not needed, name
        if isinstance(definition, QgsProcessingParameterEnum) and given.get(name):
            assert given[name] in definition.options()


def test_every_algorithm_is_run_both_ways(provider):
    in_shell = [line for page, block in blocks("sh") for line in re.findall(r"qgis_process run bdgf:(\w+)", block)]
    in_python = [line for page, block in blocks("python") for line in re.findall(r'processing.run\("bdgf:(\w+)', block)]
    names = {algorithm.name() for algorithm in provider.algorithms() if page_of(algorithm) != CHAINS}
    assert names <= set(in_shell) and names <= set(in_python)


def test_help_leads_to_the_packed_page_or_nowhere(provider, tmp_path, monkeypatch):
    from bdgf_qgis import help_pages

    monkeypatch.setattr(help_pages, "_FOLDER", tmp_path / "Größe und Maß")
    algorithms = {name: provider.algorithm(name).create() for name in ("train", "chainmap")}
    assert {algorithm.helpUrl() for algorithm in algorithms.values()} == {""}
    pages = [tmp_path / "Größe und Maß" / "algorithms" / f"{name}.html" for name in ("train", "chains")]
    pages[0].parent.mkdir(parents=True)
    for page, algorithm in zip(pages, algorithms.values()):
        page.write_text("")
        assert QUrl(algorithm.helpUrl()).toLocalFile() == str(page)
