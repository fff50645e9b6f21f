"""A disk that is full, said by whoever writes to it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.storage.atomic import atomic_file, atomic_folder
from features.storage.drafts import temporary_folder
from features.storage.duckdb import duckdb_errors
from features.storage.versions import Place, current_of
from tests.small_disk import small_disk

MUCH = 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", kilobytes=256) as place:
        yield place


def by_the_system(draft: Path) -> None:
    draft.write_bytes(bytes(MUCH))


def by_sqlite(draft: Path) -> None:
    with closing(sqlite3.connect(draft)) as connection, connection:
        connection.execute("create table t (b blob)")
        connection.execute("insert into t values (?)", (bytes(MUCH),))


def by_arrow(draft: Path) -> None:
    pq.write_table(pa.table({"n": range(MUCH)}), draft, compression="none")


def by_duckdb(draft: Path) -> None:
    duckdb.sql(f"copy (select random() from range({MUCH})) to '{draft}' (format parquet)")


WRITERS = pytest.mark.parametrize("write", [by_the_system, by_sqlite, by_arrow, by_duckdb])


@WRITERS
def test_whoever_writes_a_file_the_error_names_it_and_nothing_is_left(disk: Path, write: Callable[[Path], None]):
    said = f"the disk is full: {disk / 'scores'} cannot be written"
    with pytest.raises(InputError, match=said) as refused, atomic_file(disk / "scores") as draft:
        write(draft)
    assert "free some room" in refused.value.hint
    assert list(disk.iterdir()) == []


@WRITERS
def test_a_folder_that_does_not_fit_leaves_the_one_before(disk: Path, write: Callable[[Path], None]):
    with atomic_folder(disk / "list") as draft:
        (draft / "a").write_text("before")
    with pytest.raises(InputError, match="the disk is full"), atomic_folder(disk / "list") as draft:
        write(draft / "a")
    assert (disk / "list/a").read_text() == "before"
    assert [path.name for path in disk.iterdir()] == ["list"]


def test_a_version_that_does_not_fit_leaves_the_current_one(disk: Path):
    place = Place(disk / "lists")
    before = place.add(lambda draft: (draft / "a").write_text("before"))
    with pytest.raises(InputError, match=f"the disk is full: {place.folder}"):
        place.add(lambda draft: by_the_system(draft / "a"))
    assert current_of(place.folder) == before


def test_so_does_a_temporary_folder(disk: Path):
    with pytest.raises(InputError, match="the disk is full"), temporary_folder(disk) as folder:
        by_arrow(folder / "profiles")
    assert list(disk.iterdir()) == []


def test_an_engine_that_has_no_room_does_not_blame_the_settings(disk: Path):
    with (
        pytest.raises(InputError, match=r"no roll-up: the disk is full: .* cannot be written") as refused,
        duckdb_errors("no roll-up", "check [churn]"),
    ):
        by_duckdb(disk / "a")
    assert "free some room" in refused.value.hint


def test_another_error_stays_as_it_is(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "scores"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "said",
    [
        """IO Error: Could not write file "/home/rows-0.parquet": No space left on device""",
        """IO Error: {"exception_message":"Could not write file \\"/home/rows-0.parquet\\": No space left on device"}""",
    ],
)
def test_the_file_that_found_no_room_is_named_however_duckdb_says_so(said: str):
    with (
        pytest.raises(InputError, match=r"fetching: the disk is full: /home/rows-0\.parquet cannot be written"),
        duckdb_errors("fetching", "check it"),
    ):
        raise duckdb.IOException(said)
