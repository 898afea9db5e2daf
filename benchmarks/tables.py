"""The tables of the results page, out of entries of the ledger; cells are text.

Fractions are shown in per cent, as in the paper.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Callable, Iterable, Mapping, Optional, Sequence

from .ledger import Entry, pooled
from .protocols import Protocol
from .scenes import SCENES
from .summary import Summary, paired

FIGURES = (("OA", "overall"), ("AA", "average"), ("Kappa", "kappa"))
_PAIRED = {"OA": "overall", "AA": "average"}
Runs = Mapping[str, Sequence[Entry]]  # by configuration
DASH = "–"


@dataclass(frozen=True)
class Table:
    """``caption`` says what it shows and how."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def in_short(places: Mapping[str, tuple[str, Runs]]) -> Optional[Table]:
    """By place, a scene and a protocol: one configuration of its runs beside the rival of the best accuracy."""
    rows = []
    for place, (name, runs) in places.items():
        rivals = [rival for rival, entries in _by_accuracy(runs) if entries[0].settings.get("rival")]
        for best in rivals[:1]:
            figures = (_spread(summary_of(runs[n], figure)) for n in (name, best) for _, figure in FIGURES)
            rows.append((place, *figures, best, *_gains(runs[name], runs[best])))
    titles = [title for title, _ in FIGURES]
    head = (
        "Scene",
        *titles,
        *(f"{title} of the rival" for title in titles),
        "Best rival",
        *(f"Gain in {t}" for t in _PAIRED),
    )
    caption = (
        "The preset beside the rival of the best accuracy, in %; gains are paired by fold and seed, * where their"
        " interval excludes 0."
    )
    return Table(caption, head, tuple(rows)) if rows else None


def overview(runs: Runs, base: Optional[str]) -> Table:
    """Each configuration with its interval, and its differences from :func:`plainer` ones on the same folds and
    seeds."""
    gains = () if base is None else (*(f"{title} gained" for title in _PAIRED), "Over")
    head = ("Configuration", *(name for name, _ in FIGURES), *gains, "Seeds", "Command")
    rows = []
    for name, entries in _by_accuracy(runs):
        row = [name, *(_spread(summary_of(entries, figure)) for _, figure in FIGURES)]
        if base is not None:
            other = plainer(name, runs, base)
            row += [DASH] * len(gains) if other == name else [*_gains(entries, runs[other]), other]
        rows.append((*row, seeds_text(entries), f"`{command(entries)}`"))
    caption = "Means over seeds in %, ± half the 95 % interval by the t distribution."
    if base is not None:
        caption += (
            f" What a configuration gains over that with fewer variants, or else over {base}, is paired by fold and"
            " seed; * where its interval excludes 0."
        )
    return Table(caption, head, tuple(rows))


def plainer(name: str, runs: Runs, base: str) -> str:
    """What ``name`` is compared with: of the ``runs`` with some of its variants and no other the one with most of
    them, at best its first ones, or else ``base``."""
    preset, *variants = name.split("+")
    some = []
    for other in runs:
        its_preset, *its_variants = other.split("+")
        if its_preset == preset and set(its_variants) < set(variants):
            some.append((len(its_variants), name.startswith(other), other))
    return max(some)[-1] if some else base


def by_class(runs: Runs) -> Table:
    """Tables 3 to 7 of the paper: classes down, configurations across, their producer's accuracies."""
    ordered = _by_accuracy(runs)
    classes = ordered[0][1][0].classes
    rows = []
    for number, name in enumerate(classes):
        cells = []
        for _, entries in ordered:
            values = [entry.accuracy.producers[number] for entry in entries]
            known = [value for value in values if value is not None]
            cells.append(percent(Summary.of(known).mean) if known else DASH)
        rows.append((name, *cells))
    for title, figure in FIGURES:
        rows.append((title, *(percent(mean_of(entries, figure)) for _, entries in ordered)))
    caption = "Producer's accuracy by class in %, means over seeds."
    return Table(caption, ("Class", *(name for name, _ in ordered)), tuple(rows))


