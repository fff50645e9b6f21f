"""Objects within rows: the fields that JSON objects have, and lists of objects, each of which may be an event of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import duckdb
from duckdb.sqltypes import DuckDBPyType

from churn.first_look.evidence.names import (
    is_arrival,
    is_duration,
    is_event_id,
    is_event_time,
    is_other_time,
    money_of,
    normal,
    person_rank,
    role_of,
    type_rank,
)
from features.errors import InputError
from features.log.sources.json_files import FieldPath, name_of
from features.log.sources.source import file_list

_STRUCTURE_ROWS, _MIN_ROWS, _MAX_HEADS = 50_000, 1000, 50
_MAX_FIELDS, _SHOWN = 400, 5
_TYPES = 3  # names of types that say so of an event: all but type and kind


@dataclass(frozen=True)
class ObjectList:
    """A field that holds lists of objects.

    Attributes
    ----------
    fields
        Names of the fields of these objects.
    longest
        The most objects of one row.
    """

    name: str
    fields: tuple[str, ...]
    longest: int

    @property
    def words(self) -> str:
        """What it is, in words."""
        return f"{self.name} holds lists of up to {self.longest:,} objects ({', '.join(self.fields[:_SHOWN])})"

    @property
    def may_be_events(self) -> bool:
        """Whether a row has several objects with a time or a type of an event."""
        return self.longest > 1 and any(map(_is_of_event, map(normal, self.fields)))


def refuse_lists_of_events(lists: Iterable[ObjectList]) -> None:
    """Refuse rows that hold several events.

    Raises
    ------
    InputError
        With the list and what its objects have.
    """
    for one in lists:
        if one.may_be_events:
            raise InputError(
                f"{one.words}: a row may hold several events, and churn reads one in each row",
                hint=f"write a row for each object first, as DuckDB does: select *, unnest({one.name}, recursive := true) from 'LOG'. "
                "If a row is one event, name its time: --answer event_time=COLUMN",
            )


def inspected_fields(names: Sequence[str]) -> tuple[list[str], str]:
    """Return as many names as are inspected, those that say what they are before others; and in words how many there are more."""
    if len(names) <= _MAX_FIELDS:
        return list(names), ""
    taken = set(sorted(names, key=lambda name: not _has_role(normal(name)))[:_MAX_FIELDS])
    left = [name for name in names if name not in taken]
    more = ", ..." if len(left) > _SHOWN else ""
    words = f"{len(left):,} of {len(names):,} fields were not inspected: {', '.join(left[:_SHOWN])}{more}"
    return [name for name in names if name in taken], words


def json_structure(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str]
) -> tuple[list[FieldPath], list[ObjectList]]:
    """Return the paths of the values of JSON objects, and the lists of objects: as the first of each file have, and some from everywhere.

    Raises
    ------
    InputError
        When there are no objects.
    """
    heads = files[:: max(1, -(-len(files) // _MAX_HEADS))]
    rows = max(_MIN_ROWS, _STRUCTURE_ROWS // len(heads))
    parts = [f"(select json from {_objects([file])} limit {rows})" for file in heads]
    parts.append(f"(select json from {_objects(files)} using sample reservoir({_STRUCTURE_ROWS} rows) repeatable (1))")
    connection.execute(f"create or replace temp table _json_objects as {' union all '.join(parts)}")
    ((found,),) = connection.execute("select json_group_structure(json) from _json_objects").fetchall()
    structure = json.loads(found) if found else None
    if not isinstance(structure, dict):
        raise InputError("the log holds no JSON objects", hint="expected JSON Lines, an object for each event")
    lists = [
        ObjectList(name_of(path), fields, _longest(connection, path)) for path, fields in _lists(structure).items()
    ]
    connection.execute("drop table _json_objects")
    return _leaves(structure), lists


def _objects(files: Sequence[str]) -> str:
    return f"read_json_objects({file_list(files)}, ignore_errors = true)"


def _longest(connection: duckdb.DuckDBPyConnection, path: FieldPath) -> int:
    pointer = "$" + "".join(f'."{part}"' for part in path)
    ((found,),) = connection.execute("select max(json_array_length(json, ?)) from _json_objects", [pointer]).fetchall()
    return int(found or 0)


def _leaves(structure: Mapping[str, Any], above: FieldPath = ()) -> list[FieldPath]:
    """Return the paths of values that are neither objects nor lists."""
    found: list[FieldPath] = []
    for key, kind in structure.items():
        if isinstance(kind, dict):
            found += _leaves(cast("dict[str, Any]", kind), (*above, key))
        elif not isinstance(kind, list):
            found.append((*above, key))
    return found


def _lists(structure: Mapping[str, Any], above: FieldPath = ()) -> dict[FieldPath, tuple[str, ...]]:
    """Return the paths of lists of objects, each with the names of the fields of these."""
    found: dict[FieldPath, tuple[str, ...]] = {}
    for key, kind in structure.items():
        if isinstance(kind, dict):
            found |= _lists(cast("dict[str, Any]", kind), (*above, key))
        elif isinstance(kind, list) and kind and isinstance(kind[0], dict):
            found[*above, key] = tuple(".".join(path) for path in _leaves(cast("dict[str, Any]", kind[0])))
    return found


def leaves_of(path: FieldPath, kind: DuckDBPyType) -> list[tuple[FieldPath, DuckDBPyType]]:
    """Return the fields of a column that is a struct, with their paths and types; of another, the column itself."""
    if kind.id != "struct":
        return [(path, kind)]
    children = cast("list[tuple[str, DuckDBPyType]]", kind.children)
    return [leaf for name, each in children for leaf in leaves_of((*path, name), each)]


def fields_of_list(kind: DuckDBPyType) -> tuple[str, ...]:
    """Return the names of the fields of the structs of a list; empty: it is none."""
    if kind.id != "list":
        return ()
    ((_, of),) = cast("list[tuple[str, DuckDBPyType]]", kind.children)
    return tuple(".".join(path) for path, _ in leaves_of((), of)) if of.id == "struct" else ()


def _is_of_event(name: str) -> bool:
    rank = type_rank(name)
    return (is_event_time(name) and not is_other_time(name)) or (rank is not None and rank < _TYPES)


def _has_role(name: str) -> bool:
    says = (person_rank(name), type_rank(name), role_of(name), money_of(name))
    of_time = is_event_time(name) or is_arrival(name) or is_duration(name)
    return of_time or is_event_id(name) or any(one is not None for one in says)
