"""S11: who buys again, who comes back, and the eight groups by recency, frequency and money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from scipy.stats import CensoredData, ecdf

from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from insights.statistics.small_groups import MIN_USERS, shown_groups
from models.charts import Axis, bars, card, svg
from models.page import Picture
from models.shares import Share, wilson

Buyers = Mapping[int, tuple[int, int, float]]  # user to recency, frequency and money
GROUPS = tuple("".join(marks) for marks in product("hl", repeat=3))  # high or low recency, frequency, money


def repeat_purchase(log: ActiveDays, *, within_days: int) -> Section:
    """Return repeat purchase by three definitions, repurchase, returning users, and the groups with their flows.

    Parameters
    ----------
    within_days
        Length of the windows.
    """
    if not log.knows_purchases:
        return Section(
            "repeat_purchase", [text("repeat_purchase.unknown")], needs={text("repeat_purchase.purchases"): "amount"}
        )
    rates = rates_of(log, within_days)
    facts = {name: one.value for name, one in rates.items()} | {"median_days_to_second": median_days_to_second(log)}
    covered = min(within_days, log.days)
    words = _sentence(rates, days=within_days, covered=covered)
    sentences = [words] if log.knows_orders else [words, text("repeat_purchase.order")]
    kinds = (
        columns("name", "measure")
        | columns("count", "part", "whole")
        | columns("share", "share", "share_low", "share_high")
    )
    rows = [
        {
            "measure": text(f"repeat_purchase.{name}", days=within_days, covered=covered),
            "part": one.part,
            "whole": one.whole,
        }
        | with_interval("share", one)
        for name, one in rates.items()
    ]
    tables = [Figures("repeat_rates", rows, kinds)]
    needs = {} if log.knows_orders else {text("repeat_purchase.orders"): "order_id"}
    if not log.knows_amounts:
        needs |= {text("repeat_purchase.rfm"): "amount"}
        return Section("repeat_purchase", sentences, tables, [], facts, needs)
    now = rfm(log, log.days, days=within_days)
    groups = _groups_table(now)
    of_groups = (
        columns("name", "group") | columns("count", "users") | columns("number", "recency", "frequency", "money")
    )
    flows = columns("name", "from_group", "to_group") | columns("count", "users")
    tables.append(Figures("rfm", groups, of_groups))
    if _has_window_before(log, within_days):
        moved = flows_between(rfm(log, log.days - within_days, days=within_days), now)
        tables += [Figures("rfm_flows", moved, flows)] if moved else []
    return Section("repeat_purchase", sentences, tables, [_picture(groups)], facts, needs)


def _sentence(rates: Mapping[str, Share], *, days: int, covered: int) -> str:
    """Return what is known of first-time buyers whose days are over, and of the buyers of the window."""
    forms = {"by_cohort": "sentence_of_window", "of_buyers": "sentence_of_cohort"}
    form = next((form for name, form in forms.items() if not rates[name].whole), "sentence")
    shown = {name: formats.share(one.value) for name, one in rates.items()}
    return text(f"repeat_purchase.{form}", days=days, covered=covered, **shown)


def rates_of(log: ActiveDays, within: int) -> dict[str, Share]:
    """Return the shares; where the log has no order ids, a day of a user with purchases counts as one order.

    Repurchase is omitted where the log does not reach back for the window before, and returning users where there is nothing before the
    window but days in which everybody is new.
    """
    start = log.days - within
    sql = {
        "by_cohort": f"""select count(*) filter (second <= first_buy + {within}), count(*)
            from (select uid, min(d) as first_buy, min(d) filter (place = 2) as second from ({_PLACED}) group by uid)
            where first_buy < {start}""",
        "of_buyers": f"""select count(*) filter (n > 1), count(*)
            from (select uid, count(*) as n from buys where d >= {start} group by uid)""",
        "of_orders": f"select count(*) filter (place > 1), count(*) from ({_PLACED}) where d >= {start}",
        "repurchase": f"""select count(distinct n.uid), count(distinct b.uid) from buys b left join
            (from buys where d >= {start}) n using (uid) where b.d >= {start - within} and b.d < {start}""",
        "returning": f"""select count(*) filter (first_d < {start}), count(*) from users
            where uid in (select uid from spells where d >= {start})""",
    }
    if not _has_window_before(log, within):
        del sql["repurchase"]
    if start < max(1, log.new_from):
        del sql["returning"]
    return {name: wilson(*log.rows(query)[0]) for name, query in sql.items()}


def _has_window_before(log: ActiveDays, within: int) -> bool:
    return log.days >= 2 * within


# each order's place among those of its buyer
_PLACED = "select uid, d, row_number() over (partition by uid order by d, placed_at) as place from buys"


def median_days_to_second(log: ActiveDays) -> float | None:
    """Return the days after which half of the buyers have bought again (Kaplan-Meier); None where fewer ever do."""
    sql = f"""select coalesce(min(d) filter (place = 2), {log.days - 1}) - min(d), count(*) > 1
        from ({_PLACED}) group by uid order by uid"""
    found = log.rows(sql)
    days = np.array([one for one, _ in found])
    again = np.array([is_seen for _, is_seen in found])
    curve = ecdf(CensoredData(uncensored=days[again], right=days[~again])).sf
    below = curve.quantiles[curve.probabilities <= 0.5]  # noqa: PLR2004
    return float(below[0]) if len(below) else None


# --- Recency, frequency, money -----------------------------------------------------------------------------------------


def rfm(log: ActiveDays, until: int, *, days: int) -> Buyers:
    """Return recency (whole days up to the end), frequency (orders) and money of the buyers of a window."""
    sql = f"""select uid, {until} - 1 - max(d), count(*), coalesce(sum(amount_micros), 0) / 1e6 from buys
        where d >= {until - days} and d < {until} group by uid order by uid"""
    return {uid: (recency, n, money) for uid, recency, n, money in log.rows(sql)}


def groups_of(buyers: Buyers) -> dict[int, str]:
    """Return each buyer's group: high is strictly better than the mean of the buyers, where fewer days of recency are better.

    Source
    ------
    The eight groups of Aliyun Quick Audience.

    Examples
    --------
    >>> groups_of({1: (0, 5, 90.0), 2: (20, 1, 10.0)})
    {1: 'hhh', 2: 'lll'}
    """
    if not buyers:
        return {}
    mean = np.array(list(buyers.values())).mean(axis=0)
    return {
        uid: "".join("h" if is_high else "l" for is_high in (r < mean[0], f > mean[1], m > mean[2]))
        for uid, (r, f, m) in buyers.items()
    }


def flows_between(before: Buyers, now: Buyers) -> list[Row]:
    """Return how many buyers moved from which group to which, in two windows next to each other; some buy in one only.

    Fewer than 20 are added to others who moved to the same group (:func:`insights.statistics.small_groups.shown_groups`); where there are
    not as many, the group has no row.
    """
    old, new = groups_of(before), groups_of(now)
    moves = {to: Counter(old.get(uid, "") for uid in {*old, *new} if new.get(uid, "") == to) for to in (*GROUPS, "")}
    rows = [row for to, origins in moves.items() for row in _flows_to(to, origins)]
    return sorted(rows, key=lambda row: -row["users"])


def _flows_to(group: str, origins: Mapping[str, int]) -> list[Row]:
    shown = shown_groups(origins)
    rest = [one for one in origins if one not in shown]
    moved = {_name(one): origins[one] for one in shown}
    moved |= {text("groups.other", n=len(rest)): sum(origins[one] for one in rest)}
    return [
        {"from_group": origin, "to_group": _name(group), "users": users}
        for origin, users in moved.items()
        if users >= MIN_USERS
    ]


def _name(group: str) -> str:
    return text(f"rfm.{group}" if group else "rfm.nothing")


def _groups_table(now: Buyers) -> list[Row]:
    """Return the size and the means of each group; no means of fewer than 20 buyers, nor of a group that would give theirs away."""
    found = groups_of(now)
    sizes = Counter(found.values())
    told = shown_groups(sizes)
    return [
        {"group": _name(group), "users": sizes[group]}
        | (_means([now[uid] for uid, one in found.items() if one == group]) if group in told else dict.fromkeys(_MEANS))
        for group in GROUPS
    ]


_MEANS = ("recency", "frequency", "money")


def _means(buyers: Sequence[tuple[int, int, float]]) -> dict[str, float]:
    return dict(zip(_MEANS, np.array(buyers).mean(axis=0).tolist(), strict=True))


def _picture(groups: Sequence[Row]) -> Picture:
    x, y = Axis("users", "", format="~s"), Axis("group", "", "name")
    rows = [{"group": row["group"], "users": row["users"]} for row in groups]
    return Picture(text("rfm.title"), svg(card(bars(rows, x, y=y), rows=len(rows))), text("rfm.picture"))
