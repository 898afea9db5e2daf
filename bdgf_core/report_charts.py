"""Small pictures for the tables of a report: the confusion matrix and bars, as HTML and inline SVG."""

from __future__ import annotations

import math
from html import escape
from typing import Optional, Sequence

from .report_page import Html, swatch, text
from .translation import tr


def matrix(counts: Sequence[Sequence[int]], names: Sequence[str], colors: Sequence[str]) -> Html:
    """Rows reference, columns predicted, shaded by the share of the row, with sums at the margins."""
    head = "".join(
        f'<th class="up"><span class="turned">{escape(name)}</span></th>' for name in (*names, tr("all reference"))
    )
    rows = []
    for index, (row, name, color) in enumerate(zip(counts, names, colors)):
        total = sum(row)
        cells = "".join(_cell(count, total, index == column) for column, count in enumerate(row))
        rows.append(f'<tr><th class="axis">{swatch(color, name)}</th>{cells}<td class="sum">{total}</td></tr>')
    axes, below = escape(tr("Reference ↓   Predicted →")), escape(tr("all predicted"))
    sums = [sum(column) for column in zip(*counts)]
    last = "".join(f'<td class="sum">{count}</td>' for count in (*sums, sum(sums)))
    return Html(
        '<div class="wide"><table class="matrix"><thead>'
        f'<tr><th class="axis">{axes}</th>{head}</tr></thead>'
        f'<tbody>{"".join(rows)}<tr><th class="axis quiet">{below}</th>{last}</tr></tbody></table></div>'
    )


def bar(share: Optional[float]) -> Html:
    """A fraction as a small bar with its percentage; n/a for None."""
    if share is None:
        return text(None)
    length = 90 * min(max(share, 0.0), 1.0)
    return Html(
        '<svg viewBox="0 0 150 14" width="150" height="14" role="img">'
        '<rect class="track" y="3" width="90" height="8" rx="2"/>'
        f'<rect class="bar" y="3" width="{length:.1f}" height="8" rx="2"/>'
        f'<text x="150" y="12" text-anchor="end">{100 * share:.1f} %</text></svg>'
    )


def against(own: Optional[float], other: Optional[float]) -> Html:
    """Two fractions on one line: a full dot for the first, a ring for the second."""
    shares = (("ring", other), ("dot", own))
    places = [(kind, 6 + 200 * min(max(share, 0.0), 1.0)) for kind, share in shares if share is not None]
    ends = [x for _, x in places] or [6.0]
    parts = ['<rect class="track" x="6" y="6" width="200" height="4" rx="2"/>']
    parts.append(f'<line class="between" x1="{min(ends):.1f}" x2="{max(ends):.1f}" y1="8" y2="8"/>')
    parts += [f'<circle class="{kind}" cx="{x:.1f}" cy="8" r="4.5"/>' for kind, x in places]
    return Html(f'<svg viewBox="0 0 212 16" width="212" height="16" role="img">{"".join(parts)}</svg>')


def _cell(count: int, total: int, hit: bool) -> str:
    shade = 0.62 * math.sqrt(count / total) if total else 0.0  # the root keeps small confusions visible
    kind = ' class="hit"' if hit else ""
    return f'<td{kind} style="background:rgb(var(--accent) / {shade:.2f})">{count or "·"}</td>'
