"""Times of day in a column of their own: which belong to a date, how they are written, and how both are read together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import is_duration, is_event_time, is_other_time, is_spelled, words_beside_time
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import TimeReading, column_name, kept_times, sql_name
from features.log.sources.times import instant_of_text
from features.sql import identifier, literal

_CLOCKS = (
    r"(.*_)?(time|uhrzeit|hora|heure|hour|time_of_day|zeit|tijd|ora|orario|saat|godzina|время|час|година|時刻|時間|时间|時间|시간|시각|clock|horaire|horario|klo|klokke"
    r"|klokkeslett|klokkeslaet|tid|tidpunkt|cas|ido|jam|gio|ora|ωρα|الوقت|الساعة|שעה|vrijeme|vreme)(_.*)?|.*(時刻|時間|时间|시간|시각)"
)
_LATER = 0.99
_LAST_OF_DAY = 235959
_NOON, _MANY_HOURS = 12, 8
_WRITTEN = (  # the forms of times of day, each with its format
    (r"\d{1,2}:\d\d", "%H:%M"),
    (r"\d{1,2}:\d\d:\d\d", "%H:%M:%S"),
    (r"\d{1,2}:\d\d:\d\d\.\d+", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d\d [AaPp][Mm]", "%I:%M %p"),
    (r"\d{1,2}:\d\d[AaPp][Mm]", "%I:%M%p"),
    (r"\d{1,2}:\d\d:\d\d [AaPp][Mm]", "%I:%M:%S %p"),
    (r"\d{1,2}:\d\d:\d\d[AaPp][Mm]", "%I:%M:%S%p"),
    (r"\d{1,2}:\d\d Uhr", "%H:%M Uhr"),
    (r"\d{1,2}:\d\d:\d\d Uhr", "%H:%M:%S Uhr"),
    (r"([01]?\d|2[0-3])\.[0-5]\d", "%H.%M"),
    (r"([01]?\d|2[0-3])\.[0-5]\d Uhr", "%H.%M Uhr"),
    (r"\d{1,2}h\d\d", "%Hh%M"),
    (r"\d{1,2} h \d\d", "%H h %M"),
    (r"\d{1,2}時\d{1,2}分", "%H時%M分"),
    (r"\d{1,2}时\d{1,2}分", "%H时%M分"),
    (r"\d{1,2}시 \d{1,2}분", "%H시 %M분"),
)
_HALVES = {  # of a day, in the words that a column of their own has
    **dict.fromkeys(("am", "a.m.", "a. m.", "a", "上午", "午前", "오전"), "AM"),
    **dict.fromkeys(("pm", "p.m.", "p. m.", "p", "下午", "午後", "오후"), "PM"),
}


@dataclass(frozen=True)
class _Clock:
    """Attributes: its columns and format, and SQL of its texts as they are named in churn.toml, and in the table."""

    columns: tuple[Column, ...]
    format: str
    name: str
    text: str


def with_clock(reading: TimeReading, columns: Sequence[Column], table: LogTable) -> TimeReading:
    """Add the time of day of another column to a date, where there is exactly one that is named alike; to a time, its half of the day."""
    if reading.step == "time":
        return _with_half(reading, columns, table)
    clocks = [one for one in columns if _fits(one, reading.column)]
    if reading.step != "day" or len(clocks) != 1 or clocks[0].filled < reading.column.filled * _LATER:
        return reading
    clock = _clock_of(clocks[0], columns, table)
    return _read_with(reading, clock, table) if clock else reading


def may_be_of_half_days(reading: TimeReading, table: LogTable) -> bool:
    """Tell whether times may be of a clock of twelve hours, and nothing says which half of the day they are in."""
    if reading.step != "time" or reading.is_zoned or not reading.column.is_text:
        return False
    time = f"{reading.sql} at time zone 'UTC'"
    first, last, hours, minutes = table.numbers(
        f"min(hour({time}))",
        f"max(hour({time}))",
        f"count(distinct hour({time}))",
        f"count(distinct minute({time}))",
    )
    return 1 <= first <= last <= _NOON and hours >= _MANY_HOURS and minutes > 1


def _with_half(reading: TimeReading, columns: Sequence[Column], table: LogTable) -> TimeReading:
    """Read times of twelve hours with the column that says which half of the day they are in, where there is one."""
    halves = [one for one in columns if _is_half(one) and one.filled >= reading.column.filled * _LATER]
    if len(halves) != 1 or reading.is_zoned:
        return reading
    first, last = table.numbers(*(f"{pick}(hour({reading.sql} at time zone 'UTC'))" for pick in ("min", "max")))
    if not 1 <= first <= last <= _NOON:
        return reading
    (half,) = halves
    named, own = (_half(half, sql) for sql in (sql_name(half.name, table), table.column(half.name)))
    name, text = sql_name(reading.column.name, table), table.column(reading.column.name)
    time, own_time = reading.expression, f"{reading.sql} at time zone 'UTC'"
    if time in (name, column_name(reading.column.name, table)):
        time, own_time = f"cast({name} as timestamp)", f"try_cast({text} as timestamp)"
    clock = _Clock((half,), _TWELVE, _twelve(time, named), _twelve(own_time, own))
    sql = f"cast(try_strptime({clock.text}, '{_TWELVE}') as timestamptz)"
    words = f"{reading.words}, with the half of the day of {half.name}"
    return _joined(reading, clock, table, f"strptime({clock.name}, '{_TWELVE}')", sql=sql, words=words)


_TWELVE = "%Y-%m-%d %I:%M:%S.%f %p"


def _twelve(time: str, half: str) -> str:
    return f"strftime({time}, '{_TWELVE.removesuffix(' %p')}') || ' ' || {half}"


def _clock_of(column: Column, columns: Sequence[Column], table: LogTable) -> _Clock | None:
    """Return how times of day are read; None: nothing says to which half of a day hours up to twelve belong."""
    name, text = sql_name(column.name, table), table.column(column.name)
    format_, hours = _format_of(column), _hours(column, table)
    is_up_to_noon = format_.startswith("%H") and bool(hours) and min(hours) >= 1 and max(hours) <= _NOON
    halves = [one for one in columns if _is_half(one)] if is_up_to_noon else []
    if len(halves) == 1:
        named, own = (_half(halves[0], sql) for sql in (sql_name(halves[0].name, table), table.column(halves[0].name)))
        twelve = format_.replace("%H", "%I") + " %p"
        return _Clock((column, halves[0]), twelve, f"{name} || ' ' || {named}", f"{text} || ' ' || {own}")
    if halves or (is_up_to_noon and len(hours) >= _MANY_HOURS):
        return None
    return _Clock((column,), format_, name, text)


def _format_of(column: Column) -> str:
    """Return the format of times of day; where they have several, as with and without seconds, that of the longest."""
    longest = max(column.values, key=len, default="")
    return next((format_ for form, format_ in _WRITTEN if re.fullmatch(form, longest)), "%H:%M:%S")


def _hours(column: Column, table: LogTable) -> set[int]:
    (found,) = table.numbers(
        f"list(distinct try_cast(regexp_extract({table.column(column.name)}, '^\\d+') as integer))"
    )
    return {hour for hour in found or [] if hour is not None}


def _is_half(column: Column) -> bool:
    """Tell whether a column says nothing but the half of a day."""
    return 0 < column.distinct <= len(_HALVES) and all(one.casefold() in _HALVES for one in column.values)


def _half(column: Column, sql: str) -> str:
    """Return SQL of the half of a day as a format reads it."""
    if all(one.casefold() in ("am", "pm") for one in column.values):
        return sql
    of_morning = [literal(one) for one in column.values if _HALVES[one.casefold()] == "AM"]
    return f"case when {sql} in ({', '.join(of_morning) or 'null'}) then 'AM' else 'PM' end"


def _read_with(reading: TimeReading, clock: _Clock, table: LogTable) -> TimeReading:
    column, (hour, *_) = reading.column, clock.columns
    date, own = sql_name(column.name, table), table.column(column.name)
    formats = re.findall(r"'([^']*)'", reading.expression) if reading.expression.startswith("strptime(") else []
    if hour.kind == "TIME" and column.is_time_type:
        sql = f"cast({identifier(column.name)} + {identifier(hour.name)} as timestamptz)"
        return _joined(reading, clock, table, f"{date} + {clock.name}", sql=sql)
    if column.is_time_type:
        date, own = (f"cast(cast({one} as date) as varchar)" for one in (date, identifier(column.name)))
    if not formats and (column.is_whole or clock.format not in _PLAIN):
        formats = ["%Y%m%d" if column.is_whole else _dated(column)]
    if not formats:
        sql = instant_of_text(f"({own} || ' ' || {clock.text})", zone="UTC")
        return _joined(reading, clock, table, f"{date} || ' ' || {clock.name}", sql=sql)
    listed = [literal(f"{one} {clock.format}") for one in formats]
    joined = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    sql = f"cast(try_strptime({own} || ' ' || {clock.text}, {joined}) as timestamptz)"
    return _joined(reading, clock, table, f"strptime({date} || ' ' || {clock.name}, {joined})", sql=sql)


_PLAIN = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")  # what the reader of the log reads behind a date


def _dated(column: Column) -> str:
    """Return the format of dates that the reader of the log reads without one."""
    mark = next((one for one in column.values[:1] for one in re.findall(r"[/.]", one)), "-")
    return mark.join(("%Y", "%m", "%d"))


def _joined(
    reading: TimeReading, clock: _Clock, table: LogTable, expression: str, *, sql: str, words: str = ""
) -> TimeReading:
    sql = kept_times(sql, table)
    (parsed,) = table.numbers(f"count({sql})")
    if parsed < reading.parsed * reading.column.filled * _LATER:
        return reading
    names = tuple(one.name for one in clock.columns)
    words = words or f"{reading.words}, with the time of day of {' and '.join(names)}"
    others, share = (*reading.others, *names), parsed / reading.column.filled
    return replace(reading, expression=expression, words=words, step="time", sql=sql, parsed=share, others=others)


def is_clock(column: Column) -> bool:
    """Tell whether a column is named as times of day, and holds them in a form that is read."""
    has_form = _is_plain(column) or (_is_written(column) and _format_of(column) not in _PLAIN)
    return column.distinct > 1 and _is_named(column) and has_form


def is_time_of_day(column: Column) -> bool:
    """Tell whether a column holds times of day, in whatever form: all its values are some, or it is named so."""
    is_number = column.is_whole and column.low is not None and column.high is not None
    is_in_a_day = is_number and (column.low or 0) >= 0 and (column.high or 0) <= _LAST_OF_DAY
    is_one = _is_plain(column) or (_is_named(column) and (_is_written(column) or is_in_a_day))
    return is_one and column.distinct > 1 and not is_duration(column.normal)


def _is_plain(column: Column) -> bool:
    return column.kind == "TIME" or column.share("clock") > _LATER


def _is_written(column: Column) -> bool:
    forms = "|".join(f"({form})" for form, _ in _WRITTEN)
    return column.is_text and bool(column.values) and all(re.fullmatch(forms, one) for one in column.values)


def _is_named(column: Column) -> bool:
    return is_spelled(_CLOCKS, column.normal) and not is_duration(column.normal)


def _fits(clock: Column, date: Column) -> bool:
    """Tell whether a time of day is named as nothing else than a date is: time or order_time, of order_date."""
    own, of_date = (words_beside_time(one.normal) for one in (clock, date))
    is_plain = is_event_time(clock.normal) and not is_other_time(clock.normal)
    return is_clock(clock) and (not own or own == of_date or (is_plain and not of_date))
