"""The files of a log as one relation of its own columns. Types are not guessed where a wrong guess would lose data: texts stay texts."""

from __future__ import annotations

import codecs
import csv
import glob
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from features.errors import InputError, closest
from features.log.files import LOG, LogFile, Subject, is_remote, listed, mount, open_file, without_password
from features.schema import COLUMNS, REQUIRED
from features.sql import identifier, literal
from features.storage.duckdb import duckdb_errors

_READERS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
_PACKED = {".gz": "gzip", ".zst": "zstd"}
_HEADER_BYTES = 65_536
_DELIMITERS = ",;\t|"
LOG_FILE = "_log_file"  # the column that names the file of a row
_TEXTS = ("alias_id", "valid_from")  # of [users] and [identities]: ids and times, as in the contract
_FILE = f"filename = '{LOG_FILE}'"


class Mapped(Protocol):
    """A section of settings with the place of a log or a table and the meaning of its columns."""

    @property
    def path(self) -> str:
        """File, folder, glob or URL."""
        ...

    @property
    def where(self) -> str:
        """SQL condition over its own columns."""
        ...

    def mapping(self) -> dict[str, str]:
        """Column to expression over its own columns."""
        ...


@dataclass(frozen=True)
class Source:
    """A log before its mapping.

    Attributes
    ----------
    sql
        FROM clause of the log's own columns.
    mapping
        Contract column to SQL over them; a bare name is quoted, even if it is an SQL keyword.
    """

    sql: str
    mapping: dict[str, str]
    columns: tuple[str, ...]
    subject: Subject = LOG


def files_of(settings: Mapped, base: Path, *, subject: Subject = LOG) -> tuple[LogFile, ...]:
    """Return the files of a log, in the order of their names.

    Parameters
    ----------
    base
        Folder that a relative path starts from.

    Raises
    ------
    InputError
        When there is none, they are of several formats, or a store does not hand them out.
    """
    place = without_password(settings.path) if is_remote(settings.path) else base / settings.path
    listing = listed(settings.path, base, subject=subject)
    found = sorted((file for file in listing if _format(file.name)), key=lambda file: file.name)
    what = f"[{subject.section}] path:"
    if not found:
        hint = _path_hint(settings.path, subject)
        raise InputError(f"{what} no Parquet, CSV or JSON Lines file at {place}", hint=hint)
    if len({_format(file.name) for file in found}) > 1:
        raise InputError(f"{what} files of several formats at {place}", hint='name one, as in "logs/*.parquet"')
    return tuple(found)


def _path_hint(path: str, subject: Subject) -> str:
    if is_remote(path):
        return "name an object, a prefix or a glob"
    given = ", one given with --events in the current folder" if subject == LOG else ""
    return f"name a file, a folder or a glob; a relative path starts in the folder of churn.toml{given}"


def _format(name: str) -> str | None:
    path = Path(name.lower())
    return _READERS.get((path.with_suffix("") if path.suffix in _PACKED else path).suffix)


def open_source(
    connection: duckdb.DuckDBPyConnection, files: Sequence[LogFile], *, settings: Mapped, subject: Subject = LOG
) -> Source:
    """Read the files' own columns and resolve the mapping against them; remote files become readable in the connection.

    Parameters
    ----------
    files
        One or more, all of one format, as :func:`files_of` found them.

    Raises
    ------
    InputError
        When a file cannot be read.
    """
    mount(connection, [file.name for file in files])
    mapping, kind = settings.mapping(), _format(files[0].name)
    names = [file.name for file in files if kind == "parquet" or not _is_empty(file)]
    if not names:
        raise _empty(files[0].name, subject)
    with duckdb_errors(*subject.unreadable):
        match kind:
            case "parquet":
                sql, columns = _parquet(connection, names, subject=subject)
            case "csv":
                has_where = bool(settings.where)
                sql, columns = _csv(connection, names, mapping=mapping, has_where=has_where, subject=subject)
            case _:
                sql, columns = _json(connection, names, mapping=mapping, has_where=bool(settings.where))
    _refuse_taken_name(columns, subject)
    resolved = {name: identifier(found) if (found := bare(e, columns)) else e for name, e in mapping.items()}
    return Source(sql, resolved, tuple(columns), subject)


def _empty(name: str, subject: Subject) -> InputError:
    return InputError(f"{subject.noun} is empty: {name} and all its other files hold nothing", hint="check its path")


def _is_empty(file: LogFile) -> bool:
    if file.bytes:
        return False
    with open_file(file.name) as opened:
        return not opened.read(1)


def _refuse_taken_name(columns: Collection[str], subject: Subject) -> None:
    if any(column.casefold() == LOG_FILE for column in columns):
        what = f'[{subject.section}] path: {subject.noun} has a column "{LOG_FILE}", which churn uses for the file of a row'
        raise InputError(what, hint=f"rename it in {subject.noun}")


def bare(expression: str, columns: Collection[str]) -> str | None:
    """Return the log's column that an expression simply names; None: it is SQL.

    Examples
    --------
    >>> bare("User ID", ["User ID"]), bare('"user id"', ["User ID"]), bare("a + b", ["a", "b"])
    ('User ID', 'User ID', None)
    """
    if expression.strip() in columns:
        return expression.strip()
    named = re.fullmatch(r'\s*(?:"((?:[^"]|"")+)"|(\w+))\s*', expression)
    wanted = (named.group(1) or named.group(2)).replace('""', '"').casefold() if named else None
    return next((column for column in columns if column.casefold() == wanted), None)


