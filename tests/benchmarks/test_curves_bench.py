"""The benchmark of curves: its score by hand, and what its page says."""

import numpy as np
import pytest

from benchmarks.accuracy.curves import DAYS, figures, page


def test_the_integrated_brier_score_is_the_mean_over_the_days_by_trapezoids():
    churned = {10: np.array([True, False]), 20: np.array([True, False]), 40: np.array([False, False])}
    probability = np.array([[0.5, 1.0, 0.2], [0.5, 0.0, 0.2]])
    found = figures(probability, churned)  # Brier .25, 0, .04
    assert found["integrated_brier"] == pytest.approx((10 * 0.125 + 20 * 0.02) / 30)
    assert found["mean"] == pytest.approx({10: 0.0, 20: 0.0, 40: 0.2})


def test_the_page_names_bg_nbd_only_where_the_log_has_it():
    churned = {days: np.array([True, False]) for days in DAYS}
    half = figures(np.full((2, len(DAYS)), 0.5), churned)
    numbers = {"users": 2, "horizon": 14, "rising": 0, "auc_off": 0.0, "log_loss_off": 0.0, "cost": 1.2}
    row = numbers | {"known_median": 0.5, "model": half, "bg_nbd": None}
    assert "BG/NBD 0.25" not in page({"one": row})
    assert "Integrated Brier score: curve 0.25000, BG/NBD 0.25000." in page({"one": row | {"bg_nbd": half}})
