"""The ledger keeps what was measured, whatever happens while it is written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ledger_entries import make_entry

from bdgf_core.errors import InputError
from benchmarks.ledger import Ledger, current_commit, machine


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new" / "ledger.jsonl")
    assert ledger.entries() == [] and ledger.keys() == set()
    entries = [make_entry(seed=seed) for seed in range(3)]
    for entry in entries:
        ledger.append(entry)
    assert ledger.entries() == entries
    assert ledger.keys() == {entry.key for entry in entries} and len(ledger.keys()) == 3


def test_a_measurement_made_again_replaces_the_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    first, other, again = make_entry(commit="a"), make_entry(seed=1), make_entry(commit="b", seconds=9.0)
    for entry in (first, other, again):
        ledger.append(entry)
    assert ledger.entries() == [other, again]
    assert len(ledger.path.read_text().splitlines()) == 3


@pytest.mark.parametrize("what", ["scene", "scene_identity", "protocol", "settings", "seed"])
def test_the_key_tells_measurements_apart(what: str) -> None:
    changed = {"settings": {"a": 1}, "seed": 5}.get(what, "other")
    assert make_entry(**{what: changed}).key != make_entry().key


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_line_that_was_cut_off_does_no_harm(tmp_path: Path, cut: int) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(make_entry())
    ledger.append(make_entry(seed=1))
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    left = [make_entry()] if cut > 1 else [make_entry(), make_entry(seed=1)]
    assert ledger.entries() == left
    ledger.append(make_entry(seed=2))
    assert ledger.entries() == [*left, make_entry(seed=2)]


def test_lines_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"scene": "x"}\n')
    with pytest.raises(InputError, match="Line 1 .* no measurement"):
        Ledger(path).entries()


def test_several_may_append_at_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    workers = [threading.Thread(target=lambda s=s: ledger.append(make_entry(seed=s))) for s in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(entry.seed for entry in ledger.entries()) == list(range(20))


def test_folds_are_pooled() -> None:
    assert make_entry().accuracy.confusion == ((15, 5), (1, 19))
    assert [round(a.overall, 3) for a in make_entry().accuracies] == [0.85, 0.85]


def test_commit_and_machine_are_told_in_neutral_words() -> None:
    assert current_commit().strip("+") and "/" not in current_commit()
    assert "cores" in machine(None) and "torch" in machine(None)
