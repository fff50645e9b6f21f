"""How the values of a column can be read as times: every reading that fits, never one that was guessed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

import duckdb

from churn.first_look.evidence.columns import Column, percent
from churn.first_look.evidence.names import is_keyed
from churn.first_look.evidence.periods import period_of, periods_of
from churn.first_look.evidence.table import TABLE, LogTable
from features.log.sources.mapping import bare
from features.log.sources.times import instant_of
from features.sql import identifier, literal

ORDERS = {"day-first": "dmy", "month-first": "mdy", "year-first": "ymd"}
_FITS = 0.95  # share of the values that a reading must read, to years that a log is about
_REFUTED = 0.05  # a reading that fails on so few more rows than another is not refuted by them, but in a small log
# of a small log: how many values, and which share of them, refute a reading
_SMALL, _MIN_VALUES, _MIN_SHARE = 1000, 2, 0.01
_EARLIEST, _EARLIEST_EPOCH = date(1980, 1, 1), date(2000, 1, 1)
_DIGITS = {10: "seconds", 13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}
# digits of 2026013123; no epoch in seconds until 2032 is so large
_CALENDAR_HOURS, _FIRST_CALENDAR_HOUR = 10, 1_970_000_000
_ZONE = (  # at the end of texts that say theirs; or an epoch
    r"\d ?(Z|UTC|GMT|[B-OQ-Z][A-Z]{1,3}|[AP][A-LN-Z][A-Z]{0,2})$|:\d\d(\.\d+)? ?[-+]\d\d(:?\d\d)?$"
    r"|\d ?(UTC|GMT)[-+]\d\d?(:?\d\d)?( \(.*\))?$|\d [A-Z][A-Za-z_]+/[A-Za-z_/+-]+$|^\d{10}(\d{3}|\d{6}|\d{9})?(\.\d+)?$"
)
_SAMPLED = 2000
_NUMERIC = re.compile(
    r"(?P<a>\d{1,4})(?P<sep>[-/. ])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{1,4})(?P<dot>\.?)"
    r"((?P<mark>T|,? )(?P<clock>\d{1,2}:\d\d(:\d\d)?(?P<fraction>\.\d+)?)(?P<half> ?[AaPp][Mm])?)?"
)
_COMPACT = re.compile(r"\d{6}|\d{8}")
_MONTH = re.compile(
    r"\d.*(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec).*\d",
    re.IGNORECASE,
)
_WRITTEN = (  # months in words, beyond those that the log's reader knows
    *(
        "%d-%b-%y",
        "%d %B %Y",
        "%B %d, %Y",
        "%d-%B-%Y",
        "%b %d %Y",
        "%d-%b-%Y %H:%M",
        "%d %b %Y %H:%M",
        "%d %B %Y %H:%M",
    ),
    *("%a %b %d %Y", "%a, %d %b %Y", "%A, %B %d, %Y", "%Y年%m月%d日", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日 %H:%M:%S"),
    *("%b %d %Y %H:%M", "%b %d %Y %H:%M:%S", "%b %d %Y %I:%M %p"),
    *("%b %d, %Y %I:%M %p", "%b %d, %Y %I:%M:%S %p", "%B %d, %Y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%d-%b-%y %H:%M:%S"),
    *("%a %b %d %H:%M:%S %Y %z", "%a %b %d %H:%M:%S %z %Y"),  # of Git, and of Twitter
)


@dataclass(frozen=True)
class TimeReading:
    """One way to read a column as times.

    Attributes
    ----------
    expression
        For ``[events.columns]``: the column itself, or SQL.
    words
        How the values are written.
    order
        A key of :data:`ORDERS` where the same values could be read in another order.
    parsed
        Share of the present values that it reads.
    first, last
        Range of the days, as instants of UTC.
    is_zoned
        Whether the values say their zone, or are epochs.
    step
        ``time``, ``day``, ``week`` or ``month``: how finely they are written.
    sql
        The instant, over :data:`~churn.first_look.evidence.table.TABLE`.
    others
        Further columns that it reads.
    """

    column: Column
    expression: str
    words: str
    order: str
    parsed: float
    first: datetime
    last: datetime
    is_zoned: bool
    step: str
    sql: str
    others: tuple[str, ...] = ()

    @property
    def evidence(self) -> str:
        """What was seen, in a sentence."""
        span = f"{self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"
        return f"{self.words}; {percent(self.parsed, 1)} of the values can be read, {span}"


@dataclass(frozen=True)
class Candidate:
    """A way to read a column, before it was tried: as :class:`TimeReading`."""

    expression: str
    words: str
    sql: str
    order: str = ""
    is_zoned: bool = False
    step: str = "time"


def readings_of(column: Column, table: LogTable) -> tuple[TimeReading, ...]:
    """Return every reading of a column as times that its values allow; more than one: the order of day and month is open."""
    if not column.filled or column.kind in ("BOOLEAN", "BLOB", "UUID", "TIME") or column.kind.startswith("INTERVAL"):
        return ()
    if not (column.is_time_type or column.is_text or column.is_number) or not _may_be_times(column):
        return ()
    found = [one for each in candidates_of(column, table) if (one := measured(each, column, table=table))]
    return tuple(_not_refuted(found, column, table))


_LONGEST, _MIN_DIGITS, _SHORT = 40, 3, 2
_OF_TIME = re.compile(r"time|date|zeit|datum|(^|_)(ts|at)(_|$)")


def _may_be_times(column: Column) -> bool:
    """Tell from its most frequent values whether a column may hold times, which is faster than to read them."""
    if column.is_time_type or column.is_rounded:
        return column.is_time_type
    if column.is_text and period_of(column.normal):
        return True
    if column.is_number:
        sizes = [len(one.lstrip("+-").split(".")[0]) for one in column.values]
        if is_keyed(column.normal) and not _OF_TIME.search(column.normal) and max(sizes, default=0) >= min(_DIGITS):
            return False
        return all(size in (6, 8, 10, 12, 13, 14, 16, 17, 19) for size in sizes)
    return has_digits_of_times(column)


def has_digits_of_times(column: Column) -> bool:
    """Tell whether most of the frequent values are as short as times, and have enough digits for a day."""
    fitting = [one for one in column.values if sum(map(str.isdigit, one)) >= _MIN_DIGITS and len(one) <= _LONGEST]
    return len(fitting) > len(column.values) / 2


def has_months(column: Column) -> bool:
    """Tell whether all the frequent values are numbers and months in words."""
    return bool(column.values) and all(len(one) <= _LONGEST and _MONTH.search(one) for one in column.values)


def candidates_of(column: Column, table: LogTable) -> list[Candidate]:
    """Return the ways to read a column that its first values suggest."""
    raw = identifier(column.name)
    native = instant_of(table.column(column.name) if column.is_text else raw, column.kind, zone="UTC")
    plain = Candidate(
        column_name(column.name, table), _native_words(column, table), native, "", _is_zoned(column, table)
    )
    if not column.is_text:
        return [plain, *(_coarse(column, table) if column.is_whole else [])]
    if any(re.search(r"\d{4}", one) for one in column.values) and _reads(table, _late(native), column):
        return [plain]
    return [*_numeric(column, table), *_coarse(column, table), *_written(column, table)]


def _late(sql: str) -> str:
    """Return SQL that is true for a time of a log and null for the others: 14/03/26 is no day of the year 14."""
    return f"nullif({sql} >= timestamptz '{_EARLIEST} 00:00:00+00', false)"


def column_name(name: str, table: LogTable) -> str:
    """Write a column in ``[events.columns]`` as the log's reader takes it for one."""
    if name in table.paths:
        return column_of(name, table)
    if table.format == "json":
        return ".".join(part if re.fullmatch(r"\w+", part) else identifier(part) for part in name.split("."))
    is_plain = bare(name, list(table.kinds)) == name and not set(name) & set("'\"()+*/-|,.")
    return name if is_plain else identifier(name)


