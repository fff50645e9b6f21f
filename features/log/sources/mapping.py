"""The mapping of a log, resolved against the own columns of its files: one source for each schema."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import cast

import duckdb
import msgspec

from features.errors import InputError, SettingsError
from features.expressions import column_paths, parsed, rewritten
from features.log.files import LOG, LogFile, Subject, mount, open_file
from features.log.formats import Mapped, format_of
from features.log.sources.binding import Binder, Bound, Texts
from features.log.sources.broken_rows import FAULT, TEXT
from features.log.sources.csv_files import CsvFile
from features.log.sources.demands import takes_lists
from features.log.sources.dialect import Dialect, apart, same_but_for_case
from features.log.sources.json_files import FieldPath, Fields, fault_of, name_of, path_of
from features.log.sources.parquet_files import grouped, merged, united
from features.log.sources.source import LOG_FILE, Source, file_list, folder_keys, is_named, suggestion
from features.sql import identifier
from features.storage.duckdb import duckdb_errors

_START_BYTES = 64


@dataclass(frozen=True)
class _Group:
    """Files of one schema before the mapping is resolved: the relation, and the type of each of their own columns.

    Attributes
    ----------
    texts
        Columns of which only SQL decides how they are read: texts, keys of folders, unmarked bytes.
    alike
        Names of columns that differ in case only, under the name in lower case.
    has_broken_rows
        Some rows have another number of fields than there are columns.
    missing
        Columns that other files have and the mapping names.
    """

    sql: str
    files: tuple[str, ...]
    kinds: dict[str, str]
    texts: frozenset[str]
    alike: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    has_broken_rows: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mapper:
    """Resolves a mapping against files.

    Attributes
    ----------
    zone
        Zone of the local day that a date means.
    is_merged
        Parquet files of several schemas are read as one, in types that hold all of their values.
    dialects
        How each CSV file (key, fingerprint) is written, where that is known; what is found is added.
    """

    connection: duckdb.DuckDBPyConnection
    settings: Mapped
    zone: str = "UTC"
    subject: Subject = LOG
    is_merged: bool = False
    dialects: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def sources(self, files: Sequence[LogFile]) -> tuple[Source, ...]:
        """Read the files' own columns and resolve the mapping against them; remote files become readable in the connection.

        Parameters
        ----------
        files
            One or more, all of one format, as :func:`features.log.formats.files_of` found them.

        Raises
        ------
        InputError
            When a file cannot be read, or the mapping names what is not there.
        """
        mount(self.connection, [file.name for file in files])
        kind = format_of(files[0].name)
        found = [file for file in files if kind == "parquet" or not _is_empty(file)]
        if not found:
            raise self._empty(files[0].name)
        with duckdb_errors(*self.subject.unreadable):
            if kind == "json":
                return (self._json(tuple(file.name for file in found)),)
            groups = self._parquet(found) if kind == "parquet" else self._csv(found)
        for group in groups:
            self._refuse_taken_name(group.kinds)
        self._check_types({name for group in groups for name in group.kinds})
        groups = [self._with_fields(group, groups) for group in groups]
        everywhere = {name.casefold(): (name, kind) for group in reversed(groups) for name, kind in group.kinds.items()}
        columns = tuple(dict.fromkeys(name for group in groups for name in group.kinds))
        return tuple(self._resolved(self._with_missing(group, everywhere), columns) for group in groups)

    @property
    def _reading(self) -> Texts:
        return Texts(self.settings.format.decimal, self.settings.format.null, self.zone)

    def _parquet(self, files: Sequence[LogFile]) -> list[_Group]:
        names = [file.name for file in files]
        found = grouped(self.connection, names)
        if self.is_merged:
            found = [merged(self.connection, found)]
        return [
            _Group(
                one.reader(file_list(one.names), LOG_FILE),
                one.names,
                one.kinds,
                frozenset(one.keys) | {name for name, kind in one.kinds.items() if kind in ("BLOB", "VARCHAR")},
                same_but_for_case(one.written),
            )
            for one in found
        ]

    def _csv(self, files: Sequence[LogFile]) -> list[_Group]:
        """Read files that are written alike by one reader."""
        found: dict[tuple[Dialect, tuple[str, ...]], list[str]] = {}
        for file in files:
            if dialect := self._dialect(file):
                taken = {name.casefold() for name in dialect.columns}
                keys = tuple(key for key in folder_keys(file.name) if key.casefold() not in taken)
                found.setdefault((dialect, keys), []).append(file.name)
        if not found:
            raise self._empty(files[0].name)
        groups: list[_Group] = []
        for (dialect, keys), names in found.items():
            kinds = dict.fromkeys((*apart(dialect.columns), *keys), "VARCHAR")
            sql = dialect.reader(file_list(names), LOG_FILE, keys=keys)
            alike = same_but_for_case(dialect.columns)
            groups.append(_Group(sql, tuple(names), kinds, frozenset(kinds), alike, dialect.widest > 0))
        return groups

    def _dialect(self, file: LogFile) -> Dialect | None:
        key = (file.key, file.fingerprint)
        if key not in self.dialects:
            found = CsvFile(file.name, self.settings.format, self.subject, self.connection).dialect()
            self.dialects[key] = msgspec.json.encode(found).decode()
        return msgspec.json.decode(self.dialects[key], type=Dialect | None)

    def _with_fields(self, group: _Group, groups: Sequence[_Group]) -> _Group:
        """Add the fields of objects that other files have, as absent values."""
        kinds = {
            name: united(kind, [other.kinds[name] for other in groups if name in other.kinds])
            for name, kind in group.kinds.items()
            if kind.startswith("STRUCT(")
        }
        changed = {name: kind for name, kind in kinds.items() if kind != group.kinds[name]}
        if not changed:
            return group
        cast = ", ".join(f"cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in changed.items())
        return replace(group, sql=f"(select * replace ({cast}) from {group.sql})", kinds=group.kinds | changed)

    def _with_missing(self, group: _Group, everywhere: Mapping[str, tuple[str, str]]) -> _Group:
        """Add the columns that other files have and the mapping names, as absent values."""
        own = {name.casefold() for name in group.kinds}
        words = " ".join((*self.settings.mapping().values(), self.settings.where))
        missing = {name: kind for key, (name, kind) in everywhere.items() if key not in own and is_named(name, words)}
        if not missing:
            return group
        added = ", ".join(f"cast(null as {kind}) as {identifier(name)}" for name, kind in missing.items())
        texts = group.texts | {name for name, kind in missing.items() if kind == "VARCHAR"}
        sql = f"(select *, {added} from {group.sql})"
        return replace(group, sql=sql, kinds=group.kinds | missing, texts=texts, missing=tuple(missing))

    def _resolved(self, group: _Group, columns: tuple[str, ...]) -> Source:
        binder = Binder(self.connection, group.kinds, group.texts, self._reading, self._declared(group.kinds))
        alike = group.alike or same_but_for_case(list(group.kinds))
        mapping: dict[str, Bound] = {}
        for name, expression in self.settings.mapping().items():
            _refuse_alike(self._place(name, expression), expression, alike=alike)
            what = f"{self._place(name, expression)}: {self.subject.noun} has no such column or cannot answer it"
            hint = f"map {name} to a column of {self.subject.noun}; {suggestion(expression, columns, subject=self.subject)}"
            with duckdb_errors(what, hint):
                mapping[name] = _bound(binder, expression)
        where = self._condition(binder, columns, alike=alike) if self.settings.where else None
        found = Source(
            group.sql,
            mapping,
            where,
            tuple(group.kinds),
            group.files,
            self.subject,
            self._reading,
            missing=group.missing,
        )
        return (
            found
            if not group.has_broken_rows
            else replace(found, fault=FAULT, row_text=TEXT, where=where and _or_faulty(where, FAULT))
        )

    def _condition(self, binder: Binder, columns: Collection[str], *, alike: Mapping[str, list[str]]) -> Bound:
        what = f"[{self.subject.section}] where = {self.settings.where!r}"
        _refuse_alike(what, self.settings.where, alike=alike)
        with duckdb_errors(f"{what}: {self.subject.noun} cannot answer it", f"its columns: {', '.join(columns)}"):
            return binder.condition(self.settings.where)

    def _check_types(self, columns: Collection[str]) -> None:
        """Refuse a declared type of a column that is not there."""
        known = {name.casefold() for name in columns}
        if unknown := next((name for name in self.settings.types if name.casefold() not in known), None):
            raise SettingsError(
                f"[{self.subject.section}.types] {unknown}: {self.subject.noun} has no such column",
                hint=suggestion(unknown, columns, subject=self.subject),
            )

    def _place(self, name: str, expression: str) -> str:
        written = expression if expression.startswith('"') else f'"{expression}"'
        return f"[{self.subject.section}.columns] {name} = {written}"

    def _declared(self, columns: Collection[str]) -> dict[str, str]:
        by_name = {name.casefold(): name for name in columns}
        types = self.settings.types
        return {by_name[name.casefold()]: kind for name, kind in types.items() if name.casefold() in by_name}

    def _empty(self, name: str) -> InputError:
        return InputError(
            f"{self.subject.noun} is empty: {name} and all its other files hold nothing", hint="check its path"
        )

    def _refuse_taken_name(self, columns: Collection[str]) -> None:
        if any(column.casefold() == LOG_FILE for column in columns):
            noun = self.subject.noun
            what = f'[{self.subject.section}] path: {noun} has a column "{LOG_FILE}", which churn uses for the file of a row'
            raise InputError(what, hint=f"rename it in {noun}")

    # --- JSON ----------------------------------------------------------------------------------------------------------

    def _json(self, names: tuple[str, ...]) -> Source:
        for name in names:
            _refuse_marked_list(name, self.subject)
        keys = set.intersection(*(set(folder_keys(name)) for name in names))
        fields = Fields(self.connection, file_list(names), filename=LOG_FILE, keys=sorted(keys))
        flat = {
            name: self._flat(fields, expression, what=self._place(name, expression))
            for name, expression in self.settings.mapping().items()
        }
        where = self.settings.where
        condition = self._flat(fields, where, what=f"[{self.subject.section}] where = {where!r}") if where else None
        paths = list(dict.fromkeys(path for one in (*flat.values(), condition) if one for path in one.paths))
        kinds = {name_of(path): "VARCHAR" for path in paths}
        for names_alike in same_but_for_case(list(kinds)).values():
            raise InputError(
                f"[{self.subject.section}.columns]: {' and '.join(names_alike)} differ in case only, and SQL does not tell them apart",
                hint="map one of them only",
            )
        self._check_types(kinds)
        binder = Binder(self.connection, kinds, frozenset(kinds), self._reading, self._declared(kinds))
        mapping = {name: self._bound_fields(one, binder, fields=fields) for name, one in flat.items()}
        bound_where = self._bound_fields(condition, binder, fields=fields) if condition else None
        relation, in_objects = fields.relation(paths), [path for path in paths if not fields.is_in_folders(path)]
        if condition and bound_where:  # keys that it does not read say nothing of it
            read = fault_of([path for path in condition.paths if path in in_objects])
            bound_where = _or_faulty(bound_where, read)
        fault = fault_of(in_objects)
        return Source(relation, mapping, bound_where, tuple(kinds), names, self.subject, self._reading, fault)

    def _flat(self, fields: Fields, expression: str, *, what: str) -> _Flat:
        """Return an expression over columns that are paths of fields; a path that is simply named is its column."""
        path, named = path_of(expression), (expression.strip(),)
        if path is None and not set(expression) & set("'()") and fields.found(named):
            path = named  # a key with blanks or dots
        if path is not None:
            found = fields.found(path) or fields.found(named)
            if found is None:
                raise self._no_field(fields, path, what=what)
            return _Flat(what, name_of(found), (found,))
        try:
            wanted = column_paths(parsed(expression))
        except SettingsError as error:
            raise SettingsError(f"{what}: {error.message}", hint=error.hint) from error
        found_paths = {one: fields.found(one) or fields.found((name_of(one),)) for one in wanted}
        if missing := next((one for one, found in found_paths.items() if found is None), None):
            raise self._no_field(fields, missing, what=what)
        changed = {one: identifier(name_of(found)) for one, found in found_paths.items() if found}
        sql = rewritten(expression, changed) if changed else f"({expression})"
        return _Flat(what, sql, tuple(dict.fromkeys(found for found in found_paths.values() if found)))

    def _no_field(self, fields: Fields, path: FieldPath, *, what: str) -> InputError:
        noun = self.subject.noun
        return InputError(
            f"{what}: {noun} has no such column: {name_of(path)}", hint=f"{fields.suggestion(path)} (fields of {noun})"
        )

    def _bound_fields(self, flat: _Flat, binder: Binder, *, fields: Fields) -> Bound:
        """Bind an expression over texts; lists and objects are given their types only where SQL looks into them."""
        if flat.sql in binder.kinds:
            return binder.column(flat.sql)
        hint = f"its fields here: {', '.join(binder.kinds)}"
        with duckdb_errors(f"{flat.what}: {self.subject.noun} cannot answer it", hint):
            if not takes_lists(parsed(flat.sql)):
                with suppress(duckdb.Error):
                    return binder.condition(flat.sql)
            nested = {name_of(path): fields.nested(path) for path in flat.paths}
            return replace(binder, nested=nested).condition(flat.sql)


@dataclass(frozen=True)
class _Flat:
    """An expression over columns that are paths of fields, and its place in the settings."""

    what: str
    sql: str
    paths: tuple[FieldPath, ...]


def _bound(binder: Binder, expression: str) -> Bound:
    column = bare(expression, binder.kinds)
    return binder.bound(expression) if column is None else binder.column(column)


def _or_faulty(where: Bound, fault: str) -> Bound:
    """Return a condition that holds for faulty rows too: their values may stand elsewhere, and none is lost."""
    if not where.is_guarded:
        return replace(where, sql=f"({where.sql} or {fault} is not null)")
    return replace(where, sql=f"case when {where.sql}.v or {fault} is not null then {{'v': true}} else {where.sql} end")


def _refuse_alike(what: str, expression: str, *, alike: Mapping[str, list[str]]) -> None:
    words = set(re.findall(r"\w+", expression.casefold())) | {expression.strip().strip('"').casefold()}
    for key, names in alike.items():
        if key in words:
            raise InputError(
                f"{what}: there are columns {' and '.join(names)}, which differ in case only, and SQL does not tell them apart",
                hint="rename one of them in the files",
            )


def _is_empty(file: LogFile) -> bool:
    if file.bytes:
        return False
    with open_file(file.name) as opened:
        return not opened.read(1)


def _refuse_marked_list(name: str, subject: Subject) -> None:
    """Refuse a list of objects behind a byte order mark: DuckDB takes it for one value."""
    if not name.lower().endswith(".json"):
        return
    with open_file(name) as opened:
        start = cast("bytes", opened.read(_START_BYTES))
    if start.startswith(BOM_UTF8) and start.removeprefix(BOM_UTF8).lstrip().startswith(b"["):
        raise InputError(
            f"{subject.unreadable[0]}: {name} is a list of objects behind a byte order mark",
            hint="save it as UTF-8 without BOM, or as JSON Lines, an object a line",
        )


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
