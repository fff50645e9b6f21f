"""What an expression of churn.toml reads: each column of a text file as text, and as a number or a time only where SQL demands it.

A type is never guessed from values. ``Quantity * UnitPrice`` has no meaning over texts, so both are read as numbers; in
``InvoiceNo like 'C%'`` the column stays the text it is, whatever the rows of a month hold. Of the readings under which DuckDB
accepts the expression, the one with the most texts is taken.

A value that cannot be read so, or an expression that fails on it, makes the value of that row unreadable, not the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any

import duckdb

from features.errors import InputError
from features.expressions import NUMBER, column_paths, nodes, parsed, rewritten
from features.log.sources.demands import (
    ORDERS,
    demanded_of,
    differences_in,
    ordered,
    takes_bytes,
    takes_text,
    with_offsets,
    with_texts,
)
from features.log.sources.json_numbers import quoted
from features.log.sources.times import instant_of_text
from features.log.sources.values import text_of
from features.sql import identifier, literal

_TEXT = "VARCHAR"
_MAX_COMBINATIONS = 4096
_CLASSES_THAT_FAIL = ("CAST", "FUNCTION")


@dataclass(frozen=True)
class Bound:
    """An expression over the columns of a file, as it is evaluated.

    Attributes
    ----------
    sql
        The expression; where it is guarded, ``try({'v': ...})``: null where it fails on a row.
    kind
        DuckDB type of its value.
    inputs
        Columns whose texts a rejected row shows, where the expression has no value to show.
    """

    sql: str
    kind: str
    is_guarded: bool = False
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One way to read a text: SQL that fails where the text is not of the kind."""

    kind: str
    template: str

    def sql(self, column: str) -> str:
        """Return the SQL that reads a column."""
        return self.template.replace("{}", column)


