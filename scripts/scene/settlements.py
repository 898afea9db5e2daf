"""Villages, a town and its works: where they lie, their streets and their roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import smooth_noise


@dataclass(frozen=True)
class Settlements:
    """Masks (side, side), bool: ``residential``, ``industry`` and ``parking`` areas, and what stands in them:
    ``streets``, ``houses``, ``halls`` (large roofs, also a number for each in ``hall``). ``centres`` are (row, column).
    """

    centres: tuple[tuple[float, float], ...]
    residential: np.ndarray
    industry: np.ndarray
    parking: np.ndarray
    streets: np.ndarray
    houses: np.ndarray
    halls: np.ndarray
    hall: np.ndarray


def draw_settlements(rows: np.ndarray, cols: np.ndarray, valley: np.ndarray, rng: np.random.Generator) -> Settlements:
    """One town with two works areas and four villages, near the valley but not in it."""
    side = rows.shape[0]
    shape = rows.shape
    edge = smooth_noise(rng, shape, slope=1.6)
    places = np.argwhere((valley > 0.02) & (valley < 0.4)).astype(float)
    inner = np.all((places > 0.18 * side) & (places < 0.82 * side), axis=1)
    centres = spread(places[inner], 5, 0.2 * side, rng)
    radii = (0.105 * side, *rng.uniform(0.03, 0.048, len(centres) - 1) * side)

    residential, industry, parking = (np.zeros(shape, bool) for _ in range(3))
    streets, houses, halls = (np.zeros(shape, bool) for _ in range(3))
    hall = np.zeros(shape, np.int32)
    for number, (centre, radius) in enumerate(zip(centres, radii)):
        dy, dx = rows - centre[0], cols - centre[1]
        inside = np.hypot(dy, dx * rng.uniform(0.75, 1.3)) < radius * (1 + 0.25 * edge)
        angle = rng.uniform(0, np.pi / 2) + 0.15 * edge
        u, v = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        residential |= inside
        streets |= inside & ((u % 23 < 2.0) | (v % 34 < 2.0))
        houses |= inside & (u % 5.75 < 3.2) & (v % 6.8 < 3.4)
        if number < 2:
            for direction in rng.uniform(0, 2 * np.pi, 2 if number == 0 else 1):
                uw, vw = u - 1.1 * radius * np.cos(direction), v - 1.1 * radius * np.sin(direction)
                works = (np.abs(uw) < rng.uniform(48, 66)) & (np.abs(vw) < rng.uniform(40, 56))
                lot = (np.floor(uw / 34) * 31 + np.floor(vw / 27) * 17).astype(np.int32) + 1000 * number
                industry |= works
                parked = works & (lot % 5 == 0)
                parking |= parked
                roofed = works & ~parked & (uw % 34 < 27) & (vw % 27 < 20)
                halls |= roofed
                hall[roofed] = lot[roofed]
    residential &= ~industry
    parking &= industry
    return Settlements(
        centres,
        residential,
        industry & ~parking,
        parking,
        streets & residential,
        houses & residential & ~streets,
        halls,
        hall,
    )


def spread(places: np.ndarray, count: int, apart: float, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Up to ``count`` of the ``places`` (n, 2), drawn at random, no two closer than ``apart``."""
    chosen: list[np.ndarray] = []
    for place in places[rng.permutation(len(places))]:
        if all(np.hypot(*(place - other)) >= apart for other in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return tuple((float(row), float(col)) for row, col in chosen)
