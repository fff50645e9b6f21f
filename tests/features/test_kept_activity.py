"""What is kept beside a log: its activity, and the rows set aside."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.activity import ActivitySettings, describe_rejected
from features.errors import InputError
from tests.builders import World, events_at, world_of, write

LENIENT: dict[str, Any] = {"max_rejected_share": 0.99}
# --- Rows set aside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        "amount=nan",
        "duration_seconds=nan",
        "amount=inf",
        "amount=1e300",
        "duration_seconds=inf",
        "duration_seconds=-inf",
        "count=-1",
        "count=99999999999",
    ],
)
def test_a_row_set_aside_does_not_stop_the_roll_up(tmp_path: Path, bad: str):
    name = bad.partition("=")[0]
    world = world_of(tmp_path, [f"anna 2026-01-05T10:00 open {name}=1", f"bob 2026-01-05T10:00 open {bad}"], **LENIENT)
    assert world.daily("events") == [("anna", "2026-01-05", 1)]


def test_rows_set_aside_are_written_beside_the_activity(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"], **LENIENT)
    assert world.activity().manifest.rejected == {"count is negative": 1}
    assert [path.suffix for path in (world.home / "rejected").iterdir()] == [".parquet"]


def test_rows_set_aside_are_written_even_where_there_are_too_many(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"])
    with pytest.raises(InputError, match="1 of 2 rows are invalid"):
        world.activity()
    assert list((world.home / "rejected").iterdir()) != []


def test_a_mended_log_leaves_no_rows_set_aside_behind(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"], **LENIENT)
    world.activity()
    write(world.path, ["anna 2026-01-05T10:00 open count=1"])
    world.activity()
    assert list((world.home / "rejected").iterdir()) == []


def test_rejected_rows_are_described_in_a_line():
    assert describe_rejected({"b": 2, "a": 1}) == "1 x a, 2 x b"
    assert describe_rejected({}) == "none"


# --- Kept ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> World:
    write(tmp_path / "log/1.parquet", ["anna 2026-01-05T10:00"])
    write(tmp_path / "log/2.parquet", ["anna 2026-01-06T10:00"])
    kept = world_of(tmp_path, ["anna 2026-01-05T10:00"])
    return World(replace(kept.settings, events=events_at(tmp_path / "log")), kept.home)


def with_knobs(world: World, section: str, /, **knobs: object) -> World:
    changed = getattr(world.settings, section).model_copy(update=knobs)
    return World(replace(world.settings, **{section: changed}), world.home)


def test_activity_is_computed_once_and_kept(world: World):
    first, second = world.activity(), world.activity()
    assert (first.is_reused, second.is_reused) == (False, True)
    assert first.manifest == second.manifest
    assert second.facts == first.facts


def test_a_changed_file_is_rolled_up_again(world: World):
    world.activity()
    write(world.path / "2.parquet", ["anna 2026-01-06T10:00", "bob 2026-01-06T10:00"])
    assert not world.activity().is_reused
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06"), ("bob", "2026-01-06")]


def test_a_new_file_is_rolled_up(world: World):
    world.activity()
    write(world.path / "3.parquet", ["bob 2026-01-07T10:00"])
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06"), ("bob", "2026-01-07")]


def test_a_removed_file_takes_its_days_with_it(world: World):
    world.activity()
    (world.path / "1.parquet").unlink()
    assert world.daily() == [("anna", "2026-01-06")]


@pytest.mark.parametrize(
    ("section", "knobs"),
    [
        ("events", {"where": "event_type <> 'x'"}),
        ("events", {"columns": {"channel": "'ads'"}}),
        ("events", {"timezone": "Asia/Tokyo"}),
        ("churn", {"timezone": "Asia/Tokyo"}),
        ("churn", {"qualifying": "event_type = 'open'"}),
        ("churn", {"event": "event_type = 'quit'"}),
        ("features", {"session_gap_minutes": 20}),
    ],
)
def test_another_mapping_zone_gap_or_condition_has_an_activity_of_its_own(
    world: World, section: str, knobs: dict[str, object]
):
    world.activity()
    assert not with_knobs(world, section, **knobs).activity().is_reused
    assert world.activity().is_reused


@pytest.mark.parametrize(
    ("section", "knobs"),
    [("churn", {"horizon_days": 30}), ("features", {"windows_days": (7,)}), ("churn", {"gap_days": 3})],
)
def test_what_a_model_asks_for_does_not_change_the_activity(world: World, section: str, knobs: dict[str, object]):
    world.activity()
    assert with_knobs(world, section, **knobs).activity().is_reused


def test_a_stricter_share_of_bad_rows_holds_for_kept_activity_too(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"], **LENIENT)
    world.activity()
    with pytest.raises(InputError):
        with_knobs(world, "events", max_rejected_share=0.01).activity()


def test_a_log_that_cannot_be_read_any_more_leaves_the_kept_activity_whole(world: World):
    world.activity()
    kept = (world.path / "2.parquet").read_bytes()
    (world.path / "2.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError):
        world.activity()
    (world.path / "2.parquet").write_bytes(kept)
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06")]


def test_an_activity_whose_manifest_is_missing_is_not_trusted(world: World):
    (world.activity().folder / "manifest.json").unlink()
    assert not world.activity().is_reused


def test_a_manifest_of_an_earlier_version_is_not_trusted(world: World):
    (world.activity().folder / "manifest.json").write_text('{"rows": 2}')
    assert not world.activity().is_reused


@pytest.mark.parametrize(
    "name",
    [
        "it's home",
        "h[o]me*?",
        "run=1",
        "day=2020-01-01",
        "user_id=bob",
    ],
)
def test_home_may_have_any_name(world: World, tmp_path: Path, name: str):
    assert World(world.settings, tmp_path / name).daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06")]


def test_the_digest_of_an_activity_is_the_same_in_every_run():
    settings = ActivitySettings(events_at(Path("log.parquet")), *defaults())
    assert settings.digest() == replace(settings, base=Path("elsewhere")).digest()
    assert len(settings.digest()) == 16


def defaults():
    from features.settings import ChurnSettings, FeatureSettings

    return ChurnSettings(), FeatureSettings()
