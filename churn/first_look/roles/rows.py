"""What a row stands for: an event, so many events of a day, or the state of a user on a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.expressions import sql_of
from churn.first_look.evidence.names import (
    counts_events,
    is_count,
    is_duration,
    is_event_time,
    is_order,
    is_other_time,
    money_of,
    part_of_date,
    person_rank,
    role_of,
    type_rank,
)
from churn.first_look.evidence.number_names import counts_deeds, counts_nothing, counts_pieces, is_a_sum, is_key
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import TimeReading, column_name, sql_name
from churn.first_look.questions import NONE, Answers, Option
from churn.first_look.roles.context import counts_rows, is_attribute
from churn.results.first_look import Finding

_FEW_ROWS, _MIN_USERS, _MIN_DATES = 20, 10, 3
_ALL, _DENSE, _FULL = 0.99, 0.95, 0.95
_NEARLY = 0.9  # of rows whose numbers are named as counts: some may be counted by what the log does not say
_USERS_A_DATE = 5
_SHOWN, _FEW_NAMES = 6, 3
_TWICE = 2  # rows that a value of a dimension has at least, on average
_CHANCE = 5  # rows that would be alike by chance, where none is


def ask_what_a_row_is(
    columns: Sequence[Column],
    table: LogTable,
    *,
    found: dict[str, Finding],
    reading: TimeReading | None,
    answers: Answers,
) -> None:
    """Ask how many events a row stands for, where no two rows of a user are alike in date and all that they could be counted by.

    So are daily counts, by page or platform or not, and snapshots of a state.
    """
    who = found.get("user_id")
    is_known = "count" in found or "count" in answers.given or any(one.key == "count" for one in answers.open)
    if who is None or reading is None or is_known:
        return
    rows = _Rows(table, sql_of(who, table, role="user_id"), reading.sql)
    numbers = _numbers(columns, table, found=found, reading=reading, user=rows.user)
    by = _dimensions(columns, numbers, found=found, reading=reading)
    if rows.number < _FEW_ROWS or rows.different(*by) < _NEARLY * rows.number or _is_one_thing(columns):
        return
    is_different = rows.different(*by) >= _ALL * rows.number
    is_of_dates = rows.different() >= _ALL * rows.number
    is_put_together = is_of_dates or (is_different and rows.alike_by_chance(by) >= _CHANCE)
    is_panel = is_put_together and _is_panel(table, user=rows.user, time=reading.sql)
    has_more = "amount" in found or (is_of_dates and _is_typed(found))
    counted = [one for one in numbers if counts_deeds(one.normal) or (is_put_together and not has_more)]
    if is_panel or (counted and is_coarse(reading, table)):
        words = "on every date, as in snapshots of a state" if is_panel else "a date, as where events were counted"
        each = "" if is_of_dates else f" of each {' and '.join(one.name for one in by[:_FEW_NAMES])}"
        question = f"How many events does a row stand for? Each user has one row{each} {words}."
        answers.ask("count", question, _options(counted, table, is_panel=is_panel))


@dataclass(frozen=True)
class _Rows:
    """The rows that have a user and a time, each as SQL."""

    table: LogTable
    user: str
    time: str

    @property
    def _where(self) -> str:
        return f"{self.user} is not null and {self.time} is not null"

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.table.numbers("count(*)", where=self._where)[0])

    def different(self, *by: Column) -> int:
        """How many differ in user, time and some columns."""
        keys = ", ".join((self.user, self.time, *self._values(by)))
        return int(self.table.numbers(f"count(distinct ({keys}))", where=self._where)[0])

    def alike_by_chance(self, by: Sequence[Column]) -> float:
        """How many of the pairs of rows of a user and a time would be alike in some columns, if each row had them by chance."""
        values = ", ".join(self._values(by)) or "1"
        ((pairs, share),) = self.table.connection.execute(
            f"""with kept as (select {self.user} as who, {self.time} as moment, hash({values}) as cell from {TABLE} where {self._where}),
                together as (select count(*) as n from kept group by who, moment), cells as (select count(*) as n from kept group by cell)
            select (select sum(n * (n - 1) / 2) from together), (select sum(n * n) / (sum(n) * sum(n)) from cells)"""
        ).fetchall()
        return float(pairs) * float(share)

    def _values(self, by: Sequence[Column]) -> list[str]:
        return [f"coalesce({self.table.column(one.name)}, '')" for one in by]


def _dimensions(
    columns: Sequence[Column], numbers: Sequence[Column], *, found: dict[str, Finding], reading: TimeReading
) -> list[Column]:
    """Return the columns that events could be counted by: texts, flags and codes of which values come again."""
    taken = {*found["user_id"].columns, *(one.name for one in numbers), reading.column.name, *reading.others}
    open_ = [one for one in columns if one.name not in taken and money_of(one.normal) is None]
    named = [one for one in open_ if not (is_event_time(one.normal) or is_duration(one.normal))]
    coded = [
        one
        for one in named
        if (one.is_text and not one.is_number)
        or one.kind == "BOOLEAN"
        or is_key(one.normal)
        or counts_nothing(one.normal)
    ]
    return [one for one in coded if one.distinct > 1 and one.distinct * _TWICE <= one.filled]


def _is_one_thing(columns: Sequence[Column]) -> bool:
    """Tell whether each row is of an order, a ticket or another thing with an id of its own, and no sum of several."""
    of_things = [
        one
        for one in columns
        if (is_order(one.normal) or is_key(one.normal))
        and person_rank(one.normal) is None
        and one.normal not in _OF_ROWS
    ]
    return any(one.distinct >= _FULL * one.filled and one.filled_share >= _FULL for one in of_things)


_OF_ROWS = frozenset(
    ["id", "row_id", "line_id", "record_id", "uuid", "guid", "key", "pk", "no", "nr", "row_number", "index"]
)  # of a table


def is_coarse(reading: TimeReading, table: LogTable) -> bool:
    """Tell whether the times are days or longer, or full hours, as where events were counted by them."""
    if reading.step != "time":
        return True
    (other,) = table.numbers(f"count(*) filter ({reading.sql} <> date_trunc('hour', {reading.sql}))")
    return not other


def _is_typed(found: dict[str, Finding]) -> bool:
    return "event_type" not in found or bool(found["event_type"].columns)


def _is_panel(table: LogTable, *, user: str, time: str) -> bool:
    """Tell whether users have a row on nearly all dates from their first to their last, of the dates that the log has."""
    ((users, rows, span, dates),) = table.connection.execute(
        f"""with seen as (select distinct {user} as who, {time} as moment from {TABLE} where {user} is not null and {time} is not null),
            dates as (select moment, row_number() over (order by moment) as place from (select distinct moment from seen)),
            users as (select count(*) as n, max(place) - min(place) + 1 as span from seen join dates using (moment)
                group by who having count(*) >= {_MIN_DATES})
        select count(*), coalesce(sum(n), 0), coalesce(sum(span), 0), (select count(*) from dates) from users"""
    ).fetchall()
    is_regular = users >= _MIN_USERS and dates >= _MIN_DATES and rows >= _USERS_A_DATE * dates
    return bool(is_regular and rows >= _DENSE * span)


def _numbers(
    columns: Sequence[Column], table: LogTable, *, found: dict[str, Finding], reading: TimeReading, user: str
) -> list[Column]:
    """Return the columns of whole numbers whose names say nothing that would keep them from counting events."""
    taken = {name for one in found.values() for name in one.columns} | {reading.column.name, *reading.others}
    whole = [
        one for one in columns if one.is_whole and (one.low or 0) >= 0 and one.distinct > 1 and one.name not in taken
    ]
    has_goods = any(_is_money(one) or counts_pieces(one.normal) or is_order(one.normal) for one in columns)
    plain = [one for one in whole if not _says_otherwise(one, has_goods=has_goods) and one.filled_share >= _FULL]
    return [one for one in plain if not is_attribute(one, table, user=user) and not counts_rows(one, table, user=user)]


def _is_money(one: Column) -> bool:
    return money_of(one.normal) in ("total", "price") and not (one.is_whole and is_a_sum(one.normal))


def _says_otherwise(one: Column, *, has_goods: bool) -> bool:
    """Tell whether a name says that numbers are ids, money, pieces, parts of dates or something else that is known."""
    name = one.normal
    named = (
        person_rank(name) is not None,
        type_rank(name) is not None,
        role_of(name) not in (None, "session_id"),
        money_of(name) is not None and not is_a_sum(name),
        has_goods and (counts_pieces(name) or (is_count(name) and not counts_events(name))),
    )
    is_time = part_of_date(name) is not None or is_event_time(name) or is_other_time(name) or is_duration(name)
    return any(named) or is_time or is_key(name) or is_order(name) or counts_nothing(name)


def _options(numbers: Sequence[Column], table: LogTable, *, is_panel: bool) -> list[Option]:
    state = "; for states of users this is wrong: they belong in [users] path" if is_panel else ""
    options = [Option(NONE, f"for one: it is an event{state}")]
    if len(numbers) > 1:
        options.append(Option(" + ".join(sql_name(one.name, table) for one in numbers), "for the sum of these numbers"))
    return options + [
        Option(column_name(one.name, table), f"from {one.low:g} to {one.high:g}") for one in numbers[:_SHOWN]
    ]
