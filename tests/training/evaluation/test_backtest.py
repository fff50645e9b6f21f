"""The past, tested again: which weeks, what each may know, and what all of them say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from features.errors import CheckFailed
from models.evaluation.metrics import Interval, auc
from tests.training.conftest import Training
from tests.training.tested import made_up
from training.data.dataset import WEIGHT, Dataset
from training.data.treatment import ENTRIES, Treatment
from training.diagnostics import diagnose
from training.evaluation.backtest import Backtest, Week, backtest, better_rule, history, past_splits, past_splits_of
from training.plan.outages import Kind, Outage
from training.plan.plan import Recipe
from training.plan.splits import Split, make_split
from training.settings import AdviceSettings

FIRST = date(2026, 3, 2)
MONDAYS = tuple(FIRST + timedelta(days=7 * week) for week in range(6))
LATEST = date(2026, 4, 21)  # the latest finished cutoff of the world
OUT = Outage(LATEST + timedelta(days=6), 0, 900, -20.0, Kind.MISSING)  # in its label window


def split_at(test: date) -> Split:
    return Split((test - timedelta(days=7),), (), (test - timedelta(days=7),), test, "folds")


@dataclass
class Knowing:
    """Fits nothing: it knows the log-odds. It remembers what it was shown."""

    shown: list[tuple[Split, Dataset]] = field(default_factory=list[tuple[Split, Dataset]])

    def __call__(self, training_rows: Dataset, split: Split) -> Knowing:
        self.shown.append((split, training_rows))
        return self

    def predict_probability(self, profiles: pa.Table) -> NDArray[np.float64]:
        return expit(profiles.column("log_odds").to_numpy())


def whole() -> Dataset:
    parts = [made_up(300, seed=number, cutoff=day)[0] for number, day in enumerate(MONDAYS)]
    return Dataset(
        pa.concat_tables([part.profiles for part in parts]), np.concatenate([part.churned for part in parts])
    )


def weeks_of(aucs: list[float], *, rule: float = 0.7) -> Backtest:
    exact = Interval(0.5, 0.5, 0.5)
    return Backtest(
        tuple(
            Week(
                FIRST + timedelta(days=7 * place),
                100,
                0.3,
                Interval(value, value, value),
                exact,
                exact,
                "recency",
                rule,
            )
            for place, value in enumerate(aucs)
        )
    )


def test_every_past_week_is_trained_and_tested_on_its_own_rows():
    fit, data = Knowing(), whole()
    found = backtest(data, [split_at(day) for day in MONDAYS[1:]], fit=fit, minimum=10, seed=1)
    assert [week.cutoff for week in found.weeks] == list(MONDAYS[1:])
    for week, (split, training_rows) in zip(found.weeks, fit.shown, strict=True):
        test = data.at([week.cutoff])
        assert split.test == week.cutoff
        assert set(training_rows.profiles["cutoff"].to_pylist()) == set(split.train)
        assert week.auc.value == pytest.approx(auc(test.churned, fit.predict_probability(test.profiles)))
        assert (week.better_rule, week.better_rule_auc) == better_rule(test)
        assert week.users == 300


def test_users_who_stand_for_others_weigh_as_many_in_every_past_test():
    data = whole()
    weights = np.where(data.churned, 1.0, 1.0 + 9 * (np.arange(len(data.churned)) % 2))
    weighted = Dataset(data.profiles.append_column(WEIGHT, pa.array(weights)), data.churned)
    (week,) = backtest(weighted, [split_at(MONDAYS[1])], fit=Knowing(), minimum=10, seed=1).weeks
    at, test = data.cutoffs == np.datetime64(MONDAYS[1]), data.at([MONDAYS[1]])
    assert week.churn_rate == pytest.approx(np.average(test.churned, weights=weights[at]))
    probability = Knowing().predict_probability(test.profiles)
    assert week.auc.value == pytest.approx(auc(test.churned, probability, weights=weights[at]))
    rule = (
        -test.profiles["active_days"].to_numpy()
        if week.better_rule == "frequency"
        else test.profiles["days_since_last_event"]
    )
    assert week.better_rule_auc == pytest.approx(auc(test.churned, np.asarray(rule), weights=weights[at]))


def test_weeks_with_a_handful_of_churners_are_excluded():
    data = whole()
    few = data.at([MONDAYS[2]]).churned.sum()
    splits = [split_at(day) for day in MONDAYS[1:]]
    kept = [week.cutoff for week in backtest(data, splits, fit=Knowing(), minimum=int(few) + 1, seed=1).weeks]
    assert MONDAYS[2] not in kept  # as a test
    assert MONDAYS[3] not in kept  # in its calibration part


def test_the_better_rule_is_the_one_with_the_higher_auc():
    profiles = pa.table({"days_since_last_event": [1.0, 2.0, 3.0, 4.0], "active_days": [1.0, 2.0, 3.0, 4.0]})
    assert better_rule(Dataset(profiles, np.array([False, False, True, True]))) == ("recency", 1.0)
    assert better_rule(Dataset(profiles, np.array([True, True, False, False]))) == ("frequency", 1.0)
    assert better_rule(Dataset(pa.table({"other": [1.0, 2.0]}), np.array([True, False]))) == ("", 0.5)


@pytest.mark.parametrize(
    ("aucs", "verdict"),
    [
        ([0.80, 0.81, 0.80, 0.81], "stable"),
        ([0.84, 0.83, 0.815, 0.81, 0.80], "falling"),
        ([0.80, 0.81, 0.825, 0.83, 0.84], "rising"),
        ([0.9, 0.8, 0.7], "too short"),
    ],
)
def test_the_direction_is_in_the_verdict(aucs: list[float], verdict: str):
    assert weeks_of(aucs).verdict == verdict


def test_the_slope_is_per_week_and_of_the_straight_line():
    slope = weeks_of([0.80, 0.79, 0.78, 0.77]).slope
    assert slope is not None
    assert [slope.value, slope.low, slope.high] == pytest.approx([-0.01] * 3)


def test_the_sentence_holds_the_metrics():
    assert weeks_of([0.84, 0.83, 0.815, 0.81, 0.80], rule=0.805).summary.startswith(
        "The AUC is falling: 0.800 to 0.840 on 5 past tests"
    )
    assert weeks_of([0.84, 0.83, 0.815, 0.81, 0.80], rule=0.805).summary.endswith("ahead of the best rule on 4 of 5.")
    assert weeks_of([0.9]).summary == "1 past tests fit the log, at least 4 are needed for a trend."


def test_the_report_is_plain_values():
    report = weeks_of([0.8, 0.8, 0.8, 0.8]).to_json()
    assert report["verdict"] == "stable"
    assert report["weeks"][1]["cutoff"] == "2026-03-09"
    assert report["weeks"][0]["auc"] == {"value": 0.8, "low": 0.8, "high": 0.8}


def _refusing(*days: date):
    def plan_at(test: date) -> Split:
        if test in days or test < MONDAYS[0]:
            raise CheckFailed("an outage")
        return split_at(test)

    return plan_at


def test_past_tests_are_weekly_and_the_earliest_comes_first():
    found = past_splits(_refusing(), first=date(2025, 1, 1), latest=MONDAYS[-1], maximum=52)
    assert [split.test for split in found] == list(MONDAYS)


def test_a_refused_week_is_excluded_and_those_before_it_are_not():
    found = past_splits(_refusing(MONDAYS[3]), first=date(2025, 1, 1), latest=MONDAYS[-1], maximum=52)
    assert [split.test for split in found] == [day for day in MONDAYS if day != MONDAYS[3]]


def test_of_too_many_weeks_the_latest_are_kept():
    found = past_splits(_refusing(), first=date(2025, 1, 1), latest=MONDAYS[-1], maximum=2)
    assert [split.test for split in found] == list(MONDAYS[-2:])


def test_where_few_weeks_fit_every_day_is_tested():
    found = past_splits(_refusing(), first=date(2025, 1, 1), latest=MONDAYS[1], maximum=5)
    assert [split.test for split in found] == [MONDAYS[1] - timedelta(days=days) for days in range(4, -1, -1)]


def test_what_is_frozen_knows_nothing_of_the_earliest_test(periods: Training):
    activity, recipe = periods.activity, periods.recipe

    def plan_at(test: date) -> Split:
        then = recipe.training.model_copy(update={"test_cutoff": test})
        return make_split(activity.coverage, recipe.churn, training=then, windows_days=recipe.features.windows_days)

    splits = past_splits(plan_at, first=activity.coverage.first_day, latest=periods.trained.split.test, maximum=2)
    specification, data = history(activity, recipe, splits=splits)
    earliest = splits[0]
    assert set(data.profiles["cutoff"].to_pylist()) == {
        day for one in splits for day in (*one.training_cutoffs, one.test)
    }
    assert specification.fitted.versions
    assert max(specification.fitted.versions.values()) < earliest.test
    assert {"user_id", "cutoff", *specification.feature_names} == set(data.profiles.column_names)
    same = periods.trained.test
    assert data.at([splits[-1].test]).churned.tolist() == same.churned.tolist()


def test_past_tests_avoid_outages(periods: Training):
    recipe, low = periods.recipe, replace(OUT, day=date(2026, 4, 8))
    dates: dict[str, Any] = {"latest": LATEST, "maximum": 3}
    every = past_splits_of(periods.activity, recipe, outages=(), **dates)
    kept = past_splits_of(periods.activity, recipe, outages=(low,), **dates)
    assert [split.test for split in every] == [LATEST - timedelta(days=days) for days in (14, 7, 0)]
    # two weeks of labels, and the week before a cutoff: only the latest has nothing to do with the eighth of April
    assert {split.test for split in every} & {split.test for split in kept} == {LATEST}
    assert all(day > low.day + timedelta(days=7) or day + timedelta(days=14) <= low.day for day in _days(kept))


def _days(splits: tuple[Split, ...]) -> set[date]:
    return {day for split in splits for day in (*split.training_cutoffs, split.test)}


def latest_week(training: Training, treatment: Treatment | None = None, **changed: Any) -> Week:
    """The only past test of a training that is changed in something."""
    found = diagnose(
        training.activity,
        replace(training.trained, **{"recipe": of_one_week(training.trained.recipe)} | changed),
        advice=AdviceSettings(),
        say=lambda _: None,
        treatment=treatment,
    )
    assert found.backtest is not None
    (week,) = found.backtest.weeks
    return week


def of_one_week(recipe: Recipe) -> Recipe:
    return replace(recipe, training=recipe.training.model_copy(update={"backtest_weeks": 1}))


@pytest.fixture(scope="module")
def treatment(easy: Training) -> Treatment:
    """A list of a quarter of the test users."""
    ids = easy.trained.test.profiles["user_id"].to_pylist()[::4]
    entry = {"day": LATEST, "epoch": "q1", "is_held_out": False, "share": 0.1}
    return Treatment(pa.Table.from_pylist([{"user_id": one} | entry for one in ids], schema=ENTRIES))


@pytest.fixture(scope="module")
def latest(easy: Training, treatment: Treatment) -> Week:
    """Of a training that excluded nobody."""
    assert easy.trained.training_rows.weights is None
    return latest_week(easy, treatment)


def test_a_training_looks_back_past_the_outages_that_it_knows(easy: Training, latest: Week):
    assert latest.cutoff == LATEST
    plan = replace(easy.trained.plan, outages=(OUT,))
    # its label ends where the outage begins
    assert latest_week(easy, plan=plan).cutoff == OUT.day - timedelta(days=14)


def test_a_backtest_excludes_treated_rows_where_the_training_did(easy: Training, treatment: Treatment, latest: Week):
    excluding = treatment.of(easy.trained.training_rows, easy.trained.recipe.window).untreated()
    found = latest_week(easy, treatment, training_rows=excluding)
    assert found.cutoff == latest.cutoff
    assert latest.users - found.users == treatment.entries.num_rows
