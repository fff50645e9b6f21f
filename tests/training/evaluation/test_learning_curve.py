"""Ever more users: each share within the next, the same test, and a law through the points."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from models.evaluation.metrics import Interval, auc
from tests.training.evaluation.test_backtest import Knowing
from tests.training.tested import CUTOFF, made_up
from training.data.dataset import WEIGHT, Dataset
from training.evaluation.learning_curve import Law, LearningCurve, Point, fit_law, learning_curve
from training.plan.splits import Split

SPLIT = Split((CUTOFF,), (), (CUTOFF,), CUTOFF, "folds")


def points_of(law: Law, *, users: tuple[int, ...] = (500, 1000, 2000, 3500, 5000)) -> tuple[Point, ...]:
    return tuple(Point(n, Interval(float(law.auc(n)), 0.0, 1.0)) for n in users)


def users_of(data: Dataset) -> set[str]:
    return {str(user) for user in data.profiles["user_id"].to_pylist()}


def test_each_share_lies_within_the_next_and_all_are_tested_alike():
    fit, (training_rows, _), (test, _) = Knowing(), made_up(3000), made_up(400, seed=1)
    curve = learning_curve(training_rows, test, split=SPLIT, fit=fit, seed=1)
    shown = [users_of(part) for _, part in fit.shown]
    assert [point.users for point in curve.points] == [len(users) for users in shown]
    assert all(few < more for few, more in pairwise(shown))
    assert shown[-1] == users_of(training_rows)
    assert [len(users) / 3000 for users in shown] == pytest.approx([0.1, 0.2, 0.4, 0.7, 1.0], abs=0.03)
    assert len({point.auc for point in curve.points}) == 1  # it knows the same at any size


def test_users_who_stand_for_others_weigh_as_many_in_the_test():
    fit, (training_rows, _), (test, _) = Knowing(), made_up(1000), made_up(400, seed=1)
    weights = np.where(test.churned, 1.0, 1.0 + 9 * (np.arange(400) % 2))
    weighted = Dataset(test.profiles.append_column(WEIGHT, pa.array(weights)), test.churned)
    found = learning_curve(training_rows, weighted, split=SPLIT, fit=fit, seed=1).points[-1].auc.value
    probability = fit.predict_probability(test.profiles)
    assert found == pytest.approx(auc(test.churned, probability, weights=weights))
    assert abs(found - auc(test.churned, probability)) > 1e-4


def test_whole_users_are_sampled_and_another_seed_samples_others():
    once = made_up(1000)[0]
    twice = Dataset(pa.concat_tables([once.profiles, once.profiles]), np.concatenate([once.churned, once.churned]))
    sampled: list[set[str]] = []
    for seed in (1, 1, 2):
        fit = Knowing()
        learning_curve(twice, once, split=SPLIT, fit=fit, seed=seed)
        first = fit.shown[0][1]
        assert len(first.churned) == 2 * len(users_of(first))
        sampled.append(users_of(first))
    assert sampled[0] == sampled[1] != sampled[2]


def test_a_seed_may_be_any_number_and_those_of_sixteen_digits_sample_as_ever():
    (training_rows, _), (test, _) = made_up(1000), made_up(100, seed=1)
    sampled: dict[int, int] = {}
    for seed in (7, 10**16 - 1, 10**16 + 8):
        fit = Knowing()
        learning_curve(training_rows, test, split=SPLIT, fit=fit, seed=seed)
        sampled[seed] = len(users_of(fit.shown[0][1]))
    assert sampled == {7: 76, 10**16 - 1: 108, 10**16 + 8: 107}


def test_shares_that_are_too_small_are_excluded():
    fit, (training_rows, _) = Knowing(), made_up(150)
    curve = learning_curve(training_rows, training_rows, split=SPLIT, fit=fit, seed=1)
    rarer = [min(part.churned.sum(), (~part.churned).sum()) for _, part in fit.shown]
    assert 0 < len(curve.points) < 5
    assert min(rarer) >= 20
    assert curve.law is None
    assert curve.summary.startswith("No power law fits")


def test_the_law_that_made_the_points_is_found_again():
    found = fit_law(points_of(Law(0.82, 0.05, 0.5)))
    assert found is not None
    assert (found.top, found.lost, found.power) == pytest.approx((0.82, 0.05, 0.5), abs=0.005)


def test_what_more_users_would_bring_is_said():
    # at 5,000 users: .82 - .05 / sqrt(5) = .7976; at 10,000 .8042; at 50,000 .8129
    curve = LearningCurve(points_of(Law(0.82, 0.05, 0.5)), Law(0.82, 0.05, 0.5))
    assert curve.gain(2) == pytest.approx(0.00655, abs=1e-5)
    assert curve.gain(10) == pytest.approx(0.01529, abs=1e-5)
    assert curve.summary.startswith("5,000 more users would add about 0.007 to the AUC, ten times as many about 0.015;")


def test_a_flat_curve_says_that_more_would_not_help():
    flat = points_of(Law(0.82, 0.0, 0.5))
    assert LearningCurve(flat, fit_law(flat)).summary.startswith("More users would not help")


def test_a_falling_curve_promises_nothing():
    falling = tuple(
        replace(point, auc=Interval(0.8 - place / 100, 0.0, 1.0))
        for place, point in enumerate(points_of(Law(0.8, 0, 1)))
    )
    assert LearningCurve(falling, fit_law(falling)).summary.startswith("More users would not help")


def test_the_report_is_plain_values():
    curve = LearningCurve(points_of(Law(0.82, 0.05, 0.5))[:1], Law(0.82, 0.05, 0.5))
    assert curve.to_json()["law"] == {"top": 0.82, "lost": 0.05, "power": 0.5}
    assert curve.to_json()["points"][0]["users"] == 500
