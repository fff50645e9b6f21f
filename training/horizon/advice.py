"""Which horizon the data suggests: after how many idle days hardly anybody returns, and the consequences of each candidate.

Two populations are measured. *Idle spells* show how long users stay inactive before they return. *Candidates* label the users
who are eligible at past cutoffs with each horizon, and count who returns after all: that is what training would use. Both are
Kaplan-Meier curves, because the end of the log censors some of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np

from features.activity.store import Activity
from features.errors import CheckFailed, InputError, SettingsError
from features.settings import ChurnSettings
from features.snapshots import Coverage, cutoffs_between
from models.definition import ChurnDefinition
from training.horizon.rule import Candidate, HorizonRule
from training.horizon.survival import (
    MAX_DAYS,
    Counts,
    Share,
    SurvivalCurve,
    count_spells,
    count_waits,
    resampling_counts,
    share,
)
from training.plan.plan import Recipe, is_sound, outages_of, split_of
from training.plan.splits import WEEK, any_cutoff
from training.settings import AdviceSettings

_MAX_CUTOFFS = 24
_MAX_ROWS = 365
_WEEKLY_EXCESS = 1.1
_TWICE = 2


@dataclass(frozen=True)
class IdleRow:
    """What becomes of spells that last at least a number of idle days.

    Attributes
    ----------
    spells
        Spells that were observed to last so long.
    away
        Share of all spells that last so long.
    returns
        Share of these that end with a return, as far as the log reaches.
    half_back_days, most_back_days
        Further days until half, and nine tenths, of those who return are back.
    """

    idle_days: int
    spells: int
    away: Share
    returns: Share
    half_back_days: int | None
    most_back_days: int | None


@dataclass(frozen=True)
class Advice:
    """A recommendation for the horizon, with its reasons.

    Attributes
    ----------
    reach_days
        Idle days up to which enough spells were observed; nothing is known of later returns.
    rule
        The rule of the recommendation, in a sentence.
    recommended
        None where no candidate leaves enough to train on. Each candidate is tried with the users who were active within as many days, so
        that it does not depend on the eligibility that is configured, unless these are too few under any candidate.
    active_within_days
        How recently a user should have been active to be eligible under the recommended horizon: as long as the horizon, as who was away
        for longer has left already by the same definition; twice as long where many come back after being away for one; as configured
        where only these users are enough.
    objections
        What speaks against the recommended horizon; empty: nothing.
    """

    rows: tuple[IdleRow, ...]
    choices: tuple[Candidate, ...]
    configured: int
    recommended: int | None
    rule: str
    why: str
    warnings: tuple[str, ...]
    reach_days: int
    return_share: float
    active_within_days: int | None = None
    objections: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


def advise(activity: Activity, recipe: Recipe, *, settings: AdviceSettings) -> Advice:
    """Compare horizons on the entire log, and recommend one.

    Parameters
    ----------
    recipe
        How a model would be trained: snapshots are counted as its training counts them.

    Raises
    ------
    SettingsError
        When churned means that an event happened: idle days are then irrelevant.
    CheckFailed
        When the log is too short for any candidate, or nobody who is eligible is ever seen again.
    """
    churn, training = recipe.churn, recipe.training
    if churn.event:
        raise SettingsError(
            "[churn] event is set: churned means that this event happened, and idle days say nothing about it",
            hint='to analyse inactivity: --set churn.event=""',
        )
    spells = count_spells(activity)
    study = _Study.of(activity, recipe, settings=settings)
    rule = HorizonRule(settings, training.min_class_users, has_weekly_rhythm(spells))
    choices = tuple(rule.with_objections(study.candidate(days)) for days in study.candidates)
    found = tuple(_tried(activity, recipe, rule=rule))
    tried = (
        found if rule.recommend(found)[0] else choices
    )  # so few users that those of the configured eligibility are needed
    recommended, why = rule.recommend(tried)
    chosen = next((one for one in tried if one.horizon_days == recommended), None)
    idle = SurvivalCurve.of(spells, seed=training.seed)
    return Advice(
        rows=idle_rows(idle, log_days=(activity.coverage.covered_until - activity.coverage.first_day).days),
        choices=choices,
        configured=churn.horizon_days,
        recommended=recommended,
        rule=rule.description,
        why=why,
        warnings=tuple(rule.warnings(choices, churn.horizon_days)),
        reach_days=idle.reach,
        return_share=settings.return_share,
        active_within_days=_active_within(chosen, churn, rule=rule, is_alone=tried is found) if chosen else None,
        objections=chosen.against if chosen else (),
    )


def _active_within(chosen: Candidate, churn: ChurnSettings, *, rule: HorizonRule, is_alone: bool) -> int:
    """Return who should be eligible under a recommended horizon: only with those it was tried with, or more, are there enough users."""
    if not is_alone:
        return churn.active_within_days
    return chosen.horizon_days * (_TWICE if rule.mislabelling(chosen) else 1)


def _tried(activity: Activity, recipe: Recipe, *, rule: HorizonRule) -> Iterator[Candidate]:
    """Try each candidate, the shortest first, with the users who were active within it, up to the first without objections."""
    for days in sorted(rule.settings.candidates_days):
        own = recipe.churn.model_copy(update={"horizon_days": days, "active_within_days": days})
        found = _alone(activity, replace(recipe, churn=own), settings=rule.settings)
        if found:
            candidate = rule.with_objections(found)
            yield candidate
            if not candidate.against:
                return


def _alone(activity: Activity, recipe: Recipe, *, settings: AdviceSettings) -> Candidate | None:
    """Return the consequences of the configured horizon; None where the log is too short, or nobody is seen again."""
    days = recipe.churn.horizon_days
    try:
        study = _Study.of(activity, recipe, settings=settings.model_copy(update={"candidates_days": (days,)}))
    except CheckFailed:
        return None
    return study.candidate(days) if study.candidates else None


def mislabelling(activity: Activity, recipe: Recipe, *, settings: AdviceSettings) -> str:
    """Return the warning of :func:`advise` that many of those labelled churned come back; empty: few do, or nobody can know."""
    if recipe.churn.event:
        return ""
    try:
        study = _Study.of(activity, recipe, settings=settings)
    except CheckFailed:
        return ""
    rule = HorizonRule(settings, recipe.training.min_class_users, is_weekly=False)
    days = recipe.churn.horizon_days
    return rule.mislabelling(study.candidate(days)) if days in study.candidates else ""


def idle_rows(curve: SurvivalCurve, *, log_days: int) -> tuple[IdleRow, ...]:
    """Return for each number of idle days, up to half the log, how many users return and when."""
    last = min(_MAX_ROWS, log_days // 2, curve.reach - 1)
    return tuple(
        IdleRow(
            idle_days=day,
            spells=int(curve.lasted[day]),
            away=curve.survival_after(day),
            returns=curve.return_share(day, curve.reach),
            half_back_days=curve.days_until_return(day, 0.5),
            most_back_days=curve.days_until_return(day, 0.9),
        )
        for day in range(1, last + 1)
    )


def has_weekly_rhythm(spells: Counts) -> bool:
    """Whether users return on the 7th, 14th, 21st and 28th day more often than on the adjacent days."""
    returns = spells.sum(axis=0)[1]
    weeks = np.arange(WEEK, 4 * WEEK + 1, WEEK)
    adjacent = (returns[weeks - 1] + returns[weeks + 1]).sum() / 2
    return bool(returns[weeks].sum() > _WEEKLY_EXCESS * adjacent)


@dataclass(frozen=True)
class _Study:
    """The eligible users of past cutoffs, by their wait: days from the start of the horizon to their return.

    Attributes
    ----------
    waits
        As from :func:`training.horizon.survival.count_waits`.
    followed_days
        Shape (cutoffs,): days of log after each cutoff and its gap.
    """

    activity: Activity
    recipe: Recipe
    candidates: tuple[int, ...]
    waits: Counts
    followed_days: Counts
    curve: SurvivalCurve

    @classmethod
    def of(cls, activity: Activity, recipe: Recipe, *, settings: AdviceSettings) -> _Study:
        churn, seed = recipe.churn, recipe.training.seed
        requested = sorted({*settings.candidates_days, churn.horizon_days})
        cutoffs = past_cutoffs(activity.coverage, churn, shortest=requested[0])
        start = [(activity.coverage.covered_until - cutoff).days - churn.gap_days for cutoff in cutoffs]
        waits = count_waits(activity, churn, cutoffs=cutoffs)
        if not waits[:, :, 1].any():
            raise CheckFailed(
                f"nobody who was eligible at any of {len(cutoffs)} cutoffs from {cutoffs[0]} to {cutoffs[-1]} was seen again",
                hint="check [churn] qualifying, active_within_days and min_tenure_days",
            )
        curve = SurvivalCurve.of(waits.sum(axis=0), seed=seed)
        candidates = tuple(days for days in requested if days <= min(max(start), MAX_DAYS))
        return cls(activity, recipe, candidates, waits, np.array(start), curve)

    def candidate(self, days: int) -> Candidate:
        """Label the eligible users of every cutoff that the log follows for long enough."""
        seen = self.waits[self.followed_days >= days]
        # each of shape (cutoffs, parts): returned after the horizon, never seen again, all
        later, never, all_users = seen[:, :, 1, days + 1 :].sum(-1), seen[:, :, 0].sum(-1), seen.sum((-1, -2))
        churned, users = int(later.sum() + never.sum()), int(all_users.sum())
        smaller = np.minimum((later + never).sum(-1), (all_users - later - never).sum(-1))
        reaches = 2 * days <= self.curve.reach
        return Candidate(
            horizon_days=days,
            snapshots=self._snapshots(days),
            cutoffs=len(seen),
            eligible=round(users / len(seen)),
            smaller_class=min(round(float(smaller.mean())), int(smaller[-1])),
            churn_rate=self._rate((later + never).sum(0), all_users.sum(0)),
            returned=float(later.sum() / max(churned, 1)),
            back_soon=self.curve.return_share(days, 2 * days) if reaches else None,
            back_ever=self.curve.return_share(days, self.curve.reach) if reaches else None,
        )

    def _rate(self, churned: Counts, users: Counts) -> Share:
        """Return the ratio of sums over parts, shape (parts,), with its interval."""
        counts = resampling_counts(self.waits.sum(axis=0), seed=self.recipe.training.seed)
        return share(float(churned.sum() / max(users.sum(), 1)), (counts @ churned) / np.maximum(counts @ users, 1))

    @cached_property
    def _has_outages(self) -> bool:
        return bool(outages_of(self.activity, self.recipe))

    def _snapshots(self, days: int) -> int:
        """Return how many snapshots a training with that horizon would have."""
        recipe = replace(self.recipe, churn=self.recipe.churn.model_copy(update={"horizon_days": days}))
        sound = is_sound(recipe, outages_of(self.activity, recipe)) if self._has_outages else any_cutoff
        try:
            return len(split_of(self.activity, recipe, sound=sound).training_cutoffs)
        except (CheckFailed, InputError):
            return 0


def past_cutoffs(coverage: Coverage, churn: ChurnSettings, *, shortest: int) -> tuple[date, ...]:
    """Return evenly spaced cutoffs with enough history whose shortest horizon is finished; in whole weeks where possible.

    Raises
    ------
    CheckFailed
        When there is none.
    """
    first = coverage.first_day + timedelta(days=churn.active_within_days or shortest)
    window = ChurnDefinition.of(churn.model_copy(update={"horizon_days": shortest})).window
    last = window.latest_finished(coverage.covered_until)
    span = (last - first).days
    if span < 0:
        raise CheckFailed(
            f"the log covers {coverage.first_day} up to {coverage.covered_until}: with {(first - coverage.first_day).days} days of "
            f"history, no horizon of {window.days_to_label} days fits",
            hint=f"try again when it covers {window.end(first)}, or lower [churn] active_within_days or [advice] candidates_days",
        )
    every = 1 if span < _MAX_CUTOFFS else WEEK * ceil(span / WEEK / _MAX_CUTOFFS)
    return cutoffs_between(first, last, every_days=every)