_INSTANTS = ("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
_NUMBERS = ("DOUBLE", "FLOAT", "DECIMAL", "NUMERIC", "REAL", "TINYINT", "SMALLINT", "INT", "BIGINT", "HUGEINT", "U")
_BYTES = Reading(_TEXT, "decode({})")  # texts that a writer did not mark as such


@dataclass(frozen=True)
class Texts:
    """How texts of a file are read as something else.

    Attributes
    ----------
    decimal
        Mark before decimals, ``.`` or ``,``; with a comma, points group thousands.
    nulls
        Texts that stand for an absent value.
    zone
        Zone of the local day that a date means.
    """

    decimal: str = "."
    nulls: tuple[str, ...] = ()
    zone: str = "UTC"

    @property
    def text(self) -> Reading:
        """The text as it is; an empty one is absent, as it is in a CSV."""
        return Reading(_TEXT, self.present("{}"))

    @property
    def object(self) -> Reading:
        """The text of an object or a list of which a value is taken as text: numbers are texts too, as they are written."""
        return Reading(_TEXT, quoted(self.present("{}")))

    @property
    def whole(self) -> Reading:
        """The text of a code that is compared with a whole number: ``1.0``, as a column with a gap is written, is ``1``."""
        mark = "," if self.decimal == "," else r"\."
        return Reading(_TEXT, rf"regexp_replace({self.present('{}')}, '^(-?\d+){mark}0+$', '\1')")

    @property
    def number(self) -> Reading:
        """A number."""
        return Reading("DOUBLE", f"cast({self.plain_number('{}')} as double)")

    @property
    def integer(self) -> Reading:
        """A whole number; a cast would round a fraction."""
        plain = self.plain_number("{}")
        is_whole = f"cast({plain} as double) = trunc(cast({plain} as double))"
        return Reading(
            "BIGINT",
            f"case when {is_whole} then cast({plain} as bigint) when {plain} is not null then cast({plain} || '?' as bigint) end",
        )

    @property
    def time(self) -> Reading:
        """An instant, or a date, which is a day of the project's zone."""
        instant, plain = instant_of_text("{}", zone=self.zone), self.present("{}")
        failing = "cast({} || '?' as timestamptz)"
        return Reading(
            "TIMESTAMP WITH TIME ZONE", f"case when {plain} is not null then coalesce({instant}, {failing}) end"
        )

    @property
    def boolean(self) -> Reading:
        """True or false."""
        return Reading("BOOLEAN", f"cast({self.present('{}')} as boolean)")

    @property
    def local_time(self) -> Reading:
        """A time without a zone, for SQL that says of which zone it is."""
        plain = f"trim({self.present('{}')})"
        return Reading("TIMESTAMP", f"cast({_without_zone(plain)} as timestamp)")

    def declared(self, kind: str) -> Reading:
        """The type that ``[events.types]`` names; a value that it cannot hold as it is fails."""
        if kind.upper() in ("TIMESTAMP", "DATETIME"):
            return self.local_time
        if kind.upper() in _INSTANTS:
            return self.time
        if not _is_number(kind):
            return Reading(kind, f"cast({self.present('{}')} as {kind})")
        return Reading(kind, exactly(self.plain_number("{}"), kind))

    def present(self, column: str) -> str:
        """Return a column in which an empty text, or one that stands for an absent value, is null."""
        words = ", ".join(literal(word) for word in ("", *self.nulls))
        return f"nullif({column}, '')" if not self.nulls else f"case when {column} not in ({words}) then {column} end"

    def number_of(self, column: str, kind: str) -> str:
        """Return what a cast reads as a number, of a column of any type."""
        return self.plain_number(column) if kind == _TEXT else column

    def plain_number(self, column: str) -> str:
        """Return the text of a number with a point before its decimals; one that is grouped in another way stays as it is."""
        present = self.present(column)
        if self.decimal == ".":
            return present
        is_grouped = rf"regexp_full_match(trim({present}), '[-+]?(\d+|\d{{1,3}}(\.\d{{3}})+)(,\d+)?')"
        return f"case when {is_grouped} then replace(replace({present}, '.', ''), ',', '.') else {present} || '?' end"


def _without_zone(text: str) -> str:
    """Return the text of a time; one that says its zone is no time of another."""
    return f"case when {_has_zone(text)} then {text} || '?' else {text} end"


def _local_texts(column: str) -> tuple[str, str]:
    """Return the text of the time without zone that a text means: that of its instant in the zone of the log, and as it is written."""
    local = f"cast(cast(cast({column} as timestamptz) as timestamp) as varchar)"
    return f"case when {_has_zone(column)} then {local} else {column} end", _without_zone(column)


def _has_zone(text: str) -> str:
    return rf"(regexp_matches({text}, '\d ?([A-Za-z]+|[+-]\d\d(:?\d\d)?)\s*$') and strlen({text}) > 10)"


def exactly(plain: str, kind: str) -> str:
    """Return the cast of a number that fails where the type cannot hold it as it is: a plain cast rounds."""
    is_same = f"cast({plain} as double) = cast(cast({plain} as {kind}) as double)"
    return f"case when {is_same} then cast({plain} as {kind}) when {plain} is not null then cast({plain} || '?' as {kind}) end"


def _is_number(kind: str) -> bool:
    return kind.upper().startswith(_NUMBERS)


@dataclass(frozen=True)
class Binder:
    """Finds out how expressions read the columns of a file.

    Attributes
    ----------
    kinds
        Own column to its DuckDB type.
    texts
        Own columns that are texts of a text file; the others are read in their own types.
    declared
        Own column to the type that the settings declare.
    nested
        Own column to how the lists and objects that it holds are read, for JSON.
    """

    connection: duckdb.DuckDBPyConnection
    kinds: Mapping[str, str]
    texts: frozenset[str] = frozenset()
    reading: Texts = Texts()
    declared: Mapping[str, str] = field(default_factory=dict[str, str])
    nested: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict[str, "tuple[Reading, ...]"])

    def bound(self, expression: str) -> Bound:
        """Return how an expression is evaluated.

        Raises
        ------
        duckdb.Error
            When it has no meaning over these columns.
        """
        tree = parsed(expression)
        self._refuse_order_of_texts(tree)
        options = {name: self._options(name, tree) for name in self._used(tree)}
        codes = [name for name, found in options.items() if found[0] == self.reading.whole]
        expression = with_texts(tree, codes) if codes else expression
        offsets = {
            name.casefold(): _local_texts(identifier(name))
            for name in self.texts & options.keys() - self.declared.keys()
        }
        expression = with_offsets(parsed(expression), offsets) or expression
        for by_name in self._readings(expression, options):
            kind = self._kind(expression, {name: one.kind for name, one in by_name.items()})
            if kind:
                found = self._bound(expression, by_name, kind=kind)
                return self._or_of_times(found, expression)
        nested = {name: readings[-1].kind for name, readings in self.nested.items() if readings}
        self.connection.sql(
            f"select ({expression}) from {self._nothing(nested)} limit 0"
        )  # raises what DuckDB says of it
        raise AssertionError(expression)

    def _or_of_times(self, found: Bound, expression: str) -> Bound:
        """Return a difference of numbers that is one of times, in seconds, on rows whose texts are times."""
        tree = parsed(expression)
        by_name = {name: self.reading.time for name in self._used(tree) if name.casefold() in differences_in(tree)}
        is_open = found.kind == "DOUBLE" and len(by_name) > 1 and by_name.keys() <= self.texts - self.declared.keys()
        if not is_open or self._kind(expression, {name: one.kind for name, one in by_name.items()}) != "INTERVAL":
            return found
        times = self._bound(f"epoch({expression})", by_name, kind=found.kind)
        return replace(found, sql=f"coalesce({found.sql}, {times.sql})")

    def _readings(self, expression: str, options: Mapping[str, Sequence[Reading]]) -> Iterator[Mapping[str, Reading]]:
        """Yield readings of the columns to try, the best first."""
        if prod(len(found) for found in options.values()) <= _MAX_COMBINATIONS:
            yield from (dict(zip(options, chosen, strict=True)) for chosen in _fewest_changes(options))
            return
        for place in range(
            max(map(len, options.values()))
        ):  # all in one way, then each as it is where that has a meaning too
            tried = {name: found[min(place, len(found) - 1)] for name, found in options.items()}
            if self._kind(expression, {name: one.kind for name, one in tried.items()}):
                for name, found in options.items():
                    other = tried | {name: found[0]}
                    if self._kind(expression, {one: reading.kind for one, reading in other.items()}):
                        tried = other
                yield tried

    def condition(self, expression: str) -> Bound:
        """Return how an expression is evaluated where a single column of text stands for true or false."""
        column = next(
            (name for name in self.texts if name.casefold() == expression.strip().strip('"').casefold()), None
        )
        if column:
            reading = self.reading.boolean
            return Bound(f"try({{'v': {reading.sql(identifier(column))}}})", "BOOLEAN", is_guarded=True)
        return self._as_it_stands(expression) or self.bound(expression)

    def _as_it_stands(self, expression: str) -> Bound | None:
        """Return a condition that has a meaning over the columns as they are and cannot fail, so that files can skip rows by it."""
        tree = parsed(expression)
        self._refuse_order_of_texts(tree)
        names = [name for name in self._used(tree) if name in self.texts or name in self.declared]
        is_plain = not any(node.get("class") in _CLASSES_THAT_FAIL for node in nodes(tree))
        if self.reading.nulls or self.declared or not is_plain or any(demanded_of(tree, name) for name in names):
            return None
        kind = self._kind(expression, {})
        return Bound(f"({expression})", kind) if kind == "BOOLEAN" else None

    def column(self, name: str) -> Bound:
        """Return one column as it is, or as it is declared; bytes are read as text."""
        column = identifier(name)
        if name not in self.declared and self.kinds[name] != "BLOB":
            return Bound(column, self.kinds[name])
        reading = self._declared(name) if name in self.declared else _BYTES
        return Bound(f"try({{'v': {reading.sql(column)}}})", reading.kind, is_guarded=True, inputs=(column,))

    def _used(self, tree: Any) -> tuple[str, ...]:
        """Return the own columns that a tree names, each once."""
        by_name = {name.casefold(): name for name in self.kinds}
        paths = [path[0].casefold() for path in column_paths(tree)]
        return tuple(dict.fromkeys(by_name[name] for name in paths if name in by_name))

    def _options(self, name: str, tree: Any) -> Sequence[Reading]:
        if name in self.declared:
            return [self._declared(name)]
        if name not in self.texts:
            return self._typed(name, tree)
        if self.kinds[name] == "BLOB":
            as_it_is = Reading("BLOB", "{}")
            return [as_it_is] if takes_bytes(tree, name) else [_BYTES, as_it_is]
        texts = self.reading
        demand = demanded_of(tree, name)
        only = {"json": texts.object, "boolean": texts.boolean, "local": texts.local_time, "time": texts.time}
        if demand in only:
            return [only[demand]]
        found = [texts.whole if demand == "whole" else texts.text, texts.number, texts.integer, texts.time]
        if demand == "number":
            found = [texts.number, texts.integer]
        return [*self.nested.get(name, ()), *found]

    def _typed(self, name: str, tree: Any) -> Sequence[Reading]:
        """Return the readings of a column that has a type of its own; of a number that is made a text, first as the text that ids are."""
        kind = self.kinds[name]
        as_it_is, as_text = Reading(kind, "{}"), Reading(_TEXT, text_of("{}", kind))
        if not NUMBER.fullmatch(kind):
            return [as_it_is]
        return [as_text, as_it_is] if kind != "BOOLEAN" and takes_text(tree, name) else [as_it_is, as_text]

    def _declared(self, name: str) -> Reading:
        kind = self.declared[name]
        if name in self.texts:
            return self.reading.declared(kind)
        is_exact = _is_number(kind) and NUMBER.fullmatch(self.kinds[name])
        return Reading(kind, exactly("{}", kind).replace("{} || '?'", "'?'") if is_exact else f"cast({{}} as {kind})")

    def _refuse_order_of_texts(self, tree: Any) -> None:
        """Refuse an order between two columns of text: 9 comes after 10 there, and nothing tells whether numbers are meant."""
        for node in nodes(tree):
            sides = ordered(node)
            names = [side["column_names"][-1] for side in sides if side.get("class") == "COLUMN_REF"]
            known = {name.casefold() for name in self.texts if name not in self.declared}
            if len(names) > 1 and len(names) == len(sides) and all(name.casefold() in known for name in names):
                sign = ORDERS.get(node.get("type", ""), node.get("function_name"))
                raise InputError(
                    f"{' and '.join(names)} are texts, and {sign} compares their letters",
                    hint=f'say what they are: [events.types] {names[0]} = "double", or cast them in the expression',
                )

    def _kind(self, expression: str, kinds: Mapping[str, str]) -> str | None:
        """Return the type of the expression where columns are of these types; None: DuckDB finds no meaning."""
        try:
            return str(self.connection.sql(f"select ({expression}) from {self._nothing(kinds)} limit 0").types[0])
        except duckdb.Error:
            return None

    def _nothing(self, kinds: Mapping[str, str]) -> str:
        columns = (f"cast(null as {kinds.get(name, kind)}) as {identifier(name)}" for name, kind in self.kinds.items())
        return f"(select {', '.join(columns)})"

    def _bound(self, expression: str, readings: Mapping[str, Reading], *, kind: str) -> Bound:
        changed = {
            (name.casefold(),): one.sql(identifier(name)) for name, one in readings.items() if one.template != "{}"
        }
        sql = rewritten(expression, changed) if changed else f"({expression})"
        guarded = f"try({{'v': {sql}}})"
        if not changed and not any(node.get("class") in _CLASSES_THAT_FAIL for node in nodes(parsed(expression))):
            return Bound(sql, kind)
        if self._kind(guarded, {}) is None:  # DuckDB tries nothing that is random or asks for the time
            return Bound(sql, kind)
        return Bound(guarded, kind, is_guarded=True, inputs=tuple(map(identifier, readings)))


def _fewest_changes(options: Mapping[str, Sequence[Reading]]) -> Iterator[tuple[Reading, ...]]:
    """Yield combinations of readings: those that leave most columns as they are first, then in the order of the options.

    A number that is read as text loses less than a text that is read as a number.
    """
    places = [range(len(found)) for found in options.values()]
    costs = [2 if found[0].kind == _TEXT else 1 for found in options.values()]

    def cost(chosen: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        return sum(one for one, place in zip(costs, chosen, strict=True) if place), chosen

    for chosen in sorted(product(*places), key=cost):
        yield tuple(found[place] for found, place in zip(options.values(), chosen, strict=True))
