"""Days kept by `churn score`, and newer events sent to what `churn serve` serves: the scores of the batch that read them all."""

import json
import shutil
import socket
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scipy.special import logit

from churn.cli.damage import damage_named
from churn.project import Project
from features.errors import InputError
from features.log.event_log import open_log
from features.log.formats import files_of
from features.storage.full_disk import room_for
from serving.http.endpoint import Endpoint
from serving.release.bundle import read_bundle
from tests.builders import world_of
from tests.churn.command import AS_OF, TrainedWorld
from tests.churn.conftest import Command

EARLIER = "2026-04-13"
KEEP = ("--set", "serving.keep_activity=true")


@pytest.fixture
def world(trained_world: TrainedWorld, tmp_path: Path) -> TrainedWorld:
    """A home without a profile store."""
    world = trained_world.copy_to(tmp_path / "home")
    shutil.rmtree(world.home / "releases")
    return world


def events_since(world: TrainedWorld, cutoff: str) -> dict[str, list[dict[str, Any]]]:
    """User to the valid events from a cutoff on, as they go over HTTP."""
    settings = Project(world.config, home=world.home).reader.activity_settings()
    log = open_log(settings.events, "UTC", files=files_of(settings.events, settings.base)).to_arrow()
    start = datetime.combine(date.fromisoformat(cutoff), datetime.min.time(), UTC)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in log.filter(pc.field("event_time") >= start).to_pylist():
        event = {name: value for name, value in row.items() if name != "user_id"}
        found.setdefault(row["user_id"], []).append(event | {"event_time": row["event_time"].isoformat()})
    return found


def served_by(command: Command, world: TrainedWorld) -> Endpoint:
    """What `churn serve` would serve, if its port were free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command("serve", *world.options(), *KEEP, "--port", str(taken.getsockname()[1]))
    return Endpoint(read_bundle(world.home / "releases/churn/current"))


def test_a_store_with_kept_days_and_newer_events_give_the_scores_of_a_later_batch(
    command: Command, world: TrainedWorld, trained_world: TrainedWorld
):
    said = command("score", *world.options(), "--as-of", EARLIER, *KEEP, "--json").json()
    newer = events_since(world, EARLIER)
    batch = pq.ParquetFile(Path(trained_world.said["score"]["path"]) / "scores.parquet").read().to_pylist()[::15]
    items = [
        {"user_id": row["user_id"], "events_since": newer.get(row["user_id"], []), "as_of": f"{AS_OF}T00:00:00Z"}
        for row in batch
    ]
    answer = served_by(command, world).answer(json.dumps({"items": items}).encode(), request_id="r1")
    assert answer is not None
    found = json.loads(answer)["results"]
    compared = ("user_id", "status", "code", "percentile", "risk_band")
    assert [[one[name] for name in compared] for one in found] == [[one[name] for name in compared] for one in batch]
    # the base rate of the store is that of its own cutoff
    by = said["base_rate_shift"] - trained_world.said["score"]["base_rate_shift"]
    scored = [(one, row) for one, row in zip(found, batch, strict=True) if row["code"] is None]
    shifts = [logit(one["churn_probability"]) - logit(row["churn_probability"]) for one, row in scored]
    assert shifts == pytest.approx([by] * len(shifts), abs=1e-9)
    assert len({one["churn_probability"] for one in found}) > 10


def test_without_keep_activity_the_store_says_that_it_keeps_none(
    command: Command, trained_world: TrainedWorld, tmp_path: Path
):
    world = trained_world.copy_to(tmp_path / "home")
    item = {"user_id": "u1", "events_since": [], "as_of": f"{AS_OF}T12:00:00Z"}
    answer = served_by(command, world).answer(json.dumps({"items": [item]}).encode(), request_id="r1")
    assert answer is not None
    assert json.loads(answer)["results"][0]["code"] == "no_kept_activity"


@pytest.mark.parametrize("pair", ["compute.engine=spark", "identities.path=ids.parquet"])
def test_days_that_cannot_be_kept_are_refused_before_anything_is_read(command: Command, world: TrainedWorld, pair: str):
    ran = command("score", *world.options(), "--as-of", EARLIER, *KEEP, "--set", pair)
    assert ran.code == 2
    assert "[serving] keep_activity" in ran.err
    assert "Hint: " in ran.err
    assert not (world.home / "releases").exists()


def test_days_that_another_run_renewed_long_ago_are_no_bug(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00"])
    activity = world.activity()
    (batch,) = {*activity.manifest.days.values()}
    shutil.rmtree(activity.folder / batch)
    with (
        pytest.raises(InputError, match="another run renewed the kept days") as refused,
        damage_named(world.home / "activity"),
    ):
        activity.connection.sql(f"from {activity.relation('days')}")
    assert "run the same command again" in refused.value.hint
    with pytest.raises(duckdb.Error), damage_named(world.home / "activity"):
        activity.connection.sql("from nothing")


def test_a_disk_that_is_full_while_days_are_rolled_up_is_said_to_be(tmp_path: Path):
    final = tmp_path / "activity" / "873f78b25a938918" / "2026-01-05_2026-05-04_160cdcbbdf51f655"
    draft = final.parent / f".{final.name}.04115b94.tmp"
    text = f'IO Error: Could not write file "{draft}/days.parquet": No space left on device'
    with pytest.raises(InputError, match="the disk is full"), damage_named(tmp_path / "activity"), room_for(final):
        raise duckdb.IOException(text)