def _listed(files: Collection[str]) -> str:
    """Write file names as an SQL list; DuckDB reads names as globs."""
    return "[" + ", ".join(literal(glob.escape(name)) for name in files) + "]"


def _columns(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    relation = connection.sql(f"select * from {sql} limit 0")
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _kept_as_text(mapping: Mapping[str, str], columns: Collection[str], *, has_where: bool) -> set[str]:
    """Return the columns whose type is not guessed: texts and times, or all where no SQL calculates with them."""
    named = {name: found for name, e in mapping.items() if (found := bare(e, columns))}
    if len(named) == len(mapping) and not has_where and set(REQUIRED) <= mapping.keys() <= COLUMNS.keys():
        return set(columns)
    texts = {name for name, column in COLUMNS.items() if column.type not in ("BIGINT", "DOUBLE")}
    return {found for name, found in named.items() if name in texts.union(_TEXTS)}


def _struct(columns: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items()) + "}"


def _parquet(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], *, subject: Subject
) -> tuple[str, dict[str, str]]:
    sql = f"read_parquet({_listed(files)}, hive_partitioning = true, union_by_name = true, {_FILE})"
    try:
        columns = _columns(connection, sql)
    except duckdb.BinderException as error:
        _refuse_taken_name(re.findall('adds column "(.*?)", but', str(error)), subject)
        raise
    del columns[LOG_FILE]
    return sql, columns


def _json(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], *, mapping: Mapping[str, str], has_where: bool
) -> tuple[str, dict[str, str]]:
    found = _columns(connection, f"read_json({_listed(files)}, union_by_name = true, sample_size = -1)")
    texts = _kept_as_text(mapping, found, has_where=has_where)
    named = {name for e in mapping.values() if (name := bare(e, found))}
    columns = {name: "VARCHAR" if name in texts & named else kind for name, kind in found.items()}
    return f"read_json({_listed(files)}, columns = {_struct(columns)}, {_FILE})", columns


def _csv(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[str],
    *,
    mapping: Mapping[str, str],
    has_where: bool,
    subject: Subject,
) -> tuple[str, dict[str, str]]:
    """Read files with the same header by one reader, and unite the readers by column name."""
    headers: dict[str, list[str]] = {}
    for name in files:
        if header := _first_line(name, subject):
            headers.setdefault(header, []).append(name)
    if not headers:
        raise _empty(files[0], subject)
    readers: list[str] = []
    columns: dict[str, str] = {}
    for header, group in headers.items():
        delimiter = max(_DELIMITERS, key=header.count)
        kinds = dict.fromkeys(_names(header, delimiter, file=group[0], subject=subject), "VARCHAR")
        dialect = f"header = true, delim = {literal(delimiter)}, quote = '\"', escape = '\"'"
        texts = _kept_as_text(mapping, kinds, has_where=has_where)
        if texts != set(kinds):
            guessed = _columns(connection, f"read_csv({_listed(group)}, {dialect}, sample_size = -1)")
            kinds = {name: "VARCHAR" if name in texts else guessed.get(name, "VARCHAR") for name in kinds}
        columns |= kinds
        readers.append(
            f"read_csv({_listed(group)}, {dialect}, auto_detect = false, columns = {_struct(kinds)}, {_FILE})"
        )
    return "(" + " union all by name ".join(f"select * from {reader}" for reader in readers) + ")", columns


def _names(header: str, delimiter: str, *, file: str, subject: Subject) -> list[str]:
    """Return the columns of a header; one without a name, such as the index of pandas, gets a name that no column has."""
    try:
        named = next(csv.reader([header], delimiter=delimiter))
    except csv.Error as error:
        what, hint = subject.unreadable
        raise InputError(f"{what}: the header of {file}: {error}", hint=hint) from error
    if twice := {name for name in named if name and named.count(name) > 1}:
        names = ", ".join(sorted(twice))
        raise InputError(f"{subject.unreadable[0]}: {file} has several columns named {names}", hint="rename them")
    return [name or f"(without a name, {place})" for place, name in enumerate(named)]


def _first_line(name: str, subject: Subject) -> str:
    """Return the header of a CSV, packed or not, whatever its lines end in; empty: there is nothing in it."""
    what, hint = subject.unreadable
    try:
        packed: Any = _PACKED.get(Path(name).suffix.lower())
        with open_file(name) as file, pa.input_stream(file, compression=packed) as stream:
            start = codecs.getincrementaldecoder("utf-8-sig")().decode(stream.read(_HEADER_BYTES))
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{what}: {name} is incomplete or not UTF-8 text", hint=hint) from error
    line = start.partition("\n" if "\n" in start else "\r")[0].rstrip("\r")
    if not line and start.strip():
        raise InputError(f"{what}: the first line of {name} is empty", hint="it must name the columns")
    return line


def suggestion(expression: str, source: Source) -> str:
    """Suggest the column that was probably meant."""
    return f"{closest(expression, source.columns)} (columns of {source.subject.noun})"
