"""What the audit computes of a column: how well its values predict churn, and how far snapshots are apart."""

import numpy as np

from training.audit.column_checks import aucs_by_value, distances


def test_a_single_feature_auc_shares_ties_counts_both_directions_and_puts_missing_values_last():
    churned = np.array([True, True, False, False])
    matrix = np.array([[1, 4, 1, np.nan], [1, 3, 2, np.nan], [1, 2, 1, 0], [1, 1, 3, 1.0]])
    # one value; high to low; 3 of 4 pairs and a half low to high is 0.625 the other way; missing where churned
    assert aucs_by_value("abcd", matrix, churned=churned) == {"a": 0.5, "b": 1.0, "c": 0.625, "d": 1.0}
    assert aucs_by_value("abcd", matrix, churned=np.ones(4, bool)) == {}


def test_the_distance_between_snapshots_is_the_widest_gap_between_their_distributions():
    snapshots = [np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]), np.full(4, np.nan)]
    assert distances(snapshots)[0].tolist() == [0.0, 0.0, 0.5, 1.0]
