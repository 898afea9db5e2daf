"""Classifiers that a user would pick instead, on the same pixels and folds: scikit-learn's, and Orfeo ToolBox's."""

from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bdgf_core.errors import InputError
from bdgf_core.network.config import PATCH
from bdgf_core.network.indices import differences_of_pairs
from bdgf_core.progress import Progress
from bdgf_core.raster.labels import Labels
from bdgf_core.raster.stack import RasterStack
from bdgf_core.raster.window import tiles
from bdgf_core.samples.splits import Fold

from .open_scene import OpenScene
from .orfeo import orfeo_forest

Features = NDArray[np.float32]
_TREES = 500
_TILE = 256


def rival_predictions(
    opened: OpenScene, rival: str, folds: Sequence[Fold], seed: int, progress: Progress
) -> Iterator[NDArray[np.int64]]:
    """The classes of each fold's test pixels, by ``NAME:pixels``, ``NAME:statistics`` or ``NAME:indices``."""
    name, _, seen = rival.partition(":")
    features = pixel_features(opened.stack, opened.labels, statistics=seen == "statistics")
    if seen == "indices":
        features = with_indices(features, len(opened.stack.bands["spectral"]))
    classes = opened.labels.classes
    for done, fold in enumerate(folds):
        progress.update(done / len(folds))
        train, test = features[fold.train], features[fold.test]
        if name == "otb":
            yield orfeo_forest(train, classes[fold.train], test, seed=seed, progress=progress)
            continue
        model = _model(name, seed)
        model.fit(train, classes[fold.train])
        parts = np.array_split(test, -(-len(test) // 20_000))
        yield np.concatenate([model.predict(part) for part in parts]).astype(np.int64)


def pixel_features(stack: RasterStack, labels: Labels, *, statistics: bool) -> Features:
    """(n, bands) in the rasters' own units, with ``statistics`` and each band's mean and standard deviation over a
    patch (n, 3 · bands). What is missing counts as its band's mean over the labelled pixels, or their patches."""
    margin = PATCH // 2
    count = sum(len(bands) for bands in stack.bands.values())
    centre = np.full((len(labels), count), np.nan, np.float64)
    sums = np.zeros((3, len(labels), count))  # of what is there: how many, their sum, their squares' sum
    shift = None
    for window in tiles(stack.grid.height, stack.grid.width, _TILE):
        rows, cols = labels.rows - window.row, labels.cols - window.col
        here = np.flatnonzero((rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width))
        if not len(here):
            continue
        image = np.concatenate(list(stack.read(window.expand(margin)).arrays.values())).astype(np.float64)
        if shift is None:  # keeps the squares small
            shift = np.array([np.nanmean(band) if np.isfinite(band).any() else 0.0 for band in image])
        at = rows[here] + margin, cols[here] + margin
        for band, values in enumerate(image):
            values = values - shift[band]
            centre[here, band] = values[at]
            if statistics:
                there = np.isfinite(values)
                filled = np.where(there, values, 0.0)
                for number, x in enumerate((there.astype(np.float64), filled, filled**2)):
                    sums[number, here, band] = _box_sum(x)[rows[here], cols[here]]
    if shift is None:
        raise InputError("No pixel is labelled.")
    if not statistics:
        known = np.isfinite(centre).any(0)
        mean = np.where(known, np.nanmean(np.where(known, centre, 0.0), 0), 0.0)
        return (np.where(np.isfinite(centre), centre, mean) + shift).astype(np.float32)
    number, total, squares = sums
    mean = total.sum(0) / np.maximum(number.sum(0), 1)
    missing = PATCH**2 - number
    local = (total + missing * mean) / PATCH**2
    variance = (squares + missing * mean**2) / PATCH**2 - local**2
    filled = np.where(np.isfinite(centre), centre, mean)
    return np.concatenate([filled + shift, local + shift, np.sqrt(np.maximum(variance, 0.0))], 1).astype(np.float32)


def with_indices(features: Features, spectral: int) -> Features:
    """(n, bands) and (a − b) / (|a| + |b|) of every pair of the first ``spectral`` bands (n, bands + pairs)."""
    pairs = differences_of_pairs(torch.from_numpy(features[:, :spectral]).double())
    return np.concatenate([features, pairs.float().numpy()], 1)


def _box_sum(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over windows of PATCH × PATCH, for every full one."""
    for axis in (0, 1):
        total = np.cumsum(np.insert(x, 0, 0.0, axis), axis)
        upper = np.take(total, range(PATCH, total.shape[axis]), axis)
        x = upper - np.take(total, range(total.shape[axis] - PATCH), axis)
    return x


def _model(name: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    if name == "forest":
        return RandomForestClassifier(_TREES, n_jobs=-1, random_state=seed)
    if name == "svm":
        return make_pipeline(StandardScaler(), SVC(C=100.0))
    if name == "boosting":
        return HistGradientBoostingClassifier(random_state=seed)
    raise InputError(f"Rival {name!r} is not known.")
