"""Users whose rhythm is inhuman, and humans."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.activity.store import Activity
from features.profiles.build import build_profiles
from models.settings import ModelSettings
from tests.builders import World, world_of
from training.evaluation.backtest import history
from training.plan.bots import Bots, exclusion_condition, find_bots
from training.plan.plan import Recipe
from training.plan.splits import Split
from training.settings import BotsSettings, TrainingSettings

START = datetime(2026, 1, 5, tzinfo=UTC)
CUTOFF = date(2026, 2, 2)  # 28 days later

Row = dict[str, Any]


def event(user: str, at: datetime, count: int = 1) -> Row:
    return {"user_id": user, "event_time": at, "event_type": "open", "count": count}


def humans(many: int, *, days: int = 28) -> Iterator[Row]:
    """People of all sorts: rare and keen, each day another number of events, at any hour but three to five at night."""
    rng = np.random.default_rng(7)
    for user in range(many):
        keenness = rng.lognormal(2, 1)
        for day in range(days):
            if rng.random() < 0.6:
                hours = rng.choice([0, 1, 2, *range(6, 24)], size=3)
                for hour in hours:
                    at = START + timedelta(days=day, hours=int(hour))
                    yield event(f"human{user}", at, 1 + int(rng.poisson(keenness / 3)))


def metronome(user: str, *, days: int = 28, start: int = 0) -> Iterator[Row]:
    """Twice an hour, day and night, for ever."""
    return (event(user, START + timedelta(days=start, minutes=30 * step)) for step in range(48 * days))


def clicker(user: str) -> Iterator[Row]:
    """A click a second, for some hours of three days, never the same number of them."""
    return (
        event(user, START + timedelta(days=day, hours=9 + day), 3600 * hours)
        for day, hours in ((3, 5), (9, 8), (20, 2))
    )


def schedule(user: str) -> Iterator[Row]:
    """A job at seven in the morning that does its forty things on every working day."""
    return (event(user, START + timedelta(days=day, hours=7), 40) for day in range(28) if day % 7 < 5)


def world(folder: Path, *bots: Iterator[Row], days: int = 28) -> Activity:
    return world_of(folder, [*humans(60, days=days), *(row for bot in bots for row in bot)]).activity()


def test_humans_of_all_sorts_are_not_bots(tmp_path: Path) -> None:
    assert find_bots(world(tmp_path), before=CUTOFF) == Bots(
        CUTOFF, (), {"sleepless": 0, "too_much": 0, "too_steady": 0}, {}
    )


@pytest.mark.parametrize(
    ("bot", "rules"),
    [(metronome, {"sleepless", "too_steady"}), (clicker, {"too_much"}), (schedule, {"too_steady"})],
)
def test_a_planted_bot_is_found_by_the_rules_that_it_breaks(
    tmp_path: Path, bot: Callable[[str], Iterator[Row]], rules: set[str]
) -> None:
    found = find_bots(world(tmp_path, bot("robot")), before=CUTOFF)

    assert found.users == ("robot",)
    assert {rule for rule, count in found.reasons.items() if count} == rules
    assert "robot" not in found.describe()


def test_one_event_every_day_is_a_habit(tmp_path: Path) -> None:
    habit = (event("faithful", START + timedelta(days=day, hours=7)) for day in range(28))

    assert find_bots(world(tmp_path, habit), before=CUTOFF).users == ()


def test_six_sleepless_days_are_too_few_and_seven_are_enough(tmp_path: Path) -> None:
    activity = world(tmp_path, metronome("robot"))

    assert find_bots(activity, before=date(2026, 1, 11)).users == ()
    assert find_bots(activity, before=date(2026, 1, 12)).reasons["sleepless"] == 1


def test_what_a_user_does_from_the_cutoff_on_changes_nothing(tmp_path: Path) -> None:
    later = world(tmp_path, metronome("human3", start=28, days=20))

    assert find_bots(later, before=CUTOFF).users == ()
    assert find_bots(later, before=date(2026, 2, 20)).users == ("human3",)


def test_what_a_user_did_more_than_four_weeks_ago_is_forgiven(tmp_path: Path) -> None:
    reformed = world(tmp_path, metronome("human3", start=0, days=10), metronome("robot", start=28), days=56)

    assert find_bots(reformed, before=date(2026, 3, 2)).users == ("robot",)


def test_a_rule_that_a_tenth_of_the_users_breaks_says_something_of_the_log(tmp_path: Path) -> None:
    sleepless = [metronome(f"device{number}") for number in range(20)]

    found = find_bots(world(tmp_path, *sleepless), before=CUTOFF)

    assert found.users == ()
    assert found.too_common == {"sleepless": 0.25, "too_steady": 0.25}


def test_nobody_before_the_first_day_is_a_bot(tmp_path: Path) -> None:
    assert find_bots(world(tmp_path), before=date(2025, 1, 1)).users == ()


def test_bots_are_excluded_at_the_cutoffs_at_which_they_were_known(tmp_path: Path) -> None:
    made = world_of(tmp_path, [*humans(60), *metronome("o'robot", start=14, days=14)])
    activity, early, late = made.activity(), date(2026, 1, 20), CUTOFF
    found = [find_bots(activity, before=cutoff) for cutoff in (early, late)]
    assert [bots.users for bots in found] == [(), ("o'robot",)]

    kept = _profiles(made, activity, cutoffs=[early, late], where=exclusion_condition(activity.connection, found))

    assert ("o'robot", early) in kept
    assert ("o'robot", late) not in kept
    everybody = _profiles(
        made, activity, cutoffs=[early, late], where=exclusion_condition(activity.connection, found[:1])
    )
    assert set(everybody) - set(kept) == {("o'robot", late)}


def test_past_weeks_leave_bots_out_as_the_training_does(tmp_path: Path) -> None:
    churn = {"horizon_days": 7, "active_within_days": 7}
    made = world_of(tmp_path, [*humans(60), *metronome("robot", start=14, days=14)], churn=churn)
    early, late = date(2026, 1, 20), date(2026, 1, 26)  # a day of it is there; a week of it
    splits = [Split((early,), (), (early,), late, "")]
    recipe = Recipe(made.settings.churn, made.settings.features, ModelSettings(), TrainingSettings())

    def robots(recipe: Recipe) -> list[Any]:
        profiles = history(made.activity(), recipe, splits=splits)[1].profiles.select(["user_id", "cutoff"])
        return [row["cutoff"] for row in profiles.to_pylist() if row["user_id"] == "robot"]

    assert robots(recipe) == [early, late]
    assert robots(replace(recipe, bots=BotsSettings(exclude=True))) == [early]


def _profiles(made: World, activity: Activity, *, cutoffs: list[date], where: str) -> list[Any]:
    table = build_profiles(activity, made.specification(), cutoffs=cutoffs, where=where)
    return list(zip(table.column("user_id").to_pylist(), table.column("cutoff").to_pylist(), strict=True))
