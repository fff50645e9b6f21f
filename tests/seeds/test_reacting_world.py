"""A world that reacts: without contacts it is the simulated one, and a contact changes only whom it keeps."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow.dataset as ds
import pytest

from features.errors import InputError
from seeds.reacting_world import ContactResult, ReactingWorld, Reaction
from seeds.simulate import World, simulate
from tests.builders import values_of

WORLD = World(users=400, days=70)
MONDAY = WORLD.start + timedelta(days=42)
EVERYBODY = Reaction(saves=1.0)


def at_monday(folder: Path) -> ReactingWorld:
    found = ReactingWorld(WORLD, folder)
    found.go_on(MONDAY)
    return found


def seen(events: Path) -> set[str]:
    return set(values_of(ds.dataset(events).to_table(columns=["user_id"]), "user_id"))


def active_days(events: Path) -> dict[str, set[date]]:
    sql = f"select user_id, list(distinct event_time::date) from '{events}/**/*.parquet' group by 1"
    return {user: set(days) for user, days in duckdb.execute(sql).fetchall()}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("untouched")
    simulate(WORLD, out)
    return out / "events"


@pytest.fixture(scope="module")
def contacted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ContactResult, set[str]]:
    """Every other user was contacted on a Monday, and each leaver among them kept."""
    world = at_monday(tmp_path_factory.mktemp("contacted"))
    users = sorted(seen(world.events))[::2]
    reacted = world.contact(users, EVERYBODY)
    world.go_on(WORLD.end)
    return world.events, reacted, set(users)


def test_without_contacts_it_is_the_simulated_world(untouched: Path, tmp_path: Path):
    world = at_monday(tmp_path)
    world.go_on(WORLD.end)
    files = sorted(path.relative_to(untouched) for path in untouched.rglob("*.parquet"))
    assert files == sorted(path.relative_to(world.events) for path in world.events.rglob("*.parquet"))
    assert all((untouched / file).read_bytes() == (world.events / file).read_bytes() for file in files)


def test_a_contact_changes_only_whom_it_keeps(untouched: Path, contacted: tuple[Path, ContactResult, set[str]]):
    events, reacted, users = contacted
    before, after = active_days(untouched), active_days(events)
    changed = {user for user in before.keys() | after.keys() if before.get(user) != after.get(user)}
    assert changed
    assert changed <= reacted.saved <= users


def test_who_is_kept_comes_again_and_would_not_have(untouched: Path, contacted: tuple[Path, ContactResult, set[str]]):
    events, reacted, _ = contacted
    later = {MONDAY + timedelta(days=after) for after in range(14)}
    before, after = active_days(untouched), active_days(events)
    without = sum(bool(before[user] & later) for user in reacted.saved) / len(reacted.saved)
    kept = sum(bool(after[user] & later) for user in reacted.saved) / len(reacted.saved)
    assert without < 0.4
    assert kept > 0.7


def test_leavers_are_kept_and_stayers_take_the_incentive_and_nobody_does_both(tmp_path: Path):
    world = at_monday(tmp_path)
    users = sorted(seen(world.events))
    found = world.contact(users, Reaction(saves=0.5, taken_by_stayers=0.5))
    assert found.saved.isdisjoint(found.stayers)
    assert 0.3 < len(found.stayers) / len(users) < 0.6
    assert not world.contact(users, Reaction(saves=0.0, taken_by_stayers=0.0)).stayers


def test_the_effect_can_differ_by_user(tmp_path: Path):
    world = at_monday(tmp_path)
    users = sorted(seen(world.events))
    found = world.contact({user: Reaction(float(place % 2), 0.0) for place, user in enumerate(users)})
    assert found.saved
    assert found.saved <= set(users[1::2])


def test_users_of_another_world_and_days_out_of_reach_are_refused(tmp_path: Path):
    world = ReactingWorld(replace(WORLD, users=20), tmp_path)
    with pytest.raises(InputError, match="1 of 1 users are not of this world"):
        world.contact(["somebody"], EVERYBODY)
    with pytest.raises(InputError, match="cannot go on until 2030-01-01"):
        world.go_on(date(2030, 1, 1))