def uncertainty(runs: Runs) -> Optional[Table]:
    """Table 7 of the paper, for what was run more than once."""
    several = [(name, entries) for name, entries in _by_accuracy(runs) if len(entries) > 1]
    if not several:
        return None
    measures: tuple[tuple[str, Callable[[Summary], str]], ...] = (
        ("Mean (%)", lambda s: percent(s.mean)),
        ("Std (%)", lambda s: percent(s.std)),
        ("CV (%)", lambda s: percent(s.cv)),
        ("95 % CI (%)", lambda s: "±" + percent(s.interval)),
        ("NSI", lambda s: DASH if s.nsi is None else f"{s.nsi:.4f}"),
    )
    rows = []
    for name, entries in several:
        for title, show in measures:
            found = [summary_of(entries, figure) for _, figure in FIGURES]
            rows.append((name, title, *(DASH if s is None else show(s) for s in found), str(len(entries))))
    head = ("Configuration", "Measure", *(name for name, _ in FIGURES), "Seeds")
    return Table("Spread over seeds: NSI is standard deviation over mean, CV the same in %.", head, tuple(rows))


def blanked(runs: Runs) -> Optional[Table]:
    """How much a configuration leans on each sensor: its accuracy with that one hidden."""
    rows = []
    for name, entries in _by_accuracy(runs):
        for sensor in sorted({sensor for entry in entries for sensor in entry.blanked}):
            hidden = [entry for entry in entries if sensor in entry.blanked]
            kept = [pooled(entry.blanked[sensor]) for entry in hidden]
            lost = [(entry.accuracy.overall or 0.0) - (found.overall or 0.0) for entry, found in zip(hidden, kept)]
            cells = []
            for _, figure in FIGURES:
                values = [value for value in (getattr(found, figure) for found in kept) if value is not None]
                cells.append(_spread(Summary.of(values) if values else None))
            rows.append((name, sensor, *cells, _spread(Summary.of(lost)), seeds_text(hidden)))
    head = ("Configuration", "Hidden sensor", *(name for name, _ in FIGURES), "OA lost", "Seeds")
    return Table("Accuracy with one sensor hidden from the trained model, in %.", head, tuple(rows)) if rows else None


def label_counts(by_protocol: Mapping[str, Runs]) -> Optional[Table]:
    """Fig. 14: overall accuracy by the number of labelled pixels a class."""
    counts = sorted((Protocol.parse(text).number, text) for text in by_protocol if text.startswith("pixels:"))
    if len(counts) < 2:
        return None
    names = sorted({name for _, text in counts for name in by_protocol[text]})
    rows = []
    for name in names:
        cells = [summary_of(by_protocol[text].get(name, ()), "overall") for _, text in counts]
        if sum(cell is not None for cell in cells) > 1:
            rows.append((name, *(_spread(cell) for cell in cells)))
    head = ("Configuration", *(f"{number} a class" for number, _ in counts))
    return Table("OA in % by labelled pixels a class.", head, tuple(rows)) if rows else None


def sensors(by_scene: Mapping[str, Runs]) -> Optional[Table]:
    """Whether fusion pays: both sensors, and each alone, ``NAME``, ``NAME/spectral`` and ``NAME/second``."""
    shown = {"both": "", "spectral": "/spectral", "second": "/second"}
    scene = min(by_scene, key=len)
    rows = []
    for name, both in _by_accuracy(by_scene[scene]):
        for title, suffix in shown.items():
            entries = by_scene.get(scene + suffix, {}).get(name)
            if not entries or not any(by_scene.get(scene + end, {}).get(name) for end in shown.values() if end):
                continue
            gain = paired(both, entries) if suffix else None
            cells = [_spread(summary_of(entries, figure)) for _, figure in FIGURES]
            rows.append((name, title, *cells, DASH if gain is None else _difference(gain), seeds_text(entries)))
    head = ("Configuration", "Sensors", *(name for name, _ in FIGURES), "OA gained by both", "Seeds")
    caption = "One sensor against both, in %; the gain is paired by fold and seed, * where its interval excludes 0."
    return Table(caption, head, tuple(rows)) if rows else None


