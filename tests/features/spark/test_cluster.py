"""The kernel inside Spark gives the bits of one machine. One session for the whole file: it takes seconds to start."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from churn.cli.app import app
from churn.cli.console import Steps
from churn.engine import Spark
from churn.project import Project
from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Unit
from features.errors import InputError, SettingsError
from features.profiles import build as one_machine
from features.settings import ComputeSettings, EventsSettings
from features.spark import cluster as inside
from serving.batch.score import score_table, with_reasons
from serving.batch.spark import collect_scores
from serving.settings import ScoringSettings
from tests.builders import World, events_at, world_of, write
from tests.churn.command import AS_OF, TrainedWorld
from tests.models.model_builder import profiles_of, tiny_model
from tests.worlds import TWO_WINDOWS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java runtime: make system"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]
CUTOFFS = ("2026-03-30", "2026-04-06")
SORTED = ("cutoff", "user_id")


# A virtual machine that lives for a minute: what optimises longer, or collects in parallel, costs more than it saves.
BRIEF_JVM = "--driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell"
FLAGS = CustomFeature(
    "windowed",
    "flags",
    Unit.COUNT,
    "Events with a flag.",
    "had a flag {value} times",
    daily="coalesce(sum(n) filter (flag is not null), 0)",
    needs=("flag",),
)
SOME = ("days_since_last_event", "active_days_28d", "events_28d", "sessions_28d", "night_share_28d")


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", BRIEF_JVM)
        session = inside.open_session(ComputeSettings(engine="spark", threads=2))
    session.sparkContext.setLogLevel("ERROR")
    session.conf.set("spark.sql.shuffle.partitions", "2")
    session.conf.set("spark.sql.codegen.wholeStage", "false")  # compiling a plan takes longer than running it once
    yield session
    session.stop()


def on_one_machine(world: World, *, event_types: tuple[str, ...] = (), only: tuple[str, ...] = SOME) -> pa.Table:
    specification = world.specification(event_types, TWO_WINDOWS, only=only)
    return one_machine.build_profiles(world.activity(), specification, cutoffs=days(CUTOFFS))


def in_spark(
    world: World, spark: SparkSession, *, event_types: tuple[str, ...] = (), only: tuple[str, ...] = SOME
) -> pa.Table:
    log = inside.read_log(world.settings, spark)
    specification = world.specification(event_types, TWO_WINDOWS, only=only)
    return inside.collect(log.profiles(specification, cutoffs=days(CUTOFFS)), SORTED)


def days(texts: tuple[str, ...]) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


def messy(rows: int, *, seed: int) -> list[dict[str, Any]]:
    """Ties, midnights, a clock change, absent and impossible values, text that is no ASCII."""
    draw = random.Random(seed)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    hours = [0, 0, 1, 1.5, 2, 23, 23.999_999_9, 12.25]
    return [
        {
            "user_id": draw.choice(["anna", "bob", "søren", "'", "李", ""]) if number % 50 else None,
            "event_time": start + timedelta(days=draw.randrange(40), hours=draw.choice(hours)),
            "event_type": draw.choice(["open", "buy", "rare"]),
            "count": draw.choice([None, 1, 3]),
            "amount": draw.choice([None, 9.99, 0.1, -5.0, float("nan")]),
            "duration_seconds": draw.choice([None, 0.0, 12.345, 90_000.0]),
            "device_os": draw.choice([None, "ios", "android", ""]),
            "channel": draw.choice(["ads", "friends"]),
        }
        for number in range(rows)
    ]


def test_a_messy_log_gives_the_same_bits_and_the_same_rejects(tmp_path: Path, spark: SparkSession):
    churn = {"timezone": "Europe/Berlin", "qualifying": "event_type = 'open' and hour(event_time) < 6"}
    zone = "Asia/Kathmandu"  # its clock is what the condition reads
    world = world_of(tmp_path, messy(600, seed=1), churn=churn, timezone=zone, max_rejected_share=0.5)
    found = inside.read_log(world.settings, spark).inventory
    kept = world.activity().manifest.inventory
    assert (found.days, found.rejected, found.has_time_of_day) == (kept.days, kept.rejected, kept.has_time_of_day)
    assert sum(found.rejected.values()) > 12
    every = {"event_types": ("open", "buy"), "only": ()}
    assert in_spark(world, spark, **every).equals(on_one_machine(world, **every))


@pytest.mark.slow
def test_what_became_known_late_is_seen_late_in_spark_too(tmp_path: Path, spark: SparkSession):
    lines = [
        "anna 2026-03-02T10:00 open ingested_at=2026-03-02T10:00",
        "anna 2026-03-28T10:00 open ingested_at=2026-04-02T10:00",
        "bob 2026-03-28T23:59 open ingested_at=2026-03-28T23:59",
    ]
    world = world_of(tmp_path, lines)
    assert in_spark(world, spark).equals(on_one_machine(world))


@pytest.mark.slow
def test_one_user_with_nearly_all_rows_stays_in_one_bucket(
    tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
):
    whale = [f"whale 2026-03-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d} open" for number in range(3000)]
    world = world_of(tmp_path, [*whale, *(f"u{number} 2026-03-05T10:00 open" for number in range(20))])
    monkeypatch.setattr(inside, "ROWS_PER_BUCKET", 500)
    assert inside.read_log(world.settings, spark).buckets == 7
    assert in_spark(world, spark).equals(on_one_machine(world))


def test_a_log_of_several_files_folders_and_kinds_of_time_is_read_as_on_one_machine(
    tmp_path: Path, spark: SparkSession
):
    """Naive nanoseconds in a zone of their own, a column in the folder's name, a column that some files lack, SQL in the mapping."""
    late = 1_775_001_599_999_999_999  # the last nanosecond of 2026-03-31, which rounding would put into April
    times = pa.array([late, late - 86_400_000_000_000 * 3], pa.timestamp("ns"))
    parts = {
        "kind=open%20it/a [1].parquet": {"Who": [1, 2], "at": times},
        "kind=buy/b.parquet": {"Who": [2, 3], "at": times, "price": pa.array([1.25, 2.5])},
    }
    for name, columns in parts.items():
        (tmp_path / "log" / name).parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), tmp_path / "log" / name)
    columns = {"user_id": "'u' || who % 2", "event_time": "at", "event_type": "kind", "amount": "price"}
    log = EventsSettings(path=str(tmp_path / "log"), timezone="Asia/Tokyo", columns=columns, where="who < 4")
    made = world_of(tmp_path / "made", ["anna 2026-03-05T10:00 open"])
    world = replace(
        made, settings=replace(made.settings, events=log.model_copy(update={"covered_until": date(2026, 5, 1)}))
    )
    asked = {
        "event_types": ("open it", "buy"),
        "only": (*SOME, "events_of_open_it_28d", "events_of_buy_28d", "purchases_28d", "amount_28d"),
    }
    found = in_spark(world, spark, **asked)
    assert found.num_rows == 4  # both users at both cutoffs: on 28 March each did something
    assert found.equals(on_one_machine(world, **asked))


