"""The rows of a query as Arrow tables, streamed from a database that SQLAlchemy knows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.event import listen
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from features.errors import InputError, SettingsError, closest, translated
from features.settings import EventsSettings

ROWS_AT_ONCE = 50_000  # held in memory: a chunk of the database's cursor
CONNECTS_WITHIN_SECONDS = 15
# each driver's parameter for the connection timeout; other drivers keep their default
_PATIENCE = {"psycopg": "connect_timeout", "psycopg2": "connect_timeout", "pymysql": "connect_timeout"}

_SECRET = re.compile(
    r"passw|passp|^pass$|pwd|token|secret|credential|(api|access|account|private)_?key$", re.IGNORECASE
)
_PART = re.compile(r"(?:^|;)\s*([^;={}]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)")  # of a connection string of ODBC
_MIN_HIDDEN = 4  # characters of a password: a shorter one is part of words, and hiding it there would tell it
# a value of a row, between quotes or brackets; what it holds itself may be quotes too
_VALUES = (r"""((?:syntax|range)[^:]*: |\b(?:value:?|entry|containing) )(\\?["']).*\2""", r"(\bvalue is )\(.*\)")

_GROWING = ((int, float, Decimal), (str,), (date,))  # what may be compared with each other; a datetime is a date


def open_database(settings: EventsSettings) -> sa.Engine:
    """Name the database, yet unopened; an error shows no more of the connection than its driver, for it holds the password.

    Raises
    ------
    SettingsError
        When the connection is not a database URL, or its driver is missing.
    """
    try:
        url = sa.make_url(settings.connection.get_secret_value() if settings.connection else "")
        return _of_every_time(engine_of(url))
    except (NoSuchModuleError, ImportError) as error:
        raise SettingsError(
            f"[events] connection: its driver is missing: {error}",
            hint='install it; for PostgreSQL the extra "postgres", and write postgresql+psycopg://',
        ) from error
    except (ArgumentError, ValueError):
        raise SettingsError(
            "[events] connection: it is not a database URL",
            hint="as in postgresql+psycopg://user:password@host/database, where %40 is an @ in the password",
        ) from None


def engine_of(url: sa.URL) -> sa.Engine:
    """Return an engine that keeps no connection open and does not wait for ever for a server.

    Raises
    ------
    NoSuchModuleError, ImportError
        When the driver is missing.
    """
    patience = _PATIENCE.get(url.get_driver_name(), "")
    bounded = {patience: CONNECTS_WITHIN_SECONDS} if patience and patience not in url.query else {}
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args=bounded)


def _of_every_time(engine: sa.Engine) -> sa.Engine:
    if engine.url.get_driver_name() == "psycopg":
        listen(engine, "connect", _read_every_time)
    return engine


def _read_every_time(connection: Any, _: Any) -> None:
    """Have psycopg hand out as text what Python has no time for: infinity, years before 1 and after 9999; such a row is set aside."""
    from psycopg import DataError  # noqa: PLC0415
    from psycopg.types.string import TextLoader  # noqa: PLC0415

    class _Unpadded(TextLoader):  # char(8) is padded with blanks that do not count
        def load(self, data: Any) -> Any:
            return str(super().load(data)).rstrip(" ")

    from psycopg.types import datetime as of_psycopg  # noqa: PLC0415 -- an extra

    def made(loader: Any) -> Any:
        class Lenient(loader):  # type: ignore[misc]
            def load(self, data: Any) -> Any:
                try:
                    return super().load(data)
                except DataError:
                    return bytes(data).decode()

        return Lenient

    for name, loader in {
        "date": of_psycopg.DateLoader,
        "timestamp": of_psycopg.TimestampLoader,
        "timestamptz": of_psycopg.TimestamptzLoader,
    }.items():
        connection.adapters.register_loader(name, made(loader))
    for name in ("json", "jsonb"):  # as they are written: Python's numbers would be others
        connection.adapters.register_loader(name, TextLoader)
    connection.adapters.register_loader("bpchar", _Unpadded)


def shown(url: sa.URL) -> str:
    """Return a URL fit to be shown: driver, user, host and database. What is behind a question mark may hold a password.

    Examples
    --------
    >>> shown(sa.make_url("postgresql://anna:s3cr3t@db/shop?token=abcd"))
    'postgresql://anna:***@db/shop'
    """
    return url.set(query={}).render_as_string()


def identity_of(url: sa.URL) -> str:
    """Return what tells one database from another: all of a URL but its secrets.

    Examples
    --------
    >>> identity_of(sa.make_url("postgresql://anna:s3cr3t@db/shop?token=abcd&sslmode=require"))
    'postgresql://anna@db/shop?sslmode=require'
    """
    kept = {
        name: tuple(_PART.sub(lambda part: "" if _SECRET.search(part[1]) else part[0], value) for value in values)
        for name, values in url.normalized_query.items()
        if not _SECRET.search(name)
    }
    return url.set(query=kept).render_as_string().replace(":***@", "@")


def _secrets(url: sa.URL) -> list[str]:
    """Return every secret of a URL."""
    query = [(name, value) for name, values in url.normalized_query.items() for value in values]
    parts = [(part[1], part[2].strip("{}")) for _, value in query for part in _PART.finditer(value)]
    found = [value for name, value in (*query, *parts) if _SECRET.search(name)]
    return [one for one in (str(url.password or ""), *found) if one]


