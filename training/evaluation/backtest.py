"""How the recipe would have done in the past: it is retrained before every past week, and tested on that week."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from itertools import islice
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from features.activity.store import Activity
from features.errors import CheckFailed
from features.profiles.specification import Specification
from features.snapshots import cutoffs_between
from models.evaluation.baselines import RULES, rule_scores
from models.evaluation.metrics import Interval, auc, intervals
from training.data.dataset import Dataset, build_dataset
from training.data.snapshots import condition
from training.data.specification import freeze
from training.plan.outages import Outage
from training.plan.plan import Recipe, is_sound, split_of
from training.plan.splits import WEEK, Split

MIN_WEEKS = 4


class Predictor(Protocol):
    """What a fit returns: anything that predicts the churn probability of profiles."""

    def predict_probability(self, profiles: pa.Table) -> NDArray[np.float64]:
        """Churn probability in (0, 1) of each profile, shape (n,)."""
        ...


Train = Callable[[Dataset, Split], Predictor]


@dataclass(frozen=True)
class Week:
    """One test in the past: the results of a model that was trained before it.

    Attributes
    ----------
    better_rule, better_rule_auc
        The best rule in that week and its AUC; empty and .5 where the log has none.
    """

    cutoff: date
    users: int
    churn_rate: float
    auc: Interval
    log_loss: Interval
    calibration_error: Interval
    better_rule: str
    better_rule_auc: float


@dataclass(frozen=True)
class Backtest:
    """Every past week, the earliest first.

    The columns of a profile, and the constants in them (event types, versions, BG/NBD), were frozen on the training cutoffs of the
    earliest week: no week knows its own future. The later weeks know less than they would have known then, so their metrics are
    too low rather than too high, and not exactly those of a training on that day.
    """

    weeks: tuple[Week, ...]

    @property
    def slope(self) -> Interval | None:
        """Change of the AUC per week, by least squares, with its 95 % interval; None for fewer than four tests.

        The tests share users, so the interval is somewhat too narrow.
        """
        if len(self.weeks) < MIN_WEEKS:
            return None
        at = [(week.cutoff - self.weeks[0].cutoff).days / WEEK for week in self.weeks]
        line: Any = stats.linregress(at, [week.auc.value for week in self.weeks])
        reach = float(stats.t.ppf(0.975, len(at) - 2) * line.stderr)
        return Interval(float(line.slope), float(line.slope) - reach, float(line.slope) + reach)

    @property
    def verdict(self) -> str:
        """``stable``, ``falling``, ``rising`` or ``too short``."""
        if self.slope is None:
            return "too short"
        return "falling" if self.slope.high < 0 else "rising" if self.slope.low > 0 else "stable"

    @property
    def summary(self) -> str:
        """The verdict in a sentence."""
        if self.slope is None:
            return f"{len(self.weeks)} past tests fit the log, at least {MIN_WEEKS} are needed for a trend."
        values, ahead = [week.auc.value for week in self.weeks], sum(_is_ahead(week) for week in self.weeks)
        return (
            f"The AUC is {self.verdict}: {min(values):.3f} to {max(values):.3f} on {len(values)} past tests, "
            f"{self.slope.value:+.4f} a week ({self.slope.low:+.4f} to {self.slope.high:+.4f}); "
            f"ahead of the best rule on {ahead} of {len(values)}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        weeks = [asdict(week) | {"cutoff": str(week.cutoff)} for week in self.weeks]
        return {"verdict": self.verdict, "says": self.summary, "weeks": weeks}


def _is_ahead(week: Week) -> bool:
    return week.auc.value > week.better_rule_auc


def past_splits(plan_at: Callable[[date], Split], *, first: date, latest: date, maximum: int) -> tuple[Split, ...]:
    """Plan the past tests, the earliest first: weekly from the latest backwards, or daily where few weeks fit.

    Parameters
    ----------
    plan_at
        Makes the split of a test cutoff; cutoffs that it refuses, for too little history or for an outage, are excluded.
    first, latest
        The first day of the log, and the latest test cutoff.
    maximum
        Number of past tests; the latest are used.
    """

    def back(days: int) -> tuple[Split, ...]:
        tests = reversed(cutoffs_between(first + timedelta(days=1), latest, every_days=days))
        return tuple(islice(_feasible_splits(plan_at, tests), maximum))[::-1]

    weekly = back(WEEK)
    return weekly if len(weekly) >= min(MIN_WEEKS, maximum) else back(1)


def _feasible_splits(plan_at: Callable[[date], Split], tests: Iterable[date]) -> Iterator[Split]:
    for test in tests:
        with suppress(CheckFailed):
            yield plan_at(test)


def past_splits_of(
    activity: Activity, recipe: Recipe, *, outages: Sequence[Outage], latest: date, maximum: int
) -> tuple[Split, ...]:
    """Plan the past tests of a recipe, unaffected by the outages of the log, as :func:`past_splits` does."""
    sound = is_sound(recipe, outages)

    def plan_at(test: date) -> Split:
        training = recipe.training.model_copy(update={"test_cutoff": test})
        return split_of(activity, replace(recipe, training=training), sound=sound)

    return past_splits(plan_at, first=activity.coverage.first_day, latest=latest, maximum=maximum)


def history(activity: Activity, recipe: Recipe, *, splits: Sequence[Split]) -> tuple[Specification, Dataset]:
    """Freeze the specification on the earliest training cutoffs, and build and label the profiles of all tests once."""
    specification, _ = freeze(activity, recipe.features, churn=recipe.churn, training_cutoffs=splits[0].train)
    cutoffs = sorted({cutoff for split in splits for cutoff in (*split.training_cutoffs, split.test)})
    where = condition(activity, cutoffs, recipe=recipe)
    return specification, build_dataset(activity, specification, cutoffs=cutoffs, churn=recipe.churn, where=where)


def backtest(dataset: Dataset, splits: Sequence[Split], *, fit: Train, minimum: int, seed: int) -> Backtest:
    """Train and test once for each split.

    Parameters
    ----------
    dataset
        The rows of every cutoff of every split.
    fit
        Trains with the same recipe, on the rows of the split's training cutoffs only.
    minimum
        Weeks with fewer churners or retained users, in the test or in the calibration part, are excluded.
    """
    return Backtest(
        tuple(
            _week(
                dataset.at([split.test]), fit(dataset.at(split.training_cutoffs), split), cutoff=split.test, seed=seed
            )
            for split in splits
            if has_enough_users(dataset, split, minimum=minimum)
        )
    )


def has_enough_users(dataset: Dataset, split: Split, *, minimum: int) -> bool:
    """Whether test and calibration part have at least so many churners, and retained users."""
    return min(dataset.at([split.test]).smaller_class, dataset.at(split.calibration).smaller_class) >= minimum


def _week(test: Dataset, model: Predictor, *, cutoff: date, seed: int) -> Week:
    probability = model.predict_probability(test.profiles)
    found = intervals(
        test.churned, probability, seed=seed, of=("auc", "log_loss", "calibration_error"), weights=test.weights
    )
    rule, rule_auc = better_rule(test)
    return Week(
        cutoff=cutoff,
        users=len(test.churned),
        churn_rate=float(np.average(test.churned, weights=test.weights)),
        auc=found["auc"],
        log_loss=found["log_loss"],
        calibration_error=found["calibration_error"],
        better_rule=rule,
        better_rule_auc=rule_auc,
    )


def better_rule(test: Dataset) -> tuple[str, float]:
    """Return the rule with the highest AUC on a test, and that AUC; empty and .5 where the profiles have no rule's column."""
    known = [name for name, rule in RULES.items() if rule.column in test.profiles.column_names]
    found = {name: auc(test.churned, rule_scores(test.profiles, name), weights=test.weights) for name in known}
    return max(found.items(), key=lambda pair: pair[1], default=("", 0.5))
