"""Users whose rhythm is inhuman: scripts, monitors and test accounts, which never churn and distort a model of people.

Three rules, each over the four weeks before the cutoff and nothing later. A rule that would flag more than a tenth of the users
describes the log (an app that reports by itself all day), not its bots, and flags nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from features.activity.store import Activity
from training.plan.outages import SIGMA_PER_MAD
from training.plan.persons import days_of_persons

_DAYS = 28
_MAX_SHARE = 0.1
_SLEEPLESS_HOURS, _SLEEPLESS_DAYS = 23, 7  # 23: on the day when clocks go forward there are no more
_FAR, _MIN_SPREAD, _BUSY_DAYS = 6.0, 0.5, 3
_STEADY_DAYS, _STEADY_EVENTS, _STEADY_VARIATION = 14, 24, 0.05
_TABLE = "bots"

RULES = {
    "sleepless": f"events in at least {_SLEEPLESS_HOURS} different hours of the day, on at least {_SLEEPLESS_DAYS} of {_DAYS} days",
    "too_much": f"events per active day, over at least {_BUSY_DAYS} of them, more than {_FAR:.0f} robust deviations above the "
    "median user on a log scale",
    "too_steady": f"the same number of events every day: at least {_STEADY_EVENTS} a day on at least {_STEADY_DAYS} of {_DAYS} "
    f"days, varying by at most {_STEADY_VARIATION:.0%}",
}


@dataclass(frozen=True)
class Bots:
    """The users that a rule flags at one cutoff.

    Attributes
    ----------
    before
        The cutoff: only days before it count.
    users
        Their ids, sorted. For conditions, never for messages.
    reasons
        Rule to the number of users that it flags; several rules may flag the same user.
    too_common
        Rule to the share of users that it would flag, where that is too large to mean bots.
    """

    before: date
    users: tuple[str, ...]
    reasons: dict[str, int]
    too_common: dict[str, float]

    def describe(self) -> str:
        """Describe how many there are, and why.

        Examples
        --------
        >>> Bots(date(2026, 3, 2), ("a", "b"), {"sleepless": 2, "too_much": 1, "too_steady": 0}, {}).describe()
        '2 users look like bots before 2026-03-02: 2 x sleepless, 1 x too_much'
        """
        why = ", ".join(f"{count} x {reason}" for reason, count in self.reasons.items() if count)
        common = "".join(
            f"; {rule} is not applied: it would flag {share:.0%} of the users"
            for rule, share in self.too_common.items()
        )
        return f"{len(self.users)} users look like bots before {self.before}" + (f": {why}" if why else "") + common

    def to_json(self) -> dict[str, Any]:
        """Counts, and no ids."""
        return {
            "before": str(self.before),
            "users": len(self.users),
            "reasons": self.reasons,
            "too_common": self.too_common,
        }


def find_bots(activity: Activity, *, before: date, timezone: str = "UTC") -> Bots:
    """Find the users that a rule of :data:`RULES` flags, from the four weeks before a cutoff.

    The limits depend on the other users of that cutoff, so the rules select training rows and are never part of a profile. Several ids
    of one person, as known at the cutoff, are one user.

    Parameters
    ----------
    timezone
        In which the cutoff is a midnight.
    """
    columns = ("events", "hours_before_noon", "hours_after_noon")
    days = days_of_persons(activity, columns, before=before, timezone=timezone)
    rows = activity.connection.execute(_rules_sql(days), {"before": before}).fetchall()
    if not rows:
        return Bots(before, (), dict.fromkeys(RULES, 0), {})
    shares = {rule: rows[0][place] for place, rule in enumerate(RULES, start=1 + len(RULES))}
    too_common = {rule: share for rule, share in shares.items() if share > _MAX_SHARE}
    flagged = {
        rule: [row[0] for row in rows if row[place] and rule not in too_common]
        for place, rule in enumerate(RULES, start=1)
    }
    users = tuple(sorted({user for found in flagged.values() for user in found}))
    return Bots(before, users, {rule: len(found) for rule, found in flagged.items()}, too_common)


def _rules_sql(days: str) -> str:
    """Return the SELECT, from the days of users, of those that a rule flags: which rules, and the share of all users that each flags."""
    shares = ", ".join(f"avg(cast({rule} as integer)) over () as {rule}_share" for rule in RULES)
    return f"""
        with days as (select user_id, events, bit_count(hours_before_noon) + bit_count(hours_after_noon) as hours
            from {days} where day >= $before - {_DAYS}),
        users as (select user_id, count(*) as days, cast(sum(events) as double) / count(*) as mean,
            stddev_pop(cast(events as double)) as spread, ln(1 + sum(events) / count(*)) as volume,
            count(*) filter (hours >= {_SLEEPLESS_HOURS}) as sleepless_days from days group by user_id),
        usual as (select median(volume) as volume from users),
        spread as (select greatest({SIGMA_PER_MAD} * median(abs(users.volume - usual.volume)), {_MIN_SPREAD}) as volume from users, usual),
        flagged as (select user_id, sleepless_days >= {_SLEEPLESS_DAYS} as sleepless,
            days >= {_BUSY_DAYS} and users.volume > usual.volume + {_FAR} * spread.volume as too_much,
            days >= {_STEADY_DAYS} and mean >= {_STEADY_EVENTS} and users.spread <= {_STEADY_VARIATION} * mean as too_steady
            from users, usual, spread)
        select * from (select *, {shares} from flagged) where {" or ".join(RULES)} order by user_id"""


def exclusion_condition(connection: duckdb.DuckDBPyConnection, found: Sequence[Bots]) -> str:
    """Return the condition over profile columns that excludes bots at each cutoff, by what was known before it.

    The condition reads the users from a table of the engine; the next call replaces it.
    """
    rows = [(bots.before, user) for bots in found for user in bots.users]
    columns = {
        "cutoff": pa.array([cutoff for cutoff, _ in rows], pa.date32()),
        "user_id": pa.array([u for _, u in rows], pa.string()),
    }
    connection.register(f"{_TABLE}_found", pa.table(columns))
    connection.execute(f"create or replace table {_TABLE} as from {_TABLE}_found")  # visible to every session
    connection.unregister(f"{_TABLE}_found")
    return f"(cutoff, user_id) not in (select (cutoff, user_id) from {_TABLE})"
