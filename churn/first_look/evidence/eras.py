"""Dates whose years count from elsewhere: those of Minguo, of the Buddhist calendar, and of the era of an emperor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import (
    Candidate,
    TimeReading,
    candidates_of,
    has_digits_of_times,
    measured,
    sql_name,
)
from churn.first_look.questions import Option
from features.sql import identifier, literal

_CLOCK = r"(?P<clock>[T ]\d{1,2}:\d\d(?P<seconds>:\d\d)?)?"
_MARKED = r"(?P<sep>[-/. ])\d{1,2}(?P=sep)\d{1,2}"


@dataclass(frozen=True)
class _Era:
    """Attributes: forms of what stands before a year, and of the year; what makes a common year of it."""

    words: str
    before: str
    year: str
    added: int

    @property
    def is_apart(self) -> bool:
        """Whether its years are longer than a day or a month, so that they tell themselves."""
        return self.before.endswith("?")


_ERAS = (
    _Era("of Minguo", "(民國|民国)?", r"1\d\d", 1911),
    _Era("of the Buddhist calendar", r"(พ\.ศ\. ?)?", r"25\d\d", -543),
    _Era("of Reiwa", r"(令和|R\.?)", r"\d{1,2}", 2018),
)
_REIWA = _Era("of Reiwa", "", r"\d\d", 2018)


def era_options(column: Column, table: LogTable) -> list[Option]:
    """Return the calendars of which a column can be, each as an expression that reads it."""
    found = [(era, reading) for era in _ERAS if (reading := _reading(era, column, table))]
    return [Option(one.expression, _words(era, one)) for era, one in found]


def in_reiwa(column: Column, table: LogTable) -> list[Option]:
    """Return the reading of dates that begin with a year of two digits as of an era that began in 2019."""
    reading = _reading(_REIWA, column, table)
    return [Option(reading.expression, _words(_REIWA, reading))] if reading else []


def _words(era: _Era, reading: TimeReading) -> str:
    return f"years {era.words}, {era.added:+,d}; {reading.evidence}"


def _reading(era: _Era, column: Column, table: LogTable) -> TimeReading | None:
    name, text = sql_name(column.name, table), table.column(column.name)
    number = _of_numbers(era, column)
    format_ = "%Y%m%d" if number else _format(era, column)
    if not format_:
        return None
    both = [number.format(one) if number else _with_common_year(era, one) for one in (name, text)]
    sql = f"cast(try_strptime({both[1]}, {literal(format_)}) as timestamptz)"
    step = "time" if "%H" in format_ else "day"
    candidate = Candidate(f"strptime({both[0]}, {literal(format_)})", f"as {format_}", sql, step=step)
    return measured(candidate, column, table=table)


def _of_numbers(era: _Era, column: Column) -> str:
    """Return SQL that makes numbers of eight digits of dates without marks; empty: they have some."""
    is_compact = (
        era.is_apart and bool(column.values) and all(re.fullmatch(rf"{era.year}\d{{4}}", one) for one in column.values)
    )
    return f"cast(try_cast({{}} as integer) + {era.added * 10_000} as varchar)" if is_compact else ""


def _format(era: _Era, column: Column) -> str:
    """Return the format of dates once their years are common ones; empty: they are written otherwise."""
    year = f"{era.before}{era.year}"
    forms = {
        rf"{year}{_MARKED}{_CLOCK}": "%Y{sep}%m{sep}%d",
        rf"\d{{1,2}}(?P<sep>[-/. ])\d{{1,2}}(?P=sep){era.year}{_CLOCK}": "%d{sep}%m{sep}%Y",
        rf"{year}年(?P<sep>)\d{{1,2}}月\d{{1,2}}日{_CLOCK}": "%Y年%m月%d日",
    }
    for form, format_ in list(forms.items())[:: 1 if era.is_apart else 2]:
        matches = [re.fullmatch(form, one) for one in column.values]
        found = {_shaped(format_, one) for one in matches if one}
        if all(matches) and len(found) == 1:
            return found.pop()
    return ""


def _shaped(format_: str, match: re.Match[str]) -> str:
    clock = match["clock"] or ""
    return (
        format_.format(sep=match["sep"]) + (f"{clock[0]}%H:%M" if clock else "") + (":%S" if match["seconds"] else "")
    )


def _with_common_year(era: _Era, text: str) -> str:
    """Return SQL of a text in which the year is a common one."""
    old = era.year if era.is_apart else r"\d+"
    year = f"cast(try_cast(regexp_extract({text}, '{old}') as integer) + {era.added} as varchar)"
    return f"regexp_replace({text}, '{era.before}{old}', {year})"


def share_ahead(column: Column, table: LogTable) -> float:
    """Return the largest share of values that a reading takes for times of the future."""
    if not column.is_time_type and not (column.is_text and has_digits_of_times(column)):
        return 0.0
    now, filled = datetime.now(UTC).isoformat(), f"{identifier(column.name)} is not null"
    ahead = (f"count(*) filter ({one.sql} > timestamptz '{now}')" for one in candidates_of(column, table))
    found = table.numbers(*ahead, "count(*) * 0", where=filled)
    return max(found) / column.filled if column.filled else 0.0
