"""Places of a map that may be worth a label: the best one of every cell of a lattice, in one walk through its rasters.

A place is a pixel with what lies around it: a polygon is drawn there, and the mixed pixels of every border, on which
any classifier is undecided, must not stand for a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .progress import Progress
from .raster.class_raster import ClassRaster
from .raster.stack import RasterStack
from .raster.window import Window, tiles
from .translation import tr

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]

REACH = 4  # pixels around a place that belong to it: those of the network's patch
BOUNDS = {"confidence": 1.0, "entropy": 1.0, "disagreement": 1.0, "ood": np.inf}  # the most that each may hold
_TILE = 1024
_MOST_CELLS = 200_000
_BINS, _UP_TO = 1000, {"ood": 4.0}  # of the histograms


@dataclass(frozen=True, eq=False)
class Candidates:
    """n places: ``rows``, ``cols``, ``classes`` (values of the map), ``score`` (0 to 1, less beside edges of the map)
    and by name the ``means`` around them, NaN where unknown. ``mapped`` counts the map's pixels; ``present`` are its
    classes."""

    rows: Integers
    cols: Integers
    classes: Integers
    score: Floats
    means: Mapping[str, Floats]
    histograms: Mapping[str, Integers]
    mapped: int
    present: tuple[int, ...]

    def share_below(self, name: str, value: float) -> float:
        """The share of the map's pixels whose surroundings have less than ``value``."""
        counts = self.histograms[name]
        return float(counts[: _bin(name, np.array([value]))[0]].sum() / max(1, counts.sum()))


def find_candidates(
    land_cover: ClassRaster, stack: RasterStack, avoid: Integers, *, most_cells: int = _MOST_CELLS, progress: Progress
) -> Candidates:
    """``stack`` has the map first, whatever its name, and rasters of the names of :data:`BOUNDS`, one band each.
    Pixels of ``avoid`` (row · width + column, ascending) and those around them are left out.

    Memory does not grow with the rasters. Raises InputError where a raster holds what it cannot.
    """
    grid = land_cover.grid
    cell = max(1, int(np.ceil(np.sqrt(grid.height * grid.width / most_cells))))
    side = -(-_TILE // cell) * cell
    names = [name for name in stack.bands if name in BOUNDS]
    histograms = {name: np.zeros(_BINS, np.int64) for name in names}
    found: list[tuple[NDArray[np.generic], ...]] = []
    mapped, present = 0, set()
    total = -(-grid.height // side) * -(-grid.width // side)
    for done, window in enumerate(tiles(grid.height, grid.width, side)):
        around = window.expand(REACH)
        classes = land_cover.read(around)
        arrays = stack.read(around).arrays
        there = classes >= 0
        inner = classes[REACH:-REACH, REACH:-REACH]
        mapped += int((inner >= 0).sum())
        present.update(np.unique(inner[inner >= 0]).tolist())
        means = {name: _mean_around(_checked(name, arrays[name][0], there), there) for name in names}
        for name, values in means.items():
            histograms[name] += np.bincount(_bin(name, values[(inner >= 0) & np.isfinite(values)]), minlength=_BINS)
        taken = np.zeros(classes.shape, bool)
        rows, cols = _inside(avoid, around, grid.width)
        taken[rows, cols] = True
        share = _sum_around(there) / (2 * REACH + 1) ** 2  # of what is around; any classifier is doubtful at edges
        fit = (inner >= 0) & (share >= 0.5) & (_sum_around(taken) == 0)
        scores = np.where(fit, score(means), -np.inf) * np.maximum(share, 0.5)
        rows, cols = _best_of_cells(scores, cell)
        found.append(
            (rows + window.row, cols + window.col, inner[rows, cols], scores[rows, cols])
            + tuple(values[rows, cols] for values in means.values())
        )
        progress.update((done + 1) / total)
    rows, cols, values, scores, *others = (np.concatenate(column) for column in zip(*found))
    return Candidates(
        rows.astype(np.int64), cols.astype(np.int64), values.astype(np.int64), scores.astype(np.float64),
        dict(zip(names, others)), histograms, mapped, tuple(sorted(present)),
    )  # fmt: skip


def score(means: Mapping[str, Floats]) -> Floats:
    """From 0 to 1, the mean over what is known of a place: how uncertain its class is, by the entropy or, without it,
    by the confidence; how far the branches disagree, as a distance, which the root of a Jensen–Shannon divergence is
    (Endres and Schindelin 2003); and how unlike the training samples it is, 1 being twice the threshold."""
    parts = []
    if "entropy" in means:
        parts.append(means["entropy"])
    elif "confidence" in means:
        parts.append(1.0 - means["confidence"])
    if "disagreement" in means:
        parts.append(np.sqrt(means["disagreement"]))
    if "ood" in means:
        parts.append(np.minimum(means["ood"] / 2.0, 1.0))
    known = np.isfinite(parts)
    total: Floats = np.where(known, parts, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), -np.inf)


def _checked(name: str, values: NDArray[np.float32], there: Flags) -> Floats:
    wrong = there & ((values < -1e-3) | (values > BOUNDS[name] + 1e-3))
    if wrong.any():
        raise InputError(
            tr(
                "The raster given as {name} holds {value:g}, which it cannot; choose the one that Classify wrote.",
                name=name,
                value=float(values[wrong][0]),
            )
        )
    return np.clip(values.astype(np.float64), 0.0, BOUNDS[name])


def _mean_around(values: Floats, there: Flags) -> Floats:
    """Over the pixels within reach that are there and have a value; NaN where none has. Smaller by the reach."""
    known = there & np.isfinite(values)
    count = _sum_around(known)
    total = _sum_around(np.where(known, values, 0.0))
    return np.where(count > 0, np.maximum(total, 0.0) / np.maximum(count, 1), np.nan)


def _sum_around(values: NDArray[np.generic]) -> Floats:
    sums = np.pad(values.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    side = 2 * REACH + 1
    total: Floats = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return total if values.dtype == np.float64 else np.round(total)


def _inside(pixels: Integers, window: Window, width: int) -> tuple[Integers, Integers]:
    """Rows and columns within the window of those pixels that lie there."""
    start, stop = np.searchsorted(pixels, [window.row * width, (window.row + window.height) * width])
    rows, cols = np.divmod(pixels[start:stop], width)
    inside = (cols >= window.col) & (cols < window.col + window.width)
    return rows[inside] - window.row, cols[inside] - window.col


def _best_of_cells(scores: Floats, cell: int) -> tuple[Integers, Integers]:
    """Rows and columns of the highest score of each cell that has any."""
    height, width = (-(-size // cell) for size in scores.shape)
    padded = np.full((height * cell, width * cell), -np.inf)
    padded[: scores.shape[0], : scores.shape[1]] = scores
    cells = padded.reshape(height, cell, width, cell).swapaxes(1, 2).reshape(height, width, cell * cell)
    best = cells.argmax(2)
    row, col = np.nonzero(np.isfinite(np.take_along_axis(cells, best[..., None], 2)[..., 0]))
    within = best[row, col]
    return row * cell + within // cell, col * cell + within % cell


def _bin(name: str, values: Floats) -> Integers:
    return np.minimum(values * (_BINS / _UP_TO.get(name, 1.0)), _BINS - 1).astype(np.int64)
