"""Curves for a report, as inline SVG."""

from __future__ import annotations

import math
from html import escape
from typing import Mapping, Sequence

from .report_axes import Axes, svg
from .report_page import Html
from .translation import tr

Points = Sequence[tuple[float, float]]

_MOST_POINTS = 320
_ROW = 18
_STYLES = 6  # .s0 … in the page's style: each its colour and dashes


def curves(series: Mapping[str, Points], *, x_label: str, y_label: str, width: int = 640, height: int = 230) -> Html:
    """Lines over a common x axis, the y axis from 0; long ones are averaged to a few hundred points. A single one is
    not named: the title does it."""
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
    axes = Axes((left, right), (low, high), width, height)
    parts: list[str] = [axes.drawn(x_label, y_label)]
    for index, points in enumerate(lines.values()):
        places = " ".join(axes.place(x, min(y, high)) for x, y in points)
        parts.append(f'<polyline class="s{index % _STYLES}" points="{places}"/>')
    names = list(lines) if len(lines) > 1 else []
    for index, name in enumerate(names):
        y = height + _ROW * index + 8
        parts.append(f'<line class="s{index % _STYLES}" x1="46" x2="74" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="82" y="{y + 4}">{escape(name)}</text>')
    label = tr("{what} by {x}: {lines}", what=y_label or tr("curves"), x=x_label, lines=", ".join(lines))
    return svg(width, height + (_ROW * len(names) and _ROW * len(names) + 4), parts, label=label)


def _thin(points: Points) -> list[tuple[float, float]]:
    step = -(-len(points) // _MOST_POINTS)
    if step <= 1:
        return list(points)
    runs = [points[start : start + step] for start in range(0, len(points), step)]
    return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]
