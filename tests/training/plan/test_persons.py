"""Several ids of one person are one user to the rules of bots, to BG/NBD and to the audit, as they are to profiles and labels."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from models.scorers.bg_nbd import Buyers, fit
from tests.builders import world_of
from tests.features.users.test_identities import joined
from training.plan.bots import find_bots
from training.plan.buyers import fit_bg_nbd
from training.plan.persons import days_of_persons, of_every_id

START = datetime(2026, 1, 5, tzinfo=UTC)
CUTOFF = date(2026, 2, 2)  # 28 days later
LINES = ["anna 2026-01-05T10:00", "cookie 2026-01-05T12:00", "cookie 2026-01-07T12:00", "bob 2026-01-06T10:00"]
SIGNED_IN = "cookie anna 2026-01-06T12:00"


def on(day: int) -> date:
    return START.date() + timedelta(days=day)


def test_a_day_of_two_ids_is_one_day_from_when_that_is_known(tmp_path: Path):
    world = world_of(tmp_path, LINES)
    activity = joined(world, [SIGNED_IN])

    def days(**known: Any) -> list[tuple[str, int, int]]:
        relation = days_of_persons(activity, ["events"], **known)
        return activity.connection.sql(f"select user_id, day(day), events from {relation} order by all").fetchall()

    assert days() == [("anna", 5, 2), ("anna", 7, 1), ("bob", 6, 1)]
    assert days(before=date(2026, 1, 7)) == [("anna", 5, 2), ("bob", 6, 1)]
    assert days(before=date(2026, 1, 6)) == [("anna", 5, 1), ("cookie", 5, 1)]  # nobody knew yet
    assert days_of_persons(world.activity(), ["events"]) == world.activity().relation("days")


def test_what_is_true_of_a_person_is_true_of_every_id(tmp_path: Path):
    world = world_of(tmp_path, LINES)
    activity = joined(world, [SIGNED_IN])
    found = of_every_id(activity, "select 'anna' as user_id, 3 as days")
    assert sorted(activity.connection.sql(found).fetchall()) == [("anna", 3), ("cookie", 3)]
    assert of_every_id(world.activity(), "select 1") == "select 1"


def halves() -> Iterator[dict[str, Any]]:
    """A script that is never asleep: with one id up to noon, with another from then on."""
    for step in range(24 * 28):
        at = START + timedelta(hours=step)
        yield {"user_id": "robot" if at.hour < 12 else "other", "event_time": at, "event_type": "open"}


def test_a_script_with_two_ids_never_sleeps(tmp_path: Path):
    people = [f"human{user} {on(day)}T1{user % 10}:00" for user in range(40) for day in range(user % 5, 28, 3)]
    world = world_of(tmp_path, [*people, *halves()])
    assert find_bots(world.activity(), before=CUTOFF).reasons["sleepless"] == 0
    found = find_bots(joined(world, ["other robot 2026-01-20T00:00"]), before=CUTOFF)
    assert (found.users, found.reasons["sleepless"]) == (("robot",), 1)
    later = find_bots(joined(world, ["other robot 2026-02-10T00:00"]), before=CUTOFF)  # not known at the cutoff
    assert later.reasons["sleepless"] == 0


def test_who_buys_with_two_ids_has_bought_twice(tmp_path: Path):
    twice = [f"{kind}{user} {on(day)}T10:00 buy amount=5" for user in range(100) for kind, day in (("a", 0), ("c", 5))]
    once = [f"b{user} {on(3)}T10:00 buy amount=5" for user in range(50)]
    world = world_of(tmp_path, twice + once, covered_until=on(20))
    activity = joined(world, [f"c{user} a{user} {on(6)}T00:00" for user in range(100)])
    by_hand = Buyers(*(np.array(one, dtype=np.float64) for one in ((0, 1), (0, 5), (7, 10), (50, 100))))
    assert fit_bg_nbd(world.activity(), before=on(10), since=None) is None
    assert fit_bg_nbd(activity, before=on(10), since=None) == fit(by_hand)
