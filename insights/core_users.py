"""S7: who the core users are, how many days people are active, and stickiness."""

from __future__ import annotations

from collections.abc import Sequence

from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section
from insights.presentation.texts import text
from models.charts import Axis, bars, card, svg
from models.page import Picture
from models.shares import wilson

DAYS = 28


def core_users(log: ActiveDays, *, at_least: int) -> Section:
    """Return the histogram of active days in four weeks, stickiness, and the users who are active on most days.

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
    return Section("core_users", [sentence], [table], [_picture(histogram)], facts)


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


def _picture(rows: Sequence[Row]) -> Picture:
    rows = [
        {"active_days": row["active_days"] - 0.5, "end": row["active_days"] + 0.5, "share": row["share"]}
        for row in rows
    ]
    x, y = Axis("active_days", text("core_users.active_days")), Axis("share", "", format="~%")
    drawn = card(bars(rows, x, y=y, until="end"))
    return Picture(text("core_users.picture_title"), svg(drawn), text("core_users.picture_words"))
