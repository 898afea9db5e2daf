"""A job becomes a config, or one sentence says which key is wrong."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest

from bdgf_core.errors import InputError
from bdgf_core.job import parse_job, read_job
from bdgf_core.options import band_numbers, parse_options


@dataclass(frozen=True)
class Source:
    path: Union[str, Path]
    bands: tuple[int, ...] | None = None


@dataclass(frozen=True)
class LabelSource:
    path: str | Path
    field: str
    layer: Optional[str] = None
    classes: Optional[tuple[tuple[str, str, str], ...]] = None


@dataclass(frozen=True)
class SampleConfig:
    spectral: Source
    second: Optional[Source]
    labels: LabelSource
    output: Path
    preset: Literal["quick", "standard"] = "quick"
    seed: int = 0
    min_data: float = 0.5
    literal: bool = False
    second_kind: str | None = None


JOB: dict[str, Any] = {
    "spectral": {"path": "a b.tif", "bands": [1, 3]},
    "second": None,
    "labels": {"path": "p.gpkg", "field": "class", "classes": [{"name": "Wood", "color": "#00ff00", "label": "w"}]},
    "output": "m.bdgf",
    "seed": None,
    "min_data": 1,
}


def test_a_job_becomes_a_config() -> None:
    labels = LabelSource("p.gpkg", "class", classes=(("w", "Wood", "#00ff00"),))
    expected = SampleConfig(Source("a b.tif", (1, 3)), None, labels, Path("m.bdgf"), min_data=1.0)
    assert read_job(SampleConfig, JOB) == expected


@pytest.mark.parametrize(
    "change, words",
    [
        ({"sead": 1}, "'sead'"),
        ({"spectral": None}, "lacks 'spectral'"),
        ({"spectral": "a.tif"}, "'spectral' must be an object with path, bands"),
        ({"spectral": {"bands": [1]}}, "lacks 'spectral.path'"),
        ({"spectral": {"path": "a", "band": 1}}, "'spectral.band'"),
        ({"spectral": {"path": "a", "bands": [1, "2"]}}, r"'spectral.bands\[1\]' must be a whole number, not '2'"),
        ({"spectral": {"path": 7}}, "'spectral.path' must be text"),
        ({"spectral": {"path": "a", "bands": 3}}, "'spectral.bands' must be a list"),
        ({"labels": {"path": "p", "field": "f", "classes": [["a", "b"]]}}, "must hold 3 items"),
        ({"seed": 1.5}, "'seed' must be a whole number"),
        ({"seed": True}, "'seed' must be a whole number"),
        ({"min_data": "half"}, "'min_data' must be a number"),
        ({"literal": 1}, "'literal' must be true or false"),
        ({"preset": "fast"}, "'preset' must be one of quick, standard, not 'fast'"),
    ],
)
def test_wrong_keys_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_job(SampleConfig, {**JOB, **change})


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"a": NaN}', b"\xff\xfe", "[" * 100_000])
def test_what_is_no_job_is_refused(text: str | bytes) -> None:
    with pytest.raises(InputError):
        parse_job(text)


def test_the_sources_of_rasters_and_labels_can_be_read() -> None:
    pytest.importorskip("osgeo")
    from bdgf_core.raster.labels import LabelSource as Labels
    from bdgf_core.raster.stack import RasterSource

    assert read_job(RasterSource, {"path": "a.tif", "bands": [2, 1]}) == RasterSource("a.tif", (2, 1))
    assert read_job(Labels, JOB["labels"]) == Labels("p.gpkg", "class", classes=(("w", "Wood", "#00ff00"),))


def test_options_of_the_shell_make_the_same_job() -> None:
    words = "--spectral a.tif --spectral-bands 1,3-5 --labels p.gpkg --class-field class --output m.bdgf --literal"
    job = parse_options("train", SampleConfig, "", words.split())
    assert read_job(SampleConfig, job) == SampleConfig(
        Source("a.tif", (1, 3, 4, 5)), None, LabelSource("p.gpkg", "class"), Path("m.bdgf"), literal=True
    )
    job = parse_options("train", SampleConfig, "", [*words.split(), "--second", "b.tif", "--min-data", "0.25"])
    assert job["second"] == {"path": "b.tif"} and job["min_data"] == 0.25


@pytest.mark.parametrize("words", ["--spectral a", "--spectral a --seed x", "--preset fast", "--colour red"])
def test_wrong_options_end_with_a_usage_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options("train", SampleConfig, "", words.split())
    assert "usage" in capsys.readouterr().err


def test_band_numbers() -> None:
    assert band_numbers("1, 2,5-7") == [1, 2, 5, 6, 7]
    for text in ("", "1,,2", "a", "1-", "-3", "1-2-3", "1-999999"):
        with pytest.raises(argparse.ArgumentTypeError):
            band_numbers(text)