def test_schemas_extra_texts_and_copies_are_as_on_one_machine(tmp_path: Path, spark: SparkSession):
    """Integers and floats of several sizes, a key of folders next to a column of its name, a text in one file and a number in another."""
    start, folder = datetime(2026, 3, 5, 10, tzinfo=UTC), tmp_path / "log"
    parts = {
        "kind=open/source=ads/a.parquet": {
            "who": pa.array([1, 2], pa.int32()),
            "paid": pa.array([1.1, 2.2], pa.float32()),
            "kind": ["open", "buy"],
            "flag": ["yes", "no"],
        },
        "kind=open/source=web/b.parquet": {"who": [2, 2**53 + 1], "paid": [1.1, 2.2], "flag": [1, 2]},
    }
    for place, (name, columns) in enumerate(parts.items()):
        (folder / name).parent.mkdir(parents=True)
        pq.write_table(pa.table({"at": [start + timedelta(days=place)] * 2, **columns}), folder / name)
    copy = folder / "kind=open/source=web/b (1).parquet"
    shutil.copy(folder / "kind=open/source=web/b.parquet", copy)
    columns = {"user_id": "who", "event_time": "at", "event_type": "kind", "amount": "paid", "channel": "source"}
    made = world_of(tmp_path / "made", ["anna 2026-03-05T10:00 open"], features={"custom": (FLAGS,)})
    events = EventsSettings(path=str(folder), columns=columns, extra={"flag": "flag"}, covered_until=date(2026, 5, 1))
    world = replace(made, settings=replace(made.settings, events=events))
    specification = msgspec.structs.replace(
        world.specification(("open", "buy"), only=(*SOME, "amount_28d", "channels")), custom=(FLAGS,)
    )
    specification = msgspec.structs.replace(specification, feature_names=(*specification.feature_names, "flags_28d"))

    activity, log = world.activity(), inside.read_log(world.settings, spark)
    found = inside.collect(log.profiles(specification, cutoffs=days(CUTOFFS[:1])), SORTED)
    assert found.equals(one_machine.build_profiles(activity, specification, cutoffs=days(CUTOFFS[:1])))
    told = [(one["user_id"], one["events_28d"], one["channels"], one["flags_28d"]) for one in found.to_pylist()]
    assert told == [("1", 1, 1, 1), ("2", 2, 2, 2), (str(2**53 + 1), 1, 1, 1)]
    inventory = activity.manifest.inventory
    assert (log.inventory.days, log.inventory.rejected) == (inventory.days, inventory.rejected)
    assert sorted(log.notes) == sorted(activity.notes)
    assert (
        f"{folder / 'kind=open/source=web/b.parquet'} has the same content as {copy}: its rows count once" in log.notes
    )


