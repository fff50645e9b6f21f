"""What a training will do where history is short, the log collapsed, or leaving is an event."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import CheckFailed
from features.settings import ChurnSettings, FeatureSettings
from models.evaluation.metrics import auc
from models.scorers.ensemble import BgNbdPart
from models.settings import ModelSettings
from tests.builders import World, world_of
from tests.training.untrained import plan_of
from tests.training.untrained import recipe_of as bare_recipe
from training.data.dataset import label
from training.pipeline import to_audit, train
from training.plan.plan import Recipe, Strategy, complete_cutoffs, is_history_limited, make_plan
from training.plan.splits import Split
from training.report.warnings import warnings_of
from training.settings import OutagesSettings, TrainingSettings
from training.trained import TrainingResult

START = date(2026, 1, 1)


def day(number: int) -> str:
    return str(START + timedelta(days=number))


WEEKS = {"windows_days": (7, 28)}


def recipe_of(world: World, **training: Any) -> Recipe:
    few: dict[str, Any] = {"min_class_users": 20} | training
    model = ModelSettings(max_rounds=20, early_stopping_rounds=5, min_data_in_leaf=10)
    return Recipe(world.settings.churn, world.settings.features, model, TrainingSettings(**few))


def buyers(folder: Path, *, users: int = 500, days: int = 200, money: str = "amount=9.5", **churn: Any) -> World:
    """People who start to buy in the first month, each at a rate of their own until they stop for good."""
    random = np.random.default_rng(3)
    lines = [
        f"u{user:04d} {day(at)}T10:00 buy {money}"
        for user in range(users)
        for at in sorted({int(at) for at in _purchases(random, days)})
    ]
    settings: dict[str, Any] = {"churn": {"active_within_days": 0} | churn, "features": WEEKS}
    return world_of(folder, lines, **settings, covered_until=START + timedelta(days=days))


def _purchases(random: np.random.Generator, days: int) -> Sequence[float]:
    at, rate, stop = random.uniform(0, 30), random.gamma(1, 0.05), random.beta(1, 4)
    found: list[float] = []
    while at < days:
        found.append(at)
        if random.random() < stop:
            break
        at += random.exponential(1 / rate)
    return found


def test_where_no_label_is_known_in_time_a_shop_asks_how_people_buy(tmp_path: Path):
    world = buyers(tmp_path, horizon_days=100)
    plan = make_plan(world.activity(), recipe_of(world))
    assert plan.strategy is Strategy.BG_NBD
    assert (plan.split.train, plan.split.test) == ((), START + timedelta(days=100))
    assert plan.split.calibration == (START + timedelta(days=50),)
    assert plan.label_window.end(plan.split.calibration[0]) == plan.split.test
    assert "BG/NBD" in plan.why


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """Trained with BG/NBD."""
    world = buyers(tmp_path_factory.mktemp("bought"), users=1500, horizon_days=100)
    return train(world.activity(), recipe_of(world), say=lambda _: None)


def test_how_people_buy_tells_who_comes_back_with_probabilities_that_hold(bought: TrainingResult):
    found = bought
    probability = found.model.predict_probability(found.test.profiles)
    assert found.model.scorer.kinds == ("buying",)
    assert auc(found.test.churned, probability) > 0.75
    assert abs(probability.mean() - found.test.churned.mean()) < 0.05
    assert {"recency", "frequency", "bg_nbd"} <= found.evaluation.baselines.keys()
    assert "logistic" not in found.evaluation.baselines  # which would learn from the labels of the test
    assert found.evaluation.auc.value == pytest.approx(found.evaluation.baselines["bg_nbd"].auc.value)


def test_contributions_of_how_people_buy_add_up_to_the_distance_from_the_typical_user(bought: TrainingResult):
    from models.encoding import encode

    model = bought.model
    matrix = encode(bought.test.profiles.slice(0, 20), model.specification)
    ((_, part),) = model.scorer.parts
    assert isinstance(part, BgNbdPart)
    typical = part.score(np.array([part.usual]))[0]
    contributions = model.scorer.contributions(matrix)
    assert contributions.sum(axis=1) + typical == pytest.approx(model.scorer.raw(matrix))
    assert set(np.flatnonzero(np.abs(contributions).sum(axis=0))) == set(part.places)


def test_any_other_log_learns_the_longest_shorter_horizon_that_fits(tmp_path: Path):
    world = buyers(tmp_path, money="", horizon_days=100)
    plan = make_plan(world.activity(), recipe_of(world))
    assert plan.strategy is Strategy.SHORTER
    # 100 days of history: half of them to look back on, half to look ahead
    assert plan.label_churn.horizon_days == 50
    assert plan.recipe.churn.horizon_days == 100
    assert plan.split.training_cutoffs == (START + timedelta(days=50),)
    assert "50 days is the longest that fits" in plan.why


@pytest.fixture(scope="module")
def unpaid(tmp_path_factory: pytest.TempPathFactory) -> World:
    return buyers(tmp_path_factory.mktemp("unpaid"), money="", users=800, horizon_days=100)


def test_a_shorter_horizon_is_trained_on_and_the_target_one_tested_and_nothing_is_refitted(unpaid: World):
    world = unpaid
    found = train(world.activity(), recipe_of(world, refit=True), say=lambda _: None)
    assert found.refitted is None  # the calibration is that of scores for the shorter horizon
    assert [one for one in warnings_of(found) if one.startswith("the tested model serves, and is not refitted")]
    assert found.model.definition.horizon_days == 100
    assert found.model.quality.trained_through == found.split.test
    assert found.evaluation.auc.value > 0.65


def test_the_audit_checks_the_test_under_the_label_of_the_training(unpaid: World):
    world = unpaid
    found = to_audit(world.activity(), recipe_of(world), say=lambda _: None)
    training_rows, target = (
        label(world.activity(), found.test.profiles, churn=churn) for churn in (found.churn, world.settings.churn)
    )
    assert (found.churn.horizon_days, world.settings.churn.horizon_days) == (50, 100)
    assert found.test.churned.tolist() == training_rows.churned.tolist()
    assert found.test.churned.sum() > target.churned.sum()


def test_the_audit_does_not_read_what_depends_on_the_first_day_where_history_is_limited(tmp_path: Path):
    world = visits(tmp_path, users=80, horizon_days=30)
    assert "profiles see only the last" in make_plan(world.activity(), recipe_of(world)).limited_history
    found = to_audit(world.activity(), recipe_of(world), say=lambda _: None).specification
    assert {"tenure_days"} <= {one.name for one in found.features if one.depends_on_first_day} <= set(found.unused)


@pytest.fixture(scope="module")
def too_short(tmp_path_factory: pytest.TempPathFactory) -> World:
    """140 of 200 days are the horizon, and no amounts are known."""
    return buyers(tmp_path_factory.mktemp("short"), money="", users=1200, horizon_days=140)


@pytest.fixture(scope="module")
def repeating(too_short: World) -> TrainingResult:
    """Trained on active days."""
    return train(too_short.activity(), recipe_of(too_short), say=lambda _: None)


def test_where_no_shorter_horizon_fits_and_no_amount_is_known_active_days_are_what_repeats(
    too_short: World, repeating: TrainingResult
):
    plan = make_plan(too_short.activity(), recipe_of(too_short))
    assert plan.strategy is Strategy.BG_NBD
    assert "each active day counts as a purchase" in plan.why
    found = repeating
    probability = found.model.predict_probability(found.test.profiles)
    assert auc(found.test.churned, probability) > 0.65
    assert found.evaluation.auc.value == pytest.approx(found.evaluation.baselines["bg_nbd"].auc.value)


def test_active_days_repeat_as_purchases_do(repeating: TrainingResult, tmp_path: Path):
    paid = buyers(tmp_path, users=1200, horizon_days=140)
    other = train(paid.activity(), recipe_of(paid), say=lambda _: None)
    assert repeating.model.predict_probability(repeating.test.profiles) == pytest.approx(
        other.model.predict_probability(other.test.profiles), rel=1e-3
    )


def test_where_leaving_is_an_event_active_days_say_nothing_of_it(too_short: World):
    asked = recipe_of(too_short)
    other = replace(asked, churn=asked.churn.model_copy(update={"event": "event_type = 'cancel'"}))
    with pytest.raises(CheckFailed, match="no snapshot can be used for training"):
        make_plan(too_short.activity(), other)


def test_a_horizon_far_shorter_than_the_asked_one_says_nothing_of_it(tmp_path: Path):
    world = buyers(tmp_path, money="", horizon_days=190)
    with pytest.raises(CheckFailed, match="no snapshot can be used for training"):
        make_plan(world.activity(), recipe_of(world))


@pytest.mark.parametrize("horizon", [190, 199, 250])
def test_a_log_that_is_too_short_names_a_horizon_that_is_not(tmp_path: Path, horizon: int):
    world = buyers(tmp_path, money="", users=50, horizon_days=horizon)
    with pytest.raises(CheckFailed) as refused:
        make_plan(world.activity(), recipe_of(world))
    (days,) = re.findall(r"or with \[churn\] horizon_days = (\d+)", refused.value.hint)
    recipe = recipe_of(world)
    shorter = replace(recipe, churn=recipe.churn.model_copy(update={"horizon_days": int(days)}))
    assert make_plan(world.activity(), shorter).strategy is Strategy.DIRECT


def visits(folder: Path, *, gone: Sequence[int] = (), users: int = 40, **churn: Any) -> World:
    """People who come on most days of three months, but for some days on which nothing was recorded."""
    random = np.random.default_rng(5)
    lines = [
        f"u{user} {day(at)}T{10 + user % 10}:00"
        for at in range(90)
        for user in range(users)
        if at not in gone and random.random() < 0.7
    ]
    settings = {"horizon_days": 7, "active_within_days": 7} | churn
    return world_of(folder, lines, churn=settings, features=WEEKS, covered_until=START + timedelta(days=90))


STRICT = OutagesSettings(tolerated_share=0)


def test_snapshots_avoid_days_on_which_the_log_collapsed(tmp_path: Path):
    world = visits(tmp_path, gone=[50])
    plan = make_plan(world.activity(), replace(recipe_of(world), outages=STRICT))
    out = START + timedelta(days=50)
    assert [outage.day for outage in plan.outages] == [out]
    assert plan.split.training_cutoffs
    for cutoff in plan.split.training_cutoffs:
        assert not cutoff <= out < cutoff + timedelta(days=7)
        assert not cutoff - timedelta(days=7) <= out < cutoff


def test_the_test_cutoff_steps_back_from_an_outage_and_a_named_one_is_refused(tmp_path: Path):
    world = visits(tmp_path, gone=[85])
    plan = make_plan(world.activity(), replace(recipe_of(world), outages=STRICT))
    assert plan.split.test == START + timedelta(days=78)  # its horizon ends on the day before
    with pytest.raises(CheckFailed, match="touch an outage"):
        make_plan(world.activity(), replace(recipe_of(world, test_cutoff=START + timedelta(days=83)), outages=STRICT))
    recipe = recipe_of(world, test_cutoff=START + timedelta(days=83))
    unexcluded = make_plan(world.activity(), replace(recipe, outages=OutagesSettings(exclude=False)))
    assert unexcluded.split.test == START + timedelta(days=83)
    assert unexcluded.outages == ()


def test_a_shorter_label_need_not_avoid_a_day_that_only_the_target_would_see(tmp_path: Path):
    world = visits(tmp_path, gone=[30], horizon_days=50)
    plan = make_plan(world.activity(), replace(recipe_of(world), outages=STRICT))
    assert plan.strategy is Strategy.SHORTER
    assert plan.split.test == START + timedelta(days=40)
    assert all(plan.label_window.end(cutoff) <= START + timedelta(days=30) for cutoff in plan.split.training_cutoffs)


def test_directions_are_let_go_where_leaving_is_an_event(tmp_path: Path):
    world = visits(tmp_path, event="event_type = 'cancel'")
    assert make_plan(world.activity(), recipe_of(world)).recipe.model.monotone == "none"
    assert recipe_of(world).model.monotone == "known"


def test_a_refit_learns_from_every_finished_snapshot_each_once(tmp_path: Path):
    world = visits(tmp_path, users=80, horizon_days=2)
    recipe = recipe_of(world, refit=True, min_class_users=2, max_snapshots=20)
    found = train(world.activity(), recipe, say=lambda _: None)
    assert found.refitted
    first = (found.split.train[0] - START).days
    assert found.refit_cutoffs == tuple(START + timedelta(days=at) for at in range(first, 89))[-20:]
    assert len(found.refit_cutoffs) > len({*found.split.training_cutoffs, found.split.test})  # the purges are over
    assert found.refitted.quality.trained_through == START + timedelta(days=90)
    assert found.refitted.calibration == found.model.calibration
    assert found.refitted.scorer.trees == found.model.scorer.trees


def days_of(cutoffs: Sequence[date]) -> list[int]:
    return [(cutoff - START).days for cutoff in cutoffs]


def split_at(*train: int, test: int) -> Split:
    cutoffs = tuple(START + timedelta(days=days) for days in train)
    return Split(cutoffs, (), cutoffs[-1:], START + timedelta(days=test), "folds of users")


@pytest.mark.parametrize(("horizon", "first"), [(14, 33), (17, 33)])
def test_the_snapshots_of_a_refit_are_one_grid_whatever_the_horizon(horizon: int, first: int):
    # weekly back from what was known at the test: the same days as weekly back from the test only where two weeks are between
    last = 89 - horizon
    split = split_at(*range(last - 42, last + 1, 7), test=89)
    recipe = bare_recipe(ChurnSettings(horizon_days=horizon))
    assert days_of(complete_cutoffs(plan_of(recipe, split))) == list(range(first, 90, 7))
    few = replace(recipe, training=TrainingSettings(max_snapshots=3))
    assert days_of(complete_cutoffs(plan_of(few, split))) == [75, 82, 89]


@pytest.mark.parametrize(
    ("test", "observed", "limited"),
    [
        (59, None, False),  # less than 1.5 times the 40 days of the latest training cutoff
        (60, None, True),
        (60, 30, True),  # as a plan for this test would set it: the history of the first snapshot
        (60, 24, True),  # or one for another test, whose first snapshot is up to a week earlier
        (60, 23, False),  # it was set by hand: every profile sees as many days
    ],
)
def test_of_a_recipe_it_is_known_where_its_history_would_be_limited(test: int, observed: int | None, limited: bool):
    recipe, split = bare_recipe(ChurnSettings(horizon_days=10)), split_at(30, 40, test=test)
    recipe = replace(recipe, features=FeatureSettings(observation_days=observed))
    assert is_history_limited(recipe, split, first_day=START) is limited
    new = replace(recipe, churn=recipe.churn.model_copy(update={"max_tenure_days": 7}))
    assert not is_history_limited(new, split, first_day=START)
