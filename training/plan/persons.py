"""Kept activity by person: where several ids may be one person, as profiles and labels see it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from features.activity.store import Activity
from features.snapshots import instant_sql

_MERGES = {
    "events": "sum",
    "qualifying_events": "sum",
    "purchases": "sum",
    "hours_before_noon": "bit_or",
    "hours_after_noon": "bit_or",
}


def days_of_persons(
    activity: Activity, columns: Collection[str], *, before: date | None = None, timezone: str = "UTC"
) -> str:
    """Return the FROM clause of the days of persons, one row per person and day: ``user_id, day`` and some daily columns.

    Parameters
    ----------
    columns
        Daily columns that are needed: of events (sums) or hours (bits).
    before, timezone
        As of :func:`rows_of_persons`.
    """
    rows = rows_of_persons(activity, "days", before=before, timezone=timezone)
    if not activity.tables.has_identities:
        return rows
    merged = "".join(f", cast({_MERGES[name]}({name}) as bigint) as {name}" for name in columns)
    return f"(select user_id, day{merged} from {rows} group by user_id, day)"


def rows_of_persons(activity: Activity, name: str, *, before: date | None = None, timezone: str = "UTC") -> str:
    """Return the FROM clause of a kept relation in which ``user_id`` is the person, so that a day may have several rows of one.

    Parameters
    ----------
    before
        Only what was known before this cutoff, of days and of who is who; None: all that is known today.
    timezone
        In which the cutoff is a midnight.
    """
    rows = activity.known(name, before=f"date '{before}'") if before else activity.relation(name)
    tables = activity.tables
    if not tables.has_identities:
        return rows
    ids = f"select distinct user_id from {rows}"
    persons = tables.person_at(ids, instant_sql(before, timezone)) if before else tables.person_today(ids)
    return f"(select * exclude (person) replace (person as user_id) from {rows} join {persons} using (user_id))"


def of_every_id(activity: Activity, persons: str) -> str:
    """Return a SELECT of persons with a row for every id that is known today to be the same person."""
    tables = activity.tables
    if not tables.has_identities:
        return persons
    ids = tables.person_today(f"from {tables.persons(activity.relation('days'))}")
    return f"select found.* replace (ids.user_id as user_id) from ({persons}) found join {ids} ids on ids.person = found.user_id"
