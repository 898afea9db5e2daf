"""What a process takes stays within the limit that it was given, whatever the size of the rasters."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Iterable

import numpy as np
import pytest
from osgeo import gdal
from tiny_scene import TinyScene

ROOT = Path(__file__).parents[2]
BLOCK, BANDS = 400, 24
_BAND = '<VRTRasterBand dataType="Byte" band="{band}"><NoDataValue>0</NoDataValue>{sources}</VRTRasterBand>'
_SOURCE = (
    "<SimpleSource><SourceFilename>{path}</SourceFilename><SourceBand>{band}</SourceBand>"
    '<SrcRect xOff="0" yOff="0" xSize="{size}" ySize="{size}"/>'
    '<DstRect xOff="{col}" yOff="{row}" xSize="{size}" ySize="{size}"/></SimpleSource>'
)


def block(path: Path, bands: int) -> Path:
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), BLOCK, BLOCK, bands, gdal.GDT_Byte)
    dataset.WriteArray(np.random.default_rng(0).integers(1, 255, (bands, BLOCK, BLOCK), np.uint8))
    return path


def mosaic(path: Path, block: Path, bands: int, side: int, places: Iterable[tuple[int, int]], size: int) -> str:
    """A raster of ``side`` pixels with ``size`` pixels of the block at each of ``places``, elsewhere nothing."""
    places = list(places)
    parts = [
        _BAND.format(
            band=band,
            sources="".join(_SOURCE.format(path=block, band=band, row=row, col=col, size=size) for row, col in places),
        )
        for band in range(1, bands + 1)
    ]
    place = "<GeoTransform>500000,10,0,5800000,0,-10</GeoTransform>"
    path.write_text(f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}">{place}{"".join(parts)}</VRTDataset>')
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
    whole, corners = dict(memory_mb=1024), dict(memory_mb=1024)
    everywhere = list(product(range(0, side, BLOCK), repeat=2))
    for role, bands in (("spectral", BANDS), ("second", 2)):
        source = block(tmp_path / f"{role}.tif", bands)
        whole[role] = {"path": mosaic(tmp_path / f"{role}.vrt", source, bands, side, everywhere, BLOCK)}
        few = [(0, 0), (side - 128, side - 128)]
        corners[role] = {"path": mosaic(tmp_path / f"{role}_corners.vrt", source, bands, side, few, 128)}
    model, classifier = str(tmp_path / "p.bdgf"), str(tmp_path / "c.bdgf")
    drawn = {"path": str(labels.path), "field": "class"}
    found = {
        "pretrain": peak("pretrain", **whole, second_kind="other", steps=8, output=model),
        "train": peak("train", **whole, pretrained=model, labels=drawn, epochs=1, output=classifier),
        "classify": peak(
            "classify", **corners, classifier=classifier, output=str(tmp_path / "map.tif"),
            probabilities=str(tmp_path / "probabilities.tif"),
        ),
    }  # fmt: skip
    print(f"{side} pixels a side, peaks in MB: {found}")
    assert max(found.values()) <= 1024
