"""What to do about the training data, in sentences, the most urgent first."""

from __future__ import annotations

from collections import Counter
from typing import Iterable, Iterator, Sequence

from .drawn import TINY, Drawn, Flaw, Pair
from .translation import tr

PLACES = 3  # of a class, so that some can be kept apart and the rest still teach
ALIKE, APART = 1.0, 1.9  # Jeffries-Matusita distances: under the one hardly to be told apart, from the other on well
_MOST = 8


def advice(drawn: Drawn) -> tuple[str, ...]:
    """At least one sentence."""
    return tuple(_sentences(drawn)) or (tr("The training data have all they need: go on and train."),)


def _sentences(drawn: Drawn) -> Iterator[str]:
    if len(drawn.classes) < 2:
        yield tr("Draw polygons of another class: there is one only ({name}).", name=drawn.classes[0].name)
    small = [f"{c.name} ({c.pixels})" for c in drawn.classes if c.pixels < drawn.minimum_pixels]
    if small:
        yield tr(
            "Draw more of {classes}: training asks for at least {minimum} pixels of each class, with data and of that "
            "class alone.",
            classes=_listed(small),
            minimum=drawn.minimum_pixels,
        )
    for places in range(1, PLACES):
        few = [c.name for c in drawn.classes if c.polygons + c.points == places]
        if few:
            yield _in_other_places(PLACES - places).format(more=PLACES - places, classes=_listed(few), places=PLACES)
    if drawn.overlaps:
        yield tr(
            "Mend the overlaps of {pairs}: what several classes claim teaches none.",
            pairs=_pairs(drawn.overlaps, tr("{one} and {other} ({value:.3g} pixels)")),
        )
    if drawn.outside:
        yield tr("Move or delete what lies outside of the raster: {features}.", features=_features(drawn.outside))
    if drawn.without_data:
        yield tr(
            "Draw elsewhere what lies where the rasters have no data: {features}.",
            features=_features(drawn.without_data),
        )
    if drawn.tiny:
        yield tr(
            "Enlarge polygons of fewer than {least} pixels, which hold little but borders: {features}.",
            least=TINY,
            features=_features(drawn.tiny),
        )
    distance = tr("{one} and {other} ({value:.3g} of 2)")
    alike = [pair for pair in drawn.separability if pair.value < ALIKE]
    if alike:
        yield tr(
            "Check, or merge, classes that look alike to the sensors: {pairs}. Their polygons may mix both, or the "
            "rasters cannot tell them apart.",
            pairs=_pairs(alike, distance),
        )
    close = [pair for pair in drawn.separability if ALIKE <= pair.value < APART]
    if close:
        yield tr("Expect some confusion between {pairs}; more polygons of both help.", pairs=_pairs(close, distance))
    if drawn.undrawn:
        yield tr("Nothing is drawn yet of {classes}.", classes=_listed(drawn.undrawn))


def _in_other_places(more: int) -> str:
    if more == 1:
        return tr(
            "Draw at least 1 more polygon of {classes}, in other places: with fewer than {places} the accuracy is "
            "optimistic, or cannot be measured."
        )
    return tr(
        "Draw at least {more} more polygons of {classes}, in other places: with fewer than {places} the accuracy is "
        "optimistic, or cannot be measured."
    )


def _features(flaws: Sequence[Flaw]) -> str:
    counts = Counter(flaw.name for flaw in flaws).most_common()
    return _listed(tr("{count} of {name}", count=count, name=name) for name, count in counts)


def _pairs(pairs: Sequence[Pair], form: str) -> str:
    # names have commas: "Bush, scrub"
    return _listed((form.format(one=pair.one, other=pair.other, value=pair.value) for pair in pairs), between="; ")


def _listed(items: Iterable[str], between: str = ", ") -> str:
    items = list(items)
    listed = between.join(items[:_MOST])
    return tr("{listed} and {more} more", listed=listed, more=len(items) - _MOST) if len(items) > _MOST else listed
