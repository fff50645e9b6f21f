"""Folders and files that appear whole or not at all."""

import os
import signal
from pathlib import Path

import pytest

from features.storage.atomic import atomic_file, atomic_folder, write_atomic
from features.storage.drafts import clear_abandoned
from tests.races import in_turns, race


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


def test_an_error_leaves_the_old_one_as_it_was_and_nothing_beside_it(tmp_path: Path):
    with atomic_folder(tmp_path / "final") as aside:
        (aside / "old").write_text("old")
    with pytest.raises(OSError, match="full"):
        fill_the_disk(tmp_path / "final")
    assert names(tmp_path) == ["final", "old"]


def die_in_the_middle_of_a_folder(final: Path) -> None:
    with atomic_folder(final) as aside:
        (aside / "half").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_run_left_aside_does_not_come_back(tmp_path: Path):
    assert race(lambda: die_in_the_middle_of_a_folder(tmp_path / "final")) == [-signal.SIGKILL]
    assert not (tmp_path / "final").exists()
    with atomic_folder(tmp_path / "final") as aside:
        (aside / "whole").write_text("whole")
    assert names(tmp_path) == ["final", "whole"]


def write_folder(final: Path, content: str) -> None:
    with atomic_folder(final) as aside:
        for name in "abc":
            (aside / name).write_text(content)


def test_two_folders_at_once_leave_the_whole_of_one(tmp_path: Path):
    final = tmp_path / "final"
    for turn in in_turns([lambda: write_folder(final, "1"), lambda: write_folder(final, "2")], 20):
        assert race(*turn) == [0, 0]
        assert len({(final / name).read_text() for name in "abc"}) == 1
        assert names(tmp_path) == ["a", "b", "c", "final"]


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


def test_a_name_as_long_as_a_file_system_takes_it(tmp_path: Path):
    write_atomic(tmp_path / ("é" * 127), b"whole")
    assert names(tmp_path) == ["é" * 127]


def break_off(final: Path) -> None:
    with atomic_file(final) as aside:
        aside.write_text("half")
        raise OSError("the disk is full")


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path):
    write_atomic(tmp_path / "final", b"old")
    with pytest.raises(OSError, match="full"):
        break_off(tmp_path / "final")
    assert (tmp_path / "final").read_text() == "old"
    assert names(tmp_path) == ["final"]


def test_two_files_at_once_leave_one(tmp_path: Path):
    one, other = b"1" * 100_000, b"2" * 100_000
    for turn in in_turns([lambda: write_atomic(tmp_path / "f", one), lambda: write_atomic(tmp_path / "f", other)], 20):
        assert race(*turn) == [0, 0]
        assert (tmp_path / "f").read_bytes() in {one, other}
        assert names(tmp_path) == ["f"]


def die_in_the_middle_of_a_file(final: Path) -> None:
    with atomic_file(final) as aside:
        aside.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_killed_runs_left_under_names_that_do_not_come_again_can_be_cleared(tmp_path: Path):
    write_atomic(tmp_path / "kept", b"")
    writers = [
        lambda: die_in_the_middle_of_a_file(tmp_path / "a"),
        lambda: die_in_the_middle_of_a_folder(tmp_path / "b"),
    ]
    assert race(*writers) == [-signal.SIGKILL, -signal.SIGKILL]
    assert len(names(tmp_path)) == 4
    clear_abandoned(tmp_path)
    assert names(tmp_path) == ["kept"]


def test_a_draft_that_is_being_written_is_left_alone(tmp_path: Path):
    with atomic_file(tmp_path / "final") as aside:
        aside.write_text("whole")
        assert race(lambda: write_atomic(tmp_path / "final", b"of another run")) == [0]
        clear_abandoned(tmp_path)
    assert (tmp_path / "final").read_text() == "whole"


def test_there_is_nothing_to_clear_where_there_is_no_folder(tmp_path: Path):
    clear_abandoned(tmp_path / "none")
    assert names(tmp_path) == []
