"""Which horizon the data itself suggests: how many idle days until hardly anybody comes back, and what each choice costs.

Two populations are looked at. *IdleRow spells* say how long users stay away before they come back: the log's own rhythm. *Choices*
take the users who are eligible at past cutoffs, label them with each candidate horizon, and see who of them comes back all the
same: what training would learn from. Both are Kaplan-Meier curves, as the end of the log hides how some of it went on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any

import numpy as np

from features.activity.store import Activity
from features.errors import CheckFailed, SettingsError
from features.settings import ChurnSettings
from features.snapshots import Coverage, LabelWindow, cutoffs_between
from training.horizon.rule import Choice, Rule
from training.horizon.survival import MOST_DAYS, Counts, Curve, Share, count_spells, count_waits, draws, share
from training.plan.splits import plan
from training.settings import AdviceSettings, TrainingSettings

_MOST_CUTOFFS = 24
_MOST_ROWS = 365
_WEEK = 7
_RHYTHM = 1.1


@dataclass(frozen=True)
class IdleRow:
    """What becomes of the spells that last for at least so many idle days.

    Attributes
    ----------
    spells
        Spells that were seen to last so long.
    away
        Share of all spells that last so long.
    returns
        Share of them that ends with a return, as far as the log reaches.
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
    """What the log says about the horizon.

    Attributes
    ----------
    reach_days
        IdleRow days that enough spells tell of; nothing is known of returns after more.
    rule
        How the recommendation is made, in a sentence.
    recommended
        None where no candidate leaves enough to learn from.
    """

    rows: tuple[IdleRow, ...]
    choices: tuple[Choice, ...]
    configured: int
    recommended: int | None
    rule: str
    why: str
    warnings: tuple[str, ...]
    reach_days: int
    return_share: float

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


def advise(activity: Activity, churn: ChurnSettings, *, training: TrainingSettings, settings: AdviceSettings) -> Advice:
    """Look at the whole log, and say what each horizon would give and which one to take.

    Raises
    ------
    SettingsError
        When churned means that an event happened: idle days say nothing about it.
    CheckFailed
        When the log is too short for any candidate, or nobody who is eligible is ever seen again.
    """
    if churn.event:
        raise SettingsError(
            "[churn] event is set: churned means that it happened, and idle days say nothing about that",
            hint='ask about inactivity with --set churn.event=""',
        )
    spells = count_spells(activity)
    study = _Study.of(activity, churn, training=training, settings=settings)
    rule = Rule(settings, training.min_class_users, has_weekly_rhythm(spells))
    choices = tuple(rule.judged(study.choice(days)) for days in study.candidates)
    recommended, why = rule.recommend(choices)
    idle = Curve.of(spells, seed=training.seed)
    return Advice(
        rows=idle_rows(idle, log_days=(activity.coverage.covered_until - activity.coverage.first_day).days),
        choices=choices,
        configured=churn.horizon_days,
        recommended=recommended,
        rule=rule.words,
        why=why,
        warnings=tuple(rule.warnings(choices, churn.horizon_days)),
        reach_days=idle.reach,
        return_share=settings.return_share,
    )


