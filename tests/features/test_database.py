"""Logs in a database: SQLite for what is the same everywhere, and a real PostgreSQL for what is not."""

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from features import tables
from features.database import fetch
from features.errors import InputError, SettingsError
from features.settings import EventsSettings
from tests.builders import found_in, open_log, write
from tests.cli.command import Ran, churn

ANNA, BOB, EVE = (
    ("anna", "2026-01-05 10:00:00", "open"),
    ("bob", "2026-01-06 11:30:00", "buy"),
    ("eve", "2026-01-07 00:00:00", "open"),
)
QUERY = "select id, user_id, event_time, event_type from log"


class Database:
    """A table ``log`` in SQLite, the settings that lead to it, and the home that its rows are fetched to."""

    def __init__(self, folder: Path):
        self.path, self.home = folder / "app.db", folder / "home"
        self.run("create table log (id integer primary key, user_id text, event_time text, event_type text)")

    def run(self, sql: str, *rows: Any) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.executemany(sql, rows) if rows else connection.execute(sql)
        connection.close()

    def add(self, *rows: tuple[Any, ...]) -> None:
        self.run("insert into log (user_id, event_time, event_type) values (?, ?, ?)", *rows)

    def settings(self, **knobs: Any) -> EventsSettings:
        given: dict[str, Any] = {"connection": f"sqlite:///{self.path}", "query": QUERY, "watermark": "id"}
        return EventsSettings(**given | knobs)

    def fetched(self, **knobs: Any) -> list[tuple[Any, ...]]:
        """The log as it is read after a fetch."""
        settings = self.settings(**knobs)
        return found_in(open_log(settings.model_copy(update={"path": fetch(settings, self.home)}), "UTC"))

    def files(self) -> dict[str, bytes]:
        places = (path for path in (self.home / "fetched").rglob("*") if path.is_file())
        return {str(path.relative_to(self.home)): path.read_bytes() for path in places}


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return Database(tmp_path)


# --- Fetching ------------------------------------------------------------------------------------------------------


def test_a_table_is_a_log(sqlite: Database):
    sqlite.add(ANNA, BOB)
    assert sqlite.fetched() == [ANNA, BOB]


def test_only_what_is_new_is_fetched(sqlite: Database):
    sqlite.add(ANNA)
    sqlite.fetched()
    before = sqlite.files()
    sqlite.add(BOB, EVE)
    assert sqlite.fetched() == [ANNA, BOB, EVE]
    (state,) = (json.loads(sqlite.files()[name]) for name in sqlite.files().keys() - before if name.endswith(".json"))
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
    knobs: dict[str, Any] = {
        "query": QUERY.replace("event_type", "event_type, price"),
        "columns": {"amount": "price * 2"},
    }
    sqlite.run("alter table log add column price real")
    sqlite.add(ANNA)
    assert sqlite.fetched(**knobs) == [(*ANNA, None)]
    sqlite.add(BOB)
    sqlite.run("insert into log (user_id, event_time, event_type, price) values (?, ?, ?, ?)", (*EVE, 4.5))
    assert sqlite.fetched(**knobs) == [(*ANNA, None), (*BOB, None), (*EVE, 9.0)]


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


# --- Kills and company ---------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from features import database, tables
from features.settings import EventsSettings

