"""Where labelled pixels lie together: clusters, pieces of clusters, and distances, in Chebyshev pixels.

Everything works on cells of a coarse grid or on sorted keys: memory grows with the samples, never with the raster.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_WHOLE = 0.7  # a polygon that holds more of its class than this is cut; the rest would be too little to train on
_CROWDED = 1.5  # a cluster is cut where it holds more of a class than this many fair shares


def find_clusters(rows: Indices, cols: Indices, reach: int) -> Indices:
    """The cluster number (from 0) of each pixel: pixels within ``reach`` (> 0) of each other share one.

    Exact along rows and columns; where two cells of ``reach`` pixels touch only at a corner, the distance of their
    contents' bounding boxes is taken, so that a cluster is now and then joined a little early.
    """
    if not rows.size:
        return np.zeros(0, np.int64)
    width = int(cols.max() - cols.min()) // reach + 3  # a free column on either side: neighbours never wrap
    keys = (rows - rows.min()) // reach * width + (cols - cols.min()) // reach + 1
    cells, cell_of = np.unique(keys, return_inverse=True)
    first_row, last_row = _extremes(rows, cell_of, cells.size)
    first_col, last_col = _extremes(cols, cell_of, cells.size)
    links = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        wanted = cells + down * width + right
        at = np.minimum(np.searchsorted(cells, wanted), cells.size - 1)
        here = np.flatnonzero(cells[at] == wanted)
        there = at[here]
        row_distance = first_row[there] - last_row[here]
        col_distance = np.maximum(first_col[there] - last_col[here], first_col[here] - last_col[there])
        near = np.maximum(row_distance, col_distance) <= reach
        links.append(np.stack([here[near], there[near]]))
    return _connect(np.concatenate(links, axis=1), cells.size)[cell_of]


def cut_clusters(
    rows: Indices, cols: Indices, classes: Indices, groups: Indices, clusters: Indices, *, folds: int, minimum: int
) -> tuple[Indices, Indices]:
    """The unit number (from 0) of each pixel, where clusters that hold too much of a class are cut in two, again and
    again, and the classes of which a polygon had to be cut."""
    sizes = np.bincount(classes)
    # an atom is what one polygon has of one class in one cluster, so that parts of a multipolygon count apart
    keys = np.stack([clusters, groups, classes])
    _, atoms = np.unique(keys, axis=1, return_inverse=True)
    atoms = np.asarray(atoms).reshape(-1)
    units = np.empty(classes.size, np.int64)
    cut: set[int] = set()
    order = np.argsort(clusters, kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1) if order.size else []
    count = 0
    while pieces:
        piece = pieces.pop()
        halves = _halve(piece, rows, cols, classes, atoms, sizes, folds, minimum, cut)
        if halves is not None:
            pieces.extend(halves)
            continue
        units[piece] = count
        count += 1
    return units, np.array(sorted(cut), np.int64)


def distance_within(rows: Indices, cols: Indices, to_rows: Indices, to_cols: Indices, limit: int) -> Indices:
    """The Chebyshev distance of each pixel to the nearest of the others, or ``limit + 1`` where that is farther."""
    distance = np.full(rows.size, limit + 1, np.int64)
    if not to_rows.size:
        return distance
    stride = int(max(cols.max(initial=0), to_cols.max())) + 2 * limit + 3  # neighbouring rows stay beyond the limit
    keys = np.sort(to_rows * stride + to_cols)
    near = np.flatnonzero(_share_a_neighbourhood(rows, cols, to_rows, to_cols, limit + 1))
    own, best = rows[near] * stride + cols[near], distance[near]
    for offset in range(-limit, limit + 1):
        wanted = own + offset * stride
        after = np.searchsorted(keys, wanted)
        right = keys[np.minimum(after, keys.size - 1)] - wanted
        left = wanted - keys[np.maximum(after - 1, 0)]
        along = np.minimum(np.where(right < 0, limit + 1, right), np.where(left < 0, limit + 1, left))
        best = np.minimum(best, np.maximum(along, abs(offset)))
    distance[near] = best
    return distance


def _halve(
    piece: Indices,
    rows: Indices,
    cols: Indices,
    classes: Indices,
    atoms: Indices,
    sizes: Indices,
    folds: int,
    minimum: int,
    cut: set[int],
) -> tuple[Indices, Indices] | None:
    """The piece cut by a straight line through the middle of the class it holds too much of, or None where it holds
    none. Polygons go whole to the side of their centre, save one that is nearly all of its class."""
    inside = np.bincount(classes[piece], minlength=sizes.size)
    own_atoms, atom_of = np.unique(atoms[piece], return_inverse=True)
    atom_size = np.bincount(atom_of)
    atom_class = np.empty(own_atoms.size, np.int64)
    atom_class[atom_of] = classes[piece]
    too_large = (atom_size > _WHOLE * sizes[atom_class]) & (atom_size >= 2 * minimum)
    crowded = inside > np.minimum(_CROWDED / folds, _WHOLE) * sizes
    divisible = np.bincount(atom_class, minlength=sizes.size) > 1
    divisible[atom_class[too_large]] = True
    for worst in np.argsort(-inside / sizes.clip(1), kind="stable"):
        if not (crowded[worst] and divisible[worst]):
            continue
        mine = classes[piece] == worst
        axes = sorted((rows[piece], cols[piece]), key=lambda axis: -np.ptp(axis[mine]))
        for axis in axes:
            line = np.median(axis[mine])
            centre = np.bincount(atom_of, axis) / atom_size
            left = np.where(too_large[atom_of], axis, centre[atom_of]) < line
            if 0 < left[mine].sum() < mine.sum():
                cut.update(int(k) for k in atom_class[too_large])
                return piece[left], piece[~left]
    return None


def _share_a_neighbourhood(rows: Indices, cols: Indices, to_rows: Indices, to_cols: Indices, size: int) -> Flags:
    """Whether a pixel's cell of ``size`` pixels or one of its eight neighbours holds any of the others."""
    width = int(max(cols.max(initial=0), to_cols.max())) // size + 4
    occupied = np.unique((to_rows // size) * width + to_cols // size + 1)
    around = np.unique((occupied[:, None] + np.array([d * width + r for d in (-1, 0, 1) for r in (-1, 0, 1)])).ravel())
    keys = (rows // size) * width + cols // size + 1
    return np.asarray(around[np.minimum(np.searchsorted(around, keys), around.size - 1)] == keys)


def _extremes(values: Indices, bins: Indices, count: int) -> tuple[Indices, Indices]:
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(low, bins, values)
    np.maximum.at(high, bins, values)
    return low, high


def _connect(links: Indices, count: int) -> Indices:
    """Component numbers (from 0) of ``count`` nodes joined by ``links`` of shape (2, n): labels flow to the least."""
    label = np.arange(count)
    while links.size:
        low = np.minimum(label[links[0]], label[links[1]])
        before = label.copy()
        for end in links:
            np.minimum.at(label, label[end], low)
            np.minimum.at(label, end, low)
        label = label[label]
        if (label == before).all():
            break
    return np.asarray(np.unique(label, return_inverse=True)[1])
