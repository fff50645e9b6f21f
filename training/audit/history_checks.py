"""Checks of history: events that users leave by, a past that was rewritten after they had left, and a future that is only days away."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from models.arrays import Labels
from models.evaluation.baselines import RULES
from training.audit.column_checks import aucs_by_value
from training.audit.evidence import CheckResult, Evidence, Finding, Part
from training.plan.persons import of_every_id, rows_of_persons

_MIN_USERS = 30  # with the event
_FINAL_SHARE, _TIMES_USUAL = 0.8, 3.0
_FAR_AHEAD = 3  # horizons between the snapshot and the label
_FORETELLS = 0.8  # AUC
_FADED = 0.8  # share of the lead over chance that a feature keeps so far ahead, at most
_NEARER = (
    0.1  # AUC by which a feature foretells the first half of a horizon better than the second, beyond what the rules do
)


def final_events(evidence: Evidence) -> CheckResult:
    """Check for event types after which users are hardly ever seen again.

    Only days a whole horizon before the test cutoff are used, so a type that is new is judged by what followed it.
    """
    training = evidence.training
    horizon, until = training.window.horizon_days, training.split.test
    rows = training.activity.connection.execute(
        f"""with seen as (select distinct user_id, day from {rows_of_persons(training.activity, "days")} where day < $until),
        next_seen as (select *, lead(day) over (partition by user_id order by day) as next_day from seen),
        judged as (
            select *, coalesce(next_day > day + {horizon}, true) as is_final from next_seen where day < $last)
        select event_type, count(distinct user_id), avg(cast(is_final as integer)),
            (select avg(cast(is_final as integer)) from judged)
        from judged join (select distinct user_id, day, event_type from {rows_of_persons(training.activity, "event_types")})
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


def coming_days(evidence: Evidence) -> CheckResult:
    """Check for features that know the first days after the cutoff, as a score that a job computes from the week it is dated before.

    Who comes in the first half of the horizon and who in the second is told by the same signs, in the first a little better.
    """
    training, part = evidence.training, evidence.test
    half = training.window.horizon_days // 2
    if not half or training.churn.event:
        return CheckResult("churn is an event, or the horizon is a day: it has no halves")
    near, far = away_in_each_half(evidence, half_days=half)
    if min(near.sum(), (~near).sum(), far.sum(), (~far).sum()) < _MIN_USERS:
        return CheckResult("too few users come, or stay away, in half of the horizon")
    first, second = (aucs_by_value(part.names, part.matrix, churned=away) for away in (near, far))
    usual = max(
        [first[rule.column] - second[rule.column] for rule in RULES.values() if rule.column in first], default=0.0
    )
    limit = max(usual, 0.0) + _NEARER + float(np.hypot(_error(near), _error(far)))
    found = [
        Finding(
            f"column {name}",
            f"it foretells who stays away in the first {half} days (AUC {auc:.2f}) far better than who does in the days after "
            f"(AUC {second[name]:.2f}); a difference of {limit:.2f} is allowed",
        )
        for name, auc in sorted(first.items(), key=lambda pair: (-pair[1], pair[0]))
        if auc - second[name] > limit
    ]
    return CheckResult(f"{len(first)} features of {len(near):,} users, {half} days and those after", tuple(found))


def away_in_each_half(evidence: Evidence, *, half_days: int) -> tuple[Labels, Labels]:
    """Whether each test user has no qualifying day in the first half of the horizon, and in the second: under any id, as labels see it."""
    training = evidence.training
    test, window = training.split.test, training.window
    came = f"""select user_id, max(day) >= $middle as comes_late, min(day) < $middle as comes_early
        from {rows_of_persons(training.activity, "days")}
        where day >= $start and day < $end and qualifying_events > 0 group by user_id"""
    rows = training.activity.connection.execute(
        of_every_id(training.activity, came),
        {
            "start": window.start(test),
            "middle": window.start(test) + timedelta(days=half_days),
            "end": window.end(test),
        },
    ).fetchall()
    came_late, came_early = ({user for user, *comes in rows if comes[half]} for half in (0, 1))
    users = evidence.test.users.tolist()
    near, far = (np.array([user not in came for user in users], dtype=np.bool_) for came in (came_early, came_late))
    return near, far


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
