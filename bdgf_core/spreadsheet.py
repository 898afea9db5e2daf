"""Tables for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import Any, Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet(rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV file in UTF-8 with the mark that Excel wants; None is an empty cell."""
    table = io.StringIO()
    csv.writer(table).writerows([_cell(value) for value in row] for row in rows)
    return table.getvalue().encode("utf-8-sig", "replace")


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
