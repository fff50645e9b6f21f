"""S11: members compared with other users, by their state at the start of each day, and with others who were as active before it."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from features.snapshots import instant_us_sql
from insights.engine.active_days import PARTS, ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from insights.shop.membership import Membership
from insights.statistics.resampling import RESAMPLES, ratio_interval

BEFORE_DAYS = 28  # in which activity is counted
STRATA = (2, 5, 10)  # active days of them from which on a user is in the next class
MIN_USERS = 20
Counts = NDArray[np.float64]  # shape (parts, strata, others and members)


def members(log: ActiveDays, membership: Membership, *, within_days: int, zone: str = "UTC") -> Section:
    """Return how often members buy on their active days, next to others and to others who were as active.

    Parameters
    ----------
    membership
        Says who is a member; a day has the value that was known when it began.
    zone
        Of the days.
    """
    if not (membership.is_known(log) and log.knows_purchases):
        needs = {text("members.members"): f"[users] {membership.attribute}"}
        return Section("members", [text("members.unknown")], needs=needs)
    taken = text("members.taken", attribute=membership.attribute, values=membership.words(log))
    days, bought, users = counted(log, membership, within_days=within_days, zone=zone)
    if min(users) < MIN_USERS:
        return Section("members", [text("members.few", users=MIN_USERS, days=within_days), taken])
    rows = [
        _row(name, days[:, :, place], bought=bought[:, :, place], users=users[place])
        for place, name in enumerate(_NAMES)
    ]
    difference, low, high = adjusted_difference(days, bought)
    facts = {"adjusted_difference": difference, "adjusted_low": low, "adjusted_high": high, "members": users[1]}
    values = {
        "members": formats.share(rows[1]["buying"]),
        "others": formats.share(rows[0]["buying"]),
        "days": within_days,
    }
    ends = {"difference": formats.change(difference), "low": formats.change(low), "high": formats.change(high)}
    adjusted = text("members.apart") if isnan(difference) else text("members.adjusted", **ends)
    kinds = (
        columns("name", "group")
        | columns("count", "users", "user_days")
        | columns("share", "buying", "buying_low", "buying_high")
    )
    return Section(
        "members",
        [text("members.sentence", **values), adjusted, taken],
        [Figures("members", rows, kinds)],
        [],
        facts,
    )


_NAMES = ("others", "members")


def counted(
    log: ActiveDays, membership: Membership, *, within_days: int, zone: str = "UTC"
) -> tuple[Counts, Counts, tuple[int, int]]:
    """Return active days, those of them with a purchase, and users, of others and of members."""
    starts_us = instant_us_sql(f"cast(date '{log.first_day}' + d as timestamp)", zone)
    stratum = " + ".join(f"cast(before >= {limit} as integer)" for limit in STRATA)
    log.make(
        "member_days",
        f"""with states as (select uid, valid_from, {membership.is_member(log)} as is_member from ({log.attributes()})),
            active as (select uid, d, make_timestamp({starts_us}) as starts_at, count(*) over (partition by uid
                order by d range between {BEFORE_DAYS} preceding and 1 preceding) as before from spells)
        select a.uid, a.d, {stratum} as stratum, coalesce(s.is_member, false) as is_member
        from active a asof left join states s on a.uid = s.uid and a.starts_at >= s.valid_from
        where a.d >= {max(log.days - within_days, log.new_from)}""",
    )
    days, bought = (np.zeros((PARTS, len(STRATA) + 1, 2)) for _ in range(2))
    sql = """select part, stratum, is_member, count(*), count(b.uid) from member_days join users using (uid)
        left join (select distinct uid, d from purchases) b using (uid, d) group by all"""
    for part, place, is_one, n, x in log.rows(sql):
        days[part, place, int(is_one)], bought[part, place, int(is_one)] = n, x
    found: dict[bool, int] = dict(log.rows("select is_member, count(distinct uid) from member_days group by is_member"))
    return days, bought, (found.get(False, 0), found.get(True, 0))


def adjusted_difference(days: Counts, bought: Counts, *, seed: int = 0) -> tuple[float, float, float]:
    """Return by how much more often members buy on an active day than others in the same mixture of activity, with its interval.

    Strata that only one of both has are excluded: nothing is known where none is left. Users are resampled by parts.
    """
    size = len(days)
    if not (days.sum(axis=0) > 0).all(axis=-1).any():
        return (nan, nan, nan)
    times = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
    drawn = _difference(np.tensordot(times, days, axes=1), np.tensordot(times, bought, axes=1))
    (value,) = _difference(days.sum(axis=0)[None], bought.sum(axis=0)[None])
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return float(value), float(low), float(high)


def _difference(days: Counts, bought: Counts) -> NDArray[np.float64]:
    is_shared = (days > 0).all(axis=-1)
    rates = np.divide(bought, days, out=np.zeros(days.shape), where=days > 0)
    weights = np.where(is_shared, days[..., 1], 0.0)
    total = weights.sum(axis=-1)
    gap = (weights * (rates[..., 1] - rates[..., 0])).sum(axis=-1)
    return np.divide(gap, total, out=np.full(total.shape, np.nan), where=total > 0)


def _row(name: str, days: NDArray[np.float64], *, bought: NDArray[np.float64], users: int) -> Row:
    part, whole = bought.sum(axis=1), days.sum(axis=1)
    low, high = ratio_interval(part, whole)
    row = {"group": text(f"members.{name}"), "users": users, "user_days": int(whole.sum())}
    return row | {"buying": float(part.sum() / whole.sum()), "buying_low": low, "buying_high": high}
