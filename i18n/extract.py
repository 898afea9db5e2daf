"""Bring the catalogues up to the sources: ``python3 i18n/extract.py`` renews every ``i18n/*.json``.

A catalogue holds the translation by English text, in the order of the sources, "" where it is still to be written.
Texts that the sources no longer have are dropped. A new language begins with a file that holds ``{}``.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def texts() -> list[str]:
    """Every literal given to ``tr``, once, in the order of the sources."""
    found: dict[str, None] = {}
    for path in sorted([*(ROOT / "bdgf_qgis").rglob("*.py"), *(ROOT / "bdgf_core").rglob("*.py")]):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        calls = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tr"]
        for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            found[ast.literal_eval(call.args[0])] = None
    return list(found)


def renew(path: Path) -> int:
    """Rewrite one catalogue; returns how many texts it lacks."""
    known = json.loads(path.read_text(encoding="utf-8"))
    catalogue = {text: known.get(text, "") for text in texts()}
    path.write_text(json.dumps(catalogue, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return list(catalogue.values()).count("")


if __name__ == "__main__":
    for catalogue in sorted((ROOT / "i18n").glob("*.json")):
        print(f"{catalogue.name}: {renew(catalogue)} to translate")
