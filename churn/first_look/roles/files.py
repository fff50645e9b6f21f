"""Whether the files of a folder are one log: all have users and times of events, and write their dates in one order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import person_rank
from churn.first_look.evidence.table import FILE, TABLE, LogTable
from churn.first_look.evidence.times import ORDERS, TimeReading, candidates_of
from churn.first_look.questions import DATE_ORDER, Answers, Option
from features.errors import InputError
from features.sql import identifier

_FEW_ROWS, _ALL_DIFFER = 20, 0.99
_MIN_VALUES, _MIN_SHARE = 2, 0.01  # how many dates, and which share of them, say that a file is of another order
_MANY_DAYS, _LONGER_THAN_A_MONTH = 10, 31
_SHOWN = 3
_MAX_KINDS = 12


@dataclass(frozen=True)
class _File:
    """Attributes: the columns that hold anything, and whether a column named as somebody has as many values as there are rows."""

    name: str
    rows: int
    columns: frozenset[str]
    has_row_per_user: bool


def refuse_other_tables(
    columns: Sequence[Column], readings: Mapping[str, Sequence[TimeReading]], table: LogTable, *, answers: Answers
) -> None:
    """Refuse a folder in which some files are another table: without users, without times, or with a row for each user.

    Raises
    ------
    InputError
        With their names.
    """
    people = [one for one in columns if person_rank(one.normal) is not None]
    times = {name for name, found in readings.items() if found}
    if len(table.files) == 1 or not people or not times or "user_id" in answers.given:
        return
    files = _files_of(columns, table, user=max(people, key=lambda one: one.filled))
    log = [one for one in files if times & one.columns and not one.has_row_per_user and _has_any(people, one)]
    common = frozenset[str]().union(*(one.columns for one in log))
    others = [
        one
        for one in files
        if log and one not in log and one.columns - common and common - one.columns and one.rows >= _FEW_ROWS
    ]
    if not others:
        return
    found = "; ".join(f"{one.name} {_what(one, people)}" for one in others[:_SHOWN])
    raise InputError(
        f"the folder holds several tables: {found}, and has other columns than {log[0].name}",
        hint="give the files of the log alone, as a glob; a table of users belongs in [users] path. "
        "If all files are of one log: --answer user_id=COLUMN",
    )


def _has_any(people: Sequence[Column], file: _File) -> bool:
    return any(one.name in file.columns for one in people)


def _what(file: _File, people: Sequence[Column]) -> str:
    if not _has_any(people, file):
        return "says nobody who did it"
    return "has one row per user" if file.has_row_per_user else "holds no times"


def _files_of(columns: Sequence[Column], table: LogTable, *, user: Column) -> list[_File]:
    filled = ", ".join(f"count({identifier(one.name)})" for one in columns)
    rows = table.connection.execute(
        f"select {FILE}, count(*), count(distinct {table.column(user.name)}), {filled} from {TABLE} group by 1 order by 1"
    ).fetchall()
    return [_file(row, columns) for row in rows]


def _file(row: Sequence[int | str], columns: Sequence[Column]) -> _File:
    name, rows, users, *filled = row
    held = frozenset(one.name for one, present in zip(columns, filled, strict=True) if present)
    is_of_users = int(rows) >= _FEW_ROWS and int(users) >= _ALL_DIFFER * int(rows)
    return _File(PurePath(str(name)).name, int(rows), held, is_of_users)


def kinds_of_files(table: LogTable) -> list[str]:
    """Return the names of the files without digits, where several differ in more: logins and purchases."""
    stems = (PurePath(file.name).name.partition(".")[0] for file in table.files)
    found = sorted({"_".join(re.findall(r"[^\W\d_]+", stem)) for stem in stems} - {""})
    return found if 1 < len(found) <= _MAX_KINDS else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def check_order(reading: TimeReading, table: LogTable, *, answers: Answers) -> None:
    """Refuse files of which some write the day first and others the month; ask where a file tells neither and should.

    Raises
    ------
    InputError
        With the files of the other order.
    """
    if len(table.files) == 1 or reading.order not in ORDERS:
        return
    others = [one for one in candidates_of(reading.column, table) if one.order in ORDERS and one.order != reading.order]
    for other in others:
        silent = _silent_files(reading, other.sql, table, order=other.order)
        if silent:
            words = f"{_listed(silent)}: no date there has a day above 12, in more than a month; the other files are {reading.order}"
            options = [Option(reading.order, f"{words}. Right if these are so too; if not, change them first")]
            answers.ask(DATE_ORDER, "Do all files write their dates in one order?", options)


def _silent_files(reading: TimeReading, other: str, table: LogTable, *, order: str) -> list[str]:
    """Return the files of which no date tells the order, though they cover more than a month.

    Raises
    ------
    InputError
        Where files are of different orders.
    """
    rows = table.connection.execute(
        f"""select {FILE}, count(*) filter (own is not null and other is null),
                count(*) filter (own is null and other is not null), count(distinct own), count(*),
                coalesce(date_diff('day', min(own), max(own)), 0)
            from (select {FILE}, {reading.sql} as own, {other} as other from {TABLE})
            where own is not null or other is not null group by 1 order by 1"""
    ).fetchall()
    opposed = [
        str(name) for name, own, against, _, n, _ in rows if not own and against >= max(_MIN_VALUES, _MIN_SHARE * n)
    ]
    if opposed:
        names = _listed([PurePath(name).name for name in opposed])
        raise InputError(
            f"the files write their dates in different orders: {names} {order}, the others {reading.order}",
            hint="churn reads one order: write the dates of these files as the others do, or as 2026-01-31",
        )
    return [
        PurePath(str(name)).name
        for name, own, against, days, _, span in rows
        if not own and not against and days >= _MANY_DAYS and span > _LONGER_THAN_A_MONTH
    ]
