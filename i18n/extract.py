"""Collect the plugin's texts for translators: ``python3 i18n/extract.py de`` writes or renews ``i18n/bdgf_de.ts``.

Translations already in the file are kept. Qt Linguist edits such files; scripts/package.sh compiles them.
"""

from __future__ import annotations

import ast
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def texts() -> list[str]:
    """Every literal given to ``tr``, once, in the order of the sources."""
    found: dict[str, None] = {}
    for path in sorted((ROOT / "bdgf_qgis").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tr" and node.args:
                found[ast.literal_eval(node.args[0])] = None
    return list(found)


def renew(path: Path, language: str) -> None:
    known = {}
    if path.exists():
        known = {m.findtext("source"): m.findtext("translation") for m in ElementTree.parse(path).iter("message")}
    root = ElementTree.Element("TS", version="2.1", language=language)
    context = ElementTree.SubElement(root, "context")
    ElementTree.SubElement(context, "name").text = "BDGF"
    for text in texts():
        message = ElementTree.SubElement(context, "message")
        ElementTree.SubElement(message, "source").text = text
        translation = ElementTree.SubElement(message, "translation")
        translation.text = known.get(text)
        if not translation.text:
            translation.set("type", "unfinished")
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


if __name__ == "__main__":
    for code in sys.argv[1:]:
        renew(ROOT / "i18n" / f"bdgf_{code}.ts", code)
