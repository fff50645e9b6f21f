"""Which column says who did it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from churn.first_look.evidence.columns import Column, percent
from churn.first_look.evidence.names import (
    CONTACT,
    DEVICE,
    GROUP,
    PERSON,
    is_duration,
    is_event_id,
    is_keyed,
    money_of,
    person_rank,
    role_of,
    type_rank,
)
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import column_name, sql_name
from churn.first_look.questions import Answers, Option
from churn.first_look.roles.groups import accounts_of, are_the_same, ask_about_restarts
from churn.results.first_look import Finding
from features.errors import InputError
from features.log.sources.values import FLOATS
from features.sql import literal

_FEW_ROWS, _MANY_ROWS, _MIN_USERS = 20, 20, 5
_MIN_ROWS_A_USER = 1.2
_FULL = 0.95
_ALL_DIFFER = 0.99
_UNCLEAR = ("uid", "uuid", "guid", "id")
_NOBODY = re.compile(
    r"-1|99999|999999|-|\?|unknown|anonymous|anon|guest|na|unbekannt|anonym|gast|inconnu|anonyme|invit[eé]|invitado|an[oóô]nimo|desconocido|convidado"
    "|desconhecido|ospite|sconosciuto|anonimo|onbekend|misafir|anonim|bilinmiyor|gość|nieznany|gæst|gjest|gäst|vieras|гость|аноним|неизвестно|гість"
    "|ゲスト|匿名|不明|非会員|游客|访客|訪客|遊客|未知|게스트|비회원|익명|ضيف|אורח"
)
_MUCH = 0.1
_FEW_USERS, _FEW_SHARE, _FAR_MORE = 20, 0.01, 5
_SEVERAL = 2
_HALF = 0.5
_DATE_LETTERS, _COMPACT_LETTERS = len("2026-01-31"), len("20260131")


def find_user(
    columns: Sequence[Column], table: LogTable, *, times: Collection[str], answers: Answers
) -> Finding | None:
    """Return who did it; None: it has to be asked.

    Raises
    ------
    InputError
        When no column can be it, or there is one row for each user.
    """
    if given := answers.get("user_id"):
        return _answered(given, columns, table)
    _refuse_rounded(columns)
    named = {
        one.name: rank for one in columns if _is_somebody(one, times) and (rank := person_rank(one.normal)) is not None
    }
    people = sorted((one for one in columns if one.name in named), key=lambda one: named[one.name])
    if _ask_about_form(
        columns, [one for one in people if one.rows_per_value >= _MIN_ROWS_A_USER], table, answers=answers
    ):
        return None
    repeated = [one for one in people if one.rows < _FEW_ROWS or one.distinct < _ALL_DIFFER * one.filled]
    if people and named[people[0].name] < GROUP and not [one for one in repeated if named[one.name] < GROUP]:
        _refuse_unique(people[0], repeated)
    if not repeated:
        return _ask_unnamed(columns, table, times=times, answers=answers)
    best = [one for one in repeated if _group(named[one.name]) == _group(named[repeated[0].name])]
    others = repeated[len(best) :]
    rivals = _with_more_values(best, columns, times) or _with_several(best[0], others, table)
    rivals = rivals or accounts_of(best, others, table)
    if rivals:
        _ask_among([*best, *rivals], table, answers=answers)
    if rivals or (len(best) == 1 and ask_about_restarts(best[0], columns, table, answers=answers)):
        return None
    return _chosen(best, [*repeated, *_fuller(best[0], columns, times)], table, answers=answers)


def _ask_about_form(columns: Sequence[Column], people: Sequence[Column], table: LogTable, *, answers: Answers) -> bool:
    """Ask about columns that are named as persons and have no form of ids, as with marks between thousands; tell whether there are any.

    Where another column that is named so has the form, that one is meant.
    """
    left = [
        one
        for one in columns
        if person_rank(one.normal) == PERSON
        and one.filled_share >= _HALF
        and one.distinct > 1
        and not one.is_time_type
        and not one.is_identifier
    ]
    if not left or any(person_rank(one.normal) == PERSON for one in people):
        return False
    options = [
        Option(
            f"replace({sql_name(one.name, table)}, '{mark}', '')",
            f"without the marks between thousands; {one.evidence}",
        )
        for one in left
        for mark in _mark_of_thousands(one)
    ]
    options += [Option(column_name(one.name, table), f"as it is written; {one.evidence}") for one in left]
    options += [Option(column_name(one.name, table), one.evidence) for one in people]
    answers.ask(
        "user_id",
        f"Who did it? {left[0].name} is named so, but {shape_of(left[0])} is no usual form of an id.",
        options,
    )
    return True


def _mark_of_thousands(column: Column) -> str:
    """Return the mark that stands before each group of three digits; empty: there is none."""
    for mark in ".,":
        if column.is_text and all(re.fullmatch(rf"\d{{1,3}}({re.escape(mark)}\d{{3}})*", one) for one in column.values):
            return mark if any(mark in one for one in column.values) else ""
    return ""


def _refuse_rounded(columns: Sequence[Column]) -> None:
    """Refuse ids of users that a floating-point type or a spreadsheet has rounded: users whose ids were different share one.

    Raises
    ------
    InputError
        Where no other column is named as well as a person.
    """
    ranks = {one.name: rank for one in columns if one.filled and (rank := person_rank(one.normal)) is not None}
    people = [one for one in columns if one.name in ranks and ranks[one.name] == min(ranks.values())]
    if not people or not all(one.is_rounded or _is_rounded_by_type(one) for one in people):
        return
    if people[0].is_rounded:
        raise rounded_by_a_spreadsheet(people[0])
    raise InputError(
        f"{people[0].name} is of type {people[0].kind.lower()}, which rounds ids above {FLOATS[people[0].kind]:,}: "
        "different users may share one",
        hint="write the ids as text or as whole numbers (bigint), or name another column: --answer user_id=COLUMN",
    )


def _is_rounded_by_type(one: Column) -> bool:
    return one.kind in FLOATS and max(-(one.low or 0), one.high or 0) >= FLOATS[one.kind]


def rounded_by_a_spreadsheet(one: Column) -> InputError:
    """Return the refusal of numbers that were saved as a spreadsheet shows them."""
    seen = next((value for value in one.values if "e+" in value.casefold()), "")
    return InputError(
        f"{one.name} was rounded by a spreadsheet: it has numbers such as {shape_of(one, seen)}, and what they were is lost",
        hint="export the log again, and open it in a spreadsheet only with this column as text; or name another with --answer",
    )


def _with_more_values(best: Sequence[Column], columns: Sequence[Column], times: Collection[str]) -> list[Column]:
    """Return columns that could identify users, where the named one has so few values that it is an app or an employee."""
    found = best[0]
    if found.distinct >= min(_FEW_USERS, _FEW_SHARE * found.rows):
        return []
    possible = [
        one
        for one in columns
        if one not in best and _is_somebody(one, times) and _is_unnamed(one) and not money_of(one.normal)
    ]
    return [
        one
        for one in possible
        if one.distinct >= max(_FAR_MORE * found.distinct, _FEW_USERS)
        and one.rows_per_value >= _MIN_ROWS_A_USER
        and (not one.is_number or is_keyed(one.normal) or person_rank(one.normal) is not None)
    ]


def _fuller(found: Column, columns: Sequence[Column], times: Collection[str]) -> list[Column]:
    """Return columns that could identify users by their values in rows in which the named one is absent."""
    if found.filled_share >= _HALF:
        return []
    possible = [
        one for one in columns if _is_somebody(one, times) and _is_unnamed(one) and person_rank(one.normal) is None
    ]
    return [
        one
        for one in possible
        if one.filled_share >= _FULL
        and one.rows_per_value >= _MIN_ROWS_A_USER
        and one.distinct >= found.distinct
        and not one.is_number
        and not money_of(one.normal)
    ]


def _with_several(found: Column, others: Sequence[Column], table: LogTable) -> list[Column]:
    """Return the contacts of which each has several values of a column, and each value one of them: it may name a visit.

    A name that says nothing but that it is an id needs less: persons or groups with several values each.
    """
    possible = [
        one
        for one in others
        if (person_rank(one.normal) == CONTACT or found.normal in _UNCLEAR)
        and one.distinct * _SEVERAL <= found.distinct
        and one.filled_share >= _FULL
    ]
    return [one for one in possible if found.normal in _UNCLEAR or _has_one(found, one, table)]


def _has_one(found: Column, other: Column, table: LogTable) -> bool:
    """Tell whether hardly any value of one column has several of another."""
    a, b = table.column(found.name), table.column(other.name)
    ((values, several),) = table.connection.execute(
        f"""select count(*), count(*) filter (others > 1) from
            (select count(distinct {b}) as others from {TABLE} where {a} is not null group by {a})"""
    ).fetchall()
    return several < (1 - _ALL_DIFFER) * values


def _ask_among(possible: Sequence[Column], table: LogTable, *, answers: Answers) -> None:
    options = [
        Option(column_name(one.name, table), f"{one.evidence}, {one.rows_per_value:.1f} rows each") for one in possible
    ]
    options += _joined(possible, table)
    answers.ask("user_id", f"Who did it? {len(possible)} columns could say so.", options)


def _group(rank: int) -> int:
    """Put contacts and devices on one level: neither is more of a person than the other."""
    return CONTACT if rank in (CONTACT, DEVICE) else rank


def _answered(given: str, columns: Sequence[Column], table: LogTable) -> Finding:
    found = next((one for one in columns if given in (one.name, column_name(one.name, table))), None)
    if found is None:
        return Finding(given, "as you answered")
    return Finding(column_name(found.name, table), f"as you answered; {found.evidence}", (found.name,))


def _is_somebody(column: Column, times: Collection[str]) -> bool:
    """Tell whether values can name users: enough of them differ, and they are no times."""
    is_keyed_person = person_rank(column.normal) == PERSON and is_keyed(column.normal)
    enough = column.rows < _MANY_ROWS or column.distinct >= _MIN_USERS or is_keyed_person
    return column.is_identifier and column.filled > 0 and enough and column.name not in times


def _chosen(best: Sequence[Column], people: Sequence[Column], table: LogTable, *, answers: Answers) -> Finding | None:
    found, others = best[0], best[1:]
    distinct = [one for one in others if not are_the_same(found, one, table)]
    if distinct:
        _ask_among(best, table, answers=answers)
        return None
    gaps = [one for one in people if one is not found and one.filled_share > found.filled_share]
    if found.filled_share < _FULL and (gaps or found.filled_share < _HALF):
        name = column_name(found.name, table)
        options = [Option(name, f"{found.evidence}; the other rows are excluded"), *_joined([found, *gaps[:1]], table)]
        options += [
            Option(column_name(one.name, table), f"{one.evidence}, {one.rows_per_value:.1f} rows each") for one in gaps
        ]
        answers.ask("user_id", f"Who did it, where {found.name} is absent?", options)
        return None
    words = "" if not others else f"; {', '.join(one.name for one in others)} tells the same users apart"
    if person_rank(found.normal) == DEVICE:
        words += "; it names a device: each counts as a user"
    if person_rank(found.normal) == GROUP:
        words += "; it may name a group: each counts as a user"
    return Finding(
        column_name(found.name, table),
        f"named as an id of users; {found.evidence}, {found.rows_per_value:.1f} rows each{words}",
        (found.name,),
    )


def _joined(columns: Sequence[Column], table: LogTable) -> list[Option]:
    """Offer the first column, else the second, where the first has gaps."""
    if len(columns) == 1:
        return []
    first, second = columns[0], columns[1]
    if first.filled_share >= _FULL and second.filled_share < _FULL:
        first, second = second, first
    if first.filled_share >= _FULL:
        return []
    quoted = [sql_name(one.name, table) for one in (first, second)]
    return [
        Option(
            f"coalesce({quoted[0]}, {quoted[1]})",
            f"{first.name}, and where that is absent ({percent(first.rows - first.filled, first.rows)} of rows) {second.name}",
        )
    ]


def _refuse_unique(user: Column, groups: Sequence[Column]) -> None:
    """Refuse a table of users.

    Raises
    ------
    InputError
        Always.
    """
    also = f" ({groups[0].name} repeats, but names a group of users)" if groups else ""
    raise InputError(
        f"this is not an event log: it has one row per user: {user.name} has {user.distinct:,} different values in "
        f"{user.filled:,} rows, and an event log has a row for everything that a user does{also}",
        hint="give the log of what they did; a table of users belongs in [users] path. If another column says who did it: "
        "--answer user_id=COLUMN",
    )


def _ask_unnamed(columns: Sequence[Column], table: LogTable, *, times: Collection[str], answers: Answers) -> None:
    """Ask which of the columns that could identify users by their values does.

    Raises
    ------
    InputError
        When none could.
    """
    _refuse_totals(columns, times)
    open_ = [one for one in columns if _is_somebody(one, times) and _is_unnamed(one)]
    possible = [one for one in open_ if one.rows_per_value >= _MIN_ROWS_A_USER or one.rows < _FEW_ROWS]
    if not possible:
        raise _no_user(columns, open_)
    options = [
        Option(
            column_name(one.name, table), f"{one.evidence}, {one.rows_per_value:.1f} rows each, such as {shape_of(one)}"
        )
        for one in possible
    ]
    answers.ask("user_id", "Who did it? No column is named as an id of users; these could be by their values:", options)


def _refuse_totals(columns: Sequence[Column], times: Collection[str]) -> None:
    """Refuse a table with one row per day, week or month.

    Raises
    ------
    InputError
        When dates without a time of day do not repeat.
    """
    dates = [one for one in columns if one.name in times and all(map(_is_a_date, one.values))]
    unique = [one for one in dates if one.is_unique and one.rows >= _FEW_ROWS]
    if unique:
        raise InputError(
            f"this is not an event log: it has one row per date of {unique[0].name}, as totals have, and no column says who did it",
            hint="give the log that was added up; if a column says who did it: --answer user_id=COLUMN",
        )


def _is_a_date(value: str) -> bool:
    """Tell whether a time is as short as a date, and no count of seconds."""
    return len(value) <= (_COMPACT_LETTERS if value.isdigit() else _DATE_LETTERS)


def _is_unnamed(column: Column) -> bool:
    """Tell whether a name says nothing else."""
    return not (
        type_rank(column.normal) is not None
        or role_of(column.normal) is not None
        or is_event_id(column.normal)
        or is_duration(column.normal)
    )


def _no_user(columns: Sequence[Column], possible: Sequence[Column]) -> InputError:
    unique = [one for one in possible if one.is_unique]
    if unique:
        return InputError(
            f"this is not an event log: {unique[0].name} is different in each of its {unique[0].filled:,} rows, and nothing else that "
            "could say who did it repeats",
            hint="give a log in which a user comes back; if a column says who did it: --answer user_id=COLUMN",
        )
    return InputError(
        f"this is not an event log of users: no column says who did it; its columns are {', '.join(one.name for one in columns[:30])}",
        hint="give a log with a user in each row; if an SQL expression gives one: --answer user_id=EXPRESSION",
    )


def shape_of(column: Column, value: str = "") -> str:
    """Describe the form of ids without showing one: letters as x, digits as 9."""
    text = value or (column.values[0] if column.values else "")
    return "".join("9" if one.isdigit() else "x" if one.isalpha() else one for one in text[:24])


def nobody_of(user: Finding | None, columns: Sequence[Column], table: LogTable) -> str:
    """Return the value of the user column that stands for nobody and has many rows; empty: there is none."""
    column = next((one for one in columns if user and one.name in user.columns), None)
    if column is None:
        return ""
    value = next((one for one in column.values if _NOBODY.fullmatch(one.casefold()) or set(one) <= set("0-")), "")
    others = [one for one in column.values if one != value]
    who = table.column(column.name)
    rows, next_ = table.numbers(*(f"count(*) filter ({who} = {literal(one)})" for one in (value, (*others, value)[0])))
    is_most = rows >= _FEW_SHARE * column.filled and rows > next_
    return value if value and (is_most or rows > _MUCH * column.filled) else ""