def sql_name(name: str, table: LogTable) -> str:
    """Write a column within an SQL expression: quoted, unless it is plainly a name there."""
    is_plain = re.fullmatch(r"[^\W\d]\w*", name) and name.casefold() not in _words()
    return name if is_plain else column_of(name, table)


_TYPES_AND_FUNCTIONS = (
    "date time timestamp interval day at user current_user session_user current_role current_catalog "
    "current_schema current_date current_time current_timestamp localtime localtimestamp"
)


@cache
def _words() -> frozenset[str]:
    """Return the words that SQL does not take for a column, or not everywhere."""
    rows = duckdb.execute(
        "select keyword_name from duckdb_keywords() where keyword_category <> 'unreserved'"
    ).fetchall()
    return frozenset([*_TYPES_AND_FUNCTIONS.split(), *(str(word) for (word,) in rows)])


def column_of(name: str, table: LogTable) -> str:
    """Quote a column, or each part of a path, for SQL."""
    path = table.paths.get(name) or (name.split(".") if table.format == "json" else (name,))
    return ".".join(map(identifier, path))


def _reads(table: LogTable, sql: str, column: Column) -> bool:
    """Tell whether SQL reads some of a column's values as times; most columns hold none, and a few rows tell."""
    source = f"(from {TABLE} where {table.column(column.name)} is not null limit {_SAMPLED})"
    ((found,),) = table.connection.execute(
        f"select coalesce(avg(case when {sql} is null then 0 else 1 end), 0) from {source}"
    ).fetchall()
    return float(found) > 1 - _FITS


