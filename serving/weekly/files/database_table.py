"""The rows of lists in a table of a database: those of one list and week are replaced together, or stay as they are.

A table that is not there is created. One that is there keeps its own columns, as notes of the team, if they may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.event import listen
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from features.errors import InputError, SettingsError, translated
from features.log.database_cursor import engine_of, reason_of, shown
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.tables import is_text

_ROWS_AT_ONCE = 5_000
_EXAMPLE = "as in postgresql+psycopg://user:password@host/crm#marketing.at_risk, where %40 is an @ in the password"
_Types = Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any], sa.types.TypeEngine[Any]]]]
_TYPES: _Types = (
    (pa.types.is_boolean, lambda _: sa.Boolean()),
    (pa.types.is_integer, lambda _: sa.BigInteger()),
    (pa.types.is_floating, lambda _: sa.Double()),
    (pa.types.is_decimal, lambda kind: sa.Numeric(kind.precision, kind.scale)),
    (pa.types.is_date, lambda _: sa.Date()),
    (pa.types.is_timestamp, lambda kind: sa.DateTime(timezone=kind.tz is not None)),
    (pa.types.is_dictionary, lambda _: sa.Text()),
    (is_text, lambda _: sa.Text()),
    (pa.types.is_null, lambda _: sa.Text()),
)
# what a column of a database is, and what values of ours it takes
_FAMILIES: Mapping[str, tuple[type[sa.types.TypeEngine[Any]], ...]] = {
    "boolean": (sa.Boolean,),
    "integer": (sa.Integer,),
    "number": (sa.Numeric, sa.Float),
    "text": (sa.String,),
    "time": (sa.DateTime,),
    "date": (sa.Date,),
}
_TAKES: Mapping[str, set[str]] = {"integer": {"integer", "boolean"}, "number": {"number", "integer"}}


@dataclass(frozen=True)
class TableAddress:
    """A table of a database."""

    url: sa.URL
    schema: str | None
    name: str

    @classmethod
    def of(cls, to: str) -> TableAddress:
        """Read a database URL with the table, or schema and table, behind a ``#``; no error shows the URL.

        Raises
        ------
        SettingsError
            When it is not one.
        """
        text, _, table = to.rpartition("#")
        if not re.fullmatch(r"[^\s@/:?#]+", table) or not text:
            raise SettingsError("[export] to: the database URL does not name a table behind a #", hint=_EXAMPLE)
        schema, _, name = table.rpartition(".")
        try:
            return cls(sa.make_url(text), schema or None, name)
        except (ArgumentError, ValueError):
            raise SettingsError("[export] to: it is not a database URL", hint=_EXAMPLE) from None

    @property
    def shown(self) -> str:
        """Fit to be shown: without the password."""
        return f"{shown(self.url)}#{self.schema + '.' if self.schema else ''}{self.name}"


def replace_rows(rows: pa.Table, to: TableAddress, *, address: ListAddress) -> bool:
    """Replace the rows of a list and week by those of this export, in one transaction; False where they were there already.

    Raises
    ------
    InputError
        When the table does not fit, or the database refuses.
    SettingsError
        When no driver for the database is installed.
    """
    rows = _in_utc(rows)
    for name, text in address.columns().items():
        rows = _with_constant(rows, name, text=text)
    with _errors(to), _engine(to).begin() as connection:
        _alone(connection, to)
        table = _table(connection, to, columns=_columns(rows.schema))
        if _is_there(connection, table, address=address, count=rows.num_rows):
            return False
        connection.execute(sa.delete(table).where(_same_list(table, address)))
        for batch in rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
            connection.execute(sa.insert(table), batch.to_pylist())
    return True


def _in_utc(rows: pa.Table) -> pa.Table:
    """Write instants in UTC, which a database without time zones keeps."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            kind = pa.timestamp("us", "UTC") if field.type.tz else pa.timestamp("us")
            rows = rows.set_column(index, field.name, rows.column(index).cast(kind, safe=False))
    return rows


def _with_constant(rows: pa.Table, name: str, *, text: str) -> pa.Table:
    values = pa.array([text] * rows.num_rows, pa.string())
    index = rows.schema.get_field_index(name)
    return rows.append_column(name, values) if index < 0 else rows.set_column(index, name, values)


