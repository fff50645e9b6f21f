"""A table in a database is a log: its new rows are fetched, and none of them twice, whoever is killed or runs beside."""

import glob
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from features.errors import InputError
from features.log import database_cursor as tables
from features.log.database import fetch
from tests.damage import alter, cut_short
from tests.features.log_tables import ANNA, BOB, EVE, QUERY, Database
from tests.races import race

# --- Fetching --------------------------------------------------------------------------------------------------------


def test_a_table_is_a_log(sqlite: Database):
    sqlite.add(ANNA, BOB)
    assert sqlite.fetched() == [ANNA, BOB]


def test_only_what_is_new_is_fetched(sqlite: Database):
    sqlite.add(ANNA)
    sqlite.fetched()
    before = sqlite.files()
    sqlite.add(BOB, EVE)
    assert sqlite.fetched() == [ANNA, BOB, EVE]
    (state,) = (
        json.loads(sqlite.files()[name]) for name in sqlite.files().keys() - before if name.endswith("fetched.json")
    )
    assert (state["rows"], state["watermark"]) == (2, "3")


def test_what_was_fetched_is_not_asked_for_again(sqlite: Database):
    sqlite.add(ANNA, BOB)
    sqlite.fetched()
    sqlite.run("update log set user_id = 'somebody else'")
    assert sqlite.fetched() == [ANNA, BOB]


def test_a_fetch_of_nothing_new_changes_no_byte(sqlite: Database):
    sqlite.add(ANNA, BOB)
    sqlite.fetched()
    before = sqlite.files()
    sqlite.fetched()
    assert sqlite.files() == before


def test_chunks_add_up(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 2)
    sqlite.add(ANNA, BOB, EVE, BOB, ANNA)
    said: list[str] = []
    fetch(sqlite.settings(), sqlite.home, say=said.append)
    assert said == ["2 rows fetched", "4 rows fetched", "5 rows fetched"]
    assert sqlite.fetched() == [ANNA, ANNA, BOB, BOB, EVE]


def test_the_highest_watermark_counts_in_whatever_order_rows_come(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 1)
    sqlite.add(ANNA, BOB)
    backwards = f"{QUERY} order by id desc"
    sqlite.fetched(query=backwards)
    sqlite.add(EVE)
    assert sqlite.fetched(query=backwards) == [ANNA, BOB, EVE]


def test_a_text_may_be_the_watermark(sqlite: Database):
    sqlite.add(ANNA)
    sqlite.fetched(watermark="event_time")
    sqlite.add(EVE)
    assert sqlite.fetched(watermark="event_time") == [ANNA, EVE]


def test_days_without_a_time_column_are_those_of_the_fetch(sqlite: Database):
    sqlite.add(ANNA, BOB)
    place = fetch(sqlite.settings(), sqlite.home)  # SQLite keeps times as text
    assert {Path(name).parent.name for name in glob.glob(place)} == {f"_day={time.strftime('%Y-%m-%d', time.gmtime())}"}


def test_a_column_that_is_null_for_long_has_the_type_of_its_first_value(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 1)
    options: dict[str, Any] = {
        "query": QUERY.replace("event_type", "event_type, price"),
        "columns": {"amount": "price * 2"},
    }
    sqlite.run("alter table log add column price real")
    sqlite.add(ANNA)
    assert sqlite.fetched(**options) == [(*ANNA, None)]
    sqlite.add(BOB)
    sqlite.run("insert into log (user_id, event_time, event_type, price) values (?, ?, ?, ?)", (*EVE, 4.5))
    assert sqlite.fetched(**options) == [(*ANNA, None), (*BOB, None), (*EVE, 9.0)]


@pytest.mark.parametrize(
    "query", [f"{QUERY};", f"{QUERY} -- all of it", f"{QUERY} where ':id' <> '12:30' and user_id like '%'"]
)
def test_a_query_may_end_and_quote_as_it_likes(sqlite: Database, query: str):
    sqlite.add(ANNA)
    sqlite.fetched(query=query)
    sqlite.add(BOB)
    assert sqlite.fetched(query=query) == [ANNA, BOB]


def test_another_query_is_another_log(sqlite: Database):
    sqlite.add(ANNA, BOB)
    sqlite.fetched()
    assert sqlite.fetched(query=f"{QUERY} where user_id = 'bob'") == [BOB]


# --- Kills and company -----------------------------------------------------------------------------------------------


