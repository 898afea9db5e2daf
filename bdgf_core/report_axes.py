"""What the plots of a report stand on: where a value lies, axes with round ticks, the SVG around them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Iterable

from .report_page import Html

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 26, 38


@dataclass(frozen=True)
class Axes:
    """Linear axes over the values ``x`` and ``y`` (low, high) in a picture of so many pixels."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: int
    height: int

    def across(self, x: float) -> float:
        low, high = self.x
        return _LEFT + (x - low) / (high - low) * (self.width - _LEFT - _RIGHT)

    def up(self, y: float) -> float:
        low, high = self.y
        return self.height - _BOTTOM - (y - low) / (high - low) * (self.height - _TOP - _BOTTOM)

    def place(self, x: float, y: float) -> str:
        return f"{self.across(x):.1f},{self.up(y):.1f}"

    def drawn(self, x_label: str, y_label: str) -> Html:
        """Grid lines, ticks and the names of the axes."""
        start, end = self.across(self.x[0]), self.across(self.x[1])
        parts = []
        for tick in ticks(*self.y, most=max(2, self.height // 45)):
            y = self.up(tick)
            parts.append(f'<line class="axis" x1="{start:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{start - 7:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        low = self.height - _BOTTOM
        for tick in ticks(*self.x, most=max(2, self.width // 60)):
            parts.append(f'<text x="{self.across(tick):.1f}" y="{low + 17}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{end:.1f}" y="{low + 34}" text-anchor="end">{escape(x_label)}</text>')
        parts.append(f'<text x="0" y="12">{escape(y_label)}</text>')
        return Html("".join(parts))


def svg(width: int, height: int, parts: Iterable[str], *, label: str) -> Html:
    """The picture; ``label`` says what it shows to those who cannot see it."""
    view = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return Html(f'<svg {view} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>')


def panels(pictures: Iterable[tuple[str, Html]]) -> Html:
    """Pictures side by side, each under its title."""
    shown = [f"<div><h3>{escape(title)}</h3>{picture}</div>" for title, picture in pictures if picture]
    return Html(f'<div class="panels">{"".join(shown)}</div>' if shown else "")


def ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """About ``most`` round numbers from ``low`` to ``high``."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]
