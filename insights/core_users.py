"""S7: who the core users are, how many days people are active, stickiness, and an alarm when there are fewer core users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

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
MIN_PAST_WEEKS, MIN_CORE_USERS = 8, 20


def core_users(log: ActiveDays, *, at_least: int) -> Section:
    """Return the histogram of active days in four weeks, stickiness, the users who are active on most days, and the alarm on them.

    Parameters
    ----------
    at_least
        Days of the 28 on which a core user is active.
    """
    histogram = l28(log)
    users = sum(row["users"] for row in histogram)
    user_days = sum(row["users"] * row["active_days"] for row in histogram)
    core = wilson(sum(row["users"] for row in histogram if row["active_days"] >= at_least), users)
    days = min(DAYS, log.days)
    facts = {
        "users": users,
        "mean_active_days": user_days / users if users else None,
        "stickiness": user_days / days / users if users else None,
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
    watch = watched(log, at_least=at_least)
    if not watch:
        words = text("core_users.not_watched", weeks=MIN_PAST_WEEKS, users=MIN_CORE_USERS)
        return Section("core_users", [sentence, words], [table], [_picture(histogram)], facts | {"is_alarm": None})
    kinds = columns("date", "day") | columns("count", "core", "active") | columns("share", "share", "expected")
    tables = [table, Figures("core_weeks", watch.weeks, kinds | columns("change", "change"))]
    facts |= {"is_alarm": watch.is_alarm, "core_change": watch.change, "core_change_limit": watch.limit}
    facts |= {"past_weeks": watch.past, "false_alarm_rate": ALARM}
    pictures = [_picture(histogram), _watch_picture(watch)]
    return Section("core_users", [sentence, _verdict(watch)], tables, pictures, facts)


def l28(log: ActiveDays) -> list[Row]:
    """Return how many users were active on 1, 2, ... of the last 28 days, of those who were active at all.

    Source
    ------
    Andrew Chen 2018, "The Power User Curve", a16z.
    """
    days = min(DAYS, log.days)
    sql = f"""select n, count(*) from (select count(*) as n from spells where d >= {log.days - days} group by uid) group by n"""
    found = dict(log.rows(sql))
    users = sum(found.values())
    return [
        {"active_days": n, "users": found.get(n, 0), "share": found.get(n, 0) / users if users else None}
        for n in range(1, days + 1)
    ]


# --- The alarm ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Watch:
    """The core users of the last day of each week, against the same weekday of the four weeks before.

    Attributes
    ----------
    weeks
        The latest week last.
    change
        Of the latest week: by which share there are more or fewer core users among active ones than the four weeks before let expect.
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
        """True where core users have become fewer than past weeks let expect."""
        return self.change < self.limit


def core_by_day(log: ActiveDays, *, at_least: int) -> Counts:
    """Return the users who were active on at least so many of the 28 days up to each day, shape (days,).

    From an active day on, until the next one, a user is a core user as long as the active day ``at_least - 1`` earlier is in the 28 days.
    """
    log.make(
        "core_spans",
        f"""select d, least(coalesce(next_d, {log.days}), nth + {DAYS}) as stop from (select *,
            lag(d, {at_least - 1}) over (partition by uid order by d) as nth from spells) where nth is not null""",
    )
    return log.over_days("d", "stop", table="core_spans")


def watched(log: ActiveDays, *, at_least: int) -> Watch | None:
    """Return the latest week against what earlier weeks let expect; None where there are too few weeks or core users.

    The log of the core share, in which growth of all users cancels, is compared with the median of the four weeks before. The limit is
    the lower end of a prediction interval of these differences, of past weeks.

    Source
    ------
    Prediction interval of a further value: Hahn and Meeker 1991, "Statistical Intervals", section 4.7.
    """
    core, active = (
        core_by_day(log, at_least=at_least),
        log.over_days("d", f"least(d + {DAYS}, coalesce(next_d, {log.days}))"),
    )
    ends = np.arange(log.days - 1, max(DAYS - 1, log.new_from) - 1, -WEEK)[::-1]
    if len(ends) < MIN_PAST_WEEKS + 5 or np.median(core[ends]) < MIN_CORE_USERS or not core[ends].all():
        return None
    shares = core[ends] / active[ends]
    expected = np.array([np.exp(np.median(np.log(shares[week - 4 : week]))) for week in range(4, len(ends))])
    changes = np.log(shares[4:] / expected)
    limit = prediction_limit(changes[:-1], chance=ALARM)
    rows = [
        {"day": log.day(end), "core": int(core[end]), "active": int(active[end]), "share": float(share)}
        | {"expected": float(usual), "change": float(np.expm1(change))}
        for end, share, usual, change in zip(ends[4:], shares[4:], expected, changes, strict=True)
    ]
    return Watch(rows, float(np.expm1(changes[-1])), exp(limit) - 1, len(changes) - 1)


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