def fetch_and_die(database: Database, moment: str) -> int:
    """Fetch in a process of its own, two rows at a time, until it kills itself; return how it ended."""

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    last = "4" if moment == "say" else "never"

    def run() -> None:
        patch = pytest.MonkeyPatch()
        patch.setattr(tables, "ROWS_AT_ONCE", 2)
        if moment != "say":
            patch.setattr(f"features.log.database.{moment}", die)
        fetch(database.settings(), database.home, say=lambda rows: die() if rows.startswith(last) else None)

    return race(run)[0]


@pytest.mark.parametrize("moment", ["say", "_cut_by_day", "_written"])
def test_a_killed_fetch_is_repeated_without_a_row_twice(sqlite: Database, moment: str):
    sqlite.add(ANNA, BOB)
    sqlite.fetched()
    sqlite.add(EVE, EVE, ANNA, BOB, EVE)
    assert fetch_and_die(sqlite, moment) == -signal.SIGKILL
    assert sqlite.fetched() == [ANNA, ANNA, BOB, BOB, EVE, EVE, EVE]


def test_a_killed_first_fetch_leaves_nothing_to_read(sqlite: Database):
    sqlite.add(ANNA, BOB, EVE, ANNA)
    assert fetch_and_die(sqlite, "say") == -signal.SIGKILL
    (folder,) = (path for path in (sqlite.home / "fetched").iterdir() if path.is_dir())
    assert glob.glob(f"{folder}/*/*/*.parquet") == []
    assert sqlite.fetched() == [ANNA, ANNA, BOB, EVE]


def test_a_second_run_at_once_waits_says_so_and_is_refused_in_the_end(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("features.log.database._WAIT_SECONDS", 0.1)
    sqlite.add(ANNA)
    sqlite.fetched()
    (lock,) = (sqlite.home / "fetched").glob("*.lock")
    said: list[str] = []
    with FileLock(lock), pytest.raises(InputError, match="another run has been fetching"):
        fetch(sqlite.settings(), sqlite.home, say=said.append)
    assert said == ["another run is fetching the log from the database; waiting for it"]


def test_two_runs_at_once_fetch_every_row_once(sqlite: Database):
    sqlite.add(*[ANNA, BOB] * 500)
    assert race(sqlite.fetched, sqlite.fetched) == [0, 0]
    sqlite.add(EVE)
    assert race(sqlite.fetched, sqlite.fetched) == [0, 0]
    assert sorted(sqlite.fetched()) == sorted([*[ANNA, BOB] * 500, EVE])


# --- Damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["_day=*/*.parquet", "fetched.json"])
@pytest.mark.parametrize("damage", [cut_short, alter, Path.unlink])
def test_rows_that_were_fetched_and_are_damaged_are_refused_by_name_and_fetched_again_without_them(
    sqlite: Database, pattern: str, damage: Callable[[Path], None]
):
    sqlite.add(ANNA, BOB)
    sqlite.fetched()
    (path,) = sqlite.home.glob(f"fetched/*/000001/{pattern}")
    damage(path)
    with pytest.raises(InputError, match=f"what was fetched from the database is damaged: {path} ") as refused:
        sqlite.fetched()
    assert refused.value.hint == f"remove {_fetches(sqlite)}: the next run fetches all rows of the query again"
    shutil.rmtree(_fetches(sqlite))
    assert sqlite.fetched() == [ANNA, BOB]


def test_a_fetch_that_is_gone_between_others_is_noticed(sqlite: Database):
    for row in (ANNA, BOB):
        sqlite.add(row)
        sqlite.fetched()
    shutil.rmtree(_fetches(sqlite) / "000001")
    with pytest.raises(InputError, match="000001 is gone"):
        sqlite.fetched()


def test_a_fetch_of_an_earlier_version_is_known_from_then_on(sqlite: Database):
    sqlite.add(ANNA)
    sqlite.fetched()
    marks = _fetches(sqlite) / "000001/files.json"
    marks.unlink()
    assert sqlite.fetched() == [ANNA]
    assert marks.exists()
    marks.unlink()
    (marks.parent / "fetched.json").write_text("{")
    with pytest.raises(InputError, match=r"fetched\.json cannot be read"):
        sqlite.fetched()


def _fetches(database: Database) -> Path:
    (found,) = (path for path in database.home.glob("fetched/*") if path.is_dir())
    return found
