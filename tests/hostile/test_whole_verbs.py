"""Strange rasters through all three verbs: a map exactly where there is data, or a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

import numpy as np
import pytest
from osgeo import gdal
from strange_rasters import CRSS, GEOTRANSFORMS, NORTH_UP, UTM, expected, write
from tally import Tally
from test_label_layers import write_layer

from bdgf_core.classify import ClassifyConfig, classify
from bdgf_core.pretrain import PretrainConfig, pretrain
from bdgf_core.progress import Progress
from bdgf_core.raster.labels import LabelSource
from bdgf_core.raster.stack import RasterSource
from bdgf_core.train import TrainConfig, train

HEIGHT, WIDTH = 20, 24
_ZONES = np.repeat(np.arange(3), 8)[None, :].repeat(HEIGHT, 0)  # three classes from left to right
NAMES = ("a\n\"<b>'", "مرحبا 😀", "c" * 300)


@dataclass(frozen=True)
class Strange:
    """A scene of ``bands`` of ``dtype``, changed by ``spoil``; ``well`` says that it must end in a map."""

    well: bool
    bands: int = 4
    dtype: str = "float32"
    spoil: Callable[[np.ndarray], Any] = lambda array: None
    place: Optional[Sequence[float]] = NORTH_UP
    crs: str = UTM
    nodata: Optional[float] = None
    size: tuple[int, int] = (HEIGHT, WIDTH)
    second: Optional[Callable[[np.ndarray], np.ndarray]] = None
    finish: Callable[[gdal.Dataset], Any] = lambda dataset: None
    names: Sequence[str] = field(default_factory=tuple)


def _holes(array: np.ndarray) -> None:
    array[:, 3:9, 2:20:3] = np.nan
    array[:3, 12:15] = np.nan


def _huge(array: np.ndarray) -> None:
    array[...] = array * 1e20
    array[0, 0, 0] = 1e300


def _fill(value: float) -> Callable[[np.ndarray], None]:
    def fill(array: np.ndarray) -> None:
        array[...] = value

    return fill


def _top(array: np.ndarray) -> None:
    array[:, :4] = 3


def _undeclared(array: np.ndarray) -> None:
    array[:, :5, :5] = 1e20


CASES: dict[str, Strange] = {
    "holes of NaN": Strange(True, spoil=_holes),
    "one band of bytes": Strange(True, 1, "uint8"),
    "500 bands": Strange(True, 500),
    "south-up": Strange(True, place=GEOTRANSFORMS["south-up"]),
    "turned": Strange(True, place=GEOTRANSFORMS["turned by 30°"]),
    "no place, no CRS": Strange(True, place=None, crs=""),
    "degrees": Strange(True, place=GEOTRANSFORMS["degrees"], crs=CRSS["degrees"]),
    "a huge offset": Strange(True, place=GEOTRANSFORMS["huge offset"]),
    "a plan of its own": Strange(True, crs=CRSS["local"]),
    "values beyond float32": Strange(True, dtype="float64", spoil=_huge),
    "an undeclared nodata value": Strange(True, spoil=_undeclared),
    "integers with nodata": Strange(True, dtype="int16", nodata=3, spoil=_top),
    "hostile band names": Strange(True, names=("<script>", "a\nb", "😀", "' OR 1=1")),
    "two rows": Strange(True, size=(2, WIDTH)),
    "a column": Strange(False, size=(HEIGHT, 1)),
    "one pixel": Strange(False, size=(1, 1)),
    "one value": Strange(False, spoil=_fill(7)),
    "nodata only": Strange(False, spoil=_fill(7), nodata=7),
    "NaN only": Strange(False, spoil=_fill(np.nan)),
    "complex": Strange(False, dtype="complex64"),
    "pixels too small": Strange(False, place=GEOTRANSFORMS["tiny pixels"]),
    "a second raster": Strange(True, second=lambda a: a[:2] + 50),
    "a second raster with gaps": Strange(True, second=lambda a: np.where(np.arange(WIDTH) % 5 == 0, np.nan, a[:1])),
    "an empty second raster": Strange(False, second=lambda a: np.full_like(a[:1], np.nan)),
}  # fmt: skip
EVERY_DAY = ("one pixel",)  # tests/test_verbs.py has more, of plainer scenes


@pytest.mark.parametrize("name", [n if n in EVERY_DAY else pytest.param(n, marks=pytest.mark.long) for n in CASES])
def test_a_map_where_there_is_data(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bdgf_core.pretrain._RECALIBRATION_BATCHES", 2)
    tally, case = Tally("whole verbs", patience_s=90.0), CASES[name]
    with tally.case(name):
        run_all(tmp_path, case)
        assert case.well, "it ended well"
    tally.check()
    if case.well:
        assert (tmp_path / "map.tif").exists(), "it was refused"
    else:
        assert not [
            path for path in tmp_path.iterdir() if path.suffix in (".html", ".part") or path.name.startswith(".")
        ]
        assert not (tmp_path / "map.tif").exists()


def run_all(folder: Path, case: Strange) -> None:
    rng = np.random.default_rng(0)
    height, width = case.size
    zones = _ZONES[:height, :width]
    array = (60 + 40 * zones + rng.normal(0, 5, (case.bands, height, width))).astype(case.dtype)
    case.spoil(array)
    spectral = write(folder / "a.tif", array, case.place, case.crs, case.nodata, case.names, case.finish)
    values = {"spectral": expected(array, case.nodata)}
    second = None
    if case.second is not None:
        values["second"] = case.second(array).astype(np.float32)
        second = RasterSource(write(folder / "b.tif", values["second"], case.place, case.crs))
    place = case.place or (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    points = []
    for row, col in np.ndindex(height, width):
        x, y = gdal.ApplyGeoTransform(tuple(place), col + 0.5, row + 0.5)
        points.append((f"POINT ({x!r} {y!r})", NAMES[zones[row, col]]))
    labels = LabelSource(write_layer(folder / "labels.gpkg", points, crs=case.crs), "class")
    model, classifier, output = folder / "p.bdgf", folder / "c.bdgf", folder / "map.tif"
    source, common = RasterSource(spectral), dict(second=second, device="cpu", memory_mb=1024)
    pretrain(PretrainConfig(source, str(model), second_kind="other", steps=2, **common), Progress())
    report = str(folder / "report.html")
    train(
        TrainConfig(str(model), source, labels, str(classifier), epochs=1, validation="none", report=report, **common),
        Progress(),
    )
    result = classify(ClassifyConfig(str(classifier), source, str(output), tile=16, **common), Progress())
    mapped = gdal.Open(str(output)).ReadAsArray()
    there = np.all([(np.abs(a) < 1e30).mean(0) >= 0.5 for a in values.values()], 0)
    assert np.array_equal(mapped != 255, there), "mapped elsewhere than where there is data"
    assert set(np.unique(mapped[there])) <= {1, 2, 3} and result["pixels"] == there.sum()
    assert gdal.Open(str(output)).GetGeoTransform() == (
        tuple(case.place) if case.place else (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    )
