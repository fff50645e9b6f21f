"""Activity to profiles: one SQL text, generated from a specification, run here and wherever else profiles are built.

Days are first summed into the bands between window edges (ages 1, 2-3, 4-7, ...); a window is the sum of its bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from features.activity import RELATIONS, TOLD, Activity
from features.errors import InputError
from features.feature import Derived, Feature, OverContexts, OverDays, OverEventTypes, OverWindow
from features.snapshots import instant
from features.specification import Specification

KEYS = ("user_id", "cutoff")


def build(
    activity: Activity, specification: Specification, *, cutoffs: Sequence[date], where: str = "true"
) -> pa.Table:
    """Build the profiles of all users seen before each cutoff.

    Parameters
    ----------
    cutoffs
        Local midnights; knowledge stops there, excluded.
    where
        Condition over profile columns: which rows to hand out.

    Returns
    -------
    One row per user and cutoff, sorted by both: ``user_id``, ``cutoff`` and the features of the specification,
    numbers as nullable doubles, categories as text.

    Raises
    ------
    InputError
        When the log does not cover a cutoff.
    """
    _check_answerable(activity, specification)
    if not cutoffs:
        raise InputError("no cutoff was given", hint="name at least one date")
    for cutoff in cutoffs:
        activity.coverage.check_cutoff(cutoff)
    relations = {name: activity.relation(name) for name in RELATIONS}
    query = profile_sql(specification, relations, cutoffs=cutoffs)
    return activity.connection.sql(f"select * from ({query}) where {where} order by cutoff, user_id").to_arrow_table()


def _check_answerable(activity: Activity, specification: Specification) -> None:
    """Refuse a log that lacks a column which the specification needs: absent columns would read as absent events."""
    known = {*activity.facts, *TOLD, "observation_days"}
    lacking = sorted({need for feature in specification.features for need in feature.needs} - known)
    if lacking:
        raise InputError(
            f"the log has no {', '.join(lacking)}, which the model's profile needs",
            hint="map them in [events.columns], or train a model without them: churn train",
        )


def profile_sql(specification: Specification, relations: dict[str, str], *, cutoffs: Sequence[date]) -> str:
    """Return the kernel: the SELECT of all profiles at the cutoffs, over the three relations of activity.

    Parameters
    ----------
    relations
        FROM clause of each of ``days``, ``contexts`` and ``event_types``.
    """
    features = specification.features
    parts = {
        "windows": _windows(specification, [f for f in features if isinstance(f, OverWindow)]),
        "lifetimes": _grouped("aged_days", [f for f in features if isinstance(f, OverDays)]),
        "settings_seen": _grouped("aged_contexts", [f for f in features if isinstance(f, OverContexts)]),
        "mix": _grouped("aged_event_types", [f for f in features if isinstance(f, OverEventTypes)]),
    }
    joined = " ".join(f"left join {name} using (user_id, cutoff)" for name in list(parts)[1:])
    absent = ", ".join(f"{_when_absent(f)} as {f.name}" for f in features if not isinstance(f, Derived))
    derived = "".join(f", {_typed(f, f.sql)} as {f.name}" for f in features if isinstance(f, Derived))
    bodies = ",\n".join(
        f"{name} as ({body})" for name, body in (_aged(specification, relations, cutoffs=cutoffs) | parts).items()
    )
    columns = ", ".join((*KEYS, *specification.feature_names))
    return f"""with {bodies}
        select {columns} from (select *{derived} from (select user_id, cutoff, {absent} from windows {joined}))"""


def _aged(specification: Specification, relations: dict[str, str], *, cutoffs: Sequence[date]) -> dict[str, str]:
    """Return the relations with the age of each day before each cutoff, and what the user's own earlier days say."""
    observed = specification.observation_days
    values = ", ".join(
        f"(date '{day}', timestamp '{instant(day, specification.timezone):%Y-%m-%d %H:%M:%S}')"
        for day in sorted(set(cutoffs))
    )
    within = f" and day >= cutoff - {observed}" if observed else ""
    start = f"cutoff - {observed}" if observed else "first_day"
    return {
        "cutoffs": f"select * from (values {values}) t(cutoff, cutoff_at)",
        "history": f"""select *, cast(day - lag(day) over user_days as integer) as gap, min(day) over (partition by user_id) as first_day
            from {relations["days"]} window user_days as (partition by user_id order by day)""",
        "aged_days": f"""select *, cast(cutoff - day as integer) as age, {start} as observed_from,
            case when day - gap >= observed_from then gap end as gap_days
            from history join cutoffs on day < cutoff{within}""",
        "aged_contexts": f"""select *, cast(cutoff - day as integer) as age
            from {relations["contexts"]} join cutoffs on day < cutoff{within}""",
        "aged_event_types": f"""select *, cast(cutoff - day as integer) as age
            from {relations["event_types"]} join cutoffs on day < cutoff{within}""",
    }


def _windows(specification: Specification, features: list[Feature]) -> str:
    """Sum days into bands, bands into windows. A band's ``age`` is its far edge, so a window's expression fits both."""
    edges = " ".join(f"when age <= {edge} then {edge}" for edge in specification.windows_days)
    daily = sorted({name for feature in features for name in feature.daily})
    sums = ", ".join(f"sum({name}) as {name}" for name in daily)
    bands = f"""select user_id, cutoff, case {edges} else 1000000 end as band{", " + sums if sums else ""}
        from aged_days group by user_id, cutoff, band"""
    return _grouped(f"(select *, band as age from ({bands}))", features)


def _grouped(source: str, features: list[Feature]) -> str:
    columns = "".join(f", {_typed(feature, feature.sql)} as {feature.name}" for feature in features)
    return f"select user_id, cutoff{columns} from {source} group by user_id, cutoff"


def _typed(feature: Feature, sql: str) -> str:
    return f"cast({sql} as {'varchar' if feature.is_text else 'double'})"


def _when_absent(feature: Feature) -> str:
    return feature.name if feature.when_absent is None else f"coalesce({feature.name}, {feature.when_absent})"
