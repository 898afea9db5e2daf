"""The results page, made of the ledger alone, as Markdown and as HTML."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Optional, Sequence

from bdgf_core.files import write_whole
from bdgf_core.report_page import Section, heading, join, page, paragraph, table

from .configurations import suite_of
from .ledger import Entry
from .protocols import Protocol
from .tables import (
    Runs,
    Table,
    blanked,
    by_accuracy,
    by_class,
    by_gain,
    in_short,
    label_counts,
    overview,
    plainer,
    sensors,
    uncertainty,
)

TITLE = "What was measured"
_METHODS = ("presets", "rivals", "networks")
_BASES = ("quick", "standard", "paper")  # what differences are taken from, the first that was run
_ABOUT = (
    "Every figure here was computed from docs/results/ledger.jsonl by `python -m benchmarks page`; nothing stands here"
    " that was not run. A command makes its figures again; what the ledger holds already is not run twice. What counts"
    " how much in a classifier's answer is settled, for a fold, by the other folds; for a reference elsewhere, by folds"
    " of the training polygons."
)
Group = tuple[str, list[Table]]


def write_page(entries: Sequence[Entry], markdown: Path, html: Optional[Path] = None) -> None:
    """Both forms; without entries the page says so."""
    groups = page_groups(entries)
    write_whole(markdown, as_markdown(groups).encode())
    if html is not None:
        write_whole(html, as_html(groups).encode())


def page_groups(entries: Sequence[Entry]) -> list[Group]:
    """A heading with its tables for each scene and protocol."""
    scenes: dict[str, dict[str, dict[str, list[Entry]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for entry in by_every_name(newest(entries)):
        scenes[entry.scene][entry.protocol][entry.configuration].append(entry)
    groups: list[Group] = []
    places = {
        f"{scene}: {Protocol.parse(text).title}": (base, runs)
        for scene, protocols in sorted(scenes.items())
        for text, runs in sorted(protocols.items())
        if (base := _base(runs)) is not None
    }
    short = in_short(places)
    if short is not None:
        groups.append(("In short", [short]))
    for scene, protocols in sorted(scenes.items()):
        for text, runs in sorted(protocols.items()):
            groups.append((f"{scene}: {Protocol.parse(text).title}", _tables(runs)))
        for text in sorted(protocols):
            family = {name: found.get(text, {}) for name, found in scenes.items() if name.split("/")[0] == scene}
            compared = sensors(family) if scene in family else None
            if compared is not None:
                title = f"{scene}: what both sensors bring, {Protocol.parse(text).title}"
                groups.append((title, [compared]))
        counts = label_counts(protocols)
        if counts is not None:
            groups.append((f"{scene}: accuracy by labelled pixels", [counts]))
    machines = sorted({(entry.machine, entry.commit) for entry in entries})
    if machines:
        rows = tuple((machine, commit) for machine, commit in machines)
        groups.append(
            ("Where it was run", [Table("Machines and commits of the figures.", ("Machine", "Commit"), rows)])
        )
    return groups


def as_markdown(groups: Sequence[Group]) -> str:
    lines = [f"# {TITLE}", "", _ABOUT, ""]
    for title, tables in groups:
        lines += [f"## {_plain(title)}", ""]
        for found in tables:
            lines += [f"### {_plain(found.title)}", ""] if found.title else []
            lines += [table_as_markdown(found), ""]
    if not groups:
        lines += ["Nothing was measured yet.", ""]
    return "\n".join(lines)


def table_as_markdown(found: Table) -> str:
    return "\n".join([found.caption, "", *map(_row, (found.head, ["---"] * len(found.head), *found.rows))])


def as_html(groups: Sequence[Group]) -> str:
    sections = []
    for title, tables in groups:
        parts = []
        for found in tables:
            numbers = range(1, len(found.head))
            rows = [[cell.strip("`") for cell in row] for row in found.rows]
            parts += [heading(found.title)] if found.title else []
            parts += [paragraph(found.caption), table(found.head, rows, numbers=numbers)]
        sections.append(Section(title, join(parts)))
    if not groups:
        sections.append(Section("", paragraph("Nothing was measured yet.")))
    return page(TITLE, _ABOUT.replace("`", ""), sections)


def _tables(runs: Runs) -> list[Table]:
    ordered = by_accuracy(runs)
    members: dict[str, list[str]] = defaultdict(list)
    for name in ordered:
        members[suite_of(name)].append(name)
    methods = [name for name in ordered if suite_of(name) in _METHODS]
    experiments = sorted(members["table2"], key=lambda name: (name.count("+"), _experiment(name)))
    base = _base(runs)
    over = {} if base is None else {name: plainer(name, runs, base) for name in runs}
    yardsticks = {r"\+row\d+": "+row12", r"\+(masking|concatenate)-": "+masking-"}  # all parts; the paper's diffusion
    for part, whole in yardsticks.items():
        over |= {name: other for name in runs if (other := re.sub(part, whole, name)) in runs and other != name}
    found = [
        overview("Presets, rivals and re-implemented networks of others", methods, runs, over),
        by_class(methods, runs),
        uncertainty(members["presets"], runs),
        overview("The experiments of Table 2", experiments, runs, over),
        overview("Table 8, two diffusion models crossed with two classifiers", members["transfer"], runs, over),
        overview("What each choice brings", by_gain(members["screen"], runs, over), runs, over),
        blanked(runs),
    ]
    return [item for item in found if item is not None]


def _experiment(name: str) -> int:
    """Its number in Table 2."""
    found = re.search(r"\+row(\d+)", name)
    return int(found[1]) if found else 0


def _base(runs: Runs) -> Optional[str]:
    return next((name for name in _BASES if name in runs and len(runs) > 1), None)


def newest(entries: Sequence[Entry]) -> list[Entry]:
    """Of runs by one name and seed under different settings the last; of a scene only its last data."""
    data = {entry.scene: entry.scene_identity for entry in entries}
    found: dict[tuple[str, str, str, int], Entry] = {}
    for entry in entries:
        if entry.scene_identity != data[entry.scene]:
            continue
        key = (entry.scene, entry.protocol, entry.configuration, entry.seed)
        found.pop(key, None)
        found[key] = entry
    return list(found.values())


def by_every_name(entries: Sequence[Entry]) -> list[Entry]:
    """What is the same under two names, as the last row of Table 2 and a cross of Table 8, is run once: here each name
    has all seeds."""
    names: dict[str, set[str]] = defaultdict(set)
    settings = [json.dumps([entry.scene, entry.protocol, entry.settings], sort_keys=True) for entry in entries]
    for entry, told in zip(entries, settings):
        names[told].add(entry.configuration)
    found = {
        (entry.scene, entry.protocol, name, entry.seed): replace(entry, configuration=name)
        for entry, told in zip(entries, settings)
        for name in sorted(names[told])
    }  # a seed that was run by both names counts once
    return list(found.values())


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Names come from data: no table, markup or line may be broken by them."""
    if text.startswith("`") and text.endswith("`"):
        return "`" + re.sub(r"[`|\s]+", " ", text.strip("`")) + "`"
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", " ".join(text.split())) if text != "---" else text
