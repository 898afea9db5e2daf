"""The parts of a report: plain HTML in one file, without scripts; every text is escaped here.

Functions take text and return HTML; what they return is passed on as ``Html``, never escaped twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Collection, Iterable, Optional, Sequence, Union

from .translation import language, tr


class Html(str):
    """Text that is HTML already."""


Content = Union[str, int, float, None]


@dataclass(frozen=True)
class Section:
    """A heading (may be empty) and what stands under it."""

    title: str
    body: Html


def page(title: str, subtitle: str, sections: Iterable[Section]) -> str:
    """The whole document."""
    body = "".join(
        f"<section>{f'<h2>{escape(section.title)}</h2>' if section.title else ''}{section.body}</section>"
        for section in sections
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language())}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_LOADS}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f'<body><main><header><h1>{escape(title)}</h1><p class="quiet">{escape(subtitle)}</p></header>'
        f"{body}</main></body></html>\n"
    )


def text(value: Content) -> Html:
    """A value for people: n/a for None, at most four digits of a fraction."""
    if isinstance(value, Html):
        return value
    if value is None:
        return Html(f'<span class="quiet">{escape(tr("n/a"))}</span>')
    return Html(escape(f"{value:.4g}" if isinstance(value, float) else str(value)))


def percent(value: Optional[float]) -> Html:
    return text(None if value is None else f"{100 * value:.1f} %")


def amount(value: float) -> str:
    """A whole number where it is large, with thousands told apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def join(parts: Iterable[str]) -> Html:
    return Html("".join(parts))


def heading(title: str) -> Html:
    """A heading inside a section."""
    return Html(f"<h3>{escape(title)}</h3>")


def paragraph(content: Content, kind: str = "") -> Html:
    return Html(f'<p class="{kind}">{text(content)}</p>')


def notes(sentences: Sequence[str]) -> Html:
    """A box of remarks, or nothing."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return Html(f'<ul class="notes">{items}</ul>' if items else "")


def figures(items: Iterable[tuple[str, Content]]) -> Html:
    """The few numbers that matter, large."""
    cells = "".join(f"<div><dd>{text(value)}</dd><dt>{escape(name)}</dt></div>" for name, value in items)
    return Html(f'<dl class="figures">{cells}</dl>')


def pairs(items: Iterable[tuple[str, Content]]) -> Html:
    """Names and values; a value of None is left out."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{text(v)}</td></tr>" for name, v in items if v is not None)
    return Html(f'<table class="pairs">{rows}</table>')


