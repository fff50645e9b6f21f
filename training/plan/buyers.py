"""How the buyers of a log buy: the parameters of BG/NBD, from what was known before a date."""

from __future__ import annotations

from datetime import date

import numpy as np

from features.activity.store import Activity
from features.catalogue.fitted import BgNbd
from models.scorers.bg_nbd import Buyers, fit

_MOST_BUYERS = 200_000


def bg_nbd(activity: Activity, *, before: date, since: int | None) -> BgNbd | None:
    """Fit how people buy; of more buyers than it takes, some are drawn by their hash."""
    observed = f"and day >= $before - {since}" if since else ""
    found = activity.connection.execute(
        f"""select cast(repeats as double) as repeats, cast(last as double) as last, cast(known as double) as known,
            cast(count(*) as double) as how_many
        from (select count(*) - 1 as repeats, max(day) - min(day) as last, $before - min(day) as known
            from {activity.known("days", before="$before")} where purchases > 0 {observed} group by user_id
            order by hash(user_id), user_id limit {_MOST_BUYERS})
        group by all order by all""",
        {"before": before},
    ).fetchall()
    return fit(Buyers(*np.array(found, dtype=np.float64).reshape(-1, 4).T))
