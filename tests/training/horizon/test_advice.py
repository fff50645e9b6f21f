"""The horizon advisor: a whole advice on logs whose rhythm is known, what it refuses and what it warns of."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.activity.store import Activity
from features.errors import CheckFailed, SettingsError
from features.settings import ChurnSettings
from features.snapshots import Coverage
from tests.builders import world_of
from tests.training.untrained import recipe_of
from training.horizon.advice import Advice, advise, has_weekly_rhythm, mislabelling, past_cutoffs
from training.horizon.survival import PARTS, Share
from training.plan.plan import make_plan
from training.settings import AdviceSettings

JAN_1 = date(2026, 1, 1)


def event(user: str, day: int) -> dict[str, Any]:
    return {
        "user_id": user,
        "event_time": datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day),
        "event_type": "open",
    }


def leavers_and_regulars() -> list[dict[str, Any]]:
    """Regulars come every tenth day for ever; leavers come every fifth day, and one after the other leaves for good."""
    regulars = [event(f"regular {n}", day) for n in range(200) for day in range(n % 10, 120, 10)]
    return regulars + [event(f"leaver {n}", day) for n in range(400) for day in range(n % 5, n // 4 + 5, 5)]


@pytest.fixture(scope="module")
def leaving(tmp_path_factory: pytest.TempPathFactory) -> Activity:
    folder, until = tmp_path_factory.mktemp("leaving"), JAN_1 + timedelta(days=120)
    return world_of(folder, leavers_and_regulars(), covered_until=until).activity()


def advice_of(activity: Activity, *candidates: int, horizon: int = 7, rows: int = 20, **churn: Any) -> Advice:
    recipe = recipe_of(ChurnSettings(horizon_days=horizon, **churn), min_class_users=rows)
    return advise(activity, recipe, settings=AdviceSettings(candidates_days=candidates or (7, 14, 28)))


@pytest.fixture(scope="module")
def advice(leaving: Activity) -> Advice:
    return advice_of(leaving)


def test_a_horizon_shorter_than_the_rhythm_of_the_regulars_mislabels_them(advice: Advice):
    week, fortnight, _ = advice.choices
    # a regular is back within ten days at the latest: whoever is quiet for 14 has left
    assert week.back_soon is not None
    assert week.back_soon == week.back_ever
    assert 0.3 < week.back_soon.value < 0.7
    assert fortnight.back_ever == Share(0, 0, 0)
    assert fortnight.returned == 0
    assert advice.recommended == 14
    assert len(advice.warnings) == 1
    assert "horizon_days = 7 mislabels" in advice.warnings[0]


def test_a_training_repeats_what_is_said_of_its_horizon(leaving: Activity, advice: Advice):
    def repeated(days: int, **churn: Any) -> str:
        settings = AdviceSettings(candidates_days=(7, 14, 28))
        asked = ChurnSettings(horizon_days=days, **churn)
        return mislabelling(leaving, recipe_of(asked), settings=settings)

    assert repeated(7) == advice.warnings[0]
    assert repeated(14) == ""
    assert repeated(7, event="event_type = 'cancel'") == ""  # idle days say nothing
    assert repeated(364) == ""  # the log is too short


def test_who_is_eligible_is_advised_too_longer_where_many_come_back(leaving: Activity, advice: Advice):
    assert (advice.recommended, advice.active_within_days) == (14, 14)
    too_short = advice_of(leaving, 7)
    assert (too_short.recommended, too_short.active_within_days) == (7, 14)


def test_a_horizon_that_is_right_is_not_warned_of(leaving: Activity):
    assert advice_of(leaving, 7, 14, horizon=14).warnings == ()


EARLIER: dict[str, Any] = {"test_cutoff": JAN_1 + timedelta(days=80)}
FEWER: dict[str, Any] = {"max_snapshots": 4}


@pytest.mark.parametrize(
    ("days", "update"),
    [
        *[(5, {}), (14, {}), (28, {}), (14, EARLIER), (14, FEWER)],
        *[pytest.param(days, update, marks=pytest.mark.slow) for days in (5, 28) for update in (EARLIER, FEWER)],
    ],
)
def test_snapshots_are_counted_as_a_training_counts_them(leaving: Activity, days: int, update: dict[str, Any]):
    churn = ChurnSettings(horizon_days=days, active_within_days=14)
    for windows in ((7,), (7, 28)):  # a longer window may cost snapshots
        recipe = recipe_of(churn, **update)
        recipe = replace(recipe, features=recipe.features.model_copy(update={"windows_days": windows}))
        (found,) = advise(leaving, recipe, settings=AdviceSettings(candidates_days=(days,))).choices
        assert found.snapshots == len(make_plan(leaving, recipe).split.training_cutoffs)


def test_snapshots_that_an_outage_costs_are_not_counted(tmp_path: Path):
    rows = [one for one in leavers_and_regulars() if not 70 <= (one["event_time"].date() - JAN_1).days < 74]
    activity = world_of(tmp_path, rows, covered_until=JAN_1 + timedelta(days=120)).activity()
    recipe = recipe_of(ChurnSettings(horizon_days=7, active_within_days=7), max_snapshots=200)
    (found,) = advise(activity, recipe, settings=AdviceSettings(candidates_days=(7,))).choices
    plan = make_plan(activity, recipe)
    assert plan.lost_snapshots > 0
    assert found.snapshots == len(plan.split.training_cutoffs)


def test_the_smaller_class_is_not_more_than_the_latest_cutoff_has(tmp_path: Path):
    # 300 users who leave one after the other in the first 90 of 120 days: at the latest cutoffs nobody is left who could leave
    rows = [event(f"u{n}", day) for n in range(300) for day in range(n % 5, 30 + n // 5, 5)]
    rows += [event(f"regular {n}", day) for n in range(200) for day in range(n % 5, 120, 5)]
    activity = world_of(tmp_path, rows, covered_until=JAN_1 + timedelta(days=120)).activity()
    (found,) = advice_of(activity, 7, horizon=7).choices
    assert found.smaller_class == 0
    assert "0 users in the smaller class, 20 are needed" in found.against


def test_idle_days_up_to_half_the_log_say_who_returns(advice: Advice):
    rows = {row.idle_days: row for row in advice.rows}
    assert list(rows) == list(range(1, 61))
    # all spells of regulars last for ten days, nobody's is longer but those of who has left
    assert rows[9].returns.value > 0.5
    assert rows[9].half_back_days == rows[9].most_back_days == 1
    assert rows[10].returns.value == 0
    assert rows[10].half_back_days is None


def test_intervals_contain_the_value(advice: Advice):
    shares = [share for row in advice.rows for share in (row.away, row.returns)]
    shares += [one.churn_rate for one in advice.choices] + [one.back_ever for one in advice.choices if one.back_ever]
    for share in shares:
        assert share.low is not None
        assert share.high is not None
        assert -1e-9 <= share.low - 1e-9 <= share.value <= share.high + 1e-9 <= 1 + 2e-9
    assert advice.choices[0].churn_rate.low != advice.choices[0].churn_rate.high


def test_one_user_gets_figures_without_intervals_and_no_recommendation(tmp_path: Path):
    world = world_of(
        tmp_path, [event("anna", day) for day in range(0, 90, 2)], covered_until=JAN_1 + timedelta(days=90)
    )
    advice = advice_of(world.activity())
    assert advice.recommended is None
    assert advice.why.startswith("no candidate leaves enough to train on; ")
    assert [one.churn_rate for one in advice.choices] == [Share(0, None, None)] * 3
    assert advice.rows[0].returns == Share(1, None, None)  # seen on every second day


def test_a_log_that_is_too_short_is_refused_with_the_way_out(tmp_path: Path):
    world = world_of(tmp_path, [event("anna", day) for day in range(20)], covered_until=JAN_1 + timedelta(days=20))
    with pytest.raises(CheckFailed, match="no horizon of 7 days fits") as refused:
        advice_of(world.activity())
    assert "try again when it covers 2026-01-22" in refused.value.hint  # 14 days of history, 7 of horizon


def test_a_log_in_which_nobody_comes_back_is_refused(tmp_path: Path):
    world = world_of(tmp_path, [event("anna", 0), event("bob", 20)], covered_until=JAN_1 + timedelta(days=60))
    with pytest.raises(CheckFailed, match="was seen again") as refused:
        advice_of(world.activity())
    assert "qualifying" in refused.value.hint


def test_a_configured_horizon_that_the_log_does_not_reach_is_warned_of(leaving: Activity):
    advice = advice_of(leaving, 14, horizon=200)
    assert [one.horizon_days for one in advice.choices] == [14]
    assert "horizon_days = 200 does not fit" in advice.warnings[0]


def test_idle_days_say_nothing_of_an_event_that_means_leaving(leaving: Activity):
    with pytest.raises(SettingsError, match="idle days say nothing"):
        advice_of(leaving, event="event_type = 'cancel'")


@pytest.mark.parametrize(("days", "step"), [(30, 1), (44, 1), (45, 7), (182, 7), (400, 21)])
def test_past_cutoffs_are_at_most_two_dozen_in_whole_weeks_where_it_can_be(days: int, step: int):
    churn = ChurnSettings(active_within_days=14)
    coverage = Coverage(JAN_1, JAN_1 + timedelta(days=days))
    cutoffs = past_cutoffs(coverage, churn, shortest=7)
    assert {(later - cutoff).days for cutoff, later in pairwise(cutoffs)} == {step}
    assert cutoffs[-1] == coverage.covered_until - timedelta(days=7)
    assert cutoffs[0] >= JAN_1 + timedelta(days=14)
    assert len(cutoffs) <= 24


def test_a_weekly_rhythm_is_heard():
    even = np.zeros((PARTS, 2, 41), np.int64)
    even[0, 1, 1:40] = 10  # spells that a return ended, of each length
    weekly = even.copy()
    weekly[0, 1, [7, 14, 21, 28]] += 3
    assert not has_weekly_rhythm(even)
    assert has_weekly_rhythm(weekly)