def _engine(to: TableAddress) -> sa.Engine:
    try:
        engine = engine_of(to.url)
    except (NoSuchModuleError, ImportError) as error:
        raise SettingsError(
            f"[export] to: the driver of the database is missing: {error}",
            hint='install it; for PostgreSQL the extra "postgres", and write postgresql+psycopg://',
        ) from error
    if engine.dialect.name == "sqlite":
        listen(engine, "connect", _without_transactions_of_its_own)
        listen(engine, "begin", lambda connection: connection.exec_driver_sql("begin immediate"))
    return engine


def _without_transactions_of_its_own(connection: Any, _: Any) -> None:
    """Have Python's sqlite3 begin nothing by itself: it would begin after the table is created, and others could write first."""
    connection.isolation_level = None


def _alone(connection: sa.Connection, to: TableAddress) -> None:
    """Let one delivery at a time change a table, until the transaction ends; SQLite does so when it begins."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text("select pg_advisory_xact_lock(hashtext(:name))"), {"name": f"churn {to.schema}.{to.name}"}
        )


def _columns(schema: pa.Schema) -> list[sa.Column[Any]]:
    return [sa.Column(field.name, _sql_type(field)) for field in schema]


def _sql_type(field: pa.Field[Any]) -> sa.types.TypeEngine[Any]:
    for is_such, made in _TYPES:
        if is_such(field.type):
            return made(field.type)
    raise InputError(
        f'the list cannot be written into a table: the column "{field.name}" is of the type {field.type}',
        hint="exclude it from [[lists]] columns, or cast it to text in the users table",
    )


def _table(connection: sa.Connection, to: TableAddress, *, columns: Sequence[sa.Column[Any]]) -> sa.Table:
    """Return the table, created where it is missing."""
    table = sa.Table(to.name, sa.MetaData(), *columns, schema=to.schema)
    inspector = sa.inspect(connection)
    if inspector.has_table(to.name, schema=to.schema):
        differences = _differences(columns, inspector.get_columns(to.name, schema=to.schema))
        if differences:
            raise InputError(
                f"{to.shown}: the table does not fit the list: {'; '.join(differences)}",
                hint="change the table, or name one that is not there yet: it is created",
            )
    else:
        table.create(connection)
    return table


def _differences(columns: Sequence[sa.Column[Any]], there: Sequence[Any]) -> list[str]:
    found = {column["name"]: column for column in there}
    ours = {column.name for column in columns}
    lacking = [f'it lacks "{column.name}" ({column.type!s})' for column in columns if column.name not in found]
    others = [
        f'"{column.name}" is {found[column.name]["type"]!s}, expected {column.type!s}'
        for column in columns
        if column.name in found and not _takes(found[column.name]["type"], column.type)
    ]
    required = [
        f'"{name}" of its own may not be empty'
        for name, column in found.items()
        if name not in ours and _is_required(column)
    ]
    return [*lacking, *others, *required]


def _is_required(column: Mapping[str, Any]) -> bool:
    has_value = (
        column.get("default") or column.get("identity") or column.get("computed") or column.get("autoincrement") is True
    )
    return not column["nullable"] and not has_value


def _takes(there: sa.types.TypeEngine[Any], ours: sa.types.TypeEngine[Any]) -> bool:
    family = _family(there)
    return _family(ours) in _TAKES.get(family, {family})


def _family(kind: sa.types.TypeEngine[Any]) -> str:
    return next((name for name, classes in _FAMILIES.items() if isinstance(kind, classes)), f"{kind!r}")


def _same_list(table: sa.Table, address: ListAddress) -> sa.ColumnElement[bool]:
    key = {name: text for name, text in address.columns().items() if name != "export_id"}
    return sa.and_(*(table.c[name] == text for name, text in key.items()))


def _is_there(connection: sa.Connection, table: sa.Table, *, address: ListAddress, count: int) -> bool:
    """Tell whether the rows of a list are those of this export, all of them."""
    counted = (
        sa.select(table.c.export_id, sa.func.count()).where(_same_list(table, address)).group_by(table.c.export_id)
    )
    found = {row[0]: row[1] for row in connection.execute(counted)}
    return found == ({address.export_id: count} if count else {})


def _errors(to: TableAddress) -> AbstractContextManager[None]:
    """Translate errors of the database, without values of the list or the password."""

    def words(error: SQLAlchemyError) -> InputError:
        original = str(error.orig if isinstance(error, DBAPIError) else error)
        return InputError(
            f"the list cannot be written into {to.shown}: {reason_of(original, to.url)}; nothing was changed",
            hint="check that the database runs, and what its user may do: create a table, read, insert and delete",
        )

    return translated(SQLAlchemyError, words)
