"""Who was active on which day: the relation that most questions are answered from, read once from the kept activity.

Days are numbered from the first day of the coverage, users from one; ids that are known today to be one person are one user. A user
exists from the first day with a qualifying event on. So every count below is a sum over *spells*: an active day of a user, and the
next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.activity.store import Activity
from features.errors import CheckFailed
from features.sql import literal
from features.storage.duckdb import new_session

Counts = NDArray[np.int64]
LEFT_CENSORED_DAYS = 28  # of a log with less than four times as many days: a quarter of it
# measure to its column of `user_days`, summed up over the ids of a person, and the fact that it needs; whole numbers, so that sums are
# exact in whatever order they are made
_MEASURES = {
    "events": ("sum(events) as events", ""),
    "purchases": ("sum(purchases) as purchases", "amount"),
    "amount": ("sum(amount_micros) as amount_micros", "amount"),
    "refunds": ("sum(refunds) as refunds", "amount"),
    "refunded": ("sum(refunded_micros) as refunded_micros", "amount"),
    "sessions": ("sum(sessions) as sessions", "sessions"),
    "minutes": ("sum(usage_minutes) as usage_ms", "usage"),
}


@dataclass(frozen=True)
class ActiveDays:
    """The active days of all users.

    Tables of the connection
    ------------------------
    ``persons``: ``user_id, person, uid``; ``user_days``: ``uid, d`` and the measures of every day with events; ``spells``: ``uid, d,
    next_d, prev_d``, of active days only; ``users``: ``uid, first_d, last_d, days, part``; ``purchases``: ``uid, d, n,
    amount_micros``; ``refunds``: ``uid, d, amount_micros``; ``buys``: ``uid, d, placed_at, n, amount_micros, paid_d``, an order each, or a
    day with purchases where the log has no orders. Amounts are in millionths, usage in milliseconds.

    Attributes
    ----------
    first_day
        The day that is number 0.
    days
        Number of days covered; the last one is ``days - 1``.
    new_from
        Number of the first day whose new users count as new: those before may be older than the log.
    measures
        The columns of ``user_days`` that the log can answer.
    ends_by_setting
        True where ``[events] covered_until`` says that the last day is complete.
    knows_purchases
        True where the log has purchases: rows with an amount above zero, or events of the types that the settings name.
    knows_orders, knows_payments
        True where the log has orders (:mod:`insights.engine.orders`), and where it says which of them are paid.
    """

    connection: duckdb.DuckDBPyConnection
    activity: Activity
    first_day: date
    days: int
    new_from: int
    measures: frozenset[str]
    ends_by_setting: bool
    knows_purchases: bool = False
    knows_orders: bool = False
    knows_payments: bool = False

    @property
    def knows_amounts(self) -> bool:
        """True where the log says what purchases are worth."""
        return "amount" in self.measures

    @property
    def facts(self) -> frozenset[str]:
        """Contract columns that the log has, and what else is known of it."""
        return self.activity.facts

    def day(self, number: int) -> date:
        """Return the date of a day."""
        return self.first_day + timedelta(days=int(number))

    @property
    def last_day(self) -> date:
        """The last day that is covered."""
        return self.day(self.days - 1)

    def table(self, sql: str) -> pa.Table:
        """Return the rows of a query."""
        return self.connection.sql(sql).to_arrow_table()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small query as tuples."""
        return self.connection.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        """Return the only value of a query."""
        return self.rows(sql)[0][0]

    def make(self, table: str, sql: str) -> None:
        """Keep the rows of a query as a table of the connection."""
        self.connection.execute(f"create or replace temp table {table} as {sql}")

    def relation(self, name: str) -> str:
        """Return the SELECT of a kept relation, with ``uid`` and ``d`` in place of user and day."""
        return f"""select p.uid, {self._number("r.day")} as d, r.* exclude (user_id, day)
            from {self.activity.relation(name)} r join persons p using (user_id)"""

    def attributes(self) -> str:
        """Return the SELECT of the rows of ``[users]``, ``uid, valid_from, version``, of the person that a user is today.

        Of several of the same instant there is the largest, as for features, whatever the order of the rows.
        """
        return f"""select p.uid, u.valid_from, max(u.version) as version from {self.activity.tables.relations["users"]} u
            join (select distinct person, uid from persons) p on u.user_id = p.person group by p.uid, u.valid_from"""

    def _number(self, day: str) -> str:
        return f"cast({day} - date '{self.first_day}' as integer)"

    def over_days(self, start: str, stop: str, *, where: str = "true", table: str = "spells") -> Counts:
        """Count spells on each day of ``[start, stop)``, both in SQL over ``spells`` or another table; shape (days,).

        ``stop`` may be null, which is the end of the coverage.
        """
        until = f"least(coalesce({stop}, {self.days}), {self.days})"
        found = self.table(
            f"""select {start} as start, {until} as stop, count(*) as n from {table}
            where {where} and {start} < {until} group by 1, 2"""
        )
        change = np.zeros(self.days + 1, np.int64)
        n = found.column("n").to_numpy()
        np.add.at(change, found.column("start").to_numpy(), n)
        np.add.at(change, found.column("stop").to_numpy(), -n)
        return np.cumsum(change[:-1])


