"""The place: a valley with a winding river, parcels, forests, lakes, settlements, a motorway and an airfield."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .classes import ASPHALT, CEREALS, CONIFEROUS, DECIDUOUS, INDUSTRY, MAIZE, MEADOW, RESIDENTIAL, SOIL, WATER
from .noise import smooth_noise
from .settlements import Settlements, draw_settlements

FINE = 5.0  # metres, the landscape's pixel
FACTOR = 3  # landscape pixels along a hyperspectral pixel
MARGIN = 120  # landscape pixels around the hyperspectral raster, where the SAR raster's corners lie


@dataclass(frozen=True)
class Landscape:
    """The place at 5 m, ``MARGIN`` pixels wider on each side than the hyperspectral raster of ``size`` pixels.

    Arrays have the shape (side, side): ``classes`` (index into CLASSES), ``parcels`` (number of the field), ``hills``
    (height, in standard deviations), ``settlements`` (roofs and streets), ``lanes`` (narrow roads, bool) and ``river``
    (distance to its middle, in pixels).
    """

    size: int
    classes: np.ndarray
    parcels: np.ndarray
    hills: np.ndarray
    settlements: Settlements
    lanes: np.ndarray
    river: np.ndarray


def draw_landscape(size: int, rng: np.random.Generator) -> Landscape:
    side = size * FACTOR + 2 * MARGIN
    shape = (side, side)
    rows, cols = np.mgrid[0:side, 0:side].astype(np.float32)
    hills = smooth_noise(rng, shape, slope=2.2)
    river = distance_to(meander(side, rng), shape, reach=160)
    valley = np.exp(-((river / 80) ** 2))

    parcels, border = draw_parcels(rows, cols, rng)
    use = rng.choice([MEADOW, CEREALS, MAIZE, SOIL], size=parcels.max() + 1, p=[0.27, 0.31, 0.22, 0.20])
    classes = use[parcels]
    classes[border < 1.0] = MEADOW
    classes[valley * (1 + 0.5 * smooth_noise(rng, shape, slope=1.8)) > 0.62] = MEADOW

    wood = smooth_noise(rng, shape, slope=1.9) + 0.5 * hills - 1.6 * valley
    forest = wood > np.quantile(wood, 0.70)
    conifers = smooth_noise(rng, shape, slope=1.9) + 0.1 * smooth_noise(rng, shape, slope=1.0) > 0.0
    classes[forest] = np.where(conifers, CONIFEROUS, DECIDUOUS)[forest]
    hedges = (border < 2.2) & (smooth_noise(rng, shape, slope=1.5) > 0.7)
    width = 8 + 2 * smooth_noise(rng, shape, slope=2.0)
    bank = (river < width + 6) & (smooth_noise(rng, shape, slope=1.2) > 0.2)
    classes[hedges | bank] = DECIDUOUS

    settlements = draw_settlements(rows, cols, valley, rng)
    classes[settlements.residential] = RESIDENTIAL
    classes[settlements.industry] = INDUSTRY
    classes[settlements.parking] = ASPHALT

    motorway = distance_to(crossing(side, 0.62, rng), shape, reach=60)
    draw_lakes(classes, rows, cols, (river > 50) & (river < 120) & (motorway >= 60) & (classes != RESIDENTIAL), rng)
    classes[river < width] = WATER
    draw_airfield(classes, rows, cols, (river > 100) & (motorway >= 60), rng)
    classes[motorway < 4.6] = ASPHALT
    lanes = np.zeros(shape, bool)
    for number, (row, col) in enumerate(settlements.centres):
        road = (
            crossing(side, row / side, rng, through=col)
            if number % 2
            else crossing(side, col / side, rng, through=row)[:, ::-1]
        )
        lanes |= distance_to(road, shape, reach=6) < 1.1
    return Landscape(size, classes, parcels, hills, settlements, lanes & (classes != WATER), river)


def meander(side: int, rng: np.random.Generator) -> np.ndarray:
    """Points (row, column) of a river from the upper to the lower edge, one a pixel: the direction swings as a sine of
    the way gone (Langbein and Leopold 1966), with a period that drifts."""
    steps = 4 * side
    phase = np.cumsum(2 * np.pi / (side * (0.42 + 0.1 * np.sin(np.arange(steps) / side * 4 + rng.uniform(0, 6)))))
    swing = 0.95 + 0.25 * np.sin(np.arange(steps) / side * 3 + rng.uniform(0, 6))
    angle = swing * np.sin(phase + rng.uniform(0, 2 * np.pi)) + rng.uniform(-0.12, 0.12)
    path = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], axis=1), axis=0)
    path = path[: np.searchsorted(np.maximum.accumulate(path[:, 0]), side + 40)]
    path[:, 0] -= 20
    path[:, 1] += side * 0.44 - path[:, 1].mean()
    return path


def crossing(side: int, start: float, rng: np.random.Generator, through: float | None = None) -> np.ndarray:
    """Points (row, column) of a road from the left to the right edge in gentle bends, about row ``start`` (a fraction
    of the side), exactly there at column ``through``."""
    x = np.arange(-20, side + 20, dtype=np.float64)
    bends = sum(rng.normal(0, 0.05 / k) * side * np.sin(k * np.pi * x / side + rng.uniform(0, 6)) for k in (1, 2, 3))
    y = start * side + bends + rng.normal(0, 0.06) * (x - side / 2)
    if through is not None:
        y += start * side - y[int(through) + 20]
    return np.stack([y, x], axis=1)


def distance_to(path: np.ndarray, shape: tuple[int, int], *, reach: int) -> np.ndarray:
    """Distance of each pixel to the nearest point of ``path``, in pixels; ``reach`` where it is farther than that."""
    distance = np.full(shape, reach, np.float32)
    offsets = np.arange(-reach, reach + 1)
    disc = np.hypot(offsets[:, None], offsets[None]).astype(np.float32)
    for row, col in np.rint(path[:: max(1, reach // 40)]).astype(int):
        top, left = max(row - reach, 0), max(col - reach, 0)
        part = distance[top : max(row + reach + 1, 0), left : max(col + reach + 1, 0)]
        near = disc[top - row + reach :, left - col + reach :][: part.shape[0], : part.shape[1]]
        np.minimum(part, near, out=part)
    return distance


def draw_parcels(rows: np.ndarray, cols: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fields: blocks between tracks, each cut into strips of its own direction and width. Returns each pixel's parcel
    number and its distance to the nearest track in pixels."""
    side = rows.shape[0]
    wobble = [6 * smooth_noise(rng, rows.shape, slope=1.8) for _ in range(2)]
    y, x = rows + wobble[0], cols + wobble[1]
    spacing = 125
    seeds = np.stack(
        np.mgrid[-spacing : side + spacing : spacing, -spacing : side + spacing : spacing], axis=-1
    ).reshape(-1, 2)
    seeds = seeds + rng.uniform(-0.42, 0.42, seeds.shape) * spacing
    first = np.full(rows.shape, np.inf, np.float32)
    second = first.copy()
    block = np.zeros(rows.shape, np.int32)
    for number, (row, col) in enumerate(seeds.astype(np.float32)):
        distance = np.hypot(y - row, x - col)
        nearer = distance < first
        second = np.where(nearer, first, np.minimum(second, distance))
        block[nearer] = number
        first = np.where(nearer, distance, first)
    angle = (rng.normal(0.35, 0.35, len(seeds)) + rng.choice([0, np.pi / 2], len(seeds)))[block]
    width, length = rng.uniform(18, 44, len(seeds))[block], rng.uniform(60, 150, len(seeds))[block]
    strip = np.floor((x * np.cos(angle) + y * np.sin(angle)) / width).astype(np.int64)
    piece = np.floor((y * np.cos(angle) - x * np.sin(angle)) / length + 0.37 * strip).astype(np.int64)
    _, parcels = np.unique(block * 1_000_000 + (strip % 1000) * 1000 + piece % 1000, return_inverse=True)
    return parcels.reshape(rows.shape), (second - first) / 2


