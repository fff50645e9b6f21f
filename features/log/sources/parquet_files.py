"""Parquet files, each read in its own types: files of one schema are one relation, and none changes what another holds."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import ipc

from features.log.sources.source import file_list, folder_keys, hive_options, with_keys
from features.sql import identifier, literal

Path = tuple[str, ...]
_UNITED = "union_by_name = true"
_MICROSECONDS = {"s": "* 1000000", "ms": "* 1000", "us": "", "ns": "// 1000"}


@dataclass(frozen=True)
class ParquetFiles:
    """Files of one schema.

    Attributes
    ----------
    kinds
        Own column to its DuckDB type; keys of folders are texts.
    instants
        Columns of the type INT96, which are instants in UTC.
    durations
        Paths of columns, and of fields in them, that Arrow knows as durations, with what makes microseconds of their unit: for
        others they are plain numbers.
    keys
        Keys of folders (``day=2026-01-05``) that name a column of their own.
    written
        The columns as the files name them: DuckDB renames one that differs from another in case only.
    """

    names: tuple[str, ...]
    kinds: dict[str, str]
    instants: frozenset[str] = frozenset()
    durations: Mapping[Path, str] = field(default_factory=dict[Path, str])
    keys: tuple[str, ...] = ()
    is_united: bool = False
    written: tuple[str, ...] = ()

    def reader(self, files: str, filename: str) -> str:
        """Return the FROM clause of their own columns and the file of each row."""
        options = [hive_options(()), f"filename = {literal(filename)}", *([_UNITED] if self.is_united else [])]
        read = with_keys(f"read_parquet({files}, {', '.join(options)})", self.keys, filename=filename)
        as_instants = {name: f"timezone('UTC', {identifier(name)})" for name in self.instants}
        as_intervals = {
            name: _with_intervals(identifier(name), paths) for name, paths in _by_first(self.durations).items()
        }
        changed = as_instants | as_intervals
        if not changed:
            return read
        replaced = ", ".join(f"{sql} as {identifier(name)}" for name, sql in sorted(changed.items()))
        return f"(select * replace ({replaced}) from {read})"


def grouped(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[ParquetFiles]:
    """Put files of the same schema together, in the order of their first file."""
    rows = connection.execute(
        f"""select file_name, list((name, type, converted_type, logical_type, num_children, repetition_type, precision, scale))
        from parquet_schema({file_list(files)}) group by file_name"""
    ).fetchall()
    schemas = {name: str(schema) for name, schema in rows}
    plain = {name: [f[0] for f in schema if f[1] == "INT64" and f[2] is None and f[3] is None] for name, schema in rows}
    arrow = _durations(connection, [name for name in files if plain.get(name)])
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name in files:
        durations = {path: unit for path, unit in arrow.get(name, {}).items() if path[-1] in plain.get(name, ())}
        key = (schemas.get(name), tuple(sorted(durations.items())), folder_keys(name))
        groups.setdefault(key, []).append(name)
    written = {name: _columns(schema) for name, schema in rows}
    int96 = {name: frozenset(f[0] for f in schema if f[1] == "INT96") for name, schema in rows}
    return [
        _of_one_schema(
            connection,
            ParquetFiles(
                tuple(names),
                {},
                int96.get(names[0], frozenset()),
                dict(durations),
                keys,
                written=written.get(names[0], ()),
            ),
        )
        for (_, durations, keys), names in groups.items()
    ]


def merged(connection: duckdb.DuckDBPyConnection, groups: Sequence[ParquetFiles]) -> ParquetFiles:
    """Read files of several schemas as one, each column in a type that holds all of its values."""
    names = tuple(name for group in groups for name in group.names)
    found = connection.sql(
        f"select * from read_parquet({file_list(names)}, {_UNITED}, hive_partitioning = false) limit 0"
    )
    kinds = dict(zip(found.columns, map(str, found.types), strict=True))
    instants = frozenset(set.intersection(*({*group.instants} for group in groups)))
    kinds |= dict.fromkeys(instants & kinds.keys(), "TIMESTAMP WITH TIME ZONE")
    keys = tuple(key for key in groups[0].keys if all(key in group.keys for group in groups))
    return ParquetFiles(names, kinds | dict.fromkeys(keys, "VARCHAR"), instants, {}, keys, is_united=True)


def united(kind: str, others: Sequence[str]) -> str:
    """Return the type of an object with the fields that other files have in it too; a field keeps its own type.

    Examples
    --------
    >>> united("STRUCT(id BIGINT)", ["STRUCT(id VARCHAR, src VARCHAR)", "VARCHAR"])
    'STRUCT("id" BIGINT, "src" VARCHAR)'
    """
    given = [duckdb.sqltype(one) for one in dict.fromkeys((kind, *others)) if one.startswith("STRUCT(")]
    return kind if len(given) < 2 else _united(given)  # noqa: PLR2004


def _united(given: Sequence[Any]) -> str:
    by_name: dict[str, list[Any]] = {}
    for one in given:
        for name, kind in one.children:
            by_name.setdefault(name, []).append(kind)
    fields = (f"{identifier(name)} {_united_field(kinds)}" for name, kinds in by_name.items())
    return f"STRUCT({', '.join(fields)})"


def _united_field(kinds: Sequence[Any]) -> str:
    objects = [kind for kind in kinds if kind.id == "struct"]
    return _united(objects) if kinds[0].id == "struct" else str(kinds[0])


def _by_first(paths: Mapping[Path, str]) -> dict[str, dict[Path, str]]:
    found: dict[str, dict[Path, str]] = {}
    for path, unit in paths.items():
        found.setdefault(path[0], {})[path[1:]] = unit
    return found


def _with_intervals(sql: str, paths: Mapping[Path, str]) -> str:
    """Return a column in which plain numbers that are durations, or fields of it that are, are intervals."""
    if () in paths:
        return f"to_microseconds(cast({sql} as bigint) {paths[()]})"
    changed = (
        f"{identifier(name)} := {_with_intervals(f'{sql}.{identifier(name)}', below)}"
        for name, below in _by_first(paths).items()
    )
    return f"case when {sql} is not null then struct_update({sql}, {', '.join(changed)}) end"


def _columns(schema: Sequence[Any]) -> Path:
    """Return the columns at the top of a schema, of which each part says how many follow below it."""
    found: list[str] = []
    below = 0  # parts that still belong to the last column
    for name, *_, children, _, _, _ in schema[1:]:
        if not below:
            found.append(name)
        below = max(below - 1, 0) + (children or 0)
    return tuple(found)


def _of_one_schema(connection: duckdb.DuckDBPyConnection, files: ParquetFiles) -> ParquetFiles:
    """Add the types of their columns."""
    plain = replace(files, keys=())
    own = connection.sql(f"select * exclude (_file) from {plain.reader(file_list(files.names[:1]), '_file')} limit 0")
    kinds = dict(zip(own.columns, map(str, own.types), strict=True))
    taken = {name.casefold() for name in kinds}
    # the column of the file counts, not the folder's key
    free = tuple(key for key in files.keys if key.casefold() not in taken)
    return replace(
        files, kinds=kinds | dict.fromkeys(free, "VARCHAR"), instants=files.instants & kinds.keys(), keys=free
    )


def _durations(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> dict[str, dict[Path, str]]:
    """Return the columns of each file, and the fields in them, that Arrow's schema, which its writer left there, calls durations."""
    if not files:
        return {}
    rows = connection.execute(
        f"select file_name, value from parquet_kv_metadata({file_list(files)}) where decode(key) = 'ARROW:schema'"
    ).fetchall()
    read: dict[bytes, dict[Path, str]] = {}
    return {name: read[value] if value in read else read.setdefault(value, _in_schema(value)) for name, value in rows}


def _in_schema(value: bytes) -> dict[Path, str]:
    try:
        schema = ipc.read_schema(pa.py_buffer(base64.b64decode(value)))
    except (pa.ArrowException, ValueError, OSError):
        return {}
    return dict(_durations_among(schema))


def _durations_among(fields: Iterable[pa.Field[Any]]) -> Iterator[tuple[Path, str]]:
    for one in fields:
        if pa.types.is_duration(one.type):
            yield (one.name,), _MICROSECONDS[one.type.unit]
        elif pa.types.is_struct(one.type):
            below = [one.type.field(place) for place in range(one.type.num_fields)]
            yield from (((one.name, *path), unit) for path, unit in _durations_among(below))
