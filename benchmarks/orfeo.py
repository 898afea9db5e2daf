"""Orfeo ToolBox's random forest, through its command line (Debian: otb-bin)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from osgeo import ogr

from bdgf_core.errors import BdgfError, InputError
from bdgf_core.progress import Progress

from .shell import run_program

FOREST = ("-classifier", "rf", "-classifier.rf.nbtrees", 200, "-classifier.rf.max", 25)
_SECONDS = 3600


def require_orfeo() -> None:
    """Raises :class:`InputError` where the tools are missing."""
    if shutil.which("otbcli_TrainVectorClassifier") is None:
        raise InputError("Orfeo ToolBox is not installed; install otb-bin, or leave otb-forest out.")


def orfeo_forest(
    train: NDArray[np.float32],
    classes: NDArray[np.int32],
    test: NDArray[np.float32],
    *,
    seed: int,
    progress: Progress,
) -> NDArray[np.int64]:
    """The class of each row of ``test`` (m, features). Raises :class:`InputError` where the tools are missing."""
    require_orfeo()
    names = [f"f{i}" for i in range(train.shape[1])]
    with tempfile.TemporaryDirectory(prefix="bdgf-otb-") as folder:
        known, unknown, model, found = (Path(folder, name) for name in ("a.shp", "b.shp", "forest.model", "c.shp"))
        _write(known, names, train, classes)
        _write(unknown, names, test, np.zeros(len(test), np.int32))
        run_orfeo(
            "TrainVectorClassifier", "-io.vd", known, "-io.out", model, "-cfield", "class", "-feat", *names,
            "-rand", seed + 1, *FOREST, progress=progress,
        )  # fmt: skip
        run_orfeo(
            "VectorClassifier", "-in", unknown, "-model", model, "-cfield", "found", "-out", found, "-feat", *names,
            progress=progress,
        )  # fmt: skip
        dataset = ogr.Open(str(found))
        return np.array([feature.GetField("found") for feature in dataset.GetLayer(0)], np.int64)


def _write(path: Path, names: list[str], features: NDArray[np.float32], classes: NDArray[np.int32]) -> None:
    dataset = ogr.GetDriverByName("ESRI Shapefile").CreateDataSource(str(path))
    layer = dataset.CreateLayer(path.stem, None, ogr.wkbPoint)
    for name in names:
        layer.CreateField(ogr.FieldDefn(name, ogr.OFTReal))
    layer.CreateField(ogr.FieldDefn("class", ogr.OFTInteger))
    for row, value in zip(features, classes):
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(ogr.CreateGeometryFromWkt("POINT (0 0)"))
        for name, number in zip(names, row):
            feature.SetField(name, float(number))
        feature.SetField("class", int(value))
        layer.CreateFeature(feature)
    del layer, dataset


def run_orfeo(tool: str, *arguments: object, progress: Progress) -> None:
    """Raises :class:`BdgfError` with the tool's own words where it fails."""
    out = run_program(f"otbcli_{tool}", *arguments, progress=progress, told="Orfeo ToolBox", most_s=_SECONDS)
    if "(FATAL)" in out:  # some of its failures end with 0
        raise BdgfError(f"Orfeo ToolBox failed: {out[-400:]}")
