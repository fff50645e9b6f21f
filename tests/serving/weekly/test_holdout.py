from datetime import date, timedelta

import pyarrow as pa
import pytest

from serving.settings import HoldoutSettings
from serving.weekly.account.confidence_sequence import SEASON_WEEKS
from serving.weekly.holdout import DEFAULT_SHARE, HoldoutPlan, new_per_week
from serving.weekly.list_ledger import PastList

MONDAY = date(2026, 10, 5)


def past(week: int, *users: str, epoch: str = "2026-Q4", name: str = "at_risk") -> PastList:
    entries = pa.table(
        {"user_id": pa.array(users, pa.string()), "arm": pa.array(["treated"] * len(users), pa.string())}
    )
    return PastList(MONDAY + timedelta(weeks=week), name, epoch, 0.1, entries)


def plan(size: int, lists: list[PastList] | None = None, *, days: int = 17, **settings: float) -> HoldoutPlan:
    return HoldoutPlan.of(
        HoldoutSettings(**settings),  # type: ignore[arg-type]
        lists or [],
        probabilities=[0.3] * size,
        days_to_outcome=days,
    )


def test_new_users_are_those_of_later_weeks_of_an_epoch_whatever_the_list():
    lists = [
        past(0, "a", "b"),
        past(1, "a", "c", "d"),
        past(1, "b", "e", name="other"),
        past(2, "c", "f"),
        past(13, "a", epoch="2027-Q1"),  # everybody enters again
    ]
    assert new_per_week(lists) == 2.0  # c, d and e in the second week, f in the third


def test_without_a_second_week_nothing_is_known_of_new_users():
    assert new_per_week([]) is None
    assert new_per_week([past(0, "a", "b")]) is None


def test_everybody_enters_in_the_first_week_of_an_epoch_and_new_users_after_it():
    season = plan(100, [past(0, "a"), past(1, "a", "b", "c")]).season
    assert season
    assert season.first_entries.tolist() == [100, *[2] * 12, 100, *[2] * 12]
    assert len(season.first_entries) == SEASON_WEEKS
    assert (season.churn_rate, season.known_after_weeks) == (pytest.approx(0.3), 3)


def test_the_share_is_the_one_that_is_set_or_the_default_or_what_an_effect_needs():
    assert plan(5_000, share=0.2).epoch().share == 0.2
    assert plan(5_000).epoch().share == DEFAULT_SHARE
    shares = [plan(5_000, smallest_effect=points).epoch().share for points in (10, 3, 1)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.05, 0.5)
    assert "3 points" in plan(5_000, smallest_effect=3).epoch().why


def test_the_larger_the_lists_the_smaller_the_effect_that_is_shown():
    words = [plan(size).words(0.1) for size in (500, 50_000)]
    effects = [float(one.split()[3]) for one in words]
    assert effects[0] > 3 * effects[1]
    assert "5 points by week" in words[1]


def test_where_nothing_can_be_shown_the_words_say_so():
    assert "nobody is held out" in plan(5_000).words(0)
    assert "too few users" in plan(20).words(0.1)
    assert "nobody is on a list" in plan(0).words(0.1)
    assert "nobody is held out" in plan(0).words(0)


@pytest.mark.parametrize(("days", "weeks"), [(182, 26), (183, 27), (733, 105)])
def test_a_season_lasts_until_an_outcome_is_known_however_long_the_horizon(days: int, weeks: int):
    found = plan(5_000, days=days, smallest_effect=5)
    assert found.season
    assert found.season.weeks == weeks
    assert f"points or more within {weeks} weeks" in found.words(found.epoch().share)


def test_the_cost_is_of_those_who_are_held_out():
    found = plan(1_000, [past(0, "a"), past(1, "a")]).words(0.1)  # 2,000 entries in two quarters
    assert found.endswith("the control group costs 10 users in 26 weeks, who would have stayed")