def _native_words(column: Column, table: LogTable) -> str:
    if column.is_time_type:
        return f"of type {column.kind.lower()}"
    if not column.is_number:
        return "as text"
    unit = _epoch_unit(column, table)
    return f"{unit} since 1970" if unit else "whole numbers of year, month and day"


def _epoch_unit(column: Column, table: LogTable) -> str:
    """Return the unit of whole numbers that count from 1970; empty: they are of a calendar, as the log's reader takes them."""
    (digits,) = table.numbers(f"mode(strlen(split_part({table.column(column.name)}, '.', 1)))")
    is_calendar = digits == _CALENDAR_HOURS and _FIRST_CALENDAR_HOUR <= (column.high or 0) < 10**_CALENDAR_HOURS
    return "" if is_calendar else _DIGITS.get(int(digits or 0), "")


def _is_zoned(column: Column, table: LogTable) -> bool:
    if column.is_time_type:
        return column.kind.endswith("TIME ZONE") or column.kind == "TIMESTAMPTZ_NS"
    if column.is_number:
        return bool(_epoch_unit(column, table))
    return zoned_share(column, table) > _FITS


def zoned_share(column: Column, table: LogTable) -> float:
    """Return the share of texts that say their zone."""
    (zoned,) = table.numbers(f"count(*) filter (regexp_matches({table.column(column.name)}, {literal(_ZONE)}))")
    return float(zoned) / column.filled


def _numeric(column: Column, table: LogTable) -> list[Candidate]:
    """Return the orders of day, month and year in which numbers can be read, whatever separates them."""
    texts = _sample(column, table)
    matches = [match for text in texts if (match := _NUMERIC.fullmatch(text))]
    if len(matches) < _FITS * len(texts):
        return _compact(column, table) if texts and all(_COMPACT.fullmatch(text) for text in texts) else []
    shapes = {(one["sep"], len(one["a"]) > _SHORT, len(one["c"]) > _SHORT, one["dot"] + _clock(one)) for one in matches}
    found: list[Candidate] = []
    for order, letters in ORDERS.items():
        # years of two digits first: %Y reads them too, as of the first century
        formats = sorted({_format(letters, shape) for shape in shapes} - {""}, key=lambda one: ("%Y" in one, one))
        if formats:
            found.append(_of_formats(column, table, formats=formats, order=order))
    return found


def _clock(match: re.Match[str]) -> str:
    if not match["clock"]:
        return ""
    seconds = match["clock"].count(":") > 1
    halves = match["half"] or ""
    hour = "%I" if halves else "%H"
    end = (" %p" if halves.startswith(" ") else "%p") if halves else ""
    return f"{match['mark']}{hour}:%M{':%S' if seconds else ''}{'.%f' if match['fraction'] else ''}{end}"


def _format(letters: str, shape: tuple[str, bool, bool, str]) -> str:
    """Return the format of an order for dates of a shape; empty where a year of four digits is elsewhere."""
    sep, has_long_first, has_long_last, clock = shape
    if (has_long_first and letters[0] != "y") or (has_long_last and letters[-1] != "y"):
        return ""
    year = "%Y" if has_long_first or has_long_last else "%y"
    return sep.join(year if letter == "y" else f"%{letter}" for letter in letters) + clock


def _compact(column: Column, table: LogTable) -> list[Candidate]:
    (size,) = table.numbers(f"max(strlen({table.column(column.name)}))")
    year = "%y" if size == len("240131") else "%Y"
    return [
        _of_formats(column, table, formats=["".join(year if one == "y" else f"%{one}" for one in letters)], order=order)
        for order, letters in ORDERS.items()
    ]


