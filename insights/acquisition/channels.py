"""S2 and S3: which channels, devices, versions and networks bring users who stay and pay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from insights.engine.active_days import PARTS, ActiveDays
from insights.engine.groups import known_dimensions
from insights.presentation import formats
from insights.presentation.groups import group_of
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from insights.statistics.resampling import ratio_interval
from insights.statistics.shrinkage import ShrunkRate, shrunk
from insights.statistics.small_groups import MIN_USERS, shown_groups
from models.charts import Axis, card, intervals, level, svg
from models.page import Picture
from models.shares import wilson

DAYS = (30, 7, 3, 1)  # after which retention is compared: the longest that is closed for two groups
CHANNEL = "channel"


@dataclass
class Cohort:
    """The new users of a group.

    Attributes
    ----------
    users, spent
        Shape (parts,): users, and what they paid, by part of the users.
    """

    users: np.ndarray[tuple[int], np.dtype[np.float64]] = field(default_factory=lambda: np.zeros(PARTS))
    spent: np.ndarray[tuple[int], np.dtype[np.float64]] = field(default_factory=lambda: np.zeros(PARTS))
    early: int = 0
    stayed: int = 0
    bought: int = 0

    @property
    def size(self) -> int:
        """How many they are."""
        return int(self.users.sum())

    def add(self, other: Cohort) -> None:
        """Count the users of another group too."""
        self.users, self.spent = self.users + other.users, self.spent + other.spent
        self.early, self.stayed, self.bought = (
            self.early + other.early,
            self.stayed + other.stayed,
            self.bought + other.bought,
        )


def acquisition(log: ActiveDays) -> Section:
    """Return the new users of each channel: who stays, who buys, what they pay."""
    if CHANNEL not in known_dimensions(log):
        return Section("acquisition", [text("acquisition.unknown")], needs={text("acquisition.channels"): CHANNEL})
    days = closed_days(log, CHANNEL)
    rows = by_group(log, CHANNEL, days=days) if days else []
    needs = {} if log.knows_amounts else {text("acquisition.revenue"): "amount"}
    if not rows:
        return Section("acquisition", [text("acquisition.nothing")], needs=needs)
    table = Figures("channels", rows, _kinds(log), heat=())
    facts = {"days": days, "users": sum(row["users"] for row in rows), "retention": _overall(rows)}
    return Section("acquisition", [_sentence(rows, days)], [table], [_picture(rows, days)], facts, needs)


def devices(log: ActiveDays) -> Section:
    """Return the same for systems, models, versions and networks, by what users had when they were first seen."""
    names = [name for name in known_dimensions(log) if name != CHANNEL]
    missing = {text(f"dimensions.{name}"): name for name in _OTHERS if name not in names}
    days = {name: closed_days(log, name) for name in names}
    found = {name: by_group(log, name, days=days[name]) for name in names if days[name]}
    tables = [Figures(f"by_{name}", rows, _kinds(log)) for name, rows in found.items()]
    pictures = [_picture(rows, days[name], title=text(f"dimensions.{name}")) for name, rows in found.items()]
    words = [_spread(name, rows, days=days[name]) for name, rows in found.items() if len(rows) > 1]
    facts = {"days": max(days.values(), default=0)} | {f"{name}_days": day for name, day in days.items()}
    return Section("devices", words or [text("devices.nothing")], tables, pictures, facts, missing)


_OTHERS = ("device_os", "device_model", "app_version", "network")


def closed_days(log: ActiveDays, dimension: str) -> int:
    """Return the latest of :data:`DAYS` that is closed for two groups large enough to be shown, else for one; 0 where there is none."""
    groups = {day: _number_shown(_sizes(log, dimension, days=day)) for day in DAYS}
    return next((day for least in (2, 1) for day in DAYS if groups[day] >= least), 0)


def _sizes(log: ActiveDays, dimension: str, *, days: int) -> dict[str, int]:
    sql = f"""select {group_of(dimension)}, count(*) from users left join origins using (uid)
        where first_d >= {log.new_from} and first_d < {log.days - days} group by 1 order by 1"""
    return dict(log.rows(sql))


def _number_shown(sizes: Mapping[str, int]) -> int:
    """Return how many groups are shown, with that of the rest."""
    shown = shown_groups(sizes)
    return len(shown) + (sum(sizes.values()) - sum(sizes[name] for name in shown) >= MIN_USERS)


def by_group(log: ActiveDays, dimension: str, *, days: int) -> list[Row]:
    """Return the new users by a dimension, of whom so many days are closed; the smallest groups are one."""
    cohorts = _cohorts(log, dimension, days=days)
    shown = shown_groups({name: one.size for name, one in cohorts.items()})
    found = {name: cohorts[name] for name in shown}
    rest = [one for name, one in cohorts.items() if name not in found]
    if sum(one.size for one in rest) >= MIN_USERS:
        other = Cohort()
        for one in rest:
            other.add(one)
        found[text("groups.other", n=len(rest))] = other
    if not found:
        return []
    counts = [one.stayed for one in found.values()], [one.size for one in found.values()]
    return [
        _row(log, name, one=one, rate=rate) | {"verdict": text(f"groups.{rate.verdict}")}
        for (name, one), rate in zip(found.items(), shrunk(*counts), strict=True)
    ]


def _row(log: ActiveDays, name: str, *, one: Cohort, rate: ShrunkRate) -> dict[str, Any]:
    row: dict[str, Any] = {"group": name, "users": one.size, "early": one.early / one.size}
    row |= with_interval("stayed", wilson(one.stayed, one.size)) | with_interval("shrunk", rate)
    if log.knows_purchases:
        row |= with_interval("bought", wilson(one.bought, one.size))
    if log.knows_amounts:
        low, high = ratio_interval(one.spent, one.users)
        row |= {"revenue": float(one.spent.sum() / one.size), "revenue_low": low, "revenue_high": high}
    return row


def _cohorts(log: ActiveDays, dimension: str, *, days: int) -> Mapping[str, Cohort]:
    early = max((day for day in DAYS if day < days), default=days)
    sql = f"""with cohort as (select uid, part, first_d from users
            where first_d >= {log.new_from} and first_d < {log.days - days}),
        came as (select uid, bool_or(d = first_d + {early}) as early, bool_or(d = first_d + {days}) as stayed
            from cohort join spells using (uid) group by uid),
        paid as (select uid, coalesce(sum(amount_micros), 0) as spent from cohort join purchases using (uid)
            where d <= first_d + {days} group by uid)
        select {group_of(dimension)} as name, part, count(*), count(*) filter (early),
            count(*) filter (stayed), count(p.uid), coalesce(sum(spent), 0) / 1e6
        from cohort join came using (uid) left join paid p using (uid) left join origins using (uid)
        group by all order by all"""
    found: dict[str, Cohort] = defaultdict(Cohort)
    for name, part, users, came_early, stayed, bought, spent in log.rows(sql):
        one = found[name]
        one.users[part], one.spent[part] = users, spent
        one.early, one.stayed, one.bought = one.early + came_early, one.stayed + stayed, one.bought + bought
    return found


# --- How it is shown ---------------------------------------------------------------------------------------------------


def _kinds(log: ActiveDays) -> dict[str, formats.Kind]:
    ends = ("", "_low", "_high")
    kinds = columns("name", "group") | columns("count", "users") | columns("share", "early")
    kinds |= columns("share", *(f"{name}{end}" for name in ("stayed", "shrunk") for end in ends)) | columns(
        "name", "verdict"
    )
    kinds |= columns("share", *(f"bought{end}" for end in ends)) if log.knows_purchases else {}
    return kinds | (columns("number", *(f"revenue{end}" for end in ends)) if log.knows_amounts else {})


def _overall(rows: Sequence[Row]) -> float:
    return sum(row["stayed"] * row["users"] for row in rows) / sum(row["users"] for row in rows)


def _sentence(rows: Sequence[Row], days: int) -> str:
    marked = {
        kind: [row["group"] for row in rows if row["verdict"] == text(f"groups.{kind}")] for kind in ("above", "below")
    }
    words = {kind: text("groups.separator").join(names) or text("groups.none") for kind, names in marked.items()}
    users = formats.count(sum(row["users"] for row in rows))
    return text("acquisition.sentence", users=users, days=days, share=formats.share(_overall(rows)), **words)


def _spread(name: str, rows: Sequence[Row], *, days: int) -> str:
    ordered = sorted(rows, key=lambda row: row["shrunk"])
    ends: Iterator[dict[str, str]] = (
        {f"{key}_group": row["group"], f"{key}_share": formats.share(row["shrunk"])}
        for key, row in (("low", ordered[0]), ("high", ordered[-1]))
    )
    low, high = ends
    return text("devices.sentence", dimension=text(f"dimensions.{name}"), days=days, **low, **high)


def _picture(rows: Sequence[Row], days: int, *, title: str = "") -> Picture:
    shown = [
        {"group": row["group"], "value": row["shrunk"], "low": row["shrunk_low"], "high": row["shrunk_high"]}
        for row in rows
    ]
    x, y = Axis("value", text("groups.axis", days=days), format="~%"), Axis("group", "", "name")
    drawn = card(
        intervals(shown, x, y=y, ends=("low", "high")),
        level(_overall(rows), is_horizontal=False, axis=x),
        rows=len(rows),
    )
    return Picture(title or text("acquisition.picture_title"), svg(drawn), text("groups.picture", days=days))
