"""Probabilities compared with what happened: at the test cutoff as it was tested, at later ones as they would have been given then."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from features.errors import CheckFailed
from models.churn_model import ChurnModel
from models.scorers.base_rate import KnownCutoff
from tests.training.conftest import Training
from training.evaluation.reliability import KnownReliability, known_reliability

WEEKS = 2


def everybody(*_: object) -> None:
    return None


def compared(training: Training, model: ChurnModel, *, follows: bool = True) -> KnownReliability:
    return known_reliability(training.activity, model, recipe=training.recipe, left_alone=everybody, follows=follows)


@pytest.fixture(scope="module")
def older(periods: Training) -> ChurnModel:
    """As if the model had been tested two weeks earlier: then there are later cutoffs whose labels are known."""
    model = periods.trained.model
    test = model.quality.test_cutoff - timedelta(weeks=WEEKS)
    known = tuple(one for one in model.known_cutoffs if one.cutoff <= test)
    return replace(model, quality=replace(model.quality, test_cutoff=test, trained_through=test), known_cutoffs=known)


@pytest.fixture(scope="module")
def found(periods: Training, older: ChurnModel) -> KnownReliability:
    return compared(periods, older)


@pytest.fixture(scope="module")
def unfollowed(periods: Training, older: ChurnModel) -> KnownReliability:
    return compared(periods, older, follows=False)


def test_the_test_cutoff_shows_what_the_training_measured(periods: Training):
    trained = periods.trained
    (at,) = compared(periods, trained.model).cutoffs
    assert at.cutoff == trained.split.test
    assert at.shift == pytest.approx(trained.fit.shift.shift)
    for name in ("calibration_error", "calibration_slope", "calibration_intercept"):
        assert at.whole.metrics[name].value == pytest.approx(trained.evaluation.metrics[name].value, rel=1e-6)
    assert [(one.dimension, one.value, one.users) for one in at.slices] == [
        (one.dimension, one.value, one.users) for one in trained.evaluation.slices
    ]


def test_every_later_week_whose_labels_are_known_is_compared(found: KnownReliability, periods: Training):
    test = periods.trained.split.test
    assert [one.cutoff for one in found.cutoffs] == [test - timedelta(weeks=week) for week in range(WEEKS, -1, -1)]
    assert found.next_cutoff == periods.activity.coverage.covered_until


def test_a_later_cutoff_is_judged_with_the_shift_of_that_time(
    periods: Training, older: ChurnModel, unfollowed: KnownReliability
):
    known = older.known_cutoffs
    raised = tuple(KnownCutoff(one.cutoff, one.rows, one.churn_rate, 0.5, 0.01) for one in known[:-1])
    first = compared(periods, replace(older, known_cutoffs=(*raised, known[-1]))).cutoffs[0]
    assert first.shift == pytest.approx(0.5, abs=0.1)
    assert unfollowed.cutoffs[0].shift == 0
    without = unfollowed.cutoffs[0].whole.metrics["mean_probability"].value
    assert first.whole.metrics["mean_probability"].value > without + 0.03


def test_the_churn_rate_rises_with_the_probability(found: KnownReliability):
    rates = [found.churn_rate(one) for one in (0.2, 0.5, 0.8)]
    assert all(one.low < one.value < one.high for one in rates)
    assert [one.value for one in rates] == sorted(one.value for one in rates)


def test_the_churn_rate_among_users_with_a_score_is_that_of_the_probability_that_is_given(
    found: KnownReliability, unfollowed: KnownReliability
):
    # one who is given .5 without the shift is given another probability with it, and is the same user
    assert unfollowed.shift == 0
    assert unfollowed.churn_rate(0.5).value == pytest.approx(found.churn_rate(float(expit(found.shift))).value)


def test_cutoffs_that_the_model_was_fitted_on_are_not_compared(periods: Training):
    model = periods.trained.model
    refitted = replace(model, quality=replace(model.quality, trained_through=model.quality.test_cutoff + timedelta(14)))
    with pytest.raises(CheckFailed, match="none, with a log that covers up to") as refused:
        compared(periods, refitted)
    assert str(model.quality.test_cutoff + timedelta(28)) in str(refused.value)


def test_too_few_users_are_not_compared(periods: Training):
    def nearly_nobody(_: date, users: Sequence[str]) -> NDArray[np.bool_]:
        return np.arange(len(users)) < 50

    with pytest.raises(CheckFailed, match=r"50 users, .* expected at least 100 and 10") as refused:
        known_reliability(
            periods.activity, periods.trained.model, recipe=periods.recipe, left_alone=nearly_nobody, follows=True
        )
    assert "held out" in refused.value.hint


def test_the_json_has_every_cutoff_with_its_slices(found: KnownReliability):
    first = found.cutoffs[0].to_json()
    assert date.fromisoformat(first["cutoff"]) == found.cutoffs[0].cutoff
    assert {"users", "churn_rate", "calibration_error", "calibration_error_debiased", "base_rate_shift"} <= set(first)
    assert {one["dimension"] for one in first["slices"]} == {"device", "channel", "tenure", "activity"}