def database_errors(url: sa.URL) -> AbstractContextManager[None]:
    """Translate errors of the database into ours, without values of the log or the password.

    Raises
    ------
    InputError
        For every error of the database or its driver inside the block.
    """

    def words(error: SQLAlchemyError) -> InputError:
        is_of_query = isinstance(error, DBAPIError) and error.statement
        hint = (
            "fix [events] query or watermark: the query is a SELECT in the database's own SQL"
            if is_of_query
            else "check [events] connection (best given as CHURN_EVENTS__CONNECTION) and that the database runs"
        )
        original = str(error.orig if isinstance(error, DBAPIError) else error)
        return InputError(f"the log cannot be fetched from {shown(url)}: {reason_of(original, url)}", hint=hint)

    return translated(SQLAlchemyError, words)


def reason_of(message: str, url: sa.URL) -> str:
    """Keep the first line of a database's message, and neither a value of a row, which databases quote, nor the password."""
    secrets = _secrets(url)
    if any(len(one) < _MIN_HIDDEN for one in secrets):
        return "the words of the database are not shown, as the password is too short to be hidden in them"
    line = next((line.strip() for line in message.splitlines() if line.strip()), "no details given")
    for pattern in _VALUES:
        line = re.sub(pattern, r"\1(not shown)", line)
    for one in sorted(secrets, key=len, reverse=True):
        line = line.replace(one, "***")
    return line


@contextmanager
def streamed(engine: sa.Engine, settings: EventsSettings, *, above: Any) -> Generator[Iterator[pa.Table]]:
    """Stream the rows above a watermark (None: all), a bounded number at once.

    Raises
    ------
    InputError
        When the query has no such column, or several of one name.
    """
    with engine.connect() as connection:
        by_cursor = connection.execution_options(stream_results=True, max_row_buffer=ROWS_AT_ONCE)
        with by_cursor.execute(_statement(settings, above=above)) as result:
            names = _checked(list(result.keys()), settings)
            yield (_table(names, rows, settings=settings, above=above) for rows in result.partitions(ROWS_AT_ONCE))


def preview(engine: sa.Engine, settings: EventsSettings, *, rows: int) -> pa.Table:
    """Return the first rows of the query, before anybody has named its watermark."""
    with engine.connect() as connection, connection.execute(_statement(settings, above=None).limit(rows)) as result:
        names, found = list(result.keys()), result.fetchall()
    columns = zip(*found, strict=True) if found else ([] for _ in names)
    return pa.table({name: _array(values) for name, values in zip(names, columns, strict=True)})


def _statement(settings: EventsSettings, *, above: Any) -> sa.Select[Any]:
    query = settings.query.strip().rstrip(";").replace(":", r"\:")  # a colon names no parameter of ours
    log = sa.text(query + "\n").columns().subquery("log")  # the line ends, should it end in a comment
    everything = sa.select(sa.literal_column("*")).select_from(log)
    mark: sa.ColumnClause[Any] = sa.column(settings.watermark)
    return everything if above is None else everything.where(sa.or_(mark > above, mark.is_(None)))


def _checked(names: Sequence[str], settings: EventsSettings) -> Sequence[str]:
    if settings.watermark not in names:
        raise InputError(
            f'[events] watermark = "{settings.watermark}": the query has no such column',
            hint=closest(settings.watermark, names),
        )
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(
            f"[events] query: several columns named {', '.join(sorted(twice))}", hint="rename them with AS"
        )
    return names


def _table(names: Sequence[str], rows: Sequence[sa.Row[Any]], *, settings: EventsSettings, above: Any) -> pa.Table:
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    _check_marks([mark for mark in columns[settings.watermark] if mark is not None], settings, above=above)
    return pa.table({name: _array(values) for name, values in columns.items()})


def _check_marks(marks: Sequence[Any], settings: EventsSettings, *, above: Any) -> None:
    """Refuse watermarks that cannot grow, that nothing can exceed, or that the database orders differently from Python."""
    what, kinds = f'[events] watermark = "{settings.watermark}"', {type(mark) for mark in marks}
    if not any(all(issubclass(kind, family) for kind in kinds) for family in _GROWING):
        got = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"{what}: got {got}, expected a number, a time or a text", hint="choose another column")
    if any(isinstance(mark, float | Decimal) and not math.isfinite(mark) for mark in marks):
        raise InputError(
            f"{what}: it is infinite or not a number in a row, and nothing above it would ever be fetched",
            hint="choose another column, or exclude those rows in [events] query",
        )
    if isinstance(above, str) and any(isinstance(mark, str) and mark <= above for mark in marks):
        raise InputError(
            f"{what}: the database does not order these texts by their bytes, and rows would come twice",
            hint='choose a number or a time, or give the column a binary collation in [events] query, as in id collate "C"',
        )


def _array(values: Sequence[Any]) -> pa.Array[Any]:
    """Return a column: as text what Parquet has no one type for, such as JSON, and as double what no decimal holds."""
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array([_text(value) for value in values])
    if pa.types.is_nested(array.type):
        return pa.array([_text(value) for value in values])
    if pa.types.is_duration(array.type):  # seconds, as the contract counts; Parquet knows no durations
        return pa.array([None if value is None else value.total_seconds() for value in values], pa.float64())
    if pa.types.is_decimal256(array.type):  # as text: a double would round it
        return pa.array([None if value is None else format(value, "f") for value in values])
    return array


def _text(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return None if value is None else str(value)