def table(head: Sequence[str], rows: Iterable[Sequence[Content]], *, numbers: Collection[int] = ()) -> Html:
    """A table; the columns ``numbers`` (from 0) are set flush right."""
    kinds = [' class="number"' if column in numbers else "" for column in range(len(head))]
    top = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, head))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{text(cell)}</td>" for kind, cell in zip(kinds, row)) + "</tr>" for row in rows
    )
    return Html(f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>')


def over(content: Content, note: Content) -> Html:
    """Content with a small note under it, in a table's cell."""
    return Html(f'{text(content)}<small class="quiet">{text(note)}</small>')


def details(summary: str, body: Html) -> Html:
    """Folded until it is asked for."""
    return Html(f"<details><summary>{escape(summary)}</summary>{body}</details>")


def swatch(color: str, name: str) -> Html:
    """A class's colour and name."""
    return Html(f'<span class="swatch" style="background:{escape(color)}"></span>{escape(name)}')


_NOTHING_LOADS = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --quiet: #66717c; --line: #d9dfe4; --ground: #fff; --soft: #f4f6f8;
  --accent: 36 100 170; --note: #fff8e6; --note-line: #e2b93b; --s0: #0072b2; --s1: #d55e00; --s2: #009e73;
  --s3: #b5568c; --s4: #a87900; --s5: #3a8fc4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --quiet: #97a3ae; --line: #38414a; --ground: #171b1f;
  --soft: #20262c; --accent: 110 170 235; --note: #2b2616; --note-line: #a5872c; --s0: #56a8e0; --s1: #f28a45;
  --s2: #35c49a; --s3: #e39ac4; --s4: #f0c04a; --s5: #8fd3f4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto,
  "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; font-weight: 650; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; font-weight: 600; }
h2 { font-size: 1.1rem; margin: 0 0 .7rem; font-weight: 650; }
header p { margin: .3rem 0 0; }
section { margin-top: 2.4rem; break-inside: avoid-page; }
p { margin: .4rem 0; max-width: 46rem; }
.quiet { color: var(--quiet); }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 3.2rem; margin: 0 0 .8rem; }
.figures div { display: flex; flex-direction: column; }
.figures dd { margin: 0; font-size: 2.3rem; line-height: 1.15; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures dt { color: var(--quiet); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem 1.6rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th { font-weight: 500; color: var(--quiet); }
.number { text-align: right; }
small { display: block; white-space: nowrap; }
.pairs th { padding-right: 2rem; vertical-align: top; white-space: nowrap; }
.pairs td { overflow-wrap: anywhere; }
.swatch { display: inline-block; width: .95em; height: .95em; margin-right: .6em; vertical-align: -.1em;
  border-radius: 3px; box-shadow: inset 0 0 0 1px rgb(128 128 128 / .45); }
.notes { background: var(--note); border-left: 3px solid var(--note-line); border-radius: 0 4px 4px 0;
  margin: 1rem 0 0; padding: .7rem 1rem .7rem 2rem; }
.notes li + li { margin-top: .35rem; }
.matrix td, .matrix th { border: 0; padding: .3rem .45rem; min-width: 2.7rem; text-align: right; white-space: nowrap; }
.matrix td { box-shadow: inset 0 0 0 1px var(--ground); border-radius: 4px; }
.matrix td.hit { font-weight: 650; }
.matrix th.axis { text-align: left; color: var(--ink); padding-left: 0; vertical-align: bottom; }
.matrix th.up { vertical-align: bottom; height: 1px; }
.matrix th.up span.turned { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 11rem; }
.matrix td.sum { color: var(--quiet); }
svg { display: block; max-width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--quiet); font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
svg .axis { stroke: var(--line); } svg .track { fill: var(--soft); } svg .bar { fill: rgb(var(--accent)); }
svg polyline, .s0, .s1, .s2, .s3, .s4, .s5 { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); stroke-dasharray: 7 3; }
.s2 { stroke: var(--s2); stroke-dasharray: 2 3; } .s3 { stroke: var(--s3); stroke-dasharray: 9 3 2 3; }
.s4 { stroke: var(--s4); stroke-dasharray: 14 4; } .s5 { stroke: var(--s5); stroke-dasharray: 5 2 2 2 2 2; }
.dot { fill: var(--s0); stroke: var(--ground); } .ring { fill: var(--ground); stroke: var(--s1); stroke-width: 2; }
.ideal, .between { stroke: var(--quiet); stroke-dasharray: 3 3; } .between { stroke-dasharray: none; }
.dots circle { fill-opacity: .8; stroke: var(--ground); stroke-width: .4; } .frame { fill: var(--soft); }
svg text.over { fill: var(--ink); font-weight: 700; paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
.panels { display: flex; flex-wrap: wrap; gap: 0 1.6rem; } .panels > div { min-width: 0; break-inside: avoid; }
.panels h3 { color: var(--quiet); font-weight: 500; }
.key { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: .6rem 0 0; padding: 0; }
details { margin-top: .6rem; } summary { cursor: pointer; color: var(--quiet); }
.key.upright { display: block; columns: 14rem auto; margin: 0; } .key.upright li { margin-bottom: .25rem; }
.map { image-rendering: pixelated; max-width: 100%; height: auto; align-self: flex-start; margin-bottom: .6rem; }
@media print { main { padding: 0; max-width: none; } details { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
