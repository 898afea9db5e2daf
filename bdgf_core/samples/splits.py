"""Which labelled pixels train and which test.

Pixels of one polygon resemble each other, and the patch around a test pixel overlaps its neighbours: random splits
flatter. :func:`polygon_folds` keeps polygons together and a gap between training and test; :func:`random_split` gives
the optimistic figure that others publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np
import numpy.typing as npt

from .clusters import Indices, cut_clusters, distance_within, find_clusters
from .fold_notes import FoldNote

_TRIALS = 24  # dealings tried, of which the one with the most classes in the most folds is kept
_WEIGHED = 600  # units dealt one by one; what remains of more is so small that dealing it in turn is even enough


@dataclass(frozen=True)
class Fold:
    """Sample numbers, ascending: trained on ``train``, judged on ``test``."""

    train: Indices
    test: Indices


@dataclass(frozen=True)
class Folds:
    """A validation: a sample is tested in at most one fold.

    ``notes`` are what is to be said of it; ``unvalidated`` are the classes trained everywhere and tested nowhere.
    """

    folds: tuple[Fold, ...]
    notes: tuple[FoldNote, ...] = ()
    unvalidated: tuple[int, ...] = ()


def choose_per_class(classes: npt.ArrayLike, per_class: int, rng: np.random.Generator) -> Indices:
    """Ascending numbers of ``per_class`` random samples of every class, or all where it has fewer; 0 takes all."""
    classes = np.asarray(classes)
    if per_class <= 0:
        return np.arange(classes.size)
    order = rng.permutation(classes.size)
    order = order[np.argsort(classes[order], kind="stable")]
    return np.sort(order[_rank_in_run(classes[order]) < per_class])


def evenly(counts: Sequence[int], total: int) -> int:
    """The largest number a class such that no more than ``total`` are taken in all; at least 1."""
    low, high = 1, int(max(counts))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sum(min(c, middle) for c in counts) <= total else (low, middle - 1)
    return low


def random_split(
    classes: npt.ArrayLike, *, folds: int = 4, rng: np.random.Generator, names: Optional[Sequence[str]] = None
) -> Folds:
    """Every class dealt to ``folds`` at random. Optimistic: test pixels lie beside training pixels."""
    classes = np.asarray(classes, np.int64)
    order = rng.permutation(classes.size)
    order = order[np.argsort(classes[order], kind="stable")]
    fold_of = np.empty(classes.size, np.int64)
    fold_of[order] = _rank_in_run(classes[order]) % folds
    lone = np.flatnonzero(np.bincount(classes) == 1)
    fold_of[np.isin(classes, lone)] = -1
    found = (Fold(np.flatnonzero(fold_of != f), np.flatnonzero(fold_of == f)) for f in range(folds))
    notes = tuple({"kind": "one_sample", "name": _name(k, names)} for k in lone)
    return Folds(tuple(fold for fold in found if fold.test.size), notes, tuple(map(int, lone)))


def polygon_folds(
    rows: npt.ArrayLike,
    cols: npt.ArrayLike,
    classes: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    gap: int,
    folds: int = 4,
    minimum: int = 10,
    rng: np.random.Generator,
    names: Optional[Sequence[str]] = None,
) -> Folds:
    """Folds of whole clusters of polygons; training samples lie more than ``gap`` pixels (the larger of the distances
    in rows and columns) from every test sample.

    ``rows``, ``cols``, ``classes`` (from 0) and ``groups`` (the polygon's number) stand for one labelled pixel each.
    Polygons that lie closer than the gap form a cluster; one that holds too much of a class is cut between polygons,
    and a polygon that is most of its class is cut into blocks. Where a class would keep fewer than ``minimum`` training
    samples in a fold, its own gap shrinks there and a note says so. A class in one place too small to cut is trained
    everywhere and tested nowhere.
    """
    rows, cols, classes, groups = (np.asarray(a, np.int64) for a in (rows, cols, classes, groups))
    if not classes.size:
        return Folds(())
    count = int(classes.max()) + 1
    clusters = find_clusters(rows, cols, max(gap, 1))
    units, cut = cut_clusters(rows, cols, classes, groups, clusters, folds=folds, minimum=minimum)
    table = np.bincount(units * count + classes, minlength=(units.max() + 1) * count).reshape(-1, count)
    unit_fold = _deal(table, folds, rng)
    fold_of = unit_fold[units]

    tested = np.zeros((folds, count), np.int64)
    np.add.at(tested, (fold_of, classes), 1)
    unvalidated = np.flatnonzero((tested > 0).sum(axis=0) == 1)
    fold_of[np.isin(classes, unvalidated)] = -1

    found, gaps = [], np.full((folds, count), gap)
    for fold in range(folds):
        test = np.flatnonzero(fold_of == fold)
        if test.size:
            train, gaps[fold] = _keep_apart(rows, cols, classes, fold_of != fold, test, gap, minimum, count)
            found.append(Fold(train, test))
    notes = _notes(np.bincount(classes), gaps, gap, unvalidated, cut, names)
    return Folds(tuple(found), notes, tuple(map(int, unvalidated)))


def _deal(table: Indices, folds: int, rng: np.random.Generator) -> Indices:
    """A fold for each unit (row of ``table``: its samples by class), so that the classes spread evenly.

    Greedy, largest share of a class first, each to the fold that has the least of its classes yet; of several orders
    the one that leaves the fewest class–fold pairs empty. Of very many units the small ones are dealt in turn.
    """
    shares = table / np.maximum(table.sum(axis=0), 1)
    by_share = np.argsort(-shares.max(axis=1), kind="stable")
    large, small = np.split(by_share, [_WEIGHED])
    in_turn = np.empty(len(table), np.int64)
    small = small[np.argsort(shares[small].argmax(axis=1), kind="stable")]
    in_turn[small] = _rank_in_run(shares[small].argmax(axis=1)) % folds
    best, best_score = in_turn, (np.inf, np.inf)
    for trial in range(_TRIALS):
        order = large[np.argsort(-shares[large].max(axis=1) * rng.uniform(1 - 0.04 * trial, 1.0, large.size))]
        load = np.zeros((folds, table.shape[1]))
        fold_of = in_turn.copy()
        for unit in order:
            cost = load @ shares[unit]
            ties = np.flatnonzero(cost <= cost.min() + 1e-12)
            fold_of[unit] = ties[load[ties].sum(axis=1).argmin()]
            load[fold_of[unit]] += shares[unit]
        score = (float((load == 0).sum()), float((load**2).sum()))
        if score < best_score:
            best, best_score = fold_of, score
    return best


def _keep_apart(
    rows: Indices,
    cols: Indices,
    classes: Indices,
    candidate: npt.NDArray[np.bool_],
    test: Indices,
    gap: int,
    minimum: int,
    count: int,
) -> tuple[Indices, Indices]:
    """The candidates farther than the gap from the test samples, and each class's gap, shrunk where it must."""
    train = np.flatnonzero(candidate)
    distance = distance_within(rows[train], cols[train], rows[test], cols[test], gap)
    by_distance = np.zeros((count, gap + 2), np.int64)
    np.add.at(by_distance, (classes[train], distance), 1)
    beyond = by_distance.sum(axis=1, keepdims=True) - by_distance.cumsum(axis=1)  # [class, g]: farther than g
    needed = np.minimum(minimum, beyond[:, 0])
    class_gap: Indices = (beyond[:, : gap + 1] >= needed[:, None]).sum(axis=1) - 1  # beyond falls with g
    return train[distance > class_gap[classes[train]]], class_gap


def _notes(
    sizes: Indices, gaps: Indices, gap: int, unvalidated: Indices, cut: Indices, names: Optional[Sequence[str]]
) -> tuple[FoldNote, ...]:
    notes: list[FoldNote] = []
    for k in unvalidated:
        notes.append({"kind": "one_place", "name": _name(k, names), "count": int(sizes[k])})
    for k in cut:
        notes.append({"kind": "cut", "name": _name(k, names)})
    for k in np.flatnonzero((gaps < gap).any(axis=0)):
        least, shrunk = int(gaps[:, k].min()), int((gaps[:, k] < gap).sum())
        notes.append(
            {"kind": "shrunk_gap", "name": _name(k, names), "gap": gap, "least": least, "shrunk": shrunk,
             "folds": len(gaps)}
        )  # fmt: skip
    return tuple(notes)


def _name(k: int, names: Optional[Sequence[str]]) -> str:
    return names[k] if names else str(k)


def _rank_in_run(ordered: Indices) -> Indices:
    """0, 1, 2 … within every run of equal values."""
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if ordered.size else np.zeros(0, np.int64)
    return np.asarray(np.arange(ordered.size) - np.repeat(starts, np.diff(np.r_[starts, ordered.size])))
