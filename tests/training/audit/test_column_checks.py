"""What the audit computes of a column: how well its values predict churn, and how far snapshots are apart."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from models.arrays import Matrix
from tests.training.planting import found, noisy, planted
from training.audit.audit import AuditedTraining
from training.audit.column_checks import aucs_by_value, distances
from training.data.dataset import Dataset


def test_a_single_feature_auc_shares_ties_counts_both_directions_and_puts_missing_values_last():
    churned = np.array([True, True, False, False])
    matrix = np.array([[1, 4, 1, np.nan], [1, 3, 2, np.nan], [1, 2, 1, 0], [1, 1, 3, 1.0]])
    # one value; high to low; 3 of 4 pairs and a half low to high is 0.625 the other way; missing where churned
    assert aucs_by_value("abcd", matrix, churned=churned) == {"a": 0.5, "b": 1.0, "c": 0.625, "d": 1.0}
    assert aucs_by_value("abcd", matrix, churned=np.ones(4, bool)) == {}


def test_the_distance_between_snapshots_is_the_widest_gap_between_their_distributions():
    snapshots = [np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]), np.full(4, np.nan)]
    assert distances(snapshots)[0].tolist() == [0.0, 0.0, 0.5, 1.0]


def as_good_as(part: Dataset, *, noise: float, seed: int) -> list[float]:
    """Days since the last event that nearly tell who left."""
    random = np.random.default_rng(seed)
    return (10 + 4 * part.churned + random.normal(0, noise, len(part.churned))).tolist()


def with_a_good_rule(clean: AuditedTraining, *, noise: float = 1.75) -> AuditedTraining:
    return planted(clean, "days_since_last_event", lambda part: as_good_as(part, noise=noise, seed=1))


def test_a_rule_that_is_far_ahead_of_all_features_is_not_a_leak(clean: AuditedTraining):
    good = with_a_good_rule(clean)
    assert 0.91 < aucs_by_value(("x",), column_of(good, "days_since_last_event"), churned=good.test.churned)["x"] < 0.95
    watchful = replace(good, settings=good.settings.model_copy(update={"single_feature_margin": 0.02}))
    assert found("SINGLE_FEATURE_AUC", watchful) == ()


def test_a_feature_that_is_much_better_than_the_best_rule_is_still_caught(clean: AuditedTraining):
    leaky = planted(with_a_good_rule(clean), "usage_minutes_7d", lambda part: noisy(part, 0.2))
    (finding,) = found("SINGLE_FEATURE_AUC", leaky)
    assert finding.where == "column usage_minutes_7d"
    # the same feature is no leak where a rule comes within .05 of it
    close = planted(with_a_good_rule(clean), "usage_minutes_7d", lambda part: noisy(part, 0.35))
    assert found("SINGLE_FEATURE_AUC", close) == ()


def test_a_rule_above_the_limit_is_caught_itself(clean: AuditedTraining):
    (finding,) = found("SINGLE_FEATURE_AUC", with_a_good_rule(clean, noise=0.8))
    assert finding.where == "column days_since_last_event"
    assert "above 0.95" in finding.found


def column_of(training: AuditedTraining, name: str) -> Matrix:
    column = training.test.profiles.column(name).cast(pa.float64())
    return column.to_numpy().reshape(-1, 1)
