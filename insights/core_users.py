"""S7: who the core users are, how many days people are active, stickiness, and an alarm when there are fewer core users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from insights.engine.active_days import ActiveDays, Counts
from insights.findings import ALARM
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from models.charts import ORANGE, SHADES, Axis, Series, bars, card, level, lines, svg
from models.page import Picture
from models.shares import wilson

DAYS, WEEK = 28, 7
MIN_PAST_WEEKS, PAST_WEEKS, MIN_CORE_USERS = 8, 12, 20
AFTER = 14  # days for which core users are followed
APART = AFTER // WEEK  # weeks until the days that follow have no day in common
FIRST = MIN_PAST_WEEKS + APART - 1  # week that has enough weeks before it


def core_users(log: ActiveDays, *, at_least: int) -> Section:
    """Return the histogram of active days in four weeks, stickiness, the users who are active on most days, and the alarm on them.

    None of them is known before the log covers four weeks: nobody can be active on 20 days of 19, and on one day everybody is.

    Parameters
    ----------
    at_least
        Days of the 28 on which a core user is active.
    """
    if log.days < DAYS:
        return Section(
            "core_users", [text("core_users.too_short", n=log.days, needed=DAYS)], facts=dict.fromkeys(_FACTS)
        )
    histogram = l28(log)
    users = sum(row["users"] for row in histogram)
    user_days = sum(row["users"] * row["active_days"] for row in histogram)
    core = wilson(sum(row["users"] for row in histogram if row["active_days"] >= at_least), users)
    facts = {
        "users": users,
        "mean_active_days": user_days / users if users else None,
        "stickiness": user_days / DAYS / users if users else None,
        "core_users": core.part,
        "core_share": core.value,
        "core_share_low": core.low,
        "core_share_high": core.high,
    }
    sentence = text(
        "core_users.sentence",
        users=formats.count(users),
        core=formats.count(core.part),
        share=formats.share(core.value),
        at_least=at_least,
        stickiness=formats.share(facts["stickiness"]),
    )
    table = Figures("l28", histogram, {"active_days": "count", "users": "count", "share": "share"})
    pictures = [_picture(histogram)] if users else []
    watch = watched(log, at_least=at_least)
    if not watch:
        words = text("core_users.not_watched", weeks=MIN_PAST_WEEKS, users=MIN_CORE_USERS)
        return Section("core_users", [sentence, words], [table], pictures, facts | {"is_alarm": None})
    kinds = columns("date", "day") | columns("count", "core", "active") | columns("share", "share")
    tables = [
        table,
        Figures(
            "core_weeks", watch.weeks, kinds | columns("number", "mean_days", "expected") | columns("change", "change")
        ),
    ]
    facts |= {"is_alarm": watch.is_alarm, "core_change": watch.change, "core_change_limit": watch.limit}
    facts |= {"past_weeks": watch.past, "false_alarm_rate": ALARM}
    return Section("core_users", [sentence, _verdict(watch)], tables, [*pictures, _watch_picture(watch)], facts)


_FACTS = (
    *("users", "mean_active_days", "stickiness", "core_users", "core_share", "core_share_low", "core_share_high"),
    "is_alarm",
)


def l28(log: ActiveDays) -> list[Row]:
    """Return how many users were active on 1, 2, ... of the last 28 days, of those who were active at all.

    Source
    ------
    Andrew Chen 2018, "The Power User Curve", a16z.
    """
    sql = f"""select n, count(*) from (select count(*) as n from spells where d >= {log.days - DAYS} group by uid) group by n"""
    found = dict(log.rows(sql))
    users = sum(found.values())
    return [
        {"active_days": n, "users": found.get(n, 0), "share": found.get(n, 0) / users if users else None}
        for n in range(1, DAYS + 1)
    ]


# --- The alarm ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Watch:
    """On how many days of two weeks the core users came who were there before them, against earlier weeks.

    Attributes
    ----------
    weeks
        The latest two weeks last.
    change
        Of the latest two weeks: by which share they came on more or fewer days than the weeks before let expect.
    limit
        The change below which there is an alarm.
    past
        Number of earlier weeks that the limit is calibrated on.
    """

    weeks: Sequence[Row]
    change: float
    limit: float
    past: int

    @property
    def is_alarm(self) -> bool:
        """True where core users come on fewer days than past weeks let expect."""
        return self.change < self.limit


def core_by_day(log: ActiveDays, *, at_least: int) -> Counts:
    """Return the users who were active on at least so many of the 28 days up to each day, shape (days,).

    From an active day on, until the next one, a user is a core user as long as the active day ``at_least - 1`` earlier is in the 28 days.
    """
    log.make(
        "core_spans",
        f"""select uid, d, least(coalesce(next_d, {log.days}), nth + {DAYS}) as stop from (select *,
            lag(d, {at_least - 1}) over (partition by uid order by d) as nth from spells) where nth is not null""",
    )
    return log.over_days("d", "stop", table="core_spans")


def watched(log: ActiveDays, *, at_least: int) -> Watch | None:
    """Return the latest two weeks against what earlier weeks let expect; None where there are too few weeks or core users.

    Who was a core user on the last day before the two weeks is followed through them. How many of the days they come is compared with the
    users who were core users in earlier weeks, and had come as often in the last of their 28 days: so growth and users who had left before
    cancel. The limit is the lower end of a prediction interval, of the weeks before these two.

    Source
    ------
    Prediction interval of a further value: Hahn and Meeker 1991, "Statistical Intervals", section 4.7.
    """
    core = core_by_day(log, at_least=at_least)
    active = log.over_days("d", f"least(d + {DAYS}, coalesce(next_d, {log.days}))")
    ends = ends_of(log)
    if len(ends) < FIRST + 1 or np.median(core[ends]) < MIN_CORE_USERS:
        return None
    users, days = followed(log, ends)
    found = [compared(users[: week + 1], days[: week + 1]) for week in range(FIRST, len(ends))]
    rows = [
        {"day": log.day(end), "core": int(core[end]), "active": int(active[end]), "share": core[end] / active[end]}
        | {"mean_days": one.observed, "expected": one.expected, "change": one.change}
        for end, one in zip(ends[-len(found) :], found, strict=True)
        if one
    ]
    last = found[-1]
    if not last:
        return None
    return Watch(rows, last.change, prediction_limit(last.past, chance=ALARM), len(last.past))


def ends_of(log: ActiveDays) -> NDArray[np.int64]:
    """Return the last day of each two weeks, a week apart, before which there are days enough to be a core user."""
    return np.arange(log.days - 1, DAYS + AFTER - 2, -WEEK)[::-1]


def followed(log: ActiveDays, ends: NDArray[np.int64]) -> tuple[Counts, Counts]:
    """Return the core users before the two weeks up to each day, and the days on which they came in them, shape (ends, 8).

    The second axis: days active in the last of their weeks as core users.
    """
    weeks = ", ".join(f"({place}, {end - AFTER})" for place, end in enumerate(ends))
    sql = f"""select place, recent, count(*) as users, cast(sum(since) as bigint) as days from (
            select place, uid, count(*) filter (s.d > before - {WEEK} and s.d <= before) as recent,
                count(*) filter (s.d > before and s.d <= before + {AFTER}) as since
            from (values {weeks}) w(place, before) join core_spans c on c.d <= before and before < c.stop
                join spells s using (uid)
            group by place, uid) group by place, recent"""
    found = log.table(sql)
    counts = np.zeros((2, len(ends), WEEK + 1), np.int64)
    for values, name in zip(counts, ("users", "days"), strict=True):
        values[found.column("place").to_numpy(), found.column("recent").to_numpy()] = found.column(name).to_numpy()
    return counts[0], counts[1]


@dataclass(frozen=True)
class Comparison:
    """Active days of core users in two weeks, against what was expected of them.

    Attributes
    ----------
    observed, expected
        Days of a user, of 14.
    past
        The changes of the earlier weeks that the expectation is from, shape (weeks,).
    """

    observed: float
    expected: float
    past: NDArray[np.float64]

    @property
    def change(self) -> float:
        """By which share there are more or fewer days."""
        return self.observed / self.expected - 1


def compared(users: Counts, days: Counts) -> Comparison | None:
    """Compare the last row with the twelve before it that end when it begins, or earlier; None where nobody is there to compare.

    Parameters
    ----------
    users, days
        Shape (weeks, 8): core users by how often they had come in the week before, and the days on which they came in the two weeks.
    """
    earlier = slice(max(0, len(users) - APART - PAST_WEEKS), len(users) - APART)
    n, came = users[earlier].sum(axis=0), days[earlier].sum(axis=0)
    if not came.sum() or not users[earlier].sum(axis=1).all() or not users[-1].sum():
        return None
    usual = np.where(n > 0, came / np.maximum(n, 1), came.sum() / n.sum())
    expected, total = users @ usual, users.sum(axis=1)
    changes = days.sum(axis=1) / expected - 1
    return Comparison(float(days[-1].sum() / total[-1]), float(expected[-1] / total[-1]), changes[earlier])


def prediction_limit(past: NDArray[np.float64], *, chance: float) -> float:
    """Return the value below which one more like the past ones would fall with a chance.

    Examples
    --------
    >>> round(prediction_limit(np.array([-1.0, 0.0, 1.0]), chance=0.05), 2)
    -3.37
    """
    n = len(past)
    return float(past.mean() + student.ppf(chance, n - 1) * past.std(ddof=1) * sqrt(1 + 1 / n))


# --- How it is shown ---------------------------------------------------------------------------------------------------


def _verdict(watch: Watch) -> str:
    values = {
        "change": formats.change(watch.change),
        "limit": formats.change(watch.limit),
        "weeks": watch.past,
        "chance": formats.share(ALARM),
    }
    return text("core_users.alarm" if watch.is_alarm else "core_users.no_alarm", **values)


def _picture(rows: Sequence[Row]) -> Picture:
    rows = [
        {"active_days": row["active_days"] - 0.5, "end": row["active_days"] + 0.5, "share": row["share"]}
        for row in rows
    ]
    x, y = Axis("active_days", text("core_users.active_days")), Axis("share", "", format="~%")
    drawn = card(bars(rows, x, y=y, until="end"))
    return Picture(text("core_users.picture_title"), svg(drawn), text("core_users.picture_words"))


def _watch_picture(watch: Watch) -> Picture:
    name = text("core_users.watch_series")
    rows = [{"day": str(row["day"]), "change": row["change"], "series": name} for row in watch.weeks]
    x, y = Axis("day", "", "date", text("formats.axis_day")), Axis("change", "", format="+.0%")
    line = lines(rows, x, y=y, by=Series("series", {name: ORANGE if watch.is_alarm else SHADES[0]}))
    return Picture(text("core_users.watch_title"), svg(card(line, level(watch.limit))), text("core_users.watch_words"))