def _of_formats(column: Column, table: LogTable, *, formats: Sequence[str], order: str = "") -> Candidate:
    listed = literal(formats[0]) if len(formats) == 1 else f"[{', '.join(map(literal, formats))}]"
    name = sql_name(column.name, table)
    sql = f"cast(try_strptime({table.column(column.name)}, {listed}) as timestamptz)"
    words = f"as {' or '.join(formats)}" + (f", {order}" if order else "")
    step = "time" if any("%M" in one for one in formats) else "day"
    return Candidate(f"strptime({name}, {listed})", words, sql, order, step=step)


def _coarse(column: Column, table: LogTable) -> list[Candidate]:
    """Return readings as weeks, from their Monday, and as months, from their first."""
    name, text = sql_name(column.name, table), table.column(column.name)
    found: list[Candidate] = []
    for period, format_ in periods_of(_sample(column, table), column.normal):
        added, whole = ("-1", f"{format_}-%u") if period == "week" else ("-01", f"{format_}-%d")
        sql = f"cast(try_strptime({text} || '{added}', '{whole}') as timestamptz)"
        expression = f"strptime({name} || '{added}', '{whole}')"
        found.append(Candidate(expression, f"as {period}s ({format_})", sql, period, step=period))
    return found


def _written(column: Column, table: LogTable) -> list[Candidate]:
    text = table.column(column.name)
    if not any(_MONTH.search(one) or "年" in one for one in column.values):
        return []
    fitting = [one for one in _WRITTEN if _reads(table, f"try_strptime({text}, {literal(one)})", column)]
    return [_of_formats(column, table, formats=fitting)] if fitting else []


def _sample(column: Column, table: LogTable) -> list[str]:
    text = table.column(column.name)
    rows = table.connection.execute(
        f"select distinct {text} from {TABLE} where {text} is not null limit {_SAMPLED}"
    ).fetchall()
    return [str(one) for (one,) in rows]


def measured(
    candidate: Candidate, column: Column, *, table: LogTable, others: tuple[str, ...] = ()
) -> TimeReading | None:
    """Apply a reading to all rows; None where too few of the values become times that a log may have."""
    latest = datetime.now(UTC) + timedelta(days=1)
    is_number = column.is_number and candidate.words.endswith("since 1970")
    earliest = _EARLIEST_EPOCH if is_number else _EARLIEST
    sql = kept_times(candidate.sql, table)
    is_sound = f"{sql} between timestamptz '{earliest} 00:00:00+00' and timestamptz '{latest.isoformat()}'"
    parsed, sound, whole, first, last = table.numbers(
        f"count({sql})",
        f"count(*) filter ({is_sound})",
        f"count(*) filter ({is_sound} and {sql} = date_trunc('day', {sql}))",
        f"epoch(min({sql}) filter ({is_sound}))",
        f"epoch(max({sql}) filter ({is_sound}))",
    )
    if not sound or sound < _FITS * column.filled:
        return None
    step = "day" if candidate.step == "time" and whole == sound else candidate.step
    ends = (datetime.fromtimestamp(moment, tz=UTC) for moment in (first, last))
    start, end = ends
    return TimeReading(
        column,
        candidate.expression,
        candidate.words,
        candidate.order,
        parsed / column.filled,
        start,
        end,
        candidate.is_zoned,
        step,
        sql,
        others,
    )


def kept_times(sql: str, table: LogTable) -> str:
    """Keep the instants of a reading as a column of the table, and return it: to read them is slow."""
    name = identifier(f"_time_{zlib.crc32(sql.encode()):08x}")
    table.connection.execute(f"alter table {TABLE} add column if not exists {name} timestamptz")
    table.connection.execute(f"update {TABLE} set {name} = {sql}")
    return name


def _not_refuted(found: Sequence[TimeReading], column: Column, table: LogTable) -> Iterable[TimeReading]:
    """Return the readings that no other is clearly better than."""
    if not found:
        return []
    best = max(found, key=lambda one: one.parsed)
    if column.filled > _SMALL:
        return [one for one in found if best.parsed - one.parsed < _REFUTED]
    return [one for one in found if one is best or not _refutes(best, one, table)]


def _refutes(best: TimeReading, other: TimeReading, table: LogTable) -> bool:
    """Tell whether enough values of a small log are read by one reading only, and none by the other only."""
    for_best, for_other = table.numbers(
        f"count(*) filter ({best.sql} is not null and {other.sql} is null)",
        f"count(*) filter ({best.sql} is null and {other.sql} is not null)",
    )
    return not for_other and for_best >= max(_MIN_VALUES, _MIN_SHARE * best.column.filled)
