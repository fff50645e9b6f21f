"""A log in a database: the rows of a query are fetched into Parquet files of the home, and read from there.

::

    <home>/fetched/<digest>/000001/_day=2026-01-05/*.parquet
                           /000001/fetched.json    the watermark reached
                           /000001/files.json      what its files are recognised by
                           /000002/...             the rows since then

A fetch is one folder that appears completely or not at all, its watermark with it: a killed one is repeated, and no row comes
twice. Files are cut by the day (UTC) of ``event_time`` where that is mapped to a column of times, else by the day of the fetch.
"""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from features.errors import InputError, SettingsError
from features.log.database_cursor import database_errors, identity_of, open_database, streamed
from features.log.sources.mapping import bare
from features.settings import EventsSettings
from features.sql import identifier, literal
from features.storage.atomic import atomic_folder
from features.storage.duckdb import connect, duckdb_errors
from features.storage.locks import locked
from features.storage.marks import flaw_of, is_marked, write_marks

_STATE = "fetched.json"
_WAIT_SECONDS = 600
_READ_BACK: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "str": str,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


def fetch(settings: EventsSettings, home: Path, *, say: Callable[[str], None] = lambda _: None) -> str:
    """Fetch the rows above the last watermark, all at first, and keep them; where there are none, nothing changes.

    Parameters
    ----------
    settings
        With ``connection``, ``query`` and ``watermark``.
    say
        Receives the number of rows fetched so far, in words.

    Returns
    -------
    Glob of the Parquet files of all fetches, for ``[events] path``.

    Raises
    ------
    SettingsError
        When connection, query or watermark is missing, the connection is not a database URL, or its driver is missing.
    InputError
        When the database cannot be reached or refuses the query, a row has no watermark, there has never been a row,
        another run keeps fetching, or what was fetched is damaged.
    """
    _check(settings)
    engine = open_database(settings)
    folder = home / "fetched" / _digest(engine.url, settings)
    busy = InputError(
        f"another run has been fetching the log from the database for {_WAIT_SECONDS // 60} minutes",
        hint="wait for it or end it",
    )
    waiting = partial(say, "another run is fetching the log from the database; waiting for it")
    lock = locked(folder.with_name(f"{folder.name}.lock"), busy, wait_seconds=_WAIT_SECONDS, waiting=waiting)
    with lock, database_errors(engine.url):
        _check_fetches(folder)
        number, above = _last(folder)
        with streamed(engine, settings, above=above) as chunks:
            first = next(chunks, None)
            if first:
                _keep(chain([first], chunks), settings, folder=folder / f"{number + 1:06}", say=say)
    if not (first or number):
        raise InputError("[events] query: it returns no rows", hint="check the query, and what its user may see")
    return f"{glob.escape(str(folder))}/*/*/*.parquet"


def _check(settings: EventsSettings) -> None:
    given = {"connection": settings.connection, "query": settings.query, "watermark": settings.watermark}
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise SettingsError(
            f"[events]: a log in a database needs connection, query and watermark; missing: {', '.join(missing)}",
            hint="set the connection in the environment: CHURN_EVENTS__CONNECTION; to read files instead, remove the others",
        )


def _digest(url: sa.URL, settings: EventsSettings) -> str:
    """Tell apart what may not be mixed; a new password changes nothing."""
    parts = (identity_of(url), settings.query, settings.watermark)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _check_fetches(folder: Path) -> None:
    """Refuse fetches whose files are not those that were written: their rows would be missing, or others.

    Raises
    ------
    InputError
        With the file.
    """
    fetches = sorted(folder.glob("[0-9]*/"))
    for number, place in enumerate(fetches, 1):
        before = folder / f"{number:06}"
        flaw = f"{before} is gone" if place != before else flaw_of(place) if is_marked(place) else _flaw_of_state(place)
        if flaw:
            raise InputError(
                f"what was fetched from the database is damaged: {flaw}",
                hint=f"remove {folder}: the next run fetches all rows of the query again",
            )


