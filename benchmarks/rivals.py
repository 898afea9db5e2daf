"""What a random forest makes of the same rasters, labels and folds as ``train``'s polygon validation.

    PYTHONPATH=. python benchmarks/rivals.py SPECTRAL SECOND LABELS CLASS_FIELD [--preset quick] [--seed 0]

Prints overall and average accuracy and kappa over all folds, for a forest on pixels and one on each band's mean and
standard deviation over a 9×9 window besides.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from bdgf_core.accuracy import Accuracy, confusion_matrix
from bdgf_core.network.group import PATCH
from bdgf_core.raster.labels import LabelSource, rasterize_labels
from bdgf_core.raster.stack import RasterSource, RasterStack
from bdgf_core.raster.window import Window
from bdgf_core.samples.splits import polygon_folds
from bdgf_core.train import PRESETS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("spectral", "second", "labels", "class_field"):
        parser.add_argument(name)
    parser.add_argument("--preset", choices=PRESETS, default="quick", help="its number of folds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trees", type=int, default=500)
    arguments = parser.parse_args()
    sources = {"spectral": RasterSource(arguments.spectral), "second": RasterSource(arguments.second)}
    with RasterStack.open(sources) as stack:
        labels = rasterize_labels(LabelSource(arguments.labels, arguments.class_field), stack.grid)
        margin = PATCH // 2
        patches, enough = [], []
        for row, col in zip(labels.rows, labels.cols):
            arrays = stack.read(Window(int(row) - margin, int(col) - margin, PATCH, PATCH)).arrays.values()
            enough.append(all(np.isfinite(array[:, margin, margin]).mean() >= 0.5 for array in arrays))
            patches.append(np.concatenate(list(arrays)))
    labels = labels.subset(np.array(enough))  # as in training
    images = np.stack(patches)[enough]
    filled = np.where(np.isfinite(images), images, np.nanmean(images, (0, 2, 3))[:, None, None])
    filled = np.nan_to_num(filled)
    pixels = filled[:, :, margin, margin]
    statistics = np.concatenate([pixels, filled.mean((2, 3)), filled.std((2, 3))], 1)
    folds = polygon_folds(
        labels.rows, labels.cols, labels.classes, labels.groups, gap=PATCH, folds=PRESETS[arguments.preset].folds,
        rng=np.random.default_rng(arguments.seed),
    ).folds  # fmt: skip
    for name, features in (("forest on pixels", pixels), ("forest on 9×9 statistics", statistics)):
        matrix = np.zeros((len(labels.legend),) * 2, np.int64)
        by_fold = []
        for fold in folds:
            forest = RandomForestClassifier(arguments.trees, n_jobs=-1, random_state=arguments.seed)
            forest.fit(features[fold.train], labels.classes[fold.train])
            found = confusion_matrix(labels.classes[fold.test], forest.predict(features[fold.test]), len(matrix))
            by_fold.append(f"{Accuracy.of(found).overall:.3f}")
            matrix += found
        accuracy = Accuracy.of(matrix)
        print(
            f"{name}: OA {accuracy.overall:.3f}, AA {accuracy.average:.3f}, kappa {accuracy.kappa:.3f}"
            f" (OA by fold: {', '.join(by_fold)})"
        )


if __name__ == "__main__":
    main()
