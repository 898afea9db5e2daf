"""Figures over runs are those of the paper's Table 7."""

from __future__ import annotations

import numpy as np
import pytest
from ledger_entries import make_entry

from benchmarks.summary import Summary, paired, t_quantile


def runs(mean: float, std: float, count: int = 10) -> list[float]:
    """Values with exactly this mean and standard deviation."""
    values = np.random.default_rng(0).normal(size=count)
    return list(mean + std * (values - values.mean()) / values.std(ddof=1))


@pytest.mark.parametrize(  # mean, std, CV (%), CI (%), NSI as printed
    "printed", [(95.35, 0.61, 0.64, 0.44, 0.0064), (79.55, 1.36, 1.71, 0.97, 0.0171), (93.57, 0.54, 0.58, 0.39, 0.0058)]
)
def test_the_papers_own_figures_come_out(printed: tuple[float, ...]) -> None:
    mean, std, cv, interval, nsi = printed
    found = Summary.of([value / 100 for value in runs(mean, std)])
    assert found.count == 10 and found.mean == pytest.approx(mean / 100) and found.std == pytest.approx(std / 100)
    assert found.cv is not None and 100 * found.cv == pytest.approx(cv, abs=0.006)
    assert found.interval is not None and 100 * found.interval == pytest.approx(interval, abs=0.006)
    assert found.nsi == pytest.approx(nsi, abs=6e-5)


def test_the_quantile_of_ten_runs() -> None:
    assert t_quantile(9) == pytest.approx(2.262, abs=5e-4)


def test_one_run_tells_no_spread() -> None:
    assert Summary.of([0.5]) == Summary(1, 0.5, None, None)
    with pytest.raises(ValueError):
        Summary.of([])


def test_only_the_same_pixels_are_compared() -> None:
    better = [[[9, 1], [1, 9]], [[8, 2], [0, 10]]]
    found = paired([make_entry(folds=better), make_entry(folds=better, seed=7)], [make_entry()])
    assert found is not None and found.count == 2 and found.mean == pytest.approx(0.05)
    other_pixels = [[[5, 1], [1, 9]], [[5, 2], [0, 10]]]
    assert paired([make_entry(folds=other_pixels)], [make_entry()]) is None
    assert paired([make_entry(seed=3)], [make_entry()]) is None
