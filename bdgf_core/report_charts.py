"""Pictures for a report: the confusion matrix, bars and curves, as HTML and inline SVG."""

from __future__ import annotations

import math
from html import escape
from typing import Mapping, Optional, Sequence

from .report_page import Html, swatch

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 230, 52, 26, 30
_MOST_POINTS = 320


def matrix(counts: Sequence[Sequence[int]], names: Sequence[str], colors: Sequence[str]) -> Html:
    """Rows reference, columns predicted, shaded by the share of the row, with sums at the margins."""
    head = "".join(
        f'<th class="up"><span class="turned">{escape(name)}</span></th>' for name in (*names, "all reference")
    )
    rows = []
    for index, (row, name, color) in enumerate(zip(counts, names, colors)):
        total = sum(row)
        cells = "".join(_cell(count, total, index == column) for column, count in enumerate(row))
        rows.append(f'<tr><th class="axis">{swatch(color, name)}</th>{cells}<td class="sum">{total}</td></tr>')
    sums = [sum(column) for column in zip(*counts)]
    last = "".join(f'<td class="sum">{count}</td>' for count in (*sums, sum(sums)))
    return Html(
        '<div class="wide"><table class="matrix"><thead>'
        f'<tr><th class="axis">Reference ↓ &ensp; Predicted →</th>{head}</tr></thead>'
        f'<tbody>{"".join(rows)}<tr><th class="axis quiet">all predicted</th>{last}</tr></tbody></table></div>'
    )


def bar(share: Optional[float]) -> Html:
    """A fraction as a small bar with its percentage; n/a for None."""
    if share is None:
        return Html('<span class="quiet">n/a</span>')
    length = 90 * min(max(share, 0.0), 1.0)
    return Html(
        '<svg viewBox="0 0 150 14" width="150" height="14" role="img">'
        '<rect class="track" y="3" width="90" height="8" rx="2"/>'
        f'<rect class="bar" y="3" width="{length:.1f}" height="8" rx="2"/>'
        f'<text x="150" y="12" text-anchor="end">{100 * share:.1f} %</text></svg>'
    )


def curves(series: Mapping[str, Points], *, x_label: str, y_label: str) -> Html:
    """Lines over a common x axis, the y axis from 0; long ones are averaged to a few hundred points."""
    lines = {name: _thin([p for p in points if all(map(math.isfinite, p))]) for name, points in series.items()}
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        return Html("")
    right = max(x for points in lines.values() for x, _ in points) or 1.0
    left = min(min(x for points in lines.values() for x, _ in points), right * 0.999)
    values = sorted(y for points in lines.values() for _, y in points)
    low = min(0.0, values[0])
    # a few high points at the start may leave the picture where they would press all others to the floor
    most = values[int(0.985 * (len(values) - 1))] * 1.08
    high = max(most if values[-1] > 2 * most else values[-1] * 1.02, low + 1e-9)

    def place(x: float, y: float) -> str:
        across = _LEFT + (x - left) / (right - left) * (_WIDTH - _LEFT)
        up = _HEIGHT - _BOTTOM - (min(y, high) - low) / (high - low) * (_HEIGHT - _BOTTOM - _TOP)
        return f"{across:.1f},{up:.1f}"

    parts = []
    for tick in _ticks(low, high):
        y = place(left, tick).split(",")[1]
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{float(y) + 4}" text-anchor="end">{tick:g}</text>')
    for tick in _ticks(left, right):
        x = place(tick, low).split(",")[0]
        parts.append(f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<text x="{_WIDTH}" y="{_HEIGHT + 8}" text-anchor="end">{escape(x_label)}</text>')
    parts.append(f'<text x="0" y="12">{escape(y_label)}</text>')
    at = float(_LEFT + 60)
    for index, (name, points) in enumerate(lines.items()):
        style = f"s{index % 6}"
        parts.append(f'<polyline class="{style}" points="{" ".join(place(*point) for point in points)}"/>')
        parts.append(f'<line class="{style}" stroke-width="3" x1="{at}" x2="{at + 16}" y1="8" y2="8"/>')
        parts.append(f'<text x="{at + 22}" y="12">{escape(name)}</text>')
        at += 44 + 7 * len(name)
    view = f'viewBox="0 0 {_WIDTH} {_HEIGHT + 12}" width="{_WIDTH}" height="{_HEIGHT + 12}"'
    return Html(f'<svg {view} role="img">{"".join(parts)}</svg>')


def _cell(count: int, total: int, hit: bool) -> str:
    shade = 0.62 * math.sqrt(count / total) if total else 0.0  # the root keeps small confusions visible
    kind = ' class="hit"' if hit else ""
    return f'<td{kind} style="background:rgb(var(--accent) / {shade:.2f})">{count or "·"}</td>'


def _thin(points: Points) -> list[tuple[float, float]]:
    step = -(-len(points) // _MOST_POINTS)
    if step <= 1:
        return list(points)
    runs = [points[start : start + step] for start in range(0, len(points), step)]
    return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers from ``low`` to ``high``."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]