def test_a_file_that_can_no_longer_be_read_is_told_by_its_name(tmp_path: Path, spark: SparkSession):
    world = world_of(tmp_path, ["anna 2026-03-05T10:00 open"])
    profiles = inside.read_log(world.settings, spark).profiles(world.specification(only=SOME), cutoffs=days(CUTOFFS))
    world.path.unlink()
    with pytest.raises(InputError, match=r"Spark cannot read the log: \[?FAILED_READ_FILE.*log\.parquet"):
        inside.collect(profiles, SORTED)


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("unit", ["ns", *(pytest.param(unit, marks=pytest.mark.slow) for unit in ("ms", "us"))])
def test_a_time_of_any_unit_is_the_same_instant(tmp_path: Path, spark: SparkSession, zone: Any, unit: Any):
    at = pa.array([1_772_668_799_999_999_999], pa.timestamp("ns", zone)).cast(pa.timestamp(unit, zone), safe=False)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": ["anna"], "event_time": at, "event_type": ["open"]}), path)
    made = world_of(tmp_path / "made", ["anna 2026-03-05T10:00 open"])
    log = EventsSettings(path=str(path), timezone="America/New_York", covered_until=date(2026, 5, 1))
    world = replace(made, settings=replace(made.settings, events=log))
    assert in_spark(world, spark).equals(on_one_machine(world))


def log_of_few_users(world: TrainedWorld, path: Path) -> Path:
    """Every twentieth user: how the log was split into files says nothing here, and Spark takes long for many events."""
    events = str(world.folder / "events/**/*.parquet")
    duckdb.sql(f"copy (from '{events}' where hash(user_id) % 20 = 0) to '{path}' (format parquet)")
    return path


def test_scores_are_those_of_one_machine(trained_world: TrainedWorld, tmp_path: Path, spark: SparkSession):
    few = {"events.path": str(log_of_few_users(trained_world, tmp_path / "few.parquet"))}
    project = Project(trained_world.config, home=trained_world.copy_to(tmp_path / "home").home, settings=few)
    model, cutoff = project.registry.get("champion").model, date.fromisoformat(AS_OF)
    profiles = one_machine.build_profiles(project.activity(frozen=model), model.specification, cutoffs=[cutoff])
    expected = score_table(model, profiles, bands=project.settings.scoring)

    found = Spark(project).score(model, cutoff, kept=lambda *_: None, say=Steps("score", None, 5))
    assert profiles.num_rows > 30
    assert found.profiles.equals(profiles)
    assert found.scores.equals(with_reasons(expected, model, profiles=profiles))


@pytest.mark.slow
def test_the_verb_writes_the_profiles_of_the_champion(trained_world: TrainedWorld, tmp_path: Path, spark: SparkSession):
    options = [*trained_world.options(), "--as-of", AS_OF, "--out", str(tmp_path / "p.parquet"), "--json"]
    ran = CliRunner().invoke(app, ["profiles", *options, "--set", "compute.engine=spark"])
    assert ran.exit_code == 0, ran.output
    told, found = json.loads(ran.stdout), pq.read_table(tmp_path / "p.parquet")
    assert (told["profiles"], told["columns"]) == (found.num_rows, found.num_columns)
    assert told["notes"] == []
    assert told["profiles"] == trained_world.said["score"]["scored"] + trained_world.said["score"]["unscored"]