def as_csv(entries: Iterable[Entry]) -> str:
    """One row for each run and figure: scene, protocol, configuration, seed, figure, value (a fraction)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("scene", "protocol", "configuration", "seed", "figure", "value"))
    for entry in entries:
        head = (entry.scene, entry.protocol, entry.configuration, entry.seed)
        accuracy = entry.accuracy
        for title, figure in FIGURES:
            writer.writerow((*head, title, getattr(accuracy, figure)))
        for name, value in zip(entry.classes, accuracy.producers):
            writer.writerow((*head, f"producer's accuracy of {name}", value))
        for number, fold in enumerate(entry.accuracies, start=1):
            writer.writerow((*head, f"OA of fold {number}", fold.overall))
    return out.getvalue()


def as_json(entries: Iterable[Entry]) -> list[dict[str, object]]:
    """The figures of every run, with the confusion matrix over its folds."""
    return [
        {
            "scene": e.scene, "protocol": e.protocol, "configuration": e.configuration, "seed": e.seed,
            "classes": e.classes, "commit": e.commit, "machine": e.machine, "seconds": e.seconds,
            **e.accuracy.to_json(),
            "folds": [{f"{t}": getattr(fold, figure) for t, figure in FIGURES} for fold in e.accuracies],
        }
        for e in entries
    ]  # fmt: skip


def summary_of(entries: Sequence[Entry], figure: str) -> Optional[Summary]:
    """Over the seeds, each pooled over its folds."""
    values = [getattr(entry.accuracy, figure) for entry in entries]
    known = [value for value in values if value is not None]
    return Summary.of(known) if known else None


def mean_of(entries: Sequence[Entry], figure: str) -> Optional[float]:
    found = summary_of(entries, figure)
    return None if found is None else found.mean


def command(entries: Sequence[Entry]) -> str:
    """What makes these entries again."""
    one = entries[0]
    name, slash, sensor = one.scene.partition("/")
    scene = (name if name in SCENES else f"{name}.json") + slash + sensor
    blank = " --blank" if any(entry.blanked for entry in entries) else ""
    anew = (
        " --pretrain-anew"
        if any(entry.seed and entry.pretraining.get("seed") == entry.seed for entry in entries)
        else ""
    )
    return (
        f"python -m benchmarks run {scene} --protocol {one.protocol} --configuration {one.configuration}"
        f" --seeds {seeds_text(entries).replace(' ', '')}{blank}{anew}"
    )


def seeds_text(entries: Sequence[Entry]) -> str:
    """0–4 as "0-4", others as a list."""
    seeds = sorted(entry.seed for entry in entries)
    if len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ", ".join(map(str, seeds))


def percent(value: Optional[float]) -> str:
    return DASH if value is None else f"{100 * value:.2f}"


def _by_accuracy(runs: Runs) -> list[tuple[str, Sequence[Entry]]]:
    """The best first."""
    return sorted(runs.items(), key=lambda item: -(mean_of(item[1], "overall") or 0.0))


def _spread(found: Optional[Summary]) -> str:
    if found is None:
        return DASH
    return percent(found.mean) + ("" if found.interval is None else f" ± {percent(found.interval)}")


def _gains(ones: Sequence[Entry], others: Sequence[Entry]) -> list[str]:
    found = (paired(ones, others, figure) for figure in _PAIRED.values())
    return [DASH if difference is None else _difference(difference) for difference in found]


def _difference(found: Summary) -> str:
    clear = found.interval is not None and abs(found.mean) > found.interval
    return f"{100 * found.mean:+.2f} ± {percent(found.interval)}" + (" *" if clear else "")
