"""S2, before day 30 is over: what share of the latest new users of each channel will be active then, by their first three days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insights.engine.active_days import ActiveDays
from insights.engine.groups import known_dimensions
from insights.presentation import formats
from insights.presentation.groups import group_of
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from insights.statistics.small_groups import MIN_USERS, shown_groups
from models.charts import Axis, card, intervals, level, svg
from models.page import Picture
from models.shares import Z_95

CHANNEL = "channel"
DAY, EARLY = 30, 3  # retention on this day, by the days 0 to 2
COHORT, REFERENCE, LEAST = (
    28,
    56,
    14,
)  # days: of the cohort that is predicted, of those it is predicted from, and at least
PRIOR = 20.0  # retained users that a channel's own retention counts against
MAX_TESTS, WEEK = 26, 7

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Expectation:
    """What day 30 of one cohort will look like, by channel; every array of shape (channels,).

    Attributes
    ----------
    users
        Of the cohort.
    share, low, high
        Expected share of them who are active on day 30, with the 95 % interval of what will be seen.
    before
        The share of the channel's users before, whose day 30 is over; NaN where there were none.
    """

    users: Floats
    share: Floats
    low: Floats
    high: Floats
    before: Floats


@dataclass(frozen=True)
class Early:
    """New users by channel, first days and day: ``users`` and those of them active on day 30, shape (channels, patterns, days)."""

    channels: tuple[str, ...]
    users: Floats
    stayed: Floats
    new_from: int

    def expected(self, today: int) -> Expectation | None:
        """Predict the cohort whose first three days are over and whose day 30 is not, by what was known before a day.

        Users with the same pattern of active days in their first three are taken to come back as often as those before them; a channel
        whose users came back more or less often than their patterns say keeps that factor, drawn to 1.

        Returns
        -------
        None where too little was known, or nobody is new.
        """
        first, last = max(self.new_from, today - DAY - REFERENCE), today - DAY  # half-open, of the first days
        users = self.users[:, :, self._cohort(today)].sum(axis=2)
        if last - first < LEAST or not users.sum():
            return None
        known, stayed = (one[:, :, first:last].sum(axis=2) for one in (self.users, self.stayed))
        if not stayed.sum():
            return None
        overall = stayed.sum() / known.sum()
        rates = np.divide(
            stayed.sum(axis=0), known.sum(axis=0), out=np.full(known.shape[1], overall), where=known.sum(axis=0) > 0
        )
        seen = stayed.sum(axis=1) + PRIOR
        share = (seen / (known @ rates + PRIOR)) * (users @ rates) / np.maximum(users.sum(axis=1), 1)
        share = np.clip(share, 0.0, 1.0)
        # a factor rests on so many retained users; what will be seen scatters around it
        spread = Z_95 * np.sqrt(share**2 / seen + share * (1 - share) / np.maximum(users.sum(axis=1), 1))
        before = np.where(known.sum(axis=1) > 0, stayed.sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan)
        return Expectation(
            users.sum(axis=1), share, np.clip(share - spread, 0, 1), np.clip(share + spread, 0, 1), before
        )

    def seen(self, today: int) -> Floats:
        """Return the share of that cohort who were active on day 30, once it is over; shape (channels,)."""
        users, stayed = (one[:, :, self._cohort(today)].sum(axis=(1, 2)) for one in (self.users, self.stayed))
        return stayed / np.maximum(users, 1)

    def _cohort(self, today: int) -> slice:
        """Return the first days of those whose first three days are over and whose day 30 is not."""
        return slice(max(self.new_from, today - DAY), today - EARLY + 1)


def early_quality(log: ActiveDays) -> Section:
    """Return the expected retention of the latest new users by channel, and how far off such expectations were."""
    if CHANNEL not in known_dimensions(log):
        return Section("early_quality", [text("acquisition.unknown")], needs={text("acquisition.channels"): CHANNEL})
    early = counted(log)
    found = early.expected(log.days)
    rows = _rows(early, found) if found else []
    if not rows:
        return Section("early_quality", [text("early_quality.too_short", day=DAY)], facts={"users": 0})
    tests = backtest(early, log.days)
    shares = columns("share", "expected", "expected_low", "expected_high", "before")
    kinds = columns("name", "group") | columns("count", "users") | shares
    facts = {"users": sum(row["users"] for row in rows), "expected": _overall(rows)} | (account := _account(tests))
    sentences = [_sentence(rows), _words(account)]
    tables = [Figures("early_quality", rows, kinds)]
    if tests:
        kinds = columns("date", "day") | columns("name", "group") | columns("count", "users") | shares
        told = [dict(row) | {"day": log.day(row["day"])} for row in tests]
        tables.append(Figures("early_quality_tests", told, kinds | columns("share", "came")))
    return Section("early_quality", sentences, tables, [_picture(rows)], facts)


def backtest(early: Early, days: int) -> list[Row]:
    """Predict earlier cohorts, a week apart, by what was known then; a row for each of them and channel with enough users."""
    latest = days - COHORT  # the last day of such a cohort has its day 30 just before the end of the log
    rows: list[Row] = []
    for today in range(latest, max(latest - MAX_TESTS * WEEK, early.new_from + DAY), -WEEK):
        found = early.expected(today)
        if found is None:
            break
        came = early.seen(today)
        known = [row for row in _rows(early, found) if not np.isnan(row["before"])]
        rows += [dict(row) | {"day": today, "came": float(came[early.channels.index(row["group"])])} for row in known]
    return rows


def _rows(early: Early, found: Expectation) -> list[Row]:
    """Return a row for each channel with enough users."""
    return [
        {
            "group": name,
            "users": int(found.users[place]),
            "expected": float(found.share[place]),
            "expected_low": float(found.low[place]),
            "expected_high": float(found.high[place]),
            "before": float(found.before[place]),
        }
        for place, name in enumerate(early.channels)
        if found.users[place] >= MIN_USERS
    ]


def counted(log: ActiveDays) -> Early:
    """Count new users by channel, by which of their first days they were active on, and by first day."""
    sql = f"""with came as (select uid, first_d, bool_or(d = first_d + 1) as next_day, bool_or(d = first_d + 2) as third_day,
            bool_or(d = first_d + {DAY}) as stayed
        from users join spells using (uid) where first_d >= {log.new_from} and d <= first_d + {DAY} group by uid, first_d)
        select {group_of(CHANNEL)} as name,
            cast(next_day as integer) + 2 * cast(third_day as integer), first_d, count(*), count(*) filter (stayed)
        from came left join origins using (uid) group by all order by all"""
    rows = log.rows(sql)
    sizes: dict[str, int] = {}
    for name, _, first_d, users, _ in rows:
        if first_d >= log.days - DAY:  # who is shown is decided by those who are predicted
            sizes[name] = sizes.get(name, 0) + users
    shown = shown_groups(sizes)
    rest = {name for name, *_ in rows} - {*shown}
    channels = (*shown, *((text("groups.other", n=len(rest)),) if rest else ()))
    users, stayed = np.zeros((2, len(channels), 4, log.days))
    for name, pattern, first_d, count, came in rows:
        place = shown.index(name) if name in shown else len(shown)
        users[place, pattern, first_d] += count
        stayed[place, pattern, first_d] += came
    return Early(channels, users, stayed, log.new_from)


def _account(tests: Sequence[Row]) -> dict[str, float]:
    """Return how far off earlier expectations were, weighted by users, and how many intervals held what came."""
    if not tests:
        return {"tested": 0}
    users = np.array([row["users"] for row in tests], float)
    came, expected, before = (np.array([row[name] for row in tests]) for name in ("came", "expected", "before"))
    inside = [row["expected_low"] <= row["came"] <= row["expected_high"] for row in tests]
    return {
        "tested": len(tests),
        "weeks": len({row["day"] for row in tests}),
        "error": float(np.average(np.abs(expected - came), weights=users)),
        "error_as_before": float(np.average(np.abs(before - came), weights=users)),
        "inside": float(np.mean(inside)),
    }


# --- How it is shown ---------------------------------------------------------------------------------------------------


def _overall(rows: Sequence[Row]) -> float:
    return sum(row["expected"] * row["users"] for row in rows) / sum(row["users"] for row in rows)


def _sentence(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=lambda row: row["expected"])
    users, share = formats.count(sum(row["users"] for row in rows)), formats.share(_overall(rows))
    if len(rows) == 1:
        return text("early_quality.together", users=users, share=share, day=DAY)
    ends = {"high": ordered[-1]["group"], "high_share": formats.share(ordered[-1]["expected"])}
    ends |= {"low": ordered[0]["group"], "low_share": formats.share(ordered[0]["expected"])}
    return text("early_quality.sentence", users=users, share=share, day=DAY, **ends)


def _words(found: Mapping[str, float]) -> str:
    if not found["tested"]:
        return text("early_quality.untested")
    shares = {name: formats.share(found[name]) for name in ("error", "error_as_before", "inside")}
    return text("early_quality.account", tested=formats.count(found["tested"]), weeks=int(found["weeks"]), **shares)


def _picture(rows: Sequence[Row]) -> Picture:
    shown = [
        {"group": row["group"], "value": row["expected"], "low": row["expected_low"], "high": row["expected_high"]}
        for row in rows
    ]
    x, y = Axis("value", text("groups.axis", days=DAY), format="~%"), Axis("group", "", "name")
    marks = intervals(shown, x, y=y, ends=("low", "high"))
    drawn = card(marks, level(_overall(rows), is_horizontal=False, axis=x), rows=len(rows))
    return Picture(text("early_quality.picture_title"), svg(drawn), text("early_quality.picture"))