def draw_lakes(
    classes: np.ndarray, rows: np.ndarray, cols: np.ndarray, free: np.ndarray, rng: np.random.Generator
) -> None:
    """Gravel-pit lakes in the valley where it is ``free``, each in a belt of meadow."""
    outline = smooth_noise(rng, rows.shape, slope=1.8)
    inner = (slice(MARGIN, -MARGIN),) * 2
    places = np.argwhere(free[inner]) + MARGIN
    for row, col in places[rng.integers(0, len(places), 5)]:
        radius = rng.uniform(16, 32)
        blob = np.hypot(rows - row, (cols - col) * rng.uniform(0.7, 1.5)) + 0.55 * radius * (
            outline - outline[row, col]
        )
        classes[blob < radius + 7] = MEADOW
        classes[blob < radius] = WATER


def draw_airfield(
    classes: np.ndarray, rows: np.ndarray, cols: np.ndarray, free: np.ndarray, rng: np.random.Generator
) -> None:
    """A runway, an apron and the grass around them, where most of the land is open and ``free``."""
    side = rows.shape[0]
    open_land = np.isin(classes, [MEADOW, CEREALS, MAIZE, SOIL]) & free
    candidates = rng.uniform(MARGIN + 90, side - MARGIN - 90, (60, 2))
    shares = [open_land[int(r) - 80 : int(r) + 80, int(c) - 80 : int(c) + 80].mean() for r, c in candidates]
    row, col = candidates[int(np.argmax(shares))]
    angle = rng.uniform(-0.5, 0.5)
    along = (cols - col) * np.cos(angle) + (rows - row) * np.sin(angle)
    across = (rows - row) * np.cos(angle) - (cols - col) * np.sin(angle)
    classes[(np.abs(along) < 118) & (np.abs(across) < 30)] = MEADOW
    classes[(np.abs(along) < 108) & (np.abs(across + 10) < 6)] = ASPHALT
    classes[(np.abs(along - 20) < 34) & (np.abs(across - 15) < 11)] = ASPHALT
    classes[(np.abs(np.abs(along - 20) - 28) < 4) & (np.abs(across) < 12)] = ASPHALT
