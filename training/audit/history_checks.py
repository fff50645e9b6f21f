"""Checks of history: events that users leave by, and a past that was rewritten after they had left."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from models.arrays import Labels
from training.audit.column_checks import aucs_by_value
from training.audit.evidence import CheckResult, Evidence, Finding, Part

_MIN_USERS = 30  # with the event
_FINAL_SHARE, _TIMES_USUAL = 0.8, 3.0
_FAR_AHEAD = 3  # horizons between the snapshot and the label
_FORETELLS = 0.8  # AUC
_FADED = 0.8  # share of the lead over chance that a feature keeps so far ahead, at most


def final_events(evidence: Evidence) -> CheckResult:
    """Check for event types after which users are hardly ever seen again.

    Only days a whole horizon before the test cutoff are used, so a type that is new is judged by what followed it.
    """
    training = evidence.training
    horizon, until = training.window.horizon_days, training.split.test
    rows = training.activity.connection.execute(
        f"""with seen as (select distinct user_id, day from {training.activity.relation("days")} where day < $until),
        next_seen as (select *, lead(day) over (partition by user_id order by day) as next_day from seen),
        judged as (
            select *, coalesce(next_day > day + {horizon}, true) as is_final from next_seen where day < $last)
        select event_type, count(distinct user_id), avg(cast(is_final as integer)),
            (select avg(cast(is_final as integer)) from judged)
        from judged join (select distinct user_id, day, event_type from {training.activity.relation("event_types")})
            using (user_id, day)
        group by event_type order by event_type""",
        {"until": until, "last": until - timedelta(days=horizon)},
    ).fetchall()
    found = [
        Finding(
            f"event type {name}",
            f"{share:.0%} of the days with it are the last of a user for {horizon} days and more, of all days {usual:.0%}: "
            f"who has it has left already",
        )
        for name, users, share, usual in rows
        if users >= _MIN_USERS and share > _FINAL_SHARE and share > _TIMES_USUAL * usual
    ]
    return CheckResult(f"{len(rows)} event types before {until}", tuple(found))


def rewritten_history(evidence: Evidence) -> CheckResult:
    """Check for features that foretell churn many horizons ahead as well as shortly before.

    What users do fades as a sign of what they do much later. A past that was rewritten when they left, as a deleted device or an
    attribute dated back, does not.
    """
    training = evidence.training
    earliest, test = training.training_rows.snapshots[0], training.split.test
    purge = training.window.days_to_label
    if (test - earliest).days < _FAR_AHEAD * purge:
        return CheckResult(f"the history is too short: less than {_FAR_AHEAD} horizons from {earliest} to {test}")
    past, now = _of_the_same_users(evidence, earliest)
    if len(now.users) < _MIN_USERS:
        return CheckResult(f"only {len(now.users)} users of {earliest} are tested at {test}")
    ahead, close = (aucs_by_value(part.names, part.matrix, churned=now.churned) for part in (past, now))
    found = [
        Finding(
            f"column {name}",
            f"its value at {earliest} foretells who leaves after {test} (AUC {auc:.2f}, at {test} itself {close[name]:.2f})",
        )
        for name, auc in sorted(ahead.items(), key=lambda pair: (-pair[1], pair[0]))
        if auc > _FORETELLS + _error(now.churned) and auc - 0.5 > _FADED * (close[name] - 0.5)
    ]
    return CheckResult(
        f"{len(ahead)} features of {len(now.users):,} users, {(test - earliest).days} days ahead", tuple(found)
    )


def _error(churned: Labels) -> float:
    """Two standard errors of an AUC under chance (Hanley and McNeil 1982)."""
    churners, others = int(churned.sum()), int((~churned).sum())
    return 2 * float(np.sqrt((churners + others + 1) / (12 * max(churners, 1) * max(others, 1))))


def _of_the_same_users(evidence: Evidence, cutoff: date) -> tuple[Part, Part]:
    """Return the rows at a cutoff, and those at the test, of the users that both have; in the same order."""
    tested, rows = evidence.test_of_training_users, evidence.training_rows
    at = rows.cutoffs == np.datetime64(cutoff)
    _, first, second = np.intersect1d(rows.users[at], tested.users, return_indices=True)
    return _taken(rows, np.flatnonzero(at)[first]), _taken(tested, second)


def _taken(part: Part, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Part:
    return Part(part.names, part.matrix[places], part.churned[places], part.users[places], part.cutoffs[places])