def active_days(
    activity: Activity, *, left_censored_days: int | None = None, purchase_event_types: Sequence[str] = ()
) -> ActiveDays:
    """Make the tables of a log's active days.

    Parameters
    ----------
    left_censored_days
        Days at the log's start whose new users may be older; default: 28, or a quarter of a shorter log.
    purchase_event_types
        What purchases are in a log without amounts.

    Raises
    ------
    CheckFailed
        When nobody was ever active.
    """
    coverage = activity.coverage
    days = (coverage.covered_until - coverage.first_day).days
    censored = min(LEFT_CENSORED_DAYS, days // 4) if left_censored_days is None else min(left_censored_days, days)
    measures = frozenset(name for name, (_, fact) in _MEASURES.items() if not fact or fact in activity.facts)
    ends = activity.manifest.configured[1] is not None
    connection = new_session(activity.connection)
    found = ActiveDays(connection, activity, coverage.first_day, days, censored, measures, ends)
    for name, sql in _tables(found).items():
        found.make(name, sql)
    if not found.value("select count(*) from users"):
        raise CheckFailed("no user has a qualifying event", hint="check [churn] qualifying: SQL over the contract")
    found = _with_purchases(found, purchase_event_types)
    refunded = "refunded_micros" if found.knows_amounts else "0"
    found.make("refunds", f"select uid, d, {refunded} as amount_micros from user_days where {refunded} > 0")
    found.make("buys", "select uid, d, d as placed_at, n, amount_micros, d as paid_d from purchases")
    return replace(found, knows_purchases=bool(found.value("select count(*) from purchases")))


def _with_purchases(log: ActiveDays, event_types: Sequence[str]) -> ActiveDays:
    """Make ``purchases``; where no amount is above zero and events are called purchases, the log does not know amounts."""
    log.make("purchases", _purchases(log, event_types))
    if not log.knows_amounts or log.value("select count(*) from purchases"):
        return log
    without = replace(log, measures=log.measures - {name for name, (_, fact) in _MEASURES.items() if fact == "amount"})
    without.make("purchases", _purchases(without, event_types))
    return without if without.value("select count(*) from purchases") else log


def _purchases(log: ActiveDays, event_types: Sequence[str]) -> str:
    if log.knows_amounts:
        return "select uid, d, purchases as n, amount_micros from user_days where purchases > 0"
    if not event_types:
        return "select uid, d, 0 as n, cast(null as hugeint) as amount_micros from user_days where false"
    types = ", ".join(literal(one) for one in event_types)
    return f"""select uid, d, sum(n) as n, cast(null as hugeint) as amount_micros from ({log.relation("event_types")})
        where event_type in ({types}) and d between 0 and {log.days - 1} group by uid, d"""


def _tables(log: ActiveDays) -> dict[str, str]:
    ids = f"select distinct user_id from {log.activity.relation('days')}"
    tables = log.activity.tables
    persons = tables.person_today(ids) if tables.has_identities else f"(select user_id, user_id as person from ({ids}))"
    measures = "".join(f", {_MEASURES[name][0]}" for name in sorted(log.measures))
    return {
        "persons": f"select user_id, person, cast(dense_rank() over (order by person) as integer) as uid from {persons}",
        "user_days": f"""select uid, d, bool_or(qualifying_events > 0) as is_active{measures}
            from ({log.relation("days")}) where d between 0 and {log.days - 1} group by uid, d""",
        "spells": """select uid, d, lead(d) over days as next_d, lag(d) over days as prev_d
            from user_days where is_active window days as (partition by uid order by d)""",
        "users": f"""select uid, min(d) as first_d, max(d) as last_d, count(*) as days,
            cast(hash(uid) % {PARTS} as integer) as part from spells group by uid""",
    }


PARTS = 100  # that users are hashed into, so that intervals come from resampling parts
