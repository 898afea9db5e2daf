"""The plugin's sources run with Qt 6 as with Qt 5, read from the sources and held against the real classes."""

from __future__ import annotations

import ast
import enum
import importlib
from pathlib import Path
from typing import Any, Iterator

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "bdgf_qgis").rglob("*.py"))
DRIVERS = [
    p for p in (*(ROOT / "scripts").glob("*.py"), *(ROOT / "tests" / "qgis").glob("*.py")) if p != Path(__file__)
]
BINDINGS = {"PyQt5", "PyQt6", "PySide2", "PySide6", "sip"}
# methods that PyQt 6 or Qt 6 has no more
GONE = {
    "exec_",
    "print_",
    "desktop",
    "toTime_t",
    "setTime_t",
    "globalPos",
    "globalX",
    "globalY",
    "fromTime_t",
    "dynamicCall",
}
GONE_CLASSES = {
    "QRegExp",
    "QRegExpValidator",
    "QDesktopWidget",
    "QTextCodec",
    "QMatrix",
    "QGLWidget",
    "QWebView",
    "QWebPage",
}
WEB = {"QtWebKit", "QtWebKitWidgets", "QtScript", "QtXmlPatterns", "Qt"}  # modules of qgis.PyQt that Qt 6 has not
MOVED = {
    "QAction",
    "QActionGroup",
    "QShortcut",
}  # in QtWidgets with Qt 5, in QtGui with Qt 6: QGIS offers them in the former


def breakers(tree: ast.AST) -> Iterator[str]:
    """What of a source breaks with Qt 6, as ``line: reason``."""
    names = dict(_imported(tree))
    for node in ast.walk(tree):
        for reason in (*_bad_import(node), *_bad_attribute(node, names)):
            yield f"{getattr(node, 'lineno', 0)}: {reason}"


def _imported(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """The real things behind the names that a source imports from qgis."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "qgis":
            for alias in node.names:
                found = getattr(_module(node.module or ""), alias.name, None) or _module(f"{node.module}.{alias.name}")
                if found is not None:
                    yield alias.asname or alias.name, found


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _bad_import(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        modules, names = [alias.name for alias in node.names], []
    elif isinstance(node, ast.ImportFrom) and not node.level:
        modules, names = [node.module or ""], [alias.name for alias in node.names]
    else:
        return
    for module in modules:
        if module.split(".")[0] in BINDINGS:
            yield f"{module} is one binding of Qt: import from qgis.PyQt"
        if module.endswith(("_rc", "resources")):
            yield f"{module} is a compiled resource"
        if module.startswith("qgis.PyQt.") and module.split(".")[2] in WEB:
            yield f"Qt 6 has no {module}"
        if module == "qgis.PyQt":
            yield from (f"Qt 6 has no {name}" for name in names if name in WEB)
        if module == "qgis.PyQt.QtGui":
            yield from (
                f"{name} comes from QtWidgets, where QGIS has it for either Qt" for name in names if name in MOVED
            )
    yield from (f"Qt 6 has no {name}" for name in names if name in GONE_CLASSES)


def _bad_attribute(node: ast.AST, names: dict[str, Any]) -> Iterator[str]:
    if not isinstance(node, ast.Attribute):
        return
    if node.attr in GONE:
        yield f"Qt 6 has no {node.attr}()"
    owner = _real(node.value, names)
    if isinstance(node.value, ast.Name) and node.value.id == "QVariant":
        yield f"PyQt 6 has no QVariant.{node.attr}: take QMetaType, or the types of Python"
    elif isinstance(owner, type) and not _is_enum(owner) and _is_enum(type(getattr(owner, node.attr, None))):
        yield f"{ast.unparse(node)} lacks the name of its enumeration"
    elif isinstance(owner, type) and not hasattr(owner, node.attr):
        yield f"this QGIS has no {ast.unparse(node)}"


def _real(node: ast.AST, names: dict[str, Any]) -> Any:
    """The class or module that a dotted name stands for, None for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_real(node.value, names), node.attr, None)
    return None


def _is_enum(kind: type) -> bool:
    """PyQt 5's own enumerations are whole numbers of a class within a class."""
    return issubclass(kind, enum.Enum) or (issubclass(kind, int) and kind not in (int, bool))


@pytest.mark.parametrize("path", SOURCES + DRIVERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_runs_with_qt_6(path: Path) -> None:
    assert not list(breakers(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("from PyQt5.QtCore import Qt", "import from qgis.PyQt"),
        ("import PyQt6", "import from qgis.PyQt"),
        ("from . import x\nimport resources_rc", "compiled resource"),
        ("from qgis.PyQt.QtCore import QRegExp", "no QRegExp"),
        ("from qgis.PyQt.QtGui import QAction", "QtWidgets"),
        ("from qgis.PyQt import QtWebKit", "no QtWebKit"),
        ("dialog.exec_()", "no exec_"),
        ("from qgis.PyQt.QtCore import Qt\nx = Qt.AlignLeft", "Qt.AlignLeft lacks"),
        ("from qgis.PyQt import QtCore\nx = QtCore.Qt.LeftButton", "LeftButton lacks"),
        ("from qgis.PyQt.QtWidgets import QMessageBox as Box\nx = Box.Yes", "Box.Yes lacks"),
        ("from qgis.core import QgsProcessing\nx = QgsProcessing.TypeVectorPolygon", "TypeVectorPolygon lacks"),
        ("from qgis.core import QgsWkbTypes as W\nx = W.Polygon", "W.Polygon lacks"),
        ("from qgis.core import Qgis\nx = Qgis.Critical", "Qgis.Critical lacks"),
        ("from qgis.core import QgsProcessing\nx = QgsProcessing.Kind.Vector", "has no QgsProcessing.Kind"),
        ("from qgis.PyQt.QtCore import QVariant\nx = QVariant.String", "QVariant.String"),
    ],
)
def test_what_breaks_is_seen(code: str, reason: str) -> None:
    assert any(reason in found for found in breakers(ast.parse(code))), list(breakers(ast.parse(code)))


def test_what_runs_with_both_passes() -> None:
    code = "from qgis.PyQt.QtCore import Qt, QMetaType\nfrom qgis.core import Qgis, QgsProcessing\n"
    code += "x = Qt.AlignmentFlag.AlignLeft, Qgis.MessageLevel.Critical, QgsProcessing.SourceType.TypeVectorPolygon\n"
    code += "dialog.exec()\ny = Qgis.QGIS_VERSION_INT, QMetaType.Type.QString"
    assert not list(breakers(ast.parse(code)))
