"""What was drawn: figures of the training data by class, and what is wrong with single features."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Iterable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from .raster.labels import Claim, Claims

Integers = NDArray[np.int64]

TINY = 9  # pixels: a square of three, of which only the one in the middle is surely of its class


@dataclass(frozen=True)
class DrawnClass:
    """One class: its features on the raster, the pixels to train on (of one class only, with data) and their area, the
    pixels of its smallest polygon, its pixels without data, and the class most like it with its distance (0 to 2)."""

    label: str
    name: str
    color: str
    polygons: int
    points: int
    pixels: int
    area_ha: Optional[float]
    smallest_polygon: Optional[int]
    pixels_without_data: int
    closest_class: Optional[str] = None
    separability: Optional[float] = None


@dataclass(frozen=True)
class Pair:
    """Two classes, by name, and what is between them: shared pixels, or their distance."""

    one: str
    other: str
    value: float


@dataclass(frozen=True)
class Flaw:
    """A feature: its class, the pixels that it claims, and where it lies in the CRS of the raster. Numbers of features
    would be those of a copy where the layer is filtered or being edited."""

    name: str
    pixels: int
    x: float
    y: float


@dataclass(frozen=True)
class Drawn:
    """All of it. ``separability`` has the closest pair first; ``undrawn`` are classes of the style without features."""

    classes: tuple[DrawnClass, ...]
    overlaps: tuple[Pair, ...]
    tiny: tuple[Flaw, ...]
    outside: tuple[Flaw, ...]
    without_data: tuple[Flaw, ...]
    separability: tuple[Pair, ...]
    undrawn: tuple[str, ...]
    minimum_pixels: int


@dataclass(frozen=True, eq=False)
class Resolved:
    """The ``pixels`` (ascending) claimed by one class only, and which (index into the legend); ``shared`` counts the
    pixels by pair of claiming classes."""

    pixels: Integers
    classes: Integers
    shared: dict[tuple[int, int], int]


def resolve(claims: Claims) -> Resolved:
    """Who owns which pixel."""
    count = len(claims.legend)
    keys = np.unique(np.concatenate([claim.pixels * count + claim.index for claim in claims.claims]))
    pixels, classes = np.divmod(keys, count)
    first = np.flatnonzero(np.diff(pixels, prepend=-1))
    owners = np.diff(first, append=len(pixels))
    pure = first[owners == 1]
    shared = np.zeros(count * count, np.int64)
    for step in range(1, int(owners.max(initial=1))):  # the classes of a pixel stand in a row, ascending
        same = pixels[step:] == pixels[:-step]
        shared += np.bincount(classes[:-step][same] * count + classes[step:][same], minlength=len(shared))
    pairs = {divmod(int(place), count): int(shared[place]) for place in np.flatnonzero(shared)}
    return Resolved(pixels[pure], classes[pure], pairs)


def summarize(
    claims: Claims,
    resolved: Resolved,
    with_data: NDArray[np.bool_],
    distances: NDArray[np.float64],
    *,
    pixel_hectares: Optional[float],
    undrawn: Sequence[str],
    minimum_pixels: int,
) -> Drawn:
    """``with_data`` belongs to the resolved pixels, ``distances`` (K, K) to the classes of the legend."""
    names = claims.legend.names
    empty = resolved.pixels[~with_data]
    on_raster = [claim for claim in claims.claims if len(claim.pixels)]

    def flaws(found: Iterable[Claim]) -> tuple[Flaw, ...]:
        return tuple(Flaw(names[claim.index], len(claim.pixels), claim.x, claim.y) for claim in found)

    pairs = [Pair(names[i], names[j], float(distances[i, j])) for i, j in combinations(range(len(names)), 2)]
    shared = sorted(resolved.shared.items(), key=lambda item: -item[1])
    return Drawn(
        classes=tuple(
            _one_class(index, claims, resolved, with_data, distances, pixel_hectares) for index in range(len(names))
        ),
        overlaps=tuple(Pair(names[i], names[j], number) for (i, j), number in shared),
        tiny=flaws(claim for claim in on_raster if claim.is_polygon and len(claim.pixels) < TINY),
        outside=flaws(claim for claim in claims.claims if not len(claim.pixels)),
        without_data=flaws(claim for claim in on_raster if _all_among(claim.pixels, empty)),
        separability=tuple(sorted((p for p in pairs if np.isfinite(p.value)), key=lambda pair: pair.value)),
        undrawn=tuple(undrawn),
        minimum_pixels=minimum_pixels,
    )


def _all_among(pixels: Integers, ascending: Integers) -> bool:
    at = np.searchsorted(ascending, pixels)
    return bool((at < len(ascending)).all() and (ascending[at] == pixels).all())


def _one_class(
    index: int,
    claims: Claims,
    resolved: Resolved,
    with_data: NDArray[np.bool_],
    distances: NDArray[np.float64],
    pixel_hectares: Optional[float],
) -> DrawnClass:
    own = [claim for claim in claims.claims if claim.index == index and len(claim.pixels)]
    sizes = [len(claim.pixels) for claim in own if claim.is_polygon]
    here = resolved.classes == index
    pixels = int((here & with_data).sum())
    others = np.where(np.arange(len(distances)) == index, np.nan, distances[index])
    closest = int(np.nanargmin(others)) if np.isfinite(others).any() else None
    described = claims.legend.classes[index]
    return DrawnClass(
        label=described.label,
        name=described.name,
        color=described.color,
        polygons=len(sizes),
        points=len(own) - len(sizes),
        pixels=pixels,
        area_ha=None if pixel_hectares is None else pixels * pixel_hectares,
        smallest_polygon=min(sizes, default=None),
        pixels_without_data=int((here & ~with_data).sum()),
        closest_class=None if closest is None else claims.legend.names[closest],
        separability=None if closest is None else float(others[closest]),
    )
