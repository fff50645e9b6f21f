"""Folders and files that appear whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from features.storage.atomic import atomic_file, atomic_folder, clear_temporary, write_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_folder_appears_when_it_is_whole(tmp_path: Path):
    with atomic_folder(tmp_path / "final") as aside:
        (aside / "a").write_text("1")
        assert not (tmp_path / "final").exists()
    assert names(tmp_path) == ["a", "final"]


def test_it_takes_the_place_of_the_old_one(tmp_path: Path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "final") as aside:
            (aside / name).write_text(name)
    assert names(tmp_path) == ["final", "new"]


def fill_the_disk(final: Path) -> None:
    with atomic_folder(final) as aside:
        (aside / "new").write_text("new")
        raise OSError("the disk is full")


def test_an_error_leaves_the_old_one_as_it_was(tmp_path: Path):
    with atomic_folder(tmp_path / "final") as aside:
        (aside / "old").write_text("old")
    with pytest.raises(OSError, match="full"):
        fill_the_disk(tmp_path / "final")
    assert names(tmp_path / "final") == ["old"]


def test_what_a_killed_run_left_aside_does_not_come_back(tmp_path: Path):
    die = """
import os, pathlib, signal, sys
from features.storage.atomic import atomic_folder
with atomic_folder(pathlib.Path(sys.argv[1])) as aside:
    (aside / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", die, str(tmp_path / "final")], check=False).returncode == -9
    assert not (tmp_path / "final").exists()
    with atomic_folder(tmp_path / "final") as aside:
        (aside / "whole").write_text("whole")
    assert names(tmp_path) == ["final", "whole"]


# --- Files ---------------------------------------------------------------------------------------------------------


def test_a_file_appears_when_it_is_whole(tmp_path: Path):
    with atomic_file(tmp_path / "final") as aside:
        aside.write_text("1")
        assert not (tmp_path / "final").exists()
    assert names(tmp_path) == ["final"]


def test_a_file_takes_the_place_of_the_old_one_at_once(tmp_path: Path):
    write_atomic(tmp_path / "final", b"old")
    with atomic_file(tmp_path / "final") as aside:
        aside.write_text("new")
        assert (tmp_path / "final").read_text() == "old"
    assert (tmp_path / "final").read_text() == "new"


def break_off(final: Path) -> None:
    with atomic_file(final) as aside:
        aside.write_text("half")
        raise OSError("the disk is full")


def test_an_error_leaves_the_old_file_and_the_next_one_starts_afresh(tmp_path: Path):
    write_atomic(tmp_path / "final", b"old")
    with pytest.raises(OSError, match="full"):
        break_off(tmp_path / "final")
    assert (tmp_path / "final").read_text() == "old"
    with atomic_file(tmp_path / "final") as aside:
        assert not aside.exists()
        aside.write_text("new")
    assert names(tmp_path) == ["final"]


def test_what_was_left_aside_under_names_that_do_not_come_again_can_be_cleared(tmp_path: Path):
    write_atomic(tmp_path / "kept", b"")
    with pytest.raises(OSError, match="full"):
        break_off(tmp_path / "file")
    with pytest.raises(OSError, match="full"):
        fill_the_disk(tmp_path / "folder")
    assert len(names(tmp_path)) == 4
    clear_temporary(tmp_path)
    assert names(tmp_path) == ["kept"]


def test_there_is_nothing_to_clear_where_there_is_no_folder(tmp_path: Path):
    clear_temporary(tmp_path / "none")
    assert names(tmp_path) == []
