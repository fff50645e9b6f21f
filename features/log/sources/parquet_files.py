"""Parquet files, each read in its own types: files of one schema are one relation, and none changes what another holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import ipc

from features.log.sources.source import file_list, folder_keys, hive_options
from features.sql import identifier, literal

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
        Columns that Arrow knows as durations, with what makes microseconds of their unit: for others they are plain numbers.
    keys
        Keys of folders (``day=2026-01-05``) that name a column of their own.
    """

    names: tuple[str, ...]
    kinds: dict[str, str]
    instants: frozenset[str] = frozenset()
    durations: Mapping[str, str] = field(default_factory=dict[str, str])
    keys: tuple[str, ...] = ()
    is_united: bool = False

    def reader(self, files: str, filename: str) -> str:
        """Return the FROM clause of their own columns and the file of each row."""
        options = [hive_options(self.keys), f"filename = {literal(filename)}", *([_UNITED] if self.is_united else [])]
        read = f"read_parquet({files}, {', '.join(options)})"
        as_instants = {name: f"timezone('UTC', {identifier(name)})" for name in self.instants}
        as_intervals = {
            name: f"to_microseconds(cast({identifier(name)} as bigint) {scale})"
            for name, scale in self.durations.items()
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
        durations = {column: arrow[name][column] for column in plain.get(name, ()) if column in arrow.get(name, {})}
        key = (schemas.get(name), tuple(sorted(durations.items())), folder_keys(name))
        groups.setdefault(key, []).append(name)
    int96 = {name: frozenset(f[0] for f in schema if f[1] == "INT96") for name, schema in rows}
    return [
        _of_one_schema(
            connection, names, durations=dict(durations), keys=keys, instants=int96.get(names[0], frozenset())
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
    keys = groups[0].keys if len({group.keys for group in groups}) == 1 else ()
    return ParquetFiles(names, kinds | dict.fromkeys(keys, "VARCHAR"), instants, {}, keys, is_united=True)


def _of_one_schema(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    *,
    durations: dict[str, str],
    keys: tuple[str, ...],
    instants: frozenset[str],
) -> ParquetFiles:
    own = connection.sql(f"select * from read_parquet({file_list(names[:1])}, hive_partitioning = false) limit 0")
    kinds = dict(zip(own.columns, map(str, own.types), strict=True))
    taken = {name.casefold() for name in kinds}
    free = (
        () if any(key.casefold() in taken for key in keys) else keys
    )  # the column of the file counts, not the folder's key
    kinds |= dict.fromkeys(instants & kinds.keys(), "TIMESTAMP WITH TIME ZONE") | dict.fromkeys(durations, "INTERVAL")
    return ParquetFiles(tuple(names), kinds | dict.fromkeys(free, "VARCHAR"), instants & kinds.keys(), durations, free)


def _durations(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the columns of each file that Arrow's schema, which its writer left there, calls durations."""
    if not files:
        return {}
    rows = connection.execute(
        f"select file_name, value from parquet_kv_metadata({file_list(files)}) where decode(key) = 'ARROW:schema'"
    ).fetchall()
    read: dict[bytes, dict[str, str]] = {}
    return {name: read[value] if value in read else read.setdefault(value, _in_schema(value)) for name, value in rows}


def _in_schema(value: bytes) -> dict[str, str]:
    try:
        schema = ipc.read_schema(pa.py_buffer(base64.b64decode(value)))
    except (pa.ArrowException, ValueError, OSError):
        return {}
    return {one.name: _MICROSECONDS[one.type.unit] for one in schema if pa.types.is_duration(one.type)}
