"""Orfeo ToolBox's random forest, through its command line (Debian: otb-bin)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from osgeo import ogr

from bdgf_core.errors import InputError

FOREST = ("-classifier", "rf", "-classifier.rf.nbtrees", 200, "-classifier.rf.max", 25)
_SECONDS = 3600


def require_orfeo() -> None:
    """Raises :class:`InputError` where the tools are missing."""
    if shutil.which("otbcli_TrainVectorClassifier") is None:
        raise InputError("Orfeo ToolBox is not installed; install otb-bin, or leave otb-forest out.")


def orfeo_forest(
    train: NDArray[np.float32], classes: NDArray[np.int32], test: NDArray[np.float32], *, seed: int
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
            "-rand", seed + 1, *FOREST,
        )  # fmt: skip
        run_orfeo(
            "VectorClassifier", "-in", unknown, "-model", model, "-cfield", "found", "-out", found, "-feat", *names,
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


def run_orfeo(tool: str, *arguments: object) -> None:
    """Raises :class:`InputError` with the tool's own words where it fails."""
    command = [f"otbcli_{tool}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode != 0 or "(FATAL)" in done.stdout:
        raise InputError(f"Orfeo ToolBox failed: {(done.stdout + done.stderr)[-400:]}")
