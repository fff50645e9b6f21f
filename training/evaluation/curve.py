"""The curves of the test users, compared with what happened: at every horizon that the log covers from the test cutoff."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from features.activity.store import Activity
from models.churn_model import ChurnModel
from models.evaluation.metrics import intervals
from models.evaluation.results import HorizonResults
from training.data.dataset import Dataset
from training.data.horizons import by_day
from training.plan.plan import TrainingPlan

METRICS = ("churn_rate", "auc", "log_loss", "calibration_error")


def evaluate_curve(
    activity: Activity, model: ChurnModel, *, test: Dataset, plan: TrainingPlan
) -> tuple[HorizonResults, ...]:
    """Measure the curves of the test users, by ascending horizon; horizons at which nobody churned, or everybody, are not measured."""
    return tuple(_measured(activity, model, test=test, plan=plan))


def _measured(activity: Activity, model: ChurnModel, *, test: Dataset, plan: TrainingPlan) -> Iterator[HorizonResults]:
    curves, recipe = model.curve(test.profiles), plan.recipe
    for days, probability in zip(curves.days, curves.probabilities.T, strict=True):
        found = by_day(activity, test, days=days, plan=plan, until=activity.coverage.covered_until)
        churned = found.happened == model.definition.is_event
        if not found.known.all() or churned.all() or not churned.any():
            continue
        metrics = intervals(churned, probability, seed=recipe.training.seed, of=METRICS, weights=test.weights)
        yield HorizonResults(days, float(np.average(probability, weights=test.weights)), metrics)
