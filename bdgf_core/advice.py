"""What to do about the training data, in sentences, the most urgent first."""

from __future__ import annotations

from collections import Counter
from typing import Iterable, Iterator, Sequence

from .drawn import TINY, Drawn, Flaw, Pair

PLACES = 3  # of a class, so that some can be kept apart and the rest still teach
ALIKE, APART = 1.0, 1.9  # Jeffries-Matusita distances: under the one hardly to be told apart, from the other on well
_MOST = 8


def advice(drawn: Drawn) -> tuple[str, ...]:
    """At least one sentence."""
    return tuple(_sentences(drawn)) or ("The training data have all they need: go on and train.",)


def _sentences(drawn: Drawn) -> Iterator[str]:
    if len(drawn.classes) < 2:
        yield f"Draw polygons of another class: there is one only ({drawn.classes[0].name})."
    small = [f"{c.name} ({c.pixels})" for c in drawn.classes if c.pixels < drawn.minimum_pixels]
    if small:
        yield (
            f"Draw more of {_listed(small)}: training asks for at least {drawn.minimum_pixels} pixels of each class, "
            "with data and of that class alone."
        )
    for places in range(1, PLACES):
        few = [c.name for c in drawn.classes if c.polygons + c.points == places]
        if few:
            more = "1 more polygon" if places == PLACES - 1 else f"{PLACES - places} more polygons"
            yield (
                f"Draw at least {more} of {_listed(few)}, in other places: with fewer than {PLACES} the accuracy is "
                "optimistic, or cannot be measured."
            )
    if drawn.overlaps:
        yield f"Mend the overlaps of {_pairs(drawn.overlaps, 'pixels')}: what several classes claim teaches none."
    if drawn.outside:
        yield f"Move or delete what lies outside of the raster: {_features(drawn.outside)}."
    if drawn.without_data:
        yield f"Draw elsewhere what lies where the rasters have no data: {_features(drawn.without_data)}."
    if drawn.tiny:
        yield f"Enlarge polygons of fewer than {TINY} pixels, which hold little but borders: {_features(drawn.tiny)}."
    alike = [pair for pair in drawn.separability if pair.value < ALIKE]
    if alike:
        yield (
            f"Check, or merge, classes that look alike to the sensors: {_pairs(alike, 'of 2')}. Their polygons may mix "
            "both, or the rasters cannot tell them apart."
        )
    close = [pair for pair in drawn.separability if ALIKE <= pair.value < APART]
    if close:
        yield f"Expect some confusion between {_pairs(close, 'of 2')}; more polygons of both help."
    if drawn.undrawn:
        yield f"Nothing is drawn yet of {_listed(drawn.undrawn)}."


def _features(flaws: Sequence[Flaw]) -> str:
    return _listed(f"{count} of {name}" for name, count in Counter(flaw.name for flaw in flaws).most_common())


def _pairs(pairs: Sequence[Pair], unit: str) -> str:
    # names have commas: "Bush, scrub"
    return _listed((f"{pair.one} and {pair.other} ({pair.value:.3g} {unit})" for pair in pairs), between="; ")


def _listed(items: Iterable[str], between: str = ", ") -> str:
    items = list(items)
    more = f" and {len(items) - _MOST} more" if len(items) > _MOST else ""
    return between.join(items[:_MOST]) + more
