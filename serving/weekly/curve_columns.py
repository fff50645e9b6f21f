"""When, not only whether: the columns that a list has where its model has curves."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from models.churn_model import ChurnModel

SHOWN_DAYS = (7, 30, 90)
EXPECTED_DAY = "expected_day"
CURVE_COLUMNS = (*(f"churn_probability_{days}d" for days in SHOWN_DAYS), EXPECTED_DAY)


def curve_columns(model: ChurnModel, profiles: pa.Table, *, cutoff: date) -> pa.Table | None:
    """Return :data:`CURVE_COLUMNS`, a row per profile; nulls beyond the reach of the curves. None: the model has none."""
    if model.hazard is None:
        return None
    found, n = model.curve(profiles), profiles.num_rows
    columns = [
        pa.array(found.churn_probability(days)) if days <= found.days[-1] else pa.nulls(n, pa.float64())
        for days in SHOWN_DAYS
    ]
    start = model.definition.window.start(cutoff)
    expected = [None if np.isnan(days) else day_of(start, days) for days in found.median_days]
    return pa.table([*columns, pa.array(expected, pa.date32())], names=list(CURVE_COLUMNS))


def day_of(start: date, days: float) -> date:
    """Return the day within which so many days from the start of a day are over.

    Examples
    --------
    >>> [str(day_of(date(2026, 11, 16), days)) for days in (0.4, 1.0, 1.2)]
    ['2026-11-16', '2026-11-16', '2026-11-17']
    """
    return start + timedelta(days=max(0, int(np.ceil(days)) - 1))
