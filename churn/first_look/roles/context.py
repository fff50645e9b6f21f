"""Which columns say what happened, in which visit, on which device, through which channel."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import is_word, role_of, type_rank
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import column_name
from churn.first_look.questions import Answers, Option
from churn.results.first_look import Finding

_MAX_TYPES, _FEW_ROWS = 1000, 20
_MAX_DIFFERENT = 0.5
_SHARED_SESSIONS = 0.02
_MOSTLY = 0.95
_SHOWN = 6
_FEW_LABELS = 30
_LABELS = "name|label|title|event_text|event_label|event_action|event_title|subtype|sub_type|operation|method|command"


def find_type(
    columns: Sequence[Column], table: LogTable, *, taken: Collection[str], answers: Answers
) -> Finding | None:
    """Return what happened: the column that its name says, or else one literal for all rows; None: it has to be asked."""
    if given := answers.get("event_type"):
        return answered(given, columns, table)
    if answers.is_none("event_type"):
        return Finding("'event'", "as you answered: all rows count as one type")
    ranked = [(rank, one) for one in columns if (rank := type_rank(one.normal)) is not None and _is_type(one, taken)]
    ranked = [each for each in ranked if each[1].distinct > 1] or ranked
    best = [one for rank, one in ranked if rank == min(found for found, _ in ranked)]
    best += _further(best, columns, taken)
    if len(best) > 1:
        options = [Option(column_name(one.name, table), f"{one.distinct} values: {_shown(one)}") for one in best]
        answers.ask("event_type", "What happened? Several columns are named as the type of an event.", options)
        return None
    if best:
        return Finding(
            column_name(best[0].name, table), f"{best[0].distinct:,} different: {_shown(best[0])}", (best[0].name,)
        )
    return Finding("'event'", "no column is named as the type of an event: all rows count as one type")


def _further(best: Sequence[Column], columns: Sequence[Column], taken: Collection[str]) -> list[Column]:
    """Return the columns that may say what happened where the one of the type is the same in all rows, as ``track`` is."""
    if len(best) != 1 or best[0].distinct > 1 or best[0].rows < _FEW_ROWS:
        return []
    named = [one for one in columns if is_word(_LABELS, one.normal) and 1 < one.distinct <= _FEW_LABELS and one.is_text]
    return [one for one in named if _is_type(one, taken)]


def answered(given: str, columns: Sequence[Column], table: LogTable) -> Finding:
    """Return an answer: a column, which is judged as one that was found, or SQL."""
    named = next((one for one in columns if given in (one.name, column_name(one.name, table))), None)
    if named is None:
        return Finding(given, "as you answered")
    return Finding(column_name(named.name, table), "as you answered", (named.name,))


def attributes_of_users(columns: Sequence[Column], table: LogTable, *, user: Finding | None) -> list[Column]:
    """Return the columns that are named as the type of an event, but are the same in all rows of each user."""
    if user is None or not user.columns:
        return []
    named = [one for one in columns if type_rank(one.normal) is not None and one.distinct > 1 and _is_type(one, ())]
    return [
        one
        for one in named
        if one.name not in user.columns and is_attribute(one, table, user=table.column(user.columns[0]))
    ]


def is_attribute(column: Column, table: LogTable, *, user: str) -> bool:
    """Tell whether a column is the same in all rows of each user, who is SQL."""
    value = table.column(column.name)
    ((users, varied),) = table.connection.execute(
        f"""select count(*), count(*) filter (values_ > 1) from
            (select count(distinct {value}) as values_ from {TABLE} where {user} is not null group by {user} having count(*) > 2)"""
    ).fetchall()
    return users >= _MIN_USERS and varied < _VARIED * users


def counts_rows(column: Column, table: LogTable, *, user: str | None) -> bool:
    """Tell whether whole numbers count the rows, all or those of each user, who is SQL: 1, 2, 3 and none twice."""
    is_of_all = (
        column.is_unique and column.low in (0, 1) and (column.high or 0) - (column.low or 0) + 1 == column.filled
    )
    if user is None or is_of_all:
        return is_of_all
    number = f"try_cast({table.column(column.name)} as double)"
    counted = f"count(distinct {number}) = count(*) and max({number}) - min({number}) + 1 = count(*)"
    ((users, running),) = table.connection.execute(
        f"""select count(*), count(*) filter (is_counted) from
            (select {counted} as is_counted from {TABLE} where {user} is not null group by {user} having count(*) > 2)"""
    ).fetchall()
    return bool(users >= _FEW_USERS and running >= _MOSTLY * users)


_MIN_USERS, _VARIED, _FEW_USERS = 10, 0.02, 2


def _is_type(column: Column, taken: Collection[str]) -> bool:
    few = column.distinct <= _MAX_TYPES and (
        column.rows < _FEW_ROWS or column.distinct <= _MAX_DIFFERENT * column.filled
    )
    return few and column.name not in taken and column.filled_share > _MOSTLY and (column.is_text or column.is_whole)


def _shown(column: Column) -> str:
    more = ", ..." if column.distinct > _SHOWN else ""
    return ", ".join(value[:30] for value in column.values[:_SHOWN]) + more


def find_others(
    columns: Sequence[Column], table: LogTable, *, taken: Collection[str], answers: Answers, user: Finding | None
) -> dict[str, Finding]:
    """Return sessions, devices, versions, networks and channels, each where exactly one column is named so and its values agree."""
    named: dict[str, list[Column]] = {}
    for one in columns:
        role = role_of(one.normal)
        is_free = one.name not in taken and one.filled and not one.is_time_type
        if role and is_free and _looks_so(one):
            named.setdefault(role, []).append(one)
    found = {
        role: _of_role(role, group, table, user=user) for role, group in named.items() if not answers.is_none(role)
    }
    kept = {role: one for role, one in found.items() if one}
    given = {
        role: answers.get(role)
        for role in ("session_id", "device_os", "device_model", "app_version", "network", "channel")
    }
    return kept | {role: answered(value, columns, table) for role, value in given.items() if value}


_LOOKS = {  # names that other trades use too, and how their values look where they are of a device or an app
    "model": r".*\d.*|.*(iphone|ipad|galaxy|pixel|huawei|xiaomi|nokia|motorola|oneplus|oppo|vivo|samsung|sony|macbook).*",
    "version": r"v?\d+([._-]\w+)*",
    "build": r"v?\d+([._-]\w+)*",
    **dict.fromkeys(
        ("carrier", "network", "red"),
        r".*(wi-?fi|wlan|[2345]g|lte|cell|mobil|ethernet|offline|edge|hspa|gprs|cable|dsl|broadband|telecom|telekom|t-mobile|vodafone|verizon"
        r"|at&t|sprint|orange|o2|telefonica|movistar|airtel|jio|docomo|kddi|softbank|unicom|mts|megafon|移动|联通|电信).*",
    ),
}


def _looks_so(one: Column) -> bool:
    """Tell whether values look as the name says, where other trades use the same name."""
    form = _LOOKS.get(one.normal)
    fitting = [value for value in one.values if form is None or re.fullmatch(form, value.casefold())]
    return len(fitting) > len(one.values) / 2


def _of_role(role: str, group: Sequence[Column], table: LogTable, *, user: Finding | None) -> Finding | None:
    one = min(group, key=lambda each: (_PREFERRED.get(each.normal, len(_PREFERRED)), each.name))
    if role == "session_id":
        return _session(one, table, user=user)
    if one.distinct > _MAX_TYPES or (one.is_unique and one.rows >= _FEW_ROWS):
        return None
    return Finding(column_name(one.name, table), f"{one.distinct:,} different: {_shown(one)}", (one.name,))


_PREFERRED = {
    name: place
    for place, name in enumerate(("os", "platform", "acquisition_channel", "channel", "utm_source", "app_version"))
}


def _session(one: Column, table: LogTable, *, user: Finding | None) -> Finding | None:
    """Return a column of visits, where each belongs to one user."""
    if user is None or not user.columns or not one.is_identifier or one.distinct == 1:
        return None
    visit, who = table.column(one.name), table.column(user.columns[0])
    ((visits, shared),) = table.connection.execute(
        f"""select count(*), count(*) filter (users > 1) from
            (select count(distinct {who}) as users from {TABLE} where {visit} is not null group by {visit})"""
    ).fetchall()
    if shared > _SHARED_SESSIONS * visits:
        return None
    return Finding(
        column_name(one.name, table),
        f"{one.distinct:,} visits, of one user each; {one.rows_per_value:.1f} rows a visit",
        (one.name,),
    )
