"""What the report says of days on which the log is incomplete: whoever was active on them counts as absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from features.activity.store import Activity
from features.settings import ChurnSettings
from insights.presentation import formats
from insights.presentation.texts import text
from training.plan.outages import find_outages
from training.settings import OutagesSettings


def incomplete_days(activity: Activity, settings: OutagesSettings, *, churn: ChurnSettings) -> tuple[str, ...]:
    """Return a note that names the days that training takes for outages; none where there are none."""
    days = [one.day for one in find_outages(activity, settings, horizon_days=churn.horizon_days)]
    if not days:
        return ()
    named = text("page.between_days").join(_in_words(first, last) for first, last in _runs(days))
    return (text("page.incomplete", n=len(days), days=named),)


def _in_words(first: date, last: date) -> str:
    ends = {"first": formats.date_words(first), "last": formats.date_words(last)}
    return ends["first"] if first == last else text("page.from_to", **ends)


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Yield the first and the last of consecutive days."""
    firsts = [day for day in days if day - timedelta(days=1) not in days]
    lasts = [day for day in days if day + timedelta(days=1) not in days]
    yield from zip(firsts, lasts, strict=True)
