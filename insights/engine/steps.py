"""Who reached which step of the product in which week, and who went on: the relation that conversion and findings are read from.

The unit is a user in a week, by the first day of the week on which the step was reached: nobody counts twice in a rate, and who comes
on more days has no more chances. A user who reached any later step on that day has gone on. The last two are of another kind: new
users, and whether they were active on days 7 to 13, and on days 28 to 34: who loses interest is still there after a week, not after four.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.sql import literal
from insights.engine.active_days import ActiveDays
from insights.engine.groups import known_dimensions

WEEK = 7
CAME_BACK = ((7, 14), (28, 35))  # days of new users, half-open, on one of which who goes on is active
_SHARE_OF_BUYERS = 0.6  # a step that so many purchases pass on their day is part of the way to them
_MIN_LESS = 0.97  # and each is reached by fewer users than the one before
_SHARE_AFTER = (
    0.995  # a step that so many have bought before, or on the day on which they first reach it, only follows purchases
)
_ENOUGH = 200  # users of whom that is known
_TENURES = "case when d - first_d < 7 then 0 when d - first_d < 28 then 1 else 2 end"


@dataclass(frozen=True)
class Steps:
    """The steps of a log.

    Attributes
    ----------
    names
        Event types in the order in which they are reached; the last one is the purchase. Empty where the log has none.
    first_week, weeks
        Number of the day on which the first whole week starts, and how many whole weeks there are.
    dimensions
        Columns of ``reached`` that say who.
    """

    names: tuple[str, ...]
    first_week: int
    weeks: int
    dimensions: tuple[str, ...]

    @property
    def new_users(self) -> int:
        """The number of the first step of new users (:data:`CAME_BACK`); those before it are ``0, 1, ...``."""
        return max(0, len(self.names) - 1)

    @property
    def count(self) -> int:
        """How many steps there are."""
        return self.new_users + len(CAME_BACK)


def make_steps(log: ActiveDays, *, funnel: Sequence[str], purchase_event_types: Sequence[str]) -> Steps:
    """Make ``reached``: ``uid, week, step, d, converted, tenure`` and the dimensions, one row per user, week, step and group.

    Parameters
    ----------
    funnel
        Event types in order; empty: those that most buyers pass on the day of a purchase, by how many users reach them.
    """
    names = tuple(funnel) or detected_funnel(log, purchase_event_types)
    first = (-log.first_day.weekday()) % WEEK
    first += -(-max(0, log.new_from - first) // WEEK) * WEEK  # who was there before the log is not known to be older
    found = Steps(names, first, max(0, (log.days - first) // WEEK), known_dimensions(log))
    log.make("reached", _reached(log, found))
    return found


def detected_funnel(log: ActiveDays, purchase_event_types: Sequence[str]) -> tuple[str, ...]:
    """Return the event types that most purchases pass on their day, from the most common to the purchase.

    What only follows purchases, such as refunds, is not among them: hardly anybody first reaches it without having bought up to that day.
    Who does so on a left-censored day may have bought before the log, and counts only where few others reach it.
    """
    target = ", ".join(literal(one) for one in purchase_event_types) or "null"
    log.make("types", f"select distinct uid, d, event_type from ({log.relation('event_types')})")
    log.make("buying_days", f"select distinct uid, d from types where event_type in ({target})")
    sql = f"""with firsts as (select uid, event_type, min(d) as since from types group by uid, event_type),
            known as (from firsts qualify since >= {log.new_from}
                or count(*) filter (since >= {log.new_from}) over (partition by event_type) < {_ENOUGH}),
            following as (select event_type from known left join (select uid, min(d) as buys_on from buying_days group by uid) using (uid)
                group by event_type having count(*) filter (buys_on <= since) >= {_SHARE_AFTER} * count(*))
        select event_type, count(*) as days, count(b.uid) / (select count(*) from buying_days) as share
        from types left join buying_days b using (uid, d)
        where event_type in ({target}) or event_type not in (from following)
        group by event_type order by days desc, event_type"""
    rows = log.rows(sql)
    ends = [name for name, _, _ in rows if name in purchase_event_types]
    found: list[tuple[str, int]] = []
    for name, days, share in rows:
        is_less = not found or days < _MIN_LESS * found[-1][1]
        if ends and name not in ends and share >= _SHARE_OF_BUYERS and is_less:
            found.append((name, days))
    return (*(name for name, _ in found), *ends[:1]) if found else ()


def _reached(log: ActiveDays, steps: Steps) -> str:
    """Return the SELECT of the relation."""
    who = ", ".join(steps.dimensions)
    shown = f", {who}" if who else ""
    values = "".join(f", arg_max({name}, row(n, {name})) as {name}" for name in steps.dimensions)
    contexts = f"select uid, d{values} from ({log.relation('contexts')}) group by uid, d"
    until = steps.first_week + steps.weeks * WEEK
    return f"""with rows as ({_on_days(log, steps)}),
            told as (select r.*, {_TENURES} as tenure, cast(floor((d - {steps.first_week}) / {WEEK}) as integer) as week{shown}
                from rows r join users using (uid) left join ({contexts}) using (uid, d)
                where d >= {steps.first_week} and d < {until})
        select uid, week, step{shown}, min(d) as d, arg_min(converted, d) as converted, min(tenure) as tenure
        from told group by uid, week, step{shown}"""


def _on_days(log: ActiveDays, steps: Steps) -> str:
    returned = " union all ".join(
        f"""select uid, first_d as d, {steps.new_users + place} as step,
            bool_or(s.d >= first_d + {start} and s.d < first_d + {stop}) as converted from users join spells s using (uid)
            where first_d >= {log.new_from} and first_d + {stop} <= {log.days} group by uid, first_d"""
        for place, (start, stop) in enumerate(CAME_BACK)
    )
    if not steps.names:
        return returned
    places = " ".join(f"when {literal(name)} then {1 << place}" for place, name in enumerate(steps.names))
    days = f"""select uid, d, bit_or(case event_type {places} else 0 end) as mask from ({log.relation("event_types")})
        where d between 0 and {log.days - 1} group by uid, d"""
    return f"""{returned} union all select uid, d, step, mask >> (step + 1) > 0 as converted
        from (select uid, d, mask, unnest(range({len(steps.names) - 1})) as step from ({days}) where mask > 0)
        where (mask >> step) & 1 = 1"""


ALL = "all"  # the dimension that has one group
