"""One set of profiles for several plans: which cutoffs it has, under which label each plan sees its rows."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from features.activity.store import Activity
from features.eligibility import RECENT, TENURE
from features.settings import ChurnSettings
from tests.builders import World, values_of, world_of
from tests.training.untrained import plan_of, recipe_of, split_of
from training.data.dataset import Dataset, eligible_profiles
from training.data.snapshots import ProfileSet, condition, profile_sets_of
from training.plan.plan import TrainingPlan
from training.settings import BotsSettings

FIRST, SECOND, THIRD, TEST = (date(2026, 3, day) for day in (2, 9, 16, 23))
CHURN = ChurnSettings(horizon_days=7, active_within_days=14)

# who    days in March           churned within 7 days of    within 3 days of
# anna   1, 8, 15, 22, 29        no cutoff                   2nd, 9th, 16th
# bob    1, 10                   the 2nd, from the 16th on   2nd, 16th
LINES = [f"anna 2026-03-{day:02}T10:00" for day in (1, 8, 15, 22, 29)] + ["bob 2026-03-01", "bob 2026-03-10"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(tmp_path_factory.mktemp("log"), LINES, churn={"horizon_days": 7, "active_within_days": 14})


@pytest.fixture(scope="module")
def activity(world: World) -> Activity:
    return world.activity()


@pytest.fixture(scope="module")
def profiles(world: World, activity: Activity) -> ProfileSet:
    """Two training cutoffs and a test, with two features."""
    spec = world.specification(only=(RECENT, TENURE), activity=activity)
    before, test = (
        eligible_profiles(activity, spec, cutoffs=cutoffs, churn=CHURN) for cutoffs in ((FIRST, SECOND), (TEST,))
    )
    return ProfileSet(activity, spec, {}, before, test)


def plan(*train: date, test: date = TEST, label_days: int | None = None) -> TrainingPlan:
    return plan_of(recipe_of(CHURN), split_of(*train, test=test), label_days=label_days)


def labels(dataset: Dataset) -> dict[tuple[str, int], bool]:
    keys = zip(values_of(dataset.profiles, "user_id"), values_of(dataset.profiles, "cutoff"), strict=True)
    return {(user, cutoff.day): churned for (user, cutoff), churned in zip(keys, dataset.churned.tolist(), strict=True)}


def test_a_plan_gets_the_rows_of_its_own_training_cutoffs(profiles: ProfileSet):
    assert labels(profiles.training_rows_of(plan(FIRST))) == {("anna", 2): False, ("bob", 2): True}
    assert labels(profiles.training_rows_of(plan(FIRST, SECOND))) == {
        ("anna", 2): False,
        ("bob", 2): True,
        ("anna", 9): False,
        ("bob", 9): False,
    }


def test_training_rows_have_the_label_of_the_plan_and_the_test_that_of_the_target_horizon(profiles: ProfileSet):
    shorter = plan(SECOND, label_days=3)
    assert labels(profiles.training_rows_of(shorter)) == {("anna", 9): True, ("bob", 9): False}
    assert labels(profiles.test_of(shorter)) == {("anna", 23): False, ("bob", 23): True}  # bob came 13 days before


def test_profiles_of_other_cutoffs_are_built_and_those_that_exist_are_used(profiles: ProfileSet):
    found = profiles.dataset_at([FIRST, THIRD, TEST], plan(FIRST, SECOND))
    assert found.snapshots == (FIRST, THIRD, TEST)
    assert labels(found.at([THIRD])) == {("anna", 16): False, ("bob", 16): True}
    days = dict(zip(labels(found), found.profiles[RECENT].to_pylist(), strict=True))
    assert (days["bob", 2], days["bob", 16], days["bob", 23]) == (1, 6, 13)


def test_a_refit_has_the_same_sample_of_users_at_every_cutoff(tmp_path: Path):
    users = range(400)
    lines = [f"u{user} 2026-03-{day:02}T10:00" for user in users for day in (1, 8, 15, 22, 29)]
    many = world_of(tmp_path, lines, churn={"horizon_days": 7, "active_within_days": 14}).activity()
    sampled = plan_of(recipe_of(CHURN, max_training_rows=1000), split_of(FIRST, SECOND, test=TEST))
    found = ProfileSet.of(many, [sampled], say=lambda _: None)
    assert (found.training_rows.num_rows, found.tests.num_rows) == (800, 400)  # each of them is few enough
    rows = found.dataset_at([FIRST, SECOND, THIRD, TEST], sampled)
    ids = [frozenset(values_of(rows.at([cutoff]).profiles, "user_id")) for cutoff in rows.snapshots]
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert len(rows.churned) == pytest.approx(1000, rel=0.15)  # of 1,600


def test_one_specification_is_frozen_at_the_earliest_end_of_training(activity: Activity):
    said: list[str] = []
    found = ProfileSet.of(activity, [plan(FIRST, SECOND), plan(FIRST, test=THIRD)], say=said.append)
    assert found.excluded["events_7d"] == "the window of 7 days is longer than the history of 1"
    assert set(found.training_rows["cutoff"].to_pylist()) == {FIRST, SECOND}
    assert set(found.tests["cutoff"].to_pylist()) == {THIRD, TEST}
    names = found.specification.feature_names
    assert said == [f"{len(names)} features, {len(found.excluded)} excluded; profiles at 4 cutoffs"]


def test_plans_share_profiles_only_where_these_see_as_many_days(activity: Activity):
    def seeing(days: int | None, horizon_days: int) -> TrainingPlan:
        recipe = recipe_of(CHURN.model_copy(update={"horizon_days": horizon_days}))
        features = recipe.features.model_copy(update={"observation_days": days})
        return plan_of(replace(recipe, features=features), split_of(FIRST, SECOND, test=TEST))

    plans = [seeing(8, 7), seeing(None, 3), seeing(8, 5)]
    found = profile_sets_of(activity, plans, say=lambda _: None)
    assert [one.specification.observation_days for one in found] == [8, None, 8]
    assert found[0] is found[2]


def test_without_training_cutoffs_only_the_test_is_built(activity: Activity):
    alone = plan_of(recipe_of(CHURN), split_of(test=TEST))
    found = ProfileSet.of(activity, [alone], say=lambda _: None)
    assert found.training_rows.num_rows == 0
    assert found.training_rows.schema == found.tests.schema


@pytest.mark.parametrize(("exclude", "start"), [(False, "true"), (True, "true and (cutoff, user_id) not in ")])
def test_bots_are_excluded_where_the_settings_say_so(activity: Activity, exclude: bool, start: str):
    recipe = replace(recipe_of(CHURN), bots=BotsSettings(exclude=exclude))
    where = condition(activity, [FIRST], recipe=recipe)
    assert where.startswith(start)
    assert ("not in" in where) == exclude
