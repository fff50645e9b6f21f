"""One partition of a log, without Spark around it, against one machine and against profiles of events alone."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Unit
from features.profiles.build import build_profiles
from features.profiles.online import OnlineProfiles
from features.profiles.specification import Specification
from features.settings import ComputeSettings
from features.snapshots import instant
from features.spark.partition import Users
from tests.builders import Row, World, columns_of, rows, world_of
from tests.features.profiles.test_online import history
from training.data.specification import freeze

BERLIN = "Europe/Berlin"
CUTOFF = date(2026, 1, 9)
LEARNT_FROM = date(2026, 1, 20)
EVENTS = rows(["anna 2026-01-05T11:30", "anna 2026-01-07T20:00", "bob 2026-01-06T11:59", "bob 2026-01-08T12:00"])
TYPES = {"user_id": "VARCHAR", "event_time": "TIMESTAMP WITH TIME ZONE", "event_type": "VARCHAR"}
NOONS = CustomFeature(
    "windowed",
    "noons",
    Unit.COUNT,
    "Events at noon.",
    "came at noon {value} times",
    daily="coalesce(sum(n) filter (hour(event_time) = 12), 0)",
)


def world_at_noon(folder: Path, naive_zone: str) -> World:
    """A world whose conditions read the clock of an instant."""
    churn = {"timezone": BERLIN, "qualifying": "hour(event_time) = 12", "event": "hour(event_time) = 13"}
    return world_of(folder, EVENTS, churn=churn, features={"custom": (NOONS,)}, timezone=naive_zone)


def frozen(world: World) -> Specification:
    return freeze(
        world.activity(), world.settings.features, churn=world.settings.churn, training_cutoffs=[LEARNT_FROM]
    )[0]


def in_a_partition(world: World, specification: Specification) -> list[dict[str, Any]]:
    roll_up = world.settings.roll_up(tuple(TYPES))
    naive_zone = world.settings.events.timezone
    users = Users(TYPES, roll_up, specification, (CUTOFF,), naive_zone, ComputeSettings(threads=1))
    users.check()
    found = pa.Table.from_batches(users.profiles(shipped(EVENTS)))
    return found.sort_by("user_id").to_pylist()


def shipped(events: Iterable[Row]) -> list[pa.RecordBatch]:
    """Events as they arrive: instants as microseconds since 1970."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    told = [{**event, "event_time": (event["event_time"] - epoch) // timedelta(microseconds=1)} for event in events]
    return [pa.RecordBatch.from_pylist([event]) for event in told]


@pytest.mark.parametrize(("naive_zone", "noons"), [(BERLIN, [1, 1]), ("UTC", [0, 1]), ("Asia/Kathmandu", [0, 0])])
def test_conditions_read_the_same_clock_on_one_machine_in_a_partition_and_online(
    tmp_path: Path, naive_zone: str, noons: list[int]
):
    world = world_at_noon(tmp_path, naive_zone)
    specification = frozen(world)
    batch = build_profiles(world.activity(), specification, cutoffs=[CUTOFF]).to_pylist()
    assert [one["noons_7d"] for one in batch] == noons
    assert in_a_partition(world, specification) == batch
    online = OnlineProfiles(specification, columns_of(EVENTS))
    assert online.profiles([history(user, instant(CUTOFF, BERLIN), EVENTS) for user in ("anna", "bob")]) == batch


def test_a_specification_frozen_without_a_zone_of_clocks_reads_them_in_utc():
    written = msgspec.json.decode(msgspec.json.encode(Specification(("events_7d",), (7,), naive_zone=BERLIN)))
    assert written.pop("naive_zone") == BERLIN
    assert msgspec.convert(written, Specification) == Specification(("events_7d",), (7,), naive_zone="UTC")
