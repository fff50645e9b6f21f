"""The own columns of a log as one table of DuckDB, whole or as rows from everywhere in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
from duckdb.sqltypes import DuckDBPyType

from churn.first_look.evidence.nested import ObjectList, fields_of_list, inspected_fields, json_structure, leaves_of
from churn.first_look.evidence.text_files import TextFormat, refuse_headers, refuse_wide, text_format_of
from features.log.files import LOG, LogFile, mount
from features.log.formats import files_of, format_of
from features.log.sources.broken_rows import FAULT, TEXT
from features.log.sources.json_files import FieldPath, Fields, name_of
from features.log.sources.mapping import Mapper
from features.log.sources.source import LOG_FILE, Source, file_list, folder_keys
from features.log.validation import NULLS
from features.settings import EventsSettings
from features.sql import identifier, literal
from features.storage.duckdb import connect, duckdb_errors

TABLE, FILE = "first_look", "_file"
_MAX_ROWS, _MAX_BYTES, _MAX_FILES = 3_000_000, 1_000_000_000, 50
_NOWHERE = {"user_id": "'u'", "event_time": "timestamp '2000-01-01'", "event_type": "'e'"}


@dataclass(frozen=True)
class LogTable:
    """The rows of a log in their own columns, as the table :data:`TABLE` of a connection.

    Attributes
    ----------
    kinds
        Own column to its DuckDB type; text files hold texts.
    rows
        Of the table.
    coverage
        Which rows these are, in words.
    text
        How its text files are written.
    alike
        Fields that differ in case only from one of the columns, which SQL does not tell apart.
    paths
        Column that is a field of a Parquet struct to its path.
    lists
        Fields that hold lists of objects, which are not read.
    unseen
        Which fields are too many to be inspected, in words; empty: none.
    """

    connection: duckdb.DuckDBPyConnection
    files: tuple[LogFile, ...]
    format: str
    kinds: dict[str, str]
    rows: int
    coverage: str
    text: TextFormat = field(default_factory=TextFormat)
    alike: tuple[str, ...] = ()
    paths: dict[str, FieldPath] = field(default_factory=dict[str, FieldPath])
    lists: tuple[ObjectList, ...] = ()
    unseen: str = ""

    @property
    def headers(self) -> int:
        """Return how many rows of texts say the names of the columns again."""
        if self.format != "csv":
            return 0
        named = (f"{identifier(name)} = {literal(name)}" for name, kind in self.kinds.items() if kind == "VARCHAR")
        (rows,) = self.numbers("count(*)", where=" and ".join(named) or "false")
        return int(rows)

    def numbers(self, *expressions: str, where: str = "true") -> list[Any]:
        """Return aggregates over its rows."""
        ((*found,),) = self.connection.execute(f"select {', '.join(expressions)} from {TABLE} where {where}").fetchall()
        return found

    def column(self, name: str) -> str:
        """Return a column as text without blanks around it; null where it is absent, or a word for that."""
        return identifier(name) if self.kinds[name] == "VARCHAR" else f"cast({identifier(name)} as varchar)"


def open_table(path: str, base: Path, *, names: Sequence[str] = ()) -> LogTable:
    """Open what lies at a path: a file, folder, glob or URL.

    Parameters
    ----------
    base
        Folder that a relative path starts from.
    names
        Names of the columns, where the layout is known and the file has no header.

    Raises
    ------
    InputError
        When nothing is there, or it cannot be read.
    """
    files = files_of(EventsSettings(path=path), base)
    kind = str(format_of(files[0].name))
    text = text_format_of(files[0].name) if kind == "csv" else TextFormat()
    taken = _spread(files)
    if "names" in text.settings and "skip" not in text.settings and not names:
        refuse_headers([file.name for file in taken])
    refuse_wide(text.header)  # before names that are dates are taken for a row of values
    settings = EventsSettings.model_validate(
        {"path": path, "columns": _NOWHERE, "format": text.settings | ({"names": list(names)} if names else {})}
    )
    connection = connect()
    mount(connection, [file.name for file in taken])
    with duckdb_errors(*LOG.unreadable):
        found = _structure(connection, taken) if kind == "json" else _Structure()
        paths = found.paths
        relation = _json(connection, taken, paths=paths) if paths else _tabular(connection, settings, files=taken)
        alike = tuple(name_of(path) for path in paths if path not in _apart(paths))
        table = LogTable(connection, files, kind, {}, 0, "", text, alike, lists=found.lists, unseen=found.unseen)
        return _kept(connection, relation, table, taken=taken)


def _spread(files: Sequence[LogFile]) -> tuple[LogFile, ...]:
    """Return all files where they are small, else some from everywhere among them."""
    if sum(file.bytes for file in files) <= _MAX_BYTES or len(files) == 1:
        return tuple(files)
    step = max(1, len(files) // _MAX_FILES)
    return (*files[::step], files[-1])


def _tabular(connection: duckdb.DuckDBPyConnection, settings: EventsSettings, *, files: Sequence[LogFile]) -> str:
    sources = Mapper(connection, settings, is_merged=True).sources(files)
    return " union all by name ".join(_whole_rows(source) for source in sources)


def _whole_rows(source: Source) -> str:
    """Return the SELECT of the rows that have a field for each column."""
    if not source.row_text:
        return f"select * from {source.sql}"
    return f"select * exclude ({FAULT}, {TEXT}) from {source.sql} where {FAULT} is null"


@dataclass(frozen=True)
class _Structure:
    """Attributes: the paths of JSON objects, their lists of objects, and which fields are left, in words."""

    paths: tuple[FieldPath, ...] = ()
    lists: tuple[ObjectList, ...] = ()
    unseen: str = ""


def _structure(connection: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> _Structure:
    names = [file.name for file in files]
    leaves, lists = json_structure(connection, names)
    by_name = {name_of(path): path for path in [*((key,) for key in _folder_keys(names)), *leaves]}
    taken, unseen = inspected_fields(list(by_name))
    return _Structure(tuple(by_name[name] for name in taken), tuple(lists), unseen)


def _folder_keys(names: Sequence[str]) -> list[str]:
    return sorted(set.intersection(*(set(folder_keys(name)) for name in names)))


def _json(connection: duckdb.DuckDBPyConnection, files: Sequence[LogFile], *, paths: Sequence[FieldPath]) -> str:
    names = [file.name for file in files]
    fields = Fields(connection, file_list(names), filename=LOG_FILE, keys=_folder_keys(names))
    apart = _apart(paths)
    names_apart = (*(identifier(name_of(path)) for path in apart), LOG_FILE)
    return f"select {', '.join(names_apart)} from {fields.relation(apart)}"


def _apart(paths: Sequence[FieldPath]) -> list[FieldPath]:
    """Return the first of paths that differ in case only."""
    found: dict[str, FieldPath] = {}
    for path in paths:
        found.setdefault(name_of(path).casefold(), path)
    return list(found.values())


def _kept(
    connection: duckdb.DuckDBPyConnection, relation: str, table: LogTable, *, taken: Sequence[LogFile]
) -> LogTable:
    """Keep the rows of a relation with the file of each, all where they are few, else some from everywhere."""
    every = _fields(connection, relation)
    seen, unseen = inspected_fields(list(every))
    fields = {name: every[name] for name in seen}
    kinds = {name: str(kind) for name, (_, kind) in fields.items()}
    listed = [_present(name, path, kind=kinds[name]) for name, (path, _) in fields.items()]
    relation = f"select {', '.join(listed)}, {LOG_FILE} as {FILE} from ({relation})"
    connection.execute(f"create temp table {TABLE} as from ({relation}) limit {_MAX_ROWS + 1}")
    ((rows,),) = connection.execute(f"select count(*) from {TABLE}").fetchall()
    is_whole = rows <= _MAX_ROWS
    if not is_whole:
        connection.execute(
            f"create or replace temp table {TABLE} as from ({relation}) using sample reservoir({_MAX_ROWS} rows) repeatable (1)"
        )
        rows = _MAX_ROWS
    of_files = "" if len(taken) == len(table.files) else f" of {len(taken)} of {len(table.files)} files, spread evenly"
    words = f"all {rows:,} rows{of_files}" if is_whole else f"{rows:,} rows from everywhere{of_files}"
    paths = {name: path for name, (path, _) in fields.items() if len(path) > 1}
    found = replace(table, kinds=kinds, rows=int(rows), coverage=words, paths=paths, unseen=table.unseen or unseen)
    in_lists = {name: fields_of_list(kind) for name, (_, kind) in fields.items()}
    lists = [ObjectList(name, of, _longest(found, name)) for name, of in in_lists.items() if of]
    return replace(found, lists=(*table.lists, *lists))


def _longest(table: LogTable, name: str) -> int:
    (found,) = table.numbers(f"max(len({identifier(name)}))")
    return int(found or 0)


def _fields(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, tuple[FieldPath, DuckDBPyType]]:
    """Return the columns of a relation, and in place of each struct its fields, with their paths and types."""
    found = connection.sql(f"from ({relation}) limit 0")
    pairs = zip(found.columns, found.types, strict=True)
    listed = [leaf for name, kind in pairs if name != LOG_FILE for leaf in leaves_of((name,), kind)]
    return {".".join(path): (path, kind) for path, kind in listed}


def _present(name: str, path: FieldPath, *, kind: str) -> str:
    """Return a column; a text without blanks around it, and null where it is empty or a word for no value."""
    column, as_ = ".".join(map(identifier, path)), identifier(name)
    if kind != "VARCHAR":
        return f"{column} as {as_}"
    return f"case when trim({column}) not in ('', {NULLS}) then trim({column}) end as {as_}"
