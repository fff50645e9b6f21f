"""Who is new, which windows their profiles have, and which snapshots see them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from features.errors import SettingsError
from features.settings import ChurnSettings, FeatureSettings
from features.snapshots import Coverage
from training.plan.new_users import new_users_only
from training.plan.splits import make_split
from training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("least", "named", "days"),
    [(0, None, 7), (1, None, 7), (8, None, 7), (15, None, 14), (15, 5, 5), (0, 10, 10)],
)
def test_new_is_who_is_too_new_for_the_champion_unless_days_are_named(least: int, named: int | None, days: int):
    churn, _ = new_users_only(
        ChurnSettings(min_tenure_days=least), FeatureSettings(), training=TrainingSettings(new_user_days=named)
    )
    assert (churn.min_tenure_days, churn.max_tenure_days) == (1, days)


@pytest.mark.parametrize(("days", "windows"), [(7, (1, 3, 7)), (5, (1, 3, 7)), (8, (1, 3, 7, 14)), (90, None)])
def test_windows_end_with_the_first_that_holds_every_day_of_a_new_user(days: int, windows: tuple[int, ...] | None):
    _, features = new_users_only(ChurnSettings(), FeatureSettings(), training=TrainingSettings(new_user_days=days))
    assert features.windows_days == (windows or FeatureSettings().windows_days)


def test_windows_stay_where_settings_name_features_that_may_have_them():
    named = FeatureSettings(exclude=("events_28d",))
    assert new_users_only(ChurnSettings(), named, training=TrainingSettings())[1] == named


def test_a_history_in_which_everybody_looks_new_is_refused():
    with pytest.raises(SettingsError, match="everybody would look new"):
        new_users_only(ChurnSettings(), FeatureSettings(observation_days=7), training=TrainingSettings())
    new_users_only(ChurnSettings(), FeatureSettings(observation_days=8), training=TrainingSettings())


def test_every_user_is_new_in_two_snapshots_and_no_snapshot_takes_the_start_of_the_log_for_an_arrival():
    first = date(2026, 1, 1)
    churn, features = new_users_only(ChurnSettings(), FeatureSettings(), training=TrainingSettings())
    split = make_split(
        Coverage(first, first + timedelta(days=200)),
        churn,
        training=TrainingSettings(),
        windows_days=features.windows_days,
    )
    days = [(cutoff - first).days for cutoff in split.train]
    # 14 days of history before anybody who is new at the first snapshot can have been seen first
    assert days[0] >= 14 + 7
    arrivals = range(days[0] - 1, days[-1] - 6)
    assert {sum(1 <= day - arrival <= 7 for day in days) for arrival in arrivals} == {2, 3}
    assert {cutoff.weekday() for cutoff in split.train} == set(range(7))
