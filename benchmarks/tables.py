"""The tables of the results page, out of entries of the ledger; cells are text.

Fractions are shown in per cent, as in the paper.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Callable, Iterable, Mapping, Optional, Sequence

from .configurations import about
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
    """``caption`` says what it shows and how; ``title`` is its heading among others."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""


def in_short(places: Mapping[str, tuple[str, Runs]]) -> Optional[Table]:
    """By place, a scene and a protocol: one configuration of its runs beside the rival of the best accuracy."""
    rows = []
    for place, (name, runs) in places.items():
        rivals = [rival for rival in by_accuracy(runs) if runs[rival][0].settings.get("rival")]
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


def overview(title: str, chosen: Iterable[str], runs: Runs, over: Mapping[str, str]) -> Optional[Table]:
    """The ``chosen`` of the runs, in that order: what each is, its figures with their intervals, and its differences
    from what ``over`` names for it, on the same folds and seeds."""
    gains = (*(f"{name} gained" for name in _PAIRED), "Over") if over else ()
    head = ("Configuration", "What it is", *(name for name, _ in FIGURES), *gains, "Seeds", "Command")
    rows = []
    for name in chosen:
        entries, other = runs[name], over.get(name, name)
        row = [name, about(name), *(_spread(summary_of(entries, figure)) for _, figure in FIGURES)]
        if over:
            row += [DASH] * len(gains) if other == name else [*_gains(entries, runs[other]), other]
        rows.append((*row, seeds_text(entries), f"`{command(entries)}`"))
    caption = "Means over seeds in %, ± half the 95 % interval by the t distribution."
    if over:
        caption += " What one gains over another is paired by fold and seed, * where its interval excludes 0."
    return Table(caption, head, tuple(rows), title) if rows else None


def by_gain(names: Iterable[str], runs: Runs, over: Mapping[str, str]) -> list[str]:
    """Those of fewest variants first, of these the one that gained most."""

    def place(name: str) -> tuple[int, float]:
        gain = paired(runs[name], runs[over[name]]) if name in over else None
        return name.count("+"), float("inf") if gain is None else -gain.mean

    return sorted(names, key=place)


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


def by_class(chosen: Sequence[str], runs: Runs) -> Optional[Table]:
    """Tables 3 to 6 of the paper: classes down, configurations across, their producer's accuracies."""
    if not chosen:
        return None
    rows = []
    for number, name in enumerate(runs[chosen[0]][0].classes):
        cells = []
        for configuration in chosen:
            values = [entry.accuracy.producers[number] for entry in runs[configuration]]
            known = [value for value in values if value is not None]
            cells.append(percent(Summary.of(known).mean) if known else DASH)
        rows.append((name, *cells))
    for title, figure in FIGURES:
        rows.append((title, *(percent(mean_of(runs[configuration], figure)) for configuration in chosen)))
    caption = "Producer's accuracy in %, means over seeds."
    return Table(caption, ("Class", *chosen), tuple(rows), "By class")


def uncertainty(chosen: Iterable[str], runs: Runs) -> Optional[Table]:
    """Table 7 of the paper, for what was run more than once."""
    several = [name for name in chosen if len(runs[name]) > 1]
    measures: tuple[tuple[str, Callable[[Summary], str]], ...] = (
        ("Mean (%)", lambda s: percent(s.mean)),
        ("Std (%)", lambda s: percent(s.std)),
        ("CV (%)", lambda s: percent(s.cv)),
        ("95 % CI (%)", lambda s: "±" + percent(s.interval)),
        ("NSI", lambda s: DASH if s.nsi is None else f"{s.nsi:.4f}"),
    )
    found = [summary_of(runs[name], figure) for name in several for _, figure in FIGURES]
    rows = tuple((title, *(DASH if s is None else show(s) for s in found)) for title, show in measures)
    head = ("Measure", *(f"{name}, {title}" for name in several for title, _ in FIGURES))
    caption = "NSI is standard deviation over mean, CV the same in %."
    return Table(caption, head, rows, "Spread over seeds") if several else None


def blanked(runs: Runs) -> Optional[Table]:
    """How much a configuration leans on each sensor: its accuracy with that one hidden."""
    rows = []
    for name in by_accuracy(runs):
        entries = runs[name]
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
    caption = "Accuracy with one sensor hidden from the trained model, in %."
    return Table(caption, head, tuple(rows), "How much it leans on each sensor") if rows else None


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
    for name in by_accuracy(by_scene[scene]):
        both = by_scene[scene][name]
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


def by_accuracy(runs: Runs) -> list[str]:
    """The best first."""
    return sorted(runs, key=lambda name: -(mean_of(runs[name], "overall") or 0.0))


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