def _flaw_of_state(place: Path) -> str:
    """Say what is wrong with a fetch of an earlier version, or one whose marks are gone, and mark it; empty where nothing is seen."""
    try:
        _READ_BACK[json.loads((place / _STATE).read_bytes())["kind"]]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{place / _STATE} cannot be read"
    write_marks(place)
    return ""


def _last(folder: Path) -> tuple[int, Any]:
    """Return the number of the last fetch and how far it came; 0 and None before the first."""
    states = sorted(folder.glob(f"[0-9]*/{_STATE}"))
    if not states:
        return 0, None
    state = json.loads(states[-1].read_bytes())
    return int(states[-1].parent.name), _READ_BACK[state["kind"]](state["watermark"])


def _keep(chunks: Iterable[pa.Table], settings: EventsSettings, *, folder: Path, say: Callable[[str], None]) -> None:
    """Write a fetch, completely or not at all."""
    with atomic_folder(folder) as aside:
        as_they_come = aside / "chunks"
        as_they_come.mkdir()
        highest, rows = None, 0
        for number, chunk in enumerate(chunks):
            highest = _highest(chunk[settings.watermark], settings, so_far=highest)
            pq.write_table(chunk, as_they_come / f"{number:06}.parquet")
            rows += chunk.num_rows
            say(f"{rows:,} rows fetched")
        _cut_by_day(as_they_come, aside, settings=settings)
        shutil.rmtree(as_they_come)
        state = {"watermark": _written(highest), "kind": type(highest).__name__, "rows": rows}
        (aside / _STATE).write_text(json.dumps(state))
        write_marks(aside)


def _highest(marks: pa.ChunkedArray[Any], settings: EventsSettings, *, so_far: Any) -> Any:
    """Return the highest watermark up to here.

    Raises
    ------
    InputError
        When one is null, or of a type that cannot grow.
    """
    what = f'[events] watermark = "{settings.watermark}"'
    if marks.null_count:
        raise InputError(
            f"{what}: {marks.null_count} rows or more have no watermark, and would be fetched never or every time",
            hint="choose a column that every row has, or exclude those rows in [events] query",
        )
    highest = pc.max(marks).as_py()
    if type(highest).__name__ not in _READ_BACK or not isinstance(so_far, type(highest) | None):
        raise InputError(f"{what}: got {marks.type}, expected a number, a time or a text", hint="choose another column")
    return highest if so_far is None else max(highest, so_far)


def _written(mark: Any) -> str:
    return mark.isoformat() if isinstance(mark, date) else str(mark)


def _cut_by_day(chunks: Path, to: Path, *, settings: EventsSettings) -> None:
    """Rewrite the chunks, each day into a folder of its own; types that differ between chunks are reconciled."""
    connection = connect()
    connection.execute("set threads = 1")  # one file a day, and one day's buffer at a time
    rows = f"read_parquet({literal(glob.escape(str(chunks)) + '/*.parquet')}, union_by_name = true)"
    with duckdb_errors("[events] query: its rows cannot be stored", "a column must have one type in all rows"):
        found = connection.sql(f"select * from {rows} limit 0")
        day = _day(dict(zip(found.columns, map(str, found.types), strict=True)), settings)
        connection.execute(
            f"""copy (select *, {day} as _day from {rows}) to {literal(str(to))}
            (format parquet, compression zstd, partition_by (_day), filename_pattern 'rows-{{i}}', overwrite_or_ignore)"""
        )


def _day(kinds: dict[str, str], settings: EventsSettings) -> str:
    column = bare(settings.mapping()["event_time"], kinds)
    today = f"date {literal(str(datetime.now(UTC).date()))}"
    if column is None or not kinds[column].startswith(("TIMESTAMP", "DATE")):
        return today
    return f"coalesce(cast({identifier(column)} as date), {today})"
