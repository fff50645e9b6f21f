"""The BG/NBD parameters of a log, from what was known before a date."""

from __future__ import annotations

from datetime import date

import numpy as np

from features.activity.store import Activity
from features.catalogue.fitted import BgNbd
from models.scorers.bg_nbd import Buyers, fit
from training.plan.persons import days_of_persons

_MAX_BUYERS = 200_000


def fit_bg_nbd(activity: Activity, *, before: date, since: int | None, timezone: str = "UTC") -> BgNbd | None:
    """Fit BG/NBD to the buyers of a log, at most 200,000 of them, sampled by hash; without amounts, to its active users.

    Parameters
    ----------
    since
        Days before the date that count; None: all.
    timezone
        In which the date is a midnight: several ids that were known by then to be one person are one buyer.

    Returns
    -------
    None where too few users have a second purchase.
    """
    bought = "purchases" if "amount" in activity.facts else "qualifying_events"
    days = days_of_persons(activity, [bought], before=before, timezone=timezone)
    observed = f"and day >= $before - {since}" if since else ""
    found = activity.connection.execute(
        f"""select cast(repeats as double) as repeats, cast(last as double) as last, cast(known as double) as known,
            cast(count(*) as double) as how_many
        from (select count(*) - 1 as repeats, max(day) - min(day) as last, $before - min(day) as known
            from {days} where {bought} > 0 {observed} group by user_id
            order by hash(user_id), user_id limit {_MAX_BUYERS})
        group by all order by all""",
        {"before": before},
    ).fetchall()
    return fit(Buyers(*np.array(found, dtype=np.float64).reshape(-1, 4).T))
