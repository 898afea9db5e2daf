"""A map by this and by Orfeo ToolBox, one after the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ledger_entries import make_entry

from benchmarks import orfeo
from benchmarks.__main__ import main
from benchmarks.page import table_as_markdown
from benchmarks.side_by_side import Side, as_table

SIDES = [
    Side("BDGF, quick", "quick", {"landcover": 60.0}, 110.0),
    Side("Orfeo ToolBox's forest", "otb-forest", {"train": 1.5, "classify": 2.5}, 6.0),
]


def test_accuracies_are_of_the_seeds_that_both_have() -> None:
    entries = [make_entry(configuration=n, seed=seed) for n, seed in (("quick", 0), ("quick", 1), ("otb-forest", 0))]
    table = table_as_markdown(as_table(SIDES, entries))
    ours, theirs = table.splitlines()[4:6]
    assert "seeds 0 of the ledger" in table
    assert f"{100 * entries[0].accuracy.overall:.2f}" in ours and ours.endswith(
        "| landcover 60.0 | 60.0 | 110.0 | 15 |"
    )
    assert theirs.endswith("| train 1.5, classify 2.5 | 4.0 | 6.0 | 1 |")


def test_without_measurements_there_are_times_only() -> None:
    table = table_as_markdown(as_table(SIDES, []))
    assert "| – | – | – |" in table and "not in the ledger" in table


def test_missing_tools_are_told(
    scene_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orfeo.shutil, "which", lambda name: None)
    assert main(["side-by-side", str(scene_file), "--cache", str(tmp_path)]) == 1
    assert "otb-bin" in capfd.readouterr().err


@pytest.mark.long
@pytest.mark.skipif(shutil.which("otbcli_TrainImagesClassifier") is None, reason="otb-bin is not installed")
def test_both_map_a_scene(scene_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["side-by-side", str(scene_file), "--cache", str(tmp_path)]) == 0
    assert "| BDGF, quick |" in (told := capfd.readouterr().out) and "train " in told and "classify " in told
