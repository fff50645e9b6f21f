"""The shape of each user's curve: one small tree model of the intervals that the training rows lived through."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.arrays import Labels, Values
from models.scorers.hazard import INTERVAL, Hazard, with_interval
from models.scorers.trees import TreeFitter
from training.data.dataset import Dataset
from training.data.horizons import by_day, contacted_by_day, days_of
from training.data.snapshots import ProfileSet
from training.fit.fit import Fitter
from training.plan.plan import Strategy, TrainingPlan

_ROUNDS = (
    200  # trees: with fewer, the middle of the curve is biased; with more, nothing is gained (benchmarks/curves.md)
)
_FEATURES = 0.6  # share that each tree may use: most trees must know which interval it is
_MAX_ROWS = 300_000


@dataclass(frozen=True)
class _Intervals:
    """Intervals that began without the deciding event, and are over before the test cutoff.

    Attributes
    ----------
    days
        Their ends, ascending.
    places, ends, happened
        Of each: its row, the end of the interval, and whether the event happened in it; all (n,).
    weights
        Of each: for how many users it stands, (n,).
    """

    days: list[int] = field(default_factory=list[int])
    places: list[NDArray[np.int64]] = field(default_factory=list[NDArray[np.int64]])
    ends: list[Values] = field(default_factory=list[Values])
    happened: list[Labels] = field(default_factory=list[Labels])
    weights: list[Values] = field(default_factory=list[Values])

    def add(self, end: int, *, places: NDArray[np.int64], happened: Labels, weights: Values) -> None:
        """Add an interval."""
        self.weights.append(weights)
        self.days.append(end)
        self.places.append(places)
        self.ends.append(np.full(len(places), float(end)))
        self.happened.append(happened)


def fit_hazard(profile_set: ProfileSet, training_rows: Dataset, *, plan: TrainingPlan, fitter: Fitter) -> Hazard | None:
    """Fit it on what was known before the test cutoff; None where the horizon itself has too few users of either kind.

    Rows of a recent cutoff tell of the intervals that are over, rows of an older one of later intervals too. Of very many, a part is
    drawn. An interval in which too few users decided is joined with the next one. Of users who were contacted, the intervals from the
    first contact on are unknown, where the training excludes such users.
    """
    known = _intervals(profile_set, training_rows, plan=plan)
    if plan.strategy is not Strategy.DIRECT or plan.recipe.churn.horizon_days not in known.days:
        return None
    places, ends, happened = (
        np.concatenate(known.places),
        np.concatenate(known.ends),
        np.concatenate(known.happened),
    )
    drawn = np.sort(np.random.default_rng(fitter.training.seed).permutation(len(places))[: _maximum(training_rows)])
    is_event = bool(plan.recipe.churn.event)
    sample = Dataset(training_rows.profiles.take(pa.array(places[drawn], pa.int64())), happened[drawn] == is_event)
    if training_rows.weights is not None:
        sample = sample.with_weights(np.concatenate(known.weights)[drawn])
    rows = fitter.rows(sample)
    trees = fitter.tree_fitter
    booster = TreeFitter(
        trees.settings.model_copy(update={"feature_fraction": max(_FEATURES, trees.settings.feature_fraction)}),
        trees.seed,
        (*trees.names, INTERVAL),
        trees.categorical,
    ).fit(replace(rows, matrix=with_interval(rows.matrix, ends[drawn])), rounds=_ROUNDS)
    return Hazard(booster, tuple(known.days))


def _maximum(training_rows: Dataset) -> int:
    """Return how many intervals are used: as many as the model has rows, so that the fit costs about as much as one of its own."""
    return min(_MAX_ROWS, len(training_rows.churned))


def _intervals(profile_set: ProfileSet, training_rows: Dataset, *, plan: TrainingPlan) -> _Intervals:
    churn, minimum = plan.recipe.churn, plan.recipe.training.min_class_users
    found, at_risk = _Intervals(), np.ones(len(training_rows.churned), dtype=np.bool_)
    for days in days_of(churn):
        now = by_day(profile_set.activity, training_rows, days=days, plan=plan, until=plan.split.test)
        at_risk &= now.known  # what an outage hides of a row is not made up for by a longer horizon
        contacts = contacted_by_day(training_rows, profile_set.treatment, days=days, plan=plan)
        at_risk &= ~contacts.is_treated
        places = np.flatnonzero(at_risk)
        happened = now.happened[places]
        if min(happened.sum(), (~happened).sum()) >= minimum:
            found.add(days, places=places, happened=happened, weights=contacts.weights[places])
            at_risk &= ~now.happened
    return found
