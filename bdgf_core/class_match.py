"""Which class of a map a class of the reference data is."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from .legend import LandCoverClass, Legend

Pairs = tuple[tuple[str, str], ...]  # (reference, map), each by name, label or value


def match_classes(reference: Legend, mapped: Legend, pairs: Pairs = ()) -> dict[int, Optional[int]]:
    """The map's value for each value of the reference, None where it has none: the one paired with it; else the one of
    its name or label, whatever the case; else the one whose value its label is."""
    found = {}
    for entry in reference.classes:
        match = _find(entry.name, mapped) or _find(entry.label, mapped)
        found[entry.value] = match.value if match else None
    for one, other in pairs:
        here, there = _find(one, reference), _find(other, mapped)
        if here and there:
            found[here.value] = there.value
    return found


def idle_pairs(reference: Legend, mapped: Legend, pairs: Pairs) -> Pairs:
    """The pairs that name a class which is not there."""
    return tuple((one, other) for one, other in pairs if not (_find(one, reference) and _find(other, mapped)))


def listed(classes: Sequence[LandCoverClass], counts: Optional[Mapping[int, int]] = None) -> str:
    """Their names for a sentence, at most ten, with ``counts`` by value if given."""
    shown = [c.name if counts is None else f"{c.name} ({counts[c.value]})" for c in classes[:10]]
    return ", ".join(shown) + (", …" if len(classes) > 10 else "")


def _find(text: str, legend: Legend) -> Optional[LandCoverClass]:
    wanted = text.strip().casefold()
    for texts in (legend.names, [c.label for c in legend.classes], map(str, legend.values)):
        for entry, own in zip(legend.classes, texts):
            if own.strip().casefold() == wanted:
                return entry
    return None
