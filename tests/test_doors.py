"""Who may import whom, read from the sources."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "bdgf_core").rglob("*.py"))
QGIS = sorted((ROOT / "bdgf_qgis").rglob("*.py"))
VERBS = {"pretrain", "train", "classify", "assess", "suggestsites", "trainingsummary", "info", "environment"}
VERBS |= {"checkinputs"}
CHAINS = {"landcover"}  # verbs made of verbs
FRONT = {"__main__", "console", "event_lines", "job", "options", "stop"}
GROUND = {"errors", "progress", "legend", "translation"}
# what a room may import of the engine, besides itself
MAY = {
    "raster": GROUND | {"files"},
    "samples": GROUND | {"raster"},
    "checks": GROUND | {"raster", "samples"},
    "diffusion": GROUND | {"convolution"},
    "network": GROUND | {"convolution"},
    "convolution": set(),
    "accuracy": GROUND,
    "area_estimates": set(),
    "intervals": {"accuracy"},
    "bootstrap": {"accuracy", "intervals"},
    "checkpoint": GROUND | {"files"},
    "done_steps": {"files"},
}
BARRED = {"utils", "helpers", "common", "misc", "manager"}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Full names of what a file imports, and whether that happens as the file is loaded."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    tree = ast.parse(path.read_text("utf-8"))
    later = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or _is_for_types(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node not in later
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (start, node.module) if part)
            for alias in node.names:
                yield f"{name}.{alias.name}", node not in later


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def room(path: Path) -> str:
    parts = path.relative_to(ROOT / "bdgf_core").with_suffix("").parts
    return parts[0]


def engine_rooms(path: Path) -> set[str]:
    names = (name.split(".") for name, _ in imports(path))
    return {parts[1] for parts in names if parts[0] == "bdgf_core" and len(parts) > 1 and not parts[1].startswith("__")}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_knows_nothing_of_qgis(path: Path) -> None:
    assert not {name.split(".")[0] for name, _ in imports(path)} & {"qgis", "PyQt5", "PyQt6", "processing", "bdgf_qgis"}


@pytest.mark.parametrize("path", CORE + QGIS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_shipped_knows_the_benchmarks(path: Path) -> None:
    assert not {name.split(".")[0] for name, _ in imports(path)} & {"benchmarks", "scipy", "h5py"}


@pytest.mark.parametrize("path", QGIS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_plugin_never_imports_torch(path: Path) -> None:
    names = [name for name, _ in imports(path)]
    assert not {name.split(".")[0] for name in names} & {"torch", "einops", "safetensors", "sklearn", "mamba_ssm"}
    reached = {name.split(".")[1] for name in names if name.startswith("bdgf_core.")}
    assert not reached & (VERBS - {"info"} | CHAINS | {"diffusion", "network"})


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_import_downward(path: Path) -> None:
    here, reached = room(path), engine_rooms(path)
    if here in MAY:
        assert reached <= MAY[here] | {here}
    if here not in VERBS | CHAINS | FRONT:
        assert not reached & (VERBS | CHAINS | FRONT)
    if here in VERBS:
        assert not reached & (FRONT | CHAINS | VERBS)
    if here in CHAINS:
        assert not reached & FRONT


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    names = {name.split(".")[0] for name, at_load in imports(path) if at_load}
    if room(path) in {"diffusion", "network"}:
        assert "osgeo" not in names
    torchless = {"raster", "accuracy", "checkpoint", "report", "info", "assess", "suggestsites", "trainingsummary"}
    torchless |= {"checkinputs", "checks", "environment", "installed", "machine", "redaction", "self_test", "processes"}
    if room(path) in {*torchless, *FRONT, *GROUND}:
        assert not names & {"torch", "einops", "safetensors", "sklearn"}
    if room(path) != "raster":
        assert "osgeo" not in names


def test_names_say_what_is_inside() -> None:
    assert not {part for path in CORE + QGIS for part in path.with_suffix("").parts} & BARRED


def test_no_file_can_run_code() -> None:
    for path in CORE:
        assert not {name.split(".")[0] for name, _ in imports(path)} & {"pickle", "marshal", "shelve", "joblib", "dill"}
        called = {n.func.id for n in ast.walk(ast.parse(path.read_text("utf-8"))) if _is_named_call(n)}  # type: ignore[attr-defined]
        assert not called & {"eval", "exec", "compile"}, path


def _is_named_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
