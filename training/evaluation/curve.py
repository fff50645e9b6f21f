"""The curves of the test users, compared with what happened: at every horizon that the log covers from the test cutoff."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.churn_model import ChurnModel
from models.evaluation.metrics import intervals
from models.evaluation.results import HorizonResults
from training.data.dataset import Dataset
from training.data.horizons import by_day, contacted_by_day
from training.data.snapshots import ProfileSet
from training.plan.plan import TrainingPlan

METRICS = ("churn_rate", "auc", "log_loss", "calibration_error")


def evaluate_curve(
    profile_set: ProfileSet, model: ChurnModel, *, test: Dataset, plan: TrainingPlan
) -> tuple[HorizonResults, ...]:
    """Measure the curves of the test users, by ascending horizon; horizons at which nobody churned, or everybody, are not measured.

    Where the test is without users whom a contact may have kept, each horizon is without those contacted by then.
    """
    return tuple(_measured(profile_set, model, test=test, plan=plan))


def _measured(
    profile_set: ProfileSet, model: ChurnModel, *, test: Dataset, plan: TrainingPlan
) -> Iterator[HorizonResults]:
    activity = profile_set.activity
    curves, recipe = model.curve(test.profiles), plan.recipe
    for days, probability in zip(curves.days, curves.probabilities.T, strict=True):
        found = by_day(activity, test, days=days, plan=plan, until=activity.coverage.covered_until)
        contacts = contacted_by_day(test, profile_set.treatment, days=days, plan=plan)
        left = ~contacts.is_treated
        churned, given = (found.happened == model.definition.is_event)[left], probability[left]
        if not found.known.all() or churned.all() or not churned.any():
            continue
        weights = None if test.weights is None else contacts.untreated().weights
        metrics = intervals(churned, given, seed=recipe.training.seed, of=METRICS, weights=weights)
        yield HorizonResults(days, float(np.average(given, weights=weights)), metrics)
