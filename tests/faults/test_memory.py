"""What a process takes stays within the limit that it was given, whatever the size of the rasters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from tiny_scene import TinyScene

ROOT = Path(__file__).parents[2]
TILE, BANDS = 96, 24


def large(path: Path, bands: int, side: int) -> str:
    """A raster of ``side`` pixels with data in the upper left corner and in the lower right one, elsewhere none."""
    options = ["TILED=YES", "SPARSE_OK=TRUE", "COMPRESS=LZW"]
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), side, side, bands, gdal.GDT_Float32, options)
    dataset.SetGeoTransform((500000.0, 10.0, 0.0, 5800000.0, 0.0, -10.0))
    rng = np.random.default_rng(0)
    for number in range(1, bands + 1):
        dataset.GetRasterBand(number).SetNoDataValue(-9999.0)
        for corner in (0, side - TILE):
            dataset.GetRasterBand(number).WriteArray(rng.normal(0, 1, (TILE, TILE)).astype(np.float32), corner, corner)
    return str(path)


def peak(verb: str, **job: object) -> int:
    """In MB, of the engine's process."""
    file = Path(str(job["output"])).with_suffix(".json")
    file.write_text(json.dumps({**job, "device": "cpu", "resume": False}))
    command = [sys.executable, "-m", "bdgf_core", verb, "--job", str(file)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    last = json.loads(done.stdout.splitlines()[-1])
    return int(last["peak_memory_mb"])


@pytest.mark.long
@pytest.mark.parametrize("side", [400, 10_000])
def test_a_chain_keeps_to_its_limit(tmp_path, side):
    labels = TinyScene(tmp_path).write_labels("labels.gpkg", range(3), size=12)
    spectral = {"path": large(tmp_path / "a.tif", BANDS, side)}
    rasters = dict(spectral=spectral, second={"path": large(tmp_path / "b.tif", 2, side)}, memory_mb=1024)
    model, classifier = str(tmp_path / "p.bdgf"), str(tmp_path / "c.bdgf")
    drawn = {"path": str(labels.path), "field": "class"}
    found = {
        "pretrain": peak("pretrain", **rasters, second_kind="other", steps=8, output=model),
        "train": peak("train", **rasters, pretrained=model, labels=drawn, epochs=1, output=classifier),
        "classify": peak(
            "classify", **rasters, classifier=classifier, output=str(tmp_path / "map.tif"),
            probabilities=str(tmp_path / "probabilities.tif"),
        ),
    }  # fmt: skip
    print(f"{side} pixels a side, peaks in MB: {found}")
    assert max(found.values()) <= 1024
