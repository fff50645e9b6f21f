"""Dates whose year, month and day stand in columns of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import part_of_date
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import Candidate, TimeReading, measured, sql_name

_RANGES = {"year": (1980, 2100), "month": (1, 12), "day": (1, 31), "hour": (0, 23)}
_WEEK, _MONTHS, _MIN_ROWS = 7, 2, 20


def split_date(columns: Sequence[Column], table: LogTable) -> TimeReading | None:
    """Return how the columns of a year, a month and a day are read together, with an hour where there is one; None: they are not there."""
    year, month, day, hour = (_only(part, columns) for part in _RANGES)
    whole = [year, month] if year else [_year_and_month(columns)]
    if day is None or None in whole or _are_weekdays(day, whole, table):
        return None
    found = [one for one in (*whole, day, hour) if one]
    has_hour = hour is not None
    format_ = "%Y-%m-%d %H" if has_hour else "%Y-%m-%d"
    marks = [" " if one is hour else "-" for one in found[1:]]
    expression = _joined([sql_name(one.name, table) for one in found], marks)
    sql = f"cast(try_strptime({_joined([table.column(one.name) for one in found], marks)}, '{format_}') as timestamptz)"
    words = f"from {', '.join(one.name for one in found)}"
    candidate = Candidate(f"strptime({expression}, '{format_}')", words, sql, step="time" if has_hour else "day")
    return measured(candidate, day, table=table, others=tuple(one.name for one in found if one is not day))


def weekdays_of(columns: Sequence[Column], table: LogTable) -> Column | None:
    """Return the column that is named as the day of a date, where its numbers are those of a week; None: they are not."""
    year, month, day, _ = (_only(part, columns) for part in _RANGES)
    whole = [year, month] if year else [_year_and_month(columns)]
    return day if day and None not in whole and _are_weekdays(day, whole, table) else None


def _are_weekdays(day: Column, months: Sequence[Column | None], table: LogTable) -> bool:
    """Tell whether the numbers of a day are those of a week: over several months, none is above seven."""
    if (day.high or 0) > _WEEK or day.rows < _MIN_ROWS:
        return False
    named = [table.column(one.name) for one in months if one]
    (found,) = table.numbers(f"count(distinct ({', '.join(named)}))")
    return int(found) > _MONTHS


def _only(part: str, columns: Sequence[Column]) -> Column | None:
    """Return the only column that is named as a part of a date, where its whole numbers agree."""
    low, high = _RANGES[part]
    named = [one for one in columns if part_of_date(one.normal) == part and one.is_whole]
    fitting = [one for one in named if low <= (one.low or 0) and (one.high or high + 1) <= high]
    return fitting[0] if len(fitting) == len(named) == 1 else None


def _year_and_month(columns: Sequence[Column]) -> Column | None:
    """Return the only column that is named as a month, where it holds the year too: 2026-01."""
    named = [one for one in columns if part_of_date(one.normal) == "month"]
    return named[0] if len(named) == 1 and all(re.fullmatch(r"\d{4}-\d{1,2}", one) for one in named[0].values) else None


def _joined(names: Sequence[str], marks: Sequence[str]) -> str:
    return names[0] + "".join(f" || '{mark}' || {name}" for mark, name in zip(marks, names[1:], strict=True))
