"""A table of events in SQLite for what is the same everywhere, and in a real PostgreSQL for what is not."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from features.log.database import fetch
from features.settings import EventsSettings
from tests.builders import found_in, open_log

ANNA, BOB, EVE = (
    ("anna", "2026-01-05 10:00:00", "open"),
    ("bob", "2026-01-06 11:30:00", "buy"),
    ("eve", "2026-01-07 00:00:00", "open"),
)
QUERY = "select id, user_id, event_time, event_type from log"
UTC_ANNA, UTC_BOB, UTC_EVE = ((user, f"{at}+00", kind) for user, at, kind in (ANNA, BOB, EVE))


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

    def settings(self, **options: Any) -> EventsSettings:
        given: dict[str, Any] = {"connection": f"sqlite:///{self.path}", "query": QUERY, "watermark": "id"}
        return EventsSettings(**given | options)

    def fetched(self, **options: Any) -> list[tuple[Any, ...]]:
        """The log as it is read after a fetch."""
        settings = self.settings(**options)
        return found_in(open_log(settings.model_copy(update={"path": fetch(settings, self.home)}), "UTC"))

    def files(self) -> dict[str, bytes]:
        places = (path for path in (self.home / "fetched").rglob("*") if path.is_file())
        return {str(path.relative_to(self.home)): path.read_bytes() for path in places}


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


def postgres_or_skip() -> Generator[str]:
    """For fixtures: the URL of a server of its own, password included."""
    if not BINARIES:
        pytest.skip("PostgreSQL's server is not installed: make system")
    with postgres_server() as url:
        yield url


@contextmanager
def postgres_server() -> Generator[str]:
    """Start a PostgreSQL of our own; its URL, password included."""
    with tempfile.TemporaryDirectory(prefix="churn-postgres-") as folder:
        Path(folder).chmod(0o777)
        (Path(folder) / "password").write_text(PASSWORD)
        (Path(folder) / "password").chmod(0o644)
        port, data, binaries = free_port(), f"{folder}/data", BINARIES[-1]
        make = ("-U", "churn", "-A", "scram-sha-256", "--pwfile", f"{folder}/password", "--no-sync", "-E", "UTF8")
        as_nobody_special(binaries / "initdb", "-D", data, *make, "--locale=C", cwd=folder)
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c timezone=Europe/Berlin"
        as_nobody_special(
            binaries / "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start", cwd=folder
        )
        try:
            yield f"postgresql+psycopg://churn:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
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
            query = sql.replace("?", "%s").encode()
            connection.cursor().executemany(query, rows) if rows else connection.execute(query)

    def settings(self, **options: Any) -> EventsSettings:
        given: dict[str, Any] = {"connection": self.url, "query": "select * from log", "watermark": "arrived"}
        return EventsSettings(**given | options)
