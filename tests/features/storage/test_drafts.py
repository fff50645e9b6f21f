"""Whose a draft is, and when nobody will finish it."""

import os
import signal
import time
from pathlib import Path

import pytest

from features.storage.drafts import clear_abandoned, draft_of, is_abandoned, temporary_folder
from tests.races import race

DAY = 24 * 3600
NOBODY = 2**22 + 1  # more than a process number can be


def of_another_machine(path: Path, age_seconds: float) -> Path:
    found = path.with_name(f".{path.name}.00000000-{NOBODY}-12345678.tmp")
    found.mkdir()
    (found / "half").touch()
    at = time.time() - age_seconds
    for place in (found / "half", found):
        os.utime(place, (at, at))
    return found


def test_no_two_drafts_have_the_same_name(tmp_path: Path):
    assert len({draft_of(tmp_path / "list") for _ in range(100)}) == 100
    assert draft_of(tmp_path / "list").parent == tmp_path


def test_a_draft_of_this_process_is_not_abandoned(tmp_path: Path):
    draft = draft_of(tmp_path / "list")
    draft.touch()
    assert not is_abandoned(draft)


def test_a_draft_of_a_process_that_is_gone_is_abandoned_at_once(tmp_path: Path):
    assert race(draft_of(tmp_path / "list").touch) == [0]
    assert race(lambda: draft_of(tmp_path / "list").touch()) == [0]
    mine, of_a_child = sorted(tmp_path.iterdir(), key=is_abandoned)
    assert (is_abandoned(mine), is_abandoned(of_a_child)) == (False, True)


@pytest.mark.parametrize(("age_seconds", "is_gone"), [(DAY - 60, False), (DAY + 60, True)])
def test_a_draft_of_another_machine_is_abandoned_after_a_day(tmp_path: Path, age_seconds: float, is_gone: bool):
    assert is_abandoned(of_another_machine(tmp_path / "list", age_seconds)) is is_gone


def test_a_folder_that_is_still_written_into_is_not_old(tmp_path: Path):
    draft = of_another_machine(tmp_path / "list", 3 * DAY)
    (draft / "half").write_text("more")
    assert not is_abandoned(draft)


@pytest.mark.parametrize("name", [".list.tmp", "list", ".list.tmp.csv", "current"])
def test_other_names_are_nobodys(tmp_path: Path, name: str):
    (tmp_path / name).touch()
    clear_abandoned(tmp_path)
    assert (tmp_path / name).exists()


def test_drafts_of_one_name_are_cleared_without_those_of_others(tmp_path: Path):
    of_another_machine(tmp_path / "list", 2 * DAY)
    kept = of_another_machine(tmp_path / "other", 2 * DAY)
    clear_abandoned(tmp_path, name="list")
    assert list(tmp_path.iterdir()) == [kept]


def test_a_temporary_folder_ends_with_its_block_and_that_of_a_killed_run_with_the_next(tmp_path: Path):
    def die() -> None:
        with temporary_folder(tmp_path):
            os.kill(os.getpid(), signal.SIGKILL)

    assert race(die) == [-signal.SIGKILL]
    assert len(list(tmp_path.iterdir())) == 1
    with temporary_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []
