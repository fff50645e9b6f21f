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
from features.log.sources.source import hive_options
from features.sql import identifier, literal

FieldPath = tuple[str, ...]
RAW = "_log_object"  # the whole object of a row
FAULTS = {
    "the row is no JSON object": f"json_type({RAW}) <> 'OBJECT'",
    "the object has a key twice": f"len(json_keys({RAW})) <> len(list_distinct(json_keys({RAW})))",
}
_NUMBER = r"-?\d+(\.\d+)?([eE][-+]?\d+)?"
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
        self._objects = f"read_json_objects({files}, {hive_options(keys)}, filename = {literal(filename)})"

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

    def nested(self, path: FieldPath) -> Reading:
        """Return how lists and objects at a path are read, by what all objects have there; a key that one lacks is null in it."""
        place = f"json_extract(json, {literal(_pointer(path))})"
        ((found,),) = self._connection.execute(f"select json_group_structure({place}) from {self._objects}").fetchall()
        structure = _known(json.loads(found)) if found else "VARCHAR"
        return Reading(_type_of(structure), f"json_transform(cast({{}} as json), {literal(json.dumps(structure))})")

    def relation(self, paths: Sequence[FieldPath]) -> str:
        """Return the FROM clause of paths as columns of text, each named by :func:`name_of`."""
        in_folders = [path for path in paths if path[0] in self._keys.values() and not self._has(path)]
        in_objects = [path for path in paths if path not in in_folders]
        of_objects = [
            path for path in in_objects if any(other[: len(path)] == path and other != path for other in in_objects)
        ]
        structure = literal(json.dumps(_nested([path for path in in_objects if path not in of_objects])))
        columns = "".join(
            f"{_as_written(path) if path not in of_objects else _text_at(path)} as {identifier(name_of(path))}, "
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


def _text_at(path: FieldPath) -> str:
    return f"json_extract_string(json, {literal(_pointer(path))})"


def _as_written(path: FieldPath) -> str:
    """Return a field as text; DuckDB writes 1.10 as 1.1, so a number with decimals is looked up in the text of its object."""
    field = "_fields" + "".join(f"[{literal(part)}]" for part in path)
    pattern = re.escape(json.dumps(path[-1], ensure_ascii=False)) + r"\s*:\s*(" + _NUMBER + ")"
    numbers = f"regexp_extract_all(cast(json as varchar), {literal(pattern)}, 1)"
    same = f"list_filter({numbers}, lambda written: try_cast(written as double) = try_cast({field} as double))[1]"
    looks_like_one = rf"(contains({field}, '.') or contains({field}, 'e')) and regexp_full_match({field}, '{_NUMBER}')"
    is_number = f"json_type(json, {literal(_pointer(path))}) = 'DOUBLE'"
    return f"case when {looks_like_one} and {is_number} then coalesce({same}, {field}) else {field} end"


def _known(structure: Any) -> Any:
    """Return a structure of DuckDB's JSON functions in which what is null everywhere is text, and what is empty is JSON."""
    if isinstance(structure, dict):
        return {name: _known(kind) for name, kind in structure.items()} or "JSON"
    if isinstance(structure, list):
        return [_known(structure[0])] if structure else "JSON"
    return "VARCHAR" if structure == "NULL" else structure


def _type_of(structure: Any) -> str:
    """Write a structure of DuckDB's JSON functions as a type."""
    if isinstance(structure, dict):
        return f"STRUCT({', '.join(f'{identifier(name)} {_type_of(kind)}' for name, kind in structure.items())})"
    return f"{_type_of(structure[0])}[]" if isinstance(structure, list) else str(structure)