@pytest.mark.slow
def test_partitions_of_profiles_are_scored_as_on_one_machine(tmp_path: Path, spark: SparkSession):
    profiles, bands = profiles_of(120, seed=3).sort_by("user_id"), ScoringSettings()
    pq.write_table(profiles, tmp_path / "profiles.parquet", row_group_size=50)
    frame = inside.read_back(tmp_path / "profiles.parquet", spark).repartition(3)
    found = collect_scores(frame, tiny_model(), bands=bands)
    expected = with_reasons(score_table(tiny_model(), profiles, bands=bands), tiny_model(), profiles=profiles)
    assert found.equals(expected)


def test_too_many_invalid_rows_stop_the_run_with_their_reasons(tmp_path: Path, spark: SparkSession):
    world = world_of(tmp_path, messy(200, seed=2))
    with pytest.raises(InputError, match=r"of 200 rows are invalid \(.* x user_id is null"):
        inside.read_log(world.settings, spark)


def test_a_text_log_is_refused_rather_than_guessed(tmp_path: Path, spark: SparkSession):
    lines = ["anna 2026-03-05T10:00 open"]
    made = world_of(tmp_path, lines)
    log = replace(made.settings, events=events_at(write(tmp_path / "log.csv", lines), lines))
    with pytest.raises(InputError, match="Spark reads Parquet only"):
        inside.read_log(log, spark)


def test_a_value_that_breaks_the_mapping_is_told_without_the_value(tmp_path: Path, spark: SparkSession):
    world = world_of(tmp_path, ["anna 2026-03-05T10:00 open", "secret 2026-03-05T10:00 open"])
    log = world.settings.events.model_copy(update={"columns": {"user_id": "cast(user_id as integer)"}})
    with pytest.raises(InputError, match=r"2 of 2 rows are invalid \(2 x user_id is unreadable\)") as caught:
        inside.read_log(replace(world.settings, events=log), spark)
    assert "secret" not in str(caught.value)


def test_a_condition_that_cannot_be_answered_is_told_before_anything_is_built(tmp_path: Path, spark: SparkSession):
    world = world_of(tmp_path, ["anna 2026-03-05T10:00 open"])
    churn = world.settings.churn.model_copy(update={"qualifying": "no_such_column = 1"})
    log = inside.read_log(replace(world.settings, churn=churn), spark)
    with pytest.raises(InputError, match=r"check \[churn\] qualifying"):
        log.profiles(world.specification(), cutoffs=days(CUTOFFS))


def test_a_cutoff_past_the_log_is_refused(tmp_path: Path, spark: SparkSession):
    world = world_of(tmp_path, ["anna 2026-03-05T10:00 open"])
    log = inside.read_log(world.settings, spark)
    with pytest.raises(InputError, match="the log covers"):
        log.profiles(world.specification(), cutoffs=[date(2030, 1, 1)])


@pytest.mark.slow
def test_profiles_are_written_as_a_folder_that_appears_whole(tmp_path: Path, spark: SparkSession):
    world = world_of(tmp_path, messy(200, seed=3), max_rejected_share=0.5)
    log = inside.read_log(world.settings, spark)
    for _ in range(2):  # the second takes the place of the first
        inside.write(log.profiles(world.specification(only=SOME), cutoffs=days(CUTOFFS)), tmp_path / "profiles [1]")
    assert pq.read_table(tmp_path / "profiles [1]").num_rows == on_one_machine(world).num_rows
    assert [path.name for path in tmp_path.iterdir() if "profiles" in path.name] == ["profiles [1]"]


def test_without_java_or_pyspark_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch):
    from pyspark.sql import SparkSession as Session

    monkeypatch.setattr(Session, "getActiveSession", lambda: None)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(SettingsError, match="needs a Java runtime of version 17") as caught:
        inside.open_session(ComputeSettings())
    assert "openjdk-17" in caught.value.hint
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    with pytest.raises(SettingsError, match="needs PySpark") as caught:
        inside.open_session(ComputeSettings())
    assert "spark" in caught.value.hint