def idle_rows(curve: Curve, *, log_days: int) -> tuple[IdleRow, ...]:
    """Say for each number of idle days, up to half the log, how many come back and how late."""
    last = min(_MOST_ROWS, log_days // 2, curve.reach - 1)
    return tuple(
        IdleRow(
            idle_days=day,
            spells=int(curve.reached[day]),
            away=curve.still(day),
            returns=curve.back(day, curve.reach),
            half_back_days=curve.wait(day, 0.5),
            most_back_days=curve.wait(day, 0.9),
        )
        for day in range(1, last + 1)
    )


def has_weekly_rhythm(spells: Counts) -> bool:
    """Tell whether users come back on the 7th, 14th, 21st and 28th day more often than on the days beside."""
    returns = spells.sum(axis=0)[1]
    weeks = np.arange(_WEEK, 4 * _WEEK + 1, _WEEK)
    beside = (returns[weeks - 1] + returns[weeks + 1]).sum() / 2
    return bool(returns[weeks].sum() > _RHYTHM * beside)


@dataclass(frozen=True)
class _Study:
    """The eligible users of past cutoffs, by how long the horizon waited for them.

    Attributes
    ----------
    waits
        As of :func:`training.horizon.survival.count_waits`.
    followed_days
        Shape (cutoffs,): days of log after each cutoff and its gap.
    """

    coverage: Coverage
    churn: ChurnSettings
    training: TrainingSettings
    candidates: tuple[int, ...]
    waits: Counts
    followed_days: Counts
    curve: Curve

    @classmethod
    def of(
        cls, activity: Activity, churn: ChurnSettings, *, training: TrainingSettings, settings: AdviceSettings
    ) -> _Study:
        asked = sorted({*settings.candidates_days, churn.horizon_days})
        cutoffs = past_cutoffs(activity.coverage, churn, shortest=asked[0])
        start = [(activity.coverage.covered_until - cutoff).days - churn.gap_days for cutoff in cutoffs]
        waits = count_waits(activity, churn, cutoffs=cutoffs)
        if not waits[:, :, 1].any():
            raise CheckFailed(
                f"nobody who was eligible at any of {len(cutoffs)} cutoffs from {cutoffs[0]} to {cutoffs[-1]} was seen again",
                hint="check [churn] qualifying, active_within_days and min_tenure_days",
            )
        curve = Curve.of(waits.sum(axis=0), seed=training.seed)
        candidates = tuple(days for days in asked if days <= min(max(start), MOST_DAYS))
        return cls(activity.coverage, churn, training, candidates, waits, np.array(start), curve)

    def choice(self, days: int) -> Choice:
        """Label the eligible users of every cutoff that is followed for long enough."""
        seen = self.waits[self.followed_days >= days]
        # shape (cutoffs, parts), each: who came later than the horizon, who was never seen again, and everybody
        later, never, everybody = seen[:, :, 1, days + 1 :].sum(-1), seen[:, :, 0].sum(-1), seen.sum((-1, -2))
        churned, users = int(later.sum() + never.sum()), int(everybody.sum())
        reaches = 2 * days <= self.curve.reach
        return Choice(
            horizon_days=days,
            snapshots=self._snapshots(days),
            cutoffs=len(seen),
            eligible=round(users / len(seen)),
            smaller_class=round(min(churned, users - churned) / len(seen)),
            churn_rate=self._rate((later + never).sum(0), everybody.sum(0)),
            returned=float(later.sum() / max(churned, 1)),
            back_soon=self.curve.back(days, 2 * days) if reaches else None,
            back_ever=self.curve.back(days, self.curve.reach) if reaches else None,
        )

    def _rate(self, churned: Counts, users: Counts) -> Share:
        """Divide sums over parts, shape (parts,), and redraw them."""
        drawn = draws(self.waits.sum(axis=0), seed=self.training.seed)
        return share(float(churned.sum() / max(users.sum(), 1)), (drawn @ churned) / np.maximum(drawn @ users, 1))

    def _snapshots(self, days: int) -> int:
        churn = self.churn.model_copy(update={"horizon_days": days})
        try:
            split = plan(self.coverage, churn, training=self.training.model_copy(update={"test_cutoff": None}))
        except CheckFailed:
            return 0
        return len(split.training_cutoffs)


def past_cutoffs(coverage: Coverage, churn: ChurnSettings, *, shortest: int) -> tuple[date, ...]:
    """Return cutoffs with enough history whose shortest horizon is finished, evenly spaced; in whole weeks where it can be.

    Raises
    ------
    CheckFailed
        When there is none.
    """
    first = coverage.first_day + timedelta(days=churn.active_within_days or shortest)
    window = LabelWindow(churn.gap_days, shortest)
    last = window.latest_finished(coverage.covered_until)
    span = (last - first).days
    if span < 0:
        raise CheckFailed(
            f"the log covers {coverage.first_day} up to {coverage.covered_until}: with {(first - coverage.first_day).days} days of "
            f"history, no horizon of {window.days_to_label} days fits",
            hint=f"come back when it covers {window.end(first)}, or lower [churn] active_within_days or [advice] candidates_days",
        )
    every = 1 if span < _MOST_CUTOFFS else _WEEK * ceil(span / _WEEK / _MOST_CUTOFFS)
    return cutoffs_between(first, last, every_days=every)
