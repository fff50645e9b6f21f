"""JSON and JSON Lines: the fields that a mapping names, as texts, however rare they are and however deep they lie.

DuckDB is not asked which fields there are: it would decide from a sample, and rewrite what looks like a UUID or a date. A field is
named by its path, as in ``properties.distinct_id``. Numbers are texts as they are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import duckdb

from features.errors import InputError, closest
from features.log.sources.binding import Reading
from features.log.sources.json_numbers import as_written, quoted
from features.log.sources.source import hive_options
from features.sql import identifier, literal

FieldPath = tuple[str, ...]
RAW = "_log_object"  # the whole object of a row
OTHER_CASE = "a key differs in case only"
_PLAIN = re.compile(r"[\w$]+(\.[\w$]+)*")


def path_of(expression: str) -> FieldPath | None:
    """Return the path that an expression simply names; None: it is SQL.

    Examples
    --------
    >>> path_of("properties.distinct_id"), path_of('properties."$insert_id"'), path_of("a || b")
    (('properties', 'distinct_id'), ('properties', '$insert_id'), None)
    """
    text = expression.strip()
    if _PLAIN.fullmatch(text):
        return tuple(text.split("."))
    if not re.fullmatch(r'("([^"]|"")+"|[\w$]+)(\.("([^"]|"")+"|[\w$]+))*', text):
        return None
    parts = re.findall(r'"((?:[^"]|"")+)"|([\w$]+)', text)
    return tuple(quoted.replace('""', '"') or plain for quoted, plain in parts)


class Fields:
    """The fields of some JSON files.

    Parameters
    ----------
    files
        SQL list of their names.
    filename
        Column that names the file of an object.
    keys
        Keys of their folders, which are fields too.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, files: str, *, filename: str, keys: Sequence[str] = ()
    ) -> None:
        self._connection = connection
        self._filename = filename
        self._keys = {key.casefold(): key for key in keys}
        options = (
            f"{hive_options(keys)}, filename = {literal(filename)}, ignore_errors = true"  # a broken line is a null
        )
        self._objects = f"read_json_objects({files}, {options})"

    def found(self, path: FieldPath) -> FieldPath | None:
        """Return a path as it is spelled in the files; None: no object has it.

        Raises
        ------
        InputError
            When several differ from it in case only.
        """
        if self._has(path):
            return path
        if len(path) == 1 and path[0].casefold() in self._keys:
            return (self._keys[path[0].casefold()],)
        spelled: FieldPath = ()
        for part in path:
            keys = self.keys(spelled)
            same = [key for key in keys if key == part] or [key for key in keys if key.casefold() == part.casefold()]
            if len(same) > 1:
                names = " and ".join(sorted(same))
                raise InputError(
                    f"{part}: there are fields {names}, which differ in case only", hint="write it as one of them"
                )
            if not same:
                return None
            spelled = (*spelled, same[0])
        return spelled

    def is_in_folders(self, path: FieldPath) -> bool:
        """Tell whether a path is a key of folders, and of no object."""
        return path[0] in self._keys.values() and not self._has(path)

    def _has(self, path: FieldPath) -> bool:
        sql = f"select 1 from {self._objects} where json_exists(json, {literal(_pointer(path))}) limit 1"
        return bool(self._connection.execute(sql).fetchall())

    def keys(self, path: FieldPath = ()) -> list[str]:
        """Return the keys of all objects at a path."""
        place = f"json_extract(json, {literal(_pointer(path))})" if path else "json"
        found = f"case when json_type({place}) = 'OBJECT' then json_keys({place}) end"
        rows = self._connection.execute(f"select distinct unnest({found}) from {self._objects} order by 1").fetchall()
        return [key for (key,) in rows]

    def suggestion(self, path: FieldPath) -> str:
        """Suggest the field that was probably meant."""
        return closest(path[-1], self.keys(path[:-1]) or self.keys())

    def nested(self, path: FieldPath) -> tuple[Reading, ...]:
        """Return how lists and objects at a path are read, by what all objects have there; none: there are none.

        Their values are texts, or else of the types that all of them have; a key that one lacks is null in it.
        """
        place = f"json_extract(json, {literal(_pointer(path))})"
        ((found,),) = self._connection.execute(f"select json_group_structure({place}) from {self._objects}").fetchall()
        structure = _known(json.loads(found)) if found else "VARCHAR"
        if isinstance(structure, str):
            return ()
        return tuple(
            Reading(_type_of(one), f"json_transform({quoted('{}')}, {literal(json.dumps(one))})")
            for one in (_of_texts(structure), structure)
        )

    def relation(self, paths: Sequence[FieldPath]) -> str:
        """Return the FROM clause of paths as columns of text, each named by :func:`name_of`."""
        in_folders = [path for path in paths if self.is_in_folders(path)]
        in_objects = [path for path in paths if path not in in_folders]
        of_objects = [
            path for path in in_objects if any(other[: len(path)] == path and other != path for other in in_objects)
        ]
        structure = literal(json.dumps(_nested([path for path in in_objects if path not in of_objects])))
        columns = "".join(
            f"{_text(path, _field(path) if path not in of_objects else _text_at(path))} as {identifier(name_of(path))}, "
            for path in in_objects
        )
        columns += "".join(f"{identifier(path[0])}, " for path in in_folders)
        return f"""(select {columns}json as {RAW}, {self._filename} from
            (select *, json_transform(json, {structure}) as _fields from {self._objects}))"""


