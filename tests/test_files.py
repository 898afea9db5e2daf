"""Outputs appear whole, and belong to one job at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bdgf_core import files
from bdgf_core.errors import InputError
from bdgf_core.files import claim, hidden_folder, write_whole


def test_a_claim_keeps_others_out_and_ends(tmp_path):
    path, other = tmp_path / "map.tif", tmp_path / "other.tif"
    with claim(path, None, other):
        for taken in (path, other):
            with pytest.raises(InputError, match="Another job is writing"), claim(tmp_path / "free.tif", taken):
                pass
        with claim(tmp_path / "third.tif"):
            pass
    with claim(other, path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_claim_removes_what_a_dead_job_left_but_not_its_states(tmp_path):
    path = tmp_path / "map.tif"
    folder = hidden_folder(path)
    folder.mkdir()
    for name in (".0a1b.tif", ".0a1b.tif.aux.xml", ".77.part", "lock", "tile-3.bdgf"):
        (folder / name).write_bytes(b"left")
    (folder / "deeper").mkdir()
    with claim(path):
        assert {left.name for left in folder.iterdir()} == {"lock", "tile-3.bdgf"}
        write_whole(path, b"whole")
    assert {left.name for left in folder.iterdir()} == {"tile-3.bdgf"}
    assert path.read_bytes() == b"whole"


def test_a_claim_survives_that_its_last_holder_leaves_meanwhile(tmp_path, monkeypatch):
    """The lock file that was opened is removed before it is locked."""
    import bdgf_core.files as files

    path, lock, calls = tmp_path / "map.tif", files._lock, []

    def late(file):
        if not calls:
            os.remove(hidden_folder(path) / "lock")
            os.rmdir(hidden_folder(path))
        calls.append(file)
        return lock(file)

    monkeypatch.setattr(files, "_lock", late)
    with claim(path), pytest.raises(InputError, match="Another job"), claim(path):
        pass
    assert len(calls) == 3 and not list(tmp_path.iterdir())


def test_the_longest_name_can_be_claimed(tmp_path):
    path = tmp_path / ("ä" * 125 + ".tif")
    with claim(path):
        write_whole(path, b"data")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_file_system_without_locks_lets_all_in(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(38, "not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claim(tmp_path / "map.tif"), claim(tmp_path / "map.tif"):
        Path(tmp_path / "map.tif").touch()


def test_what_a_job_lends_its_steps_may_claim(tmp_path):
    path = tmp_path / "map.tif"
    with claim(path, lend=True):
        with claim(path):
            write_whole(path, b"1")
        with pytest.raises(InputError, match="Another job"):
            files._claim_one(path).__enter__()  # as another process would
    assert [file.name for file in tmp_path.iterdir()] == ["map.tif"]
    with claim(path), pytest.raises(InputError, match="Another job"), claim(path):
        pass


def test_a_file_that_another_program_holds_is_told_at_once(tmp_path, monkeypatch):
    """As on Windows, where such a file cannot be renamed."""
    held, free = tmp_path / "held.tif", tmp_path / "free.tif"
    for path in (held, free):
        path.write_bytes(b"x")

    def rename(old, new):
        if Path(old) == held:
            raise PermissionError(13, "in use")

    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(os, "rename", rename)
    assert files.check_writable(free) == free and files.check_writable(tmp_path / "new.tif")
    with pytest.raises(InputError, match="in use by another program"):
        files.check_writable(held)