tables.ROWS_AT_ONCE = 2
def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(database, sys.argv[1], kill) if sys.argv[1] != "say" else None
say = (lambda rows: kill() if rows.startswith("4") else None) if sys.argv[1] == "say" else (lambda rows: None)
database.fetch(EventsSettings.model_validate_json(sys.argv[2]), Path(sys.argv[3]), say=say)
"""


@pytest.mark.parametrize("moment", ["say", "_cut_by_day", "_written"])
def test_a_killed_fetch_is_repeated_without_a_row_twice(sqlite: Database, moment: str):
    sqlite.add(ANNA, BOB)
    sqlite.fetched()
    sqlite.add(EVE, EVE, ANNA, BOB, EVE)
    given = json.dumps({"connection": f"sqlite:///{sqlite.path}", "query": QUERY, "watermark": "id"})
    ran = subprocess.run([sys.executable, "-c", KILLED, moment, given, sqlite.home], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert sqlite.fetched() == [ANNA, ANNA, BOB, BOB, EVE, EVE, EVE]


def test_a_killed_first_fetch_leaves_nothing_to_read(sqlite: Database):
    sqlite.add(ANNA, BOB, EVE, ANNA)
    given = json.dumps({"connection": f"sqlite:///{sqlite.path}", "query": QUERY, "watermark": "id"})
    subprocess.run([sys.executable, "-c", KILLED, "say", given, sqlite.home], check=False)
    (folder,) = (path for path in (sqlite.home / "fetched").iterdir() if path.is_dir())
    assert glob.glob(f"{folder}/*/*/*.parquet") == []
    assert sqlite.fetched() == [ANNA, ANNA, BOB, EVE]


def test_a_second_run_at_once_is_refused(sqlite: Database):
    sqlite.add(ANNA)
    sqlite.fetched()
    (lock,) = (sqlite.home / "fetched").glob("*.lock")
    with FileLock(lock), pytest.raises(InputError, match="another run"):
        sqlite.fetched()


# --- What goes wrong -----------------------------------------------------------------------------------------------


def test_a_query_without_a_row_is_said(sqlite: Database):
    with pytest.raises(InputError, match="returns no row"):
        sqlite.fetched()


def test_rows_without_a_watermark_are_refused(sqlite: Database):
    sqlite.add(ANNA)
    query = "select nullif(id, 2) as id, user_id, event_time, event_type from log"
    sqlite.fetched(query=query)
    sqlite.add(BOB)
    with pytest.raises(InputError, match=r'watermark = "id": 1 rows or more have none'):
        sqlite.fetched(query=query)


def test_a_watermark_that_cannot_grow_is_refused(sqlite: Database):
    sqlite.add(ANNA)
    with pytest.raises(InputError, match="expected a number, a time or a text"):
        sqlite.fetched(query="select x'00' as id, * from (select user_id, event_time, event_type from log)")


def test_a_watermark_that_the_query_has_not_is_named(sqlite: Database):
    sqlite.add(ANNA)
    with pytest.raises(InputError, match=r'watermark = "idd"(?s:.*)did you mean "id"'):
        sqlite.fetched(watermark="idd")


def test_a_query_that_fails_is_answered_in_the_words_of_the_database(sqlite: Database):
    with pytest.raises(InputError, match=r"no such table: logg(?s:.*)Hint: mend \[events\] query"):
        sqlite.fetched(query="select * from logg")


@pytest.mark.parametrize("url", ["no url", "postgresql+psycopg://u:secret@host:port/db"])
def test_what_is_no_url_is_said_without_it(sqlite: Database, url: str):
    with pytest.raises(SettingsError, match="no URL of a database") as refusal:
        sqlite.fetched(connection=url)
    assert url not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("url", ["nosuch://u:secret@host/db", "oracle+cx_oracle://u:secret@host/db"])
def test_a_missing_driver_is_said(sqlite: Database, url: str):
    with pytest.raises(SettingsError, match="driver is missing") as refusal:
        sqlite.fetched(connection=url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["connection", "query", "watermark"])
def test_a_database_is_described_whole_or_not_at_all(sqlite: Database, missing: str):
    with pytest.raises(SettingsError, match=f"needs connection, query and watermark; missing: {missing}"):
        sqlite.fetched(**{missing: ""})


# --- PostgreSQL ----------------------------------------------------------------------------------------------------

BINARIES = [
    *(Path(found).parent for found in [shutil.which("initdb")] if found),
    *Path("/usr/lib/postgresql").glob("*/bin"),
]
PASSWORD = "s3cr3t"  # not "churn", which is the user and the database


def as_nobody_special(*command: str | Path, cwd: str) -> None:
    """PostgreSQL refuses to run as root."""
    known = {user.pw_name for user in pwd.getpwall()}
    other = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    become: dict[str, Any] = {}
    if os.geteuid() == 0:
        become = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120, **become)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL of this module's own, password included."""
    if not BINARIES:
        pytest.skip("PostgreSQL's server is not installed: make system")
    with tempfile.TemporaryDirectory(prefix="churn-postgres-") as folder:
        Path(folder).chmod(0o777)
        (Path(folder) / "password").write_text(PASSWORD)
        (Path(folder) / "password").chmod(0o644)
        port, data, binaries = free_port(), f"{folder}/data", BINARIES[-1]
        make = ("-U", "churn", "-A", "scram-sha-256", "--pwfile", f"{folder}/password", "--no-sync", "-E", "UTF8")
        as_nobody_special(binaries / "initdb", "-D", data, *make, "--locale=C", cwd=folder)
        knobs = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c timezone=Europe/Berlin"
        as_nobody_special(
            binaries / "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", knobs, "start", cwd=folder
        )
        yield f"postgresql+psycopg://churn:{PASSWORD}@127.0.0.1:{port}/postgres"
        as_nobody_special(binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop", cwd=folder)


class Postgres(Database):
    """The same in PostgreSQL, with times that are times and watermarked by their arrival."""

    def __init__(self, url: str, folder: Path):
        self.url, self.home = url, folder / "home"
        self.run("drop table if exists log")
        self.run(
            """create table log (user_id text, event_time timestamptz, event_type text, amount numeric,
            properties jsonb, visitor uuid, arrived timestamptz default clock_timestamp())"""
        )

    def run(self, sql: str, *rows: Any) -> None:
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            connection.cursor().executemany(sql.replace("?", "%s"), rows) if rows else connection.execute(sql)

    def settings(self, **knobs: Any) -> EventsSettings:
        return EventsSettings(**{"connection": self.url, "query": "select * from log", "watermark": "arrived"} | knobs)


@pytest.fixture
def postgres(server: str, tmp_path: Path) -> Postgres:
    return Postgres(server, tmp_path)


UTC_ANNA, UTC_BOB, UTC_EVE = ((user, f"{at}+00", kind) for user, at, kind in (ANNA, BOB, EVE))


def test_postgres_is_fetched_and_then_what_is_new(postgres: Postgres):
    postgres.add(UTC_ANNA, UTC_BOB)
    assert postgres.fetched() == [ANNA, BOB]
    postgres.add(UTC_EVE)
    assert postgres.fetched() == [ANNA, BOB, EVE]
    before = postgres.files()
    assert postgres.fetched() == [ANNA, BOB, EVE]
    assert postgres.files() == before


def test_files_are_cut_by_the_day_of_the_event(postgres: Postgres):
    postgres.add(UTC_BOB, UTC_ANNA, UTC_EVE, UTC_ANNA)
    names = glob.glob(fetch(postgres.settings(), postgres.home))
    rows = {Path(name).parent.name: pq.read_metadata(name).num_rows for name in names}
    assert rows == {"_day=2026-01-05": 2, "_day=2026-01-06": 1, "_day=2026-01-07": 1}


def test_types_of_postgres_arrive(postgres: Postgres):
    postgres.run(
        """insert into log values ('anna', '2026-01-05 10:00+00', 'buy', 1234567.10, '{"a": [1]}',
        '550e8400-e29b-41d4-a716-446655440000'), ('bob', '2026-01-05 23:30-05', 'open', null, null, null)"""
    )
    columns = {"amount": "amount", "channel": "properties ->> '$.a[0]'", "session_id": "visitor"}
    assert postgres.fetched(columns=columns) == [
        ("anna", "2026-01-05 10:00:00", "buy", "550e8400-e29b-41d4-a716-446655440000", "1", 1234567.1),
        ("bob", "2026-01-06 04:30:00", "open", None, None, None),
    ]
    (file,) = [name for name in glob.glob(fetch(postgres.settings(), postgres.home)) if "01-05" in name]
    kept = pq.read_table(file)
    assert (str(kept.schema.field("amount").type), str(kept["amount"][0])) == (
        "decimal128(9, 2)",
        "1234567.10",
    )


def test_a_query_of_postgres_keeps_its_casts(postgres: Postgres):
    postgres.add(UTC_ANNA)
    query = (
        "select user_id::text as user_id, event_time, event_type, (10 * 1.0 / 3)::numeric as third, arrived from log"
    )
    postgres.fetched(query=query)
    postgres.add(UTC_BOB)
    assert postgres.fetched(query=query) == [ANNA, BOB]


def test_memory_does_not_grow_with_the_table(postgres: Postgres):
    """The cursor stays on the server: the first rows are here before the last is made."""
    query = "select i as arrived, 'u' || i as user_id, now() as event_time, 'open' as event_type from generate_series(1, {}) i"
    script = """
import resource, sys
from pathlib import Path
from features import database, tables
from features.settings import EventsSettings
tables.ROWS_AT_ONCE = 2_000
rows = EventsSettings(connection=sys.argv[1], query=sys.argv[2], watermark="arrived")
database.fetch(rows, Path(sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", script, postgres.url, query.format(rows), postgres.home],
                check=True,
                capture_output=True,
            ).stdout
        )
        for rows in (2_000, 200_000)
    )
    assert many < few + 35_000  # KB; measured: 10,000, and 55,000 where the cursor is not the server's


def test_a_wrong_password_is_said_and_not_shown(postgres: Postgres):
    wrong = postgres.url.replace(PASSWORD, "wr0ng")
    with pytest.raises(
        InputError, match=r"churn:\*\*\*@(?s:.*)password authentication failed(?s:.*)CHURN_EVENTS__CONN"
    ) as refusal:
        postgres.fetched(connection=wrong)
    assert "wr0ng" not in str(refusal.value)


def test_a_database_that_is_not_there_is_said(postgres: Postgres):
    gone = f"postgresql+psycopg://churn:{PASSWORD}@127.0.0.1:{free_port()}/postgres"
    with pytest.raises(InputError, match=r"refused(?s:.*)that the database runs") as refusal:
        postgres.fetched(connection=gone)
    assert PASSWORD not in str(refusal.value)


def test_a_database_that_says_nothing_is_not_waited_for(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "CONNECTS_WITHIN_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InputError, match="timeout"):
        sqlite.fetched(connection=f"postgresql+psycopg://churn:x@127.0.0.1:{silent.getsockname()[1]}/postgres")


def test_words_of_postgres_hold_no_value_of_the_log(postgres: Postgres):
    postgres.add(UTC_ANNA)
    with pytest.raises(InputError, match=r"invalid input syntax for type integer: \(not shown\)"):
        postgres.fetched(query="select *, user_id::integer as id from log")


def test_columns_of_one_name_are_refused(postgres: Postgres):
    postgres.add(UTC_ANNA)
    with pytest.raises(InputError, match="several columns named user_id"):
        postgres.fetched(query="select log.*, user_id from log")


def test_a_new_password_fetches_nothing_anew(postgres: Postgres):
    postgres.add(UTC_ANNA)
    place = fetch(postgres.settings(), postgres.home)
    before = postgres.files()
    postgres.run("alter user churn password 'new'")
    postgres.url = postgres.url.replace(PASSWORD, "new")
    try:
        assert (fetch(postgres.settings(), postgres.home), postgres.files()) == (place, before)
    finally:
        postgres.run(f"alter user churn password '{PASSWORD}'")


# --- The command ---------------------------------------------------------------------------------------------------


def profiles_by_command(folder: Path, connection: str) -> Ran:
    (folder / "churn.toml").write_text('[events]\nquery = "select * from log"\nwatermark = "arrived"\n')
    given = ("profiles", "--as-of", "2026-01-07", "--out", "p.parquet", "--json")
    return churn(*given, cwd=folder, CHURN_EVENTS__CONNECTION=connection)


def test_the_command_builds_profiles_of_a_table(postgres: Postgres, tmp_path: Path):
    postgres.add(UTC_ANNA, UTC_BOB)
    assert profiles_by_command(tmp_path, postgres.url).json()["profiles"] == 2
    postgres.add(("carl", "2026-01-06 12:00+00", "open"))
    assert profiles_by_command(tmp_path, postgres.url).json()["profiles"] == 3


def test_the_command_says_what_the_database_says(postgres: Postgres, tmp_path: Path):
    ran = profiles_by_command(tmp_path, postgres.url.replace(PASSWORD, "wr0ng"))
    assert (ran.code, ran.out) == (2, "")
    assert "password authentication failed" in ran.err
    assert "wr0ng" not in ran.err


def test_the_connection_is_masked_where_settings_are_shown(tmp_path: Path):
    (tmp_path / "churn.toml").write_text('[events]\nquery = "select 1"\nwatermark = "id"\n')
    ran = churn("settings", "--json", cwd=tmp_path, CHURN_EVENTS__CONNECTION="sqlite:///secret.db")
    assert ran.code == 0
    assert "**********" in ran.out
    assert "secret.db" not in ran.out + ran.err


def test_a_connection_that_is_not_given_is_asked_for(tmp_path: Path):
    ran = profiles_by_command(tmp_path, "")
    assert ran.code == 2
    assert "missing: connection" in ran.err


def test_an_error_in_the_section_does_not_show_its_connection(tmp_path: Path):
    ran = churn(
        "settings", "--set", "events.columns.usr=a", cwd=tmp_path, CHURN_EVENTS__CONNECTION="sqlite:///secret.db"
    )
    assert ran.code == 2
    assert "not in the event contract" in ran.err
    assert "secret.db" not in ran.err


def test_a_place_given_with_the_command_is_read_in_place_of_the_database(postgres: Postgres, tmp_path: Path):
    write(tmp_path / "log.csv", ["anna 2026-01-05T10:00"])
    (tmp_path / "churn.toml").write_text('[events]\nquery = "select 1"\nwatermark = "id"\n')
    ran = churn(
        "profiles", "--as-of", "2026-01-06", "--out", "p.parquet", "--events", "log.csv", "--json", cwd=tmp_path
    )
    assert ran.json()["profiles"] == 1