def name_of(path: FieldPath) -> str:
    """Name the column of a path."""
    return ".".join(path)


def _pointer(path: FieldPath) -> str:
    return "$" + "".join(f'."{part.replace(chr(34), chr(92) + chr(34))}"' for part in path)


def _nested(paths: Sequence[FieldPath]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in paths:
        place = tree
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = "VARCHAR"
    return tree


def _field(path: FieldPath) -> str:
    return "_fields" + "".join(f"[{literal(part)}]" for part in path)


def _text_at(path: FieldPath) -> str:
    return f"json_extract_string(json, {literal(_pointer(path))})"


def _text(path: FieldPath, field: str) -> str:
    """Return a field as text, with its numbers as they are written; a key may also hold its path, dots included."""
    pointer = literal(_pointer(path))
    may_differ = f"(contains({field}, '.') or contains({field}, 'e')) and json_type(json, {pointer}) <> 'VARCHAR'"
    text = f"case when {may_differ} then {as_written('cast(json as varchar)', pointer)} else {field} end"
    if len(path) == 1:
        return text
    dotted = as_written("cast(json as varchar)", literal(_pointer((name_of(path),))))
    return f"case when {field} is null then {dotted} else {text} end"


def fault_of(paths: Sequence[FieldPath]) -> str:
    """Return the SQL over :data:`RAW` of why an object does not say what its fields are; null: it does."""
    prefixes = dict.fromkeys(path[:size] for path in paths for size in range(1, len(path)))
    keys = [f"json_keys({RAW})", *(f"json_keys({RAW}, {literal(_pointer(prefix))})" for prefix in prefixes)]
    twice = " or ".join(f"coalesce(len({one}) <> len(list_distinct({one})), false)" for one in keys)
    whole = f"""case when {RAW} is null or json_type({RAW}) <> 'OBJECT' then 'the row is no JSON object'
        when {twice} then 'the object has a key twice' end"""
    return f"coalesce({', '.join([whole, *map(_in_another_case, paths)])})"


def _in_another_case(path: FieldPath) -> str:
    """Return the SQL of the fault that a key is there in another case only, with both spellings; null: it is not."""
    keys = f"json_keys({RAW}, {literal(_pointer(path[:-1]))})" if path[1:] else f"json_keys({RAW})"
    alike = f"list_filter({keys}, lambda key: lower(key) = {literal(path[-1].lower())})[1]"
    is_absent = f"{identifier(name_of(path))} is null and not list_contains({keys}, {literal(path[-1])})"
    return f"{literal(f'{OTHER_CASE}: ')} || case when {is_absent} then {alike} end || {literal(f' is not {path[-1]}')}"


def _known(structure: Any) -> Any:
    """Return a structure of DuckDB's JSON functions in which what is null everywhere is text, and what is empty is JSON."""
    if isinstance(structure, dict):
        return {name: _known(kind) for name, kind in structure.items()} or "JSON"
    if isinstance(structure, list):
        return [_known(structure[0])] if structure else "JSON"
    return "VARCHAR" if structure == "NULL" else structure


def _of_texts(structure: Any) -> Any:
    """Return a structure of the same lists and objects in which all values are texts."""
    if isinstance(structure, dict):
        return {name: _of_texts(kind) for name, kind in structure.items()}
    return [_of_texts(structure[0])] if isinstance(structure, list) else "VARCHAR"


def _type_of(structure: Any) -> str:
    """Write a structure of DuckDB's JSON functions as a type."""
    if isinstance(structure, dict):
        return f"STRUCT({', '.join(f'{identifier(name)} {_type_of(kind)}' for name, kind in structure.items())})"
    return f"{_type_of(structure[0])}[]" if isinstance(structure, list) else str(structure)
