"""The metrics on the test cutoff, compared with every baseline on the same users, overall and by slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation.baselines import RULES, Baseline
from models.evaluation.metrics import Interval, intervals, paired
from models.evaluation.reliability import Reliability
from models.evaluation.results import BaselineResults, Evaluation
from training.data.dataset import Dataset
from training.evaluation.grade import grade
from training.evaluation.slices import slices

__all__ = ["Evaluation", "evaluate"]


def evaluate(
    test: Dataset,
    probability: NDArray[np.float64],
    *,
    baselines: Sequence[Baseline],
    seed: int,
    capacity: float | None = None,
) -> Evaluation:
    """Measure probabilities, and the baselines, on the users of one test cutoff; intervals by bootstrap over users.

    Parameters
    ----------
    probability
        Calibrated, shape (n,).
    capacity
        How many of the users of the test the team can contact: lift and recall are reported there too.
    """
    weights = test.weights
    metrics = intervals(test.churned, probability, seed=seed, capacity=capacity, weights=weights)
    results = {baseline.name: _compare(test, probability, baseline=baseline, seed=seed) for baseline in baselines}
    rules = [found for found in results.values() if found.is_rule]
    better = max(rules, key=lambda rule: rule.auc.value, default=None)
    reliability = Reliability.of(test.churned, probability, seed=seed, weights=weights)
    return Evaluation(
        users=len(test.churned),
        metrics=metrics,
        baselines=results,
        slices=slices(test, probability, seed=seed),
        grade=grade(metrics, better=better, by_chance=reliability.by_chance_95),
        mean_probability=float(np.average(probability, weights=weights)),
        reliability=reliability,
    )


def _compare(test: Dataset, probability: NDArray[np.float64], *, baseline: Baseline, seed: int) -> BaselineResults:
    """Measure a baseline, and the difference between model and baseline on the same resampled users."""
    other, weights = baseline.probability(test.profiles), test.weights
    found = intervals(test.churned, other, seed=seed, of=("auc", "log_loss", "calibration_error"), weights=weights)

    def difference(of: str) -> Interval:
        return paired(test.churned, probability, other, of=of, seed=seed, weights=weights)

    return BaselineResults(
        description=baseline.description,
        is_rule=baseline.name in RULES,
        auc=found["auc"],
        log_loss=found["log_loss"],
        calibration_error=found["calibration_error"],
        difference_auc=difference("auc"),
        difference_log_loss=difference("log_loss"),
    )
