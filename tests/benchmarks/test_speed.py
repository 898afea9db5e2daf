"""The benchmark of speed gives sound ratios on a tiny tile."""

from __future__ import annotations

import json

import pytest

from bdgf_core.device import choose_device
from benchmarks.__main__ import main
from benchmarks.rates import Rates

CPU = choose_device("cpu")


def test_the_page_and_the_figures_of_a_tiny_tile(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.speed._SCANS", ((4, 3, 32),))
    page = tmp_path / "speed.md"
    assert (
        main(["speed", "--device", "cpu", "--tile", "8", "--sampled", "20", "--repeats", "1", "--output", str(page)])
        == 0
    )
    found = json.loads(page.with_suffix(".json").read_text())
    assert page.read_text() in capsys.readouterr().out
    assert {row["stage"] for row in found["stages"]} >= {"pretraining step, float32", "fit step", "map of a tile"}
    assert all(row["share_of_floor"] > 0 and row["gmac"] > 0 for row in found["stages"])
    assert found["scan"][0]["forward"] > 0 and found["growth"][0]["time"] == 1
    assert found["dense"]["same_class"] == 1 and found["dense"]["largest_difference"] < 1e-3


@pytest.mark.parametrize(
    "wrong", [["--tile", "0"], ["--sampled", "0"], ["--device", "abacus"], ["--classifier", "none"]]
)
def test_what_cannot_be_measured_is_told(wrong, capsys):
    assert main(["speed", *wrong]) == 1


def test_rates_are_those_of_a_machine():
    rates = Rates.of(CPU, repeats=1)
    assert 1e8 < min(rates.convolution, rates.product, rates.moved) < 1e15
