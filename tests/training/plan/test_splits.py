"""No label of one part is still open when the next part begins, and the test is always later in time."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import CheckFailed, InputError
from features.settings import ChurnSettings
from features.snapshots import Coverage, LabelWindow
from training.plan.splits import Split, make_split
from training.settings import TrainingSettings

FIRST = date(2026, 1, 1)
WINDOWS = (1, 3, 7, 14, 28)


def days(count: int) -> date:
    return FIRST + timedelta(days=count)


def planned(
    covered_days: int, *, windows: tuple[int, ...] = WINDOWS, test: date | None = None, **settings: Any
) -> Split:
    """The split of a log of so many days; the settings belong to [churn] or [training], wherever they are known."""
    churn = ChurnSettings(**{key: value for key, value in settings.items() if key in ChurnSettings.model_fields})
    training = {key: value for key, value in settings.items() if key in TrainingSettings.model_fields}
    coverage = Coverage(FIRST, days(covered_days))
    return make_split(coverage, churn, training=TrainingSettings(test_cutoff=test, **training), windows_days=windows)


logs = st.fixed_dictionaries(
    {"covered_days": st.integers(3, 500), "horizon_days": st.integers(1, 60)},
    optional={
        "gap_days": st.integers(0, 20),
        "active_within_days": st.integers(0, 90),
        "snapshot_every_days": st.integers(1, 20),
        "max_snapshots": st.integers(1, 60),
    },
)


def window_of(log: dict[str, int]) -> LabelWindow:
    return LabelWindow(log.get("gap_days", 0), log["horizon_days"])


def split_of(log: dict[str, Any]) -> Split | None:
    try:
        return planned(**log)
    except CheckFailed:
        return None


# --- What must never happen ----------------------------------------------------------------------------------------


@given(log=logs)
def test_every_label_of_the_training_is_known_at_the_test_cutoff(log: dict[str, int]):
    if split := split_of(log):
        assert all(window_of(log).end(cutoff) <= split.test for cutoff in split.training_cutoffs)
        assert split.trained_through(window_of(log)) <= split.test


@given(log=logs)
def test_the_test_is_later_than_everything_and_its_horizon_is_finished(log: dict[str, int]):
    if split := split_of(log):
        assert max(split.training_cutoffs) < split.test
        assert window_of(log).end(split.test) <= days(log["covered_days"])


@given(log=logs)
def test_labels_of_one_period_are_known_before_the_next_begins(log: dict[str, int]):
    split = split_of(log)
    if split and not split.uses_folds:
        end = window_of(log).end
        assert max(map(end, split.train)) <= min(split.validation)
        assert max(map(end, split.validation)) <= min(split.calibration)
        assert max(map(end, split.calibration)) <= split.test


@given(log=logs)
def test_separate_periods_share_no_cutoff(log: dict[str, int]):
    split = split_of(log)
    if split and not split.uses_folds:
        parts = [*split.train, *split.validation, *split.calibration, split.test]
        assert len(parts) == len(set(parts))


@given(log=logs)
def test_every_snapshot_has_the_history_that_eligibility_asks_for(log: dict[str, int]):
    if split := split_of(log):
        active_within = log.get("active_within_days", 14) or log["horizon_days"]
        first = min(split.training_cutoffs)
        assert first >= days(min(active_within, log["horizon_days"]))
        assert first >= days(active_within) or len(split.training_cutoffs) <= 8


@given(log=logs)
def test_snapshots_stand_in_equal_steps_and_are_not_too_many(log: dict[str, int]):
    if split := split_of(log):
        every = log.get("snapshot_every_days") or (1 if log["horizon_days"] <= 7 else 7)
        assert all(
            (split.test - cutoff).days % every == window_of(log).days_to_label % every
            for cutoff in split.training_cutoffs
        )
        assert len(split.training_cutoffs) <= log.get("max_snapshots", 52)


@given(log=logs)
def test_where_folds_stand_in_it_is_said(log: dict[str, int]):
    if split := split_of(log):
        assert split.why.startswith("folds of users" if split.uses_folds else "separate periods")
        assert not split.uses_folds or set(split.calibration) <= set(split.train)


# --- By hand -------------------------------------------------------------------------------------------------------


def test_a_log_that_is_long_enough_gets_separate_periods():
    # 120 days, 14-day labels: test at 106; calibration 14 days before and on the two weeks before that, as a third one would leave
    # too little to train on; validation 14 days before the first of them, training the same again
    split = planned(120, horizon_days=14, active_within_days=14, windows=(7, 14))
    assert (split.test, split.validation) == (days(106), (days(64),))
    assert split.calibration == (days(78), days(85), days(92))
    assert split.train == tuple(days(day) for day in (15, 22, 29, 36, 43, 50))


def test_the_gap_widens_every_purge():
    split = planned(200, horizon_days=14, gap_days=7, active_within_days=14, windows=(7, 14))
    calibration = tuple(days(day) for day in (137, 144, 151, 158))
    assert (split.test, split.calibration, split.validation) == (days(179), calibration, (days(116),))
    assert max(split.train) == days(95)


def test_a_short_log_falls_back_to_folds_of_users():
    split = planned(30, horizon_days=7, active_within_days=7, windows=(1, 3, 7))
    assert split.uses_folds
    assert split.test == days(23)
    assert split.train == tuple(days(day) for day in range(7, 17))
    assert split.calibration == tuple(days(day) for day in (13, 14, 15, 16))


def test_a_horizon_of_part_of_a_week_is_calibrated_on_every_weekday():
    split = planned(200, horizon_days=3)
    assert {cutoff.weekday() for cutoff in split.calibration} == set(range(7))
    assert [len(planned(200, horizon_days=days).calibration) for days in (7, 10)] == [4, 4]
    assert len(planned(200, horizon_days=3, calibration_snapshots=9).calibration) == 9


def test_horizons_of_a_week_and_less_take_a_snapshot_a_day_and_longer_ones_one_a_week():
    daily, weekly = planned(200, horizon_days=7), planned(200, horizon_days=8)
    assert (daily.train[1] - daily.train[0], weekly.train[1] - weekly.train[0]) == (timedelta(1), timedelta(7))


def test_of_many_snapshots_the_latest_are_kept():
    some, all_of_them = planned(300, max_snapshots=16), planned(300)
    assert some.training_cutoffs[0] > all_of_them.training_cutoffs[0]
    assert (some.test, some.calibration, some.validation) == (
        all_of_them.test,
        all_of_them.calibration,
        all_of_them.validation,
    )


def test_snapshots_wait_for_the_longest_window_that_costs_at_most_a_third_of_them():
    short, long, longer = (planned(200, windows=windows) for windows in ((7,), (7, 28), (7, 28, 150)))
    assert min(short.train) < days(28) <= min(long.train)
    assert longer.train == long.train


def test_a_window_that_costs_a_third_and_a_bit_more_is_not_waited_for():
    # test at 186, 23 weekly snapshots on days 18, 25, ... 172: 67 days of history cost 7 of them, 68 days cost 8 (34.8 %)
    third, more = planned(200, windows=(7, 28, 67)), planned(200, windows=(7, 28, 68))
    assert third.training_cutoffs[0] == days(67)
    assert more.training_cutoffs[0] == days(32)


def test_an_asked_test_cutoff_is_the_test():
    assert planned(200, test=days(150)).test == days(150)


# --- Refused -------------------------------------------------------------------------------------------------------


def test_a_test_cutoff_with_an_unfinished_horizon_is_refused_and_the_latest_finished_one_named():
    with pytest.raises(InputError, match=f"the log covers up to {days(100)}") as refused:
        planned(100, horizon_days=14, test=days(87))
    assert refused.value.hint == f"take {days(86)} or earlier"
    assert planned(100, horizon_days=14, test=days(86)).test == days(86)


@pytest.mark.parametrize("test", [days(-5), days(0)])
def test_a_test_cutoff_before_the_log_is_refused(test: date):
    with pytest.raises(InputError, match="the log covers"):
        planned(100, test=test)


def possible_from(refused: CheckFailed) -> date:
    (named,) = re.findall(r"from test cutoff (\S+) on", refused.hint)
    return date.fromisoformat(named)


@given(log=logs)
def test_a_refusal_names_the_test_cutoff_from_which_on_it_is_possible(log: dict[str, Any]):
    try:
        planned(**log)
    except CheckFailed as refused:
        named = possible_from(refused)
        covered: Any = (window_of(log).end(named) - FIRST).days
        assert planned(**log | {"covered_days": covered}).test == named
        with pytest.raises(CheckFailed):  # and not from the day before
            planned(**log | {"covered_days": covered - 1})


def test_the_test_cutoff_goes_back_only_to_where_something_can_be_trained_on():
    # the latest cutoff (day 93) is not sound; of days 25, 28 and 29, all have day 14 a horizon before them
    def is_sound(cutoff: date) -> bool:
        return cutoff in {days(14), days(25), days(28), days(29)}

    coverage, churn = Coverage(FIRST, days(100)), ChurnSettings(horizon_days=7, active_within_days=14)
    split = make_split(coverage, churn, training=TrainingSettings(), is_sound=is_sound)
    assert split.test == days(29)
    assert split.training_cutoffs == (days(14),)
    named = TrainingSettings(test_cutoff=days(60))
    with pytest.raises(CheckFailed, match="touch an outage") as refused:
        make_split(coverage, churn, training=named, is_sound=is_sound)
    assert f"take {days(29)}" in refused.value.hint
    make_split(coverage, churn, training=TrainingSettings(test_cutoff=days(29)), is_sound=is_sound)


def test_a_sound_cutoff_without_snapshots_before_it_is_not_offered():
    coverage, churn = Coverage(FIRST, days(40)), ChurnSettings(horizon_days=7, active_within_days=14)
    with pytest.raises(CheckFailed, match="as do those of all before it"):
        make_split(coverage, churn, training=TrainingSettings(), is_sound=lambda cutoff: cutoff == days(10))


def test_an_asked_test_cutoff_that_is_too_early_is_refused_with_the_first_that_is_not():
    with pytest.raises(CheckFailed) as refused:
        planned(200, horizon_days=14, active_within_days=14, test=days(20))
    assert possible_from(refused.value) == days(28)
    assert planned(200, horizon_days=14, active_within_days=14, test=days(28)).train == (days(14),)
