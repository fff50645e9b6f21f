"""Results that compete for a place: each is whole, one is current, and nothing that somebody reads is removed."""

import hashlib
import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from features.errors import InputError
from features.storage import versions
from features.storage.drafts import draft_of
from features.storage.versions import CURRENT, Place, current_of, digest_of, in_use, versions_of
from tests.races import in_turns, race

ANNA, BOB = b"anna" * 5000, b"bob" * 5000
HOUR = 3600


def add(place: Path, content: bytes, *, keeps_all: bool = True) -> Path:
    def write(draft: Path) -> None:
        (draft / "users").write_bytes(content)
        (draft / "sum").write_text(hashlib.sha256(content).hexdigest())

    return Place(place, keeps_all).add(write)


def users(place: Path) -> bytes | None:
    """What a reader gets: both files of one version, or nothing."""
    version = current_of(place)
    if version is None:
        return None
    content = (version / "users").read_bytes()
    assert (version / "sum").read_text() == hashlib.sha256(content).hexdigest(), "files of two versions"
    return content


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()} - {".lock"}


def age(version: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(version, (then, then))


def test_the_last_one_added_is_current_and_the_others_stay(tmp_path: Path):
    first, second = add(tmp_path, ANNA), add(tmp_path, BOB)
    assert users(tmp_path) == BOB
    assert names(tmp_path) == {first.name, second.name, CURRENT}
    assert (first / "users").read_bytes() == ANNA


def test_the_same_content_is_the_same_version(tmp_path: Path):
    assert add(tmp_path, ANNA) == add(tmp_path, ANNA)
    assert len(versions_of(tmp_path)) == 1


def test_a_version_is_named_after_the_names_and_bytes_of_its_files(tmp_path: Path):
    lines = f"sum {hashlib.sha256(hashlib.sha256(ANNA).hexdigest().encode()).hexdigest()}\nusers {hashlib.sha256(ANNA).hexdigest()}\n"
    assert add(tmp_path, ANNA).name == hashlib.sha256(lines.encode()).hexdigest()[:16]


def test_a_damaged_version_is_written_again(tmp_path: Path):
    (add(tmp_path, ANNA) / "users").write_bytes(b"ann")
    add(tmp_path, ANNA)
    assert users(tmp_path) == ANNA


def test_who_may_not_become_current_is_kept_beside(tmp_path: Path):
    first = add(tmp_path, ANNA)
    asked: list[Path | None] = []

    def refused(current: Path | None) -> bool:
        asked.append(current)
        return False

    second = Place(tmp_path).add(lambda draft: (draft / "users").touch(), becomes_current=refused)
    assert (asked, current_of(tmp_path)) == ([first], first)
    assert second.is_dir()


def test_an_error_while_writing_leaves_nothing_behind(tmp_path: Path):
    def fail(draft: Path) -> None:
        (draft / "users").write_bytes(ANNA)
        raise OSError("the disk is full")

    first = add(tmp_path, BOB)
    with pytest.raises(OSError, match="full"):
        Place(tmp_path).add(fail)
    assert names(tmp_path) == {first.name, CURRENT}


def test_a_copy_that_followed_links_is_read_and_written(tmp_path: Path):
    add(tmp_path / "place", ANNA)
    shutil.copytree(tmp_path / "place", tmp_path / "copy")
    assert not (tmp_path / "copy" / CURRENT).is_symlink()
    assert users(tmp_path / "copy") == ANNA
    add(tmp_path / "copy", BOB)
    assert (tmp_path / "copy" / CURRENT).is_symlink()
    assert users(tmp_path / "copy") == BOB


def test_a_place_moves_with_its_versions(tmp_path: Path):
    add(tmp_path / "place", ANNA)
    (tmp_path / "place").rename(tmp_path / "elsewhere")
    assert users(tmp_path / "elsewhere") == ANNA


def test_nothing_is_current_where_nothing_is(tmp_path: Path):
    assert current_of(tmp_path / "none") is None
    assert versions_of(tmp_path / "none") == []


# --- What is removed -----------------------------------------------------------------------------------------------


def test_of_old_versions_the_one_before_stays_and_those_left_within_the_hour(tmp_path: Path):
    first, second, third = (add(tmp_path, content, keeps_all=False) for content in (b"1", b"2", b"3"))
    age(first, 2 * HOUR)
    age(second, 1.5 * HOUR)
    fourth = add(tmp_path, b"4", keeps_all=False)
    assert names(tmp_path) == {third.name, fourth.name, CURRENT}


def test_the_hour_begins_when_a_version_ceases_to_be_current(tmp_path: Path):
    first = add(tmp_path, b"1", keeps_all=False)
    age(first, 9 * HOUR)
    later = [add(tmp_path, content, keeps_all=False) for content in (b"2", b"3")]
    assert names(tmp_path) == {first.name, *(one.name for one in later), CURRENT}


def test_a_version_in_use_stays_until_its_process_is_gone(tmp_path: Path):
    first, second = (add(tmp_path, content, keeps_all=False) for content in (b"1", b"2"))
    with in_use(first):
        third = add(tmp_path, b"3", keeps_all=False)
        age(first, 3 * HOUR)
        age(second, 2 * HOUR)
        fourth = add(tmp_path, b"4", keeps_all=False)
        assert {path.name for path in versions_of(tmp_path)} == {first.name, third.name, fourth.name}
    age(third, HOUR / 2)
    add(tmp_path, b"5", keeps_all=False)
    assert first not in versions_of(tmp_path)


def test_the_mark_of_a_killed_process_holds_nothing(tmp_path: Path):
    first = add(tmp_path, b"1", keeps_all=False)

    def mark_and_die() -> None:
        draft_of(first, "used").touch()

    assert race(mark_and_die) == [0]
    second = add(tmp_path, b"2", keeps_all=False)
    age(first, 3 * HOUR)
    age(second, 2 * HOUR)
    add(tmp_path, b"3", keeps_all=False)
    assert first not in versions_of(tmp_path)
    assert not list(tmp_path.glob(".*.used"))


# --- Two at once ---------------------------------------------------------------------------------------------------


def test_two_writers_and_a_reader_never_meet_in_one_version(tmp_path: Path):
    writers = [lambda: add(tmp_path, ANNA, keeps_all=False), lambda: add(tmp_path, BOB, keeps_all=False)]
    found: list[bytes | None] = []
    for number, turn in enumerate(in_turns(writers, 30)):
        assert race(*turn, read=lambda: found.append(users(tmp_path)), apart_ms=number % 6) == [0, 0]
        assert users(tmp_path) in {ANNA, BOB}
        assert len(names(tmp_path)) == 3
    assert set(found) - {None} == {ANNA, BOB}


def test_two_writers_of_the_same_content_leave_one_version(tmp_path: Path):
    for place in (tmp_path / str(turn) for turn in range(20)):
        assert race(*[partial(add, place, ANNA)] * 2) == [0, 0]
        assert users(place) == ANNA
        assert names(place) == {digest_of(place / CURRENT), CURRENT}


def test_a_writer_waits_for_another_and_says_so(tmp_path: Path):
    said: list[str] = []
    place = Place(tmp_path, say=said.append)
    with place.alone():
        waiting = threading.Thread(target=lambda: place.add(lambda draft: (draft / "users").touch()))
        waiting.start()
        while not said:
            time.sleep(0.01)
        assert current_of(tmp_path) is None
    waiting.join()
    assert said == [f"another run is writing {tmp_path}; waiting for it"]
    assert current_of(tmp_path)


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(versions, "WAIT_SECONDS", 0.1)
    other = Place(tmp_path)
    with other.alone(), pytest.raises(InputError, match="another run has been writing here") as refused:
        add(tmp_path, ANNA)
    assert "wait for it or end it" in refused.value.hint
