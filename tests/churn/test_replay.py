"""Past Mondays, replayed through the real command: what was known then, what happened, and weeks that were really run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from churn.jobs.list_writer import ListWriter
from churn.project import Project
from tests.builders import values_of, write
from tests.churn.command import Ran, TrainedWorld, churn
from tests.churn.conftest import Command

QUICK = (
    "model.max_rounds=20",
    "features.windows_days=[7, 28]",
    "features.main_event_types=1",
    "training.max_snapshots=2",
)
COSTS = 'lists=[{name="vip", capacity=40, value="20.0", cost_per_contact=0.5}, {name="rest", capacity=60}]'
ALL = "events.max_rejected_share=1"  # what comes later is rejected
REALLY = date(2026, 4, 20)  # the latest Monday whose horizon is over, and really run
BEFORE = date(2026, 4, 13)


def options(world: TrainedWorld, *more: str) -> list[str]:
    return [*world.options(), *(word for one in (*QUICK, *more) for word in ("--set", one))]


@pytest.fixture(scope="module")
def world(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    folder = tmp_path_factory.mktemp("replay")
    found = trained_world.copy_to(folder / "home")
    assert churn("export", *found.options(), "--as-of", REALLY.isoformat(), cwd=folder).code == 0
    return found


@pytest.fixture(scope="module")
def since_before(world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """The same with the list of the Monday before; that of the later one is there already, and is written again where it counts."""
    folder = tmp_path_factory.mktemp("before")
    found = world.copy_to(folder / "home")
    assert churn("export", *found.options(), "--as-of", BEFORE.isoformat(), cwd=folder).code == 0
    return found


@pytest.fixture(scope="module")
def ran(world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return churn("replay", *options(world), "--mondays", "2", "--json", cwd=tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def mondays(ran: Ran) -> list[dict[str, Any]]:
    return ran.json()["mondays"]


@pytest.fixture(scope="module")
def rows(ran: Ran, world: TrainedWorld) -> pa.Table:
    """Whom the two Mondays contact; other tests replay others in the same home."""
    assert ran.code == 0, ran.err
    return contacted(world)


def contacted(world: TrainedWorld) -> pa.Table:
    return pq.ParquetFile(world.home / "replay/churn/current/contacted.parquet").read()


def test_the_latest_mondays_whose_horizons_are_over_are_replayed(mondays: list[dict[str, Any]]):
    assert [one["cutoff"] for one in mondays] == [str(BEFORE), str(REALLY)]
    assert [one["model"] for one in mondays] == ["as of 2026-04-06", "version 1"]


def test_a_week_that_was_really_run_comes_out_byte_for_byte(
    world: TrainedWorld, mondays: list[dict[str, Any]], rows: pa.Table
):
    assert [one["is_as_it_was"] for one in mondays] == [None, True]
    assert [one["differing"] for one in mondays] == [None, []]
    replayed = rows.filter(pc.equal(rows["cutoff"], pa.scalar(REALLY)))
    written = pq.ParquetFile(world.home / "lists/churn/2026-W17/at_risk/current/at_risk.parquet").read()
    for name in ("user_id", "churn_probability", "risk_band"):
        assert replayed[name].to_pylist() == written[name].to_pylist()


def test_who_left_is_what_the_log_says(world: TrainedWorld, mondays: list[dict[str, Any]], rows: pa.Table):
    window = Project(world.config, home=world.home).recipe.window
    for one in mondays:
        monday = date.fromisoformat(one["cutoff"])
        between = f"event_time >= '{window.start(monday)}' and event_time < '{window.end(monday)}'"
        log = f"read_parquet('{world.folder}/events/**/*.parquet')"
        seen = {
            user
            for (user,) in duckdb.execute(f"select distinct user_id::varchar from {log} where {between}").fetchall()
        }
        own = rows.filter(pc.equal(rows["cutoff"], pa.scalar(monday)))
        assert own["churned"].to_pylist() == [user not in seen for user in own["user_id"].to_pylist()]
        assert one["reached"] == sum(values_of(own, "churned"))
        assert one["contacts"] == own.num_rows
        assert 0 < max(one["reached_by"].values()) <= one["contacts"]
        assert one["reached"] <= one["leavers"] < one["scored"]


def test_the_sentence_counts_each_user_once(ran: Ran, rows: pa.Table):
    found = ran.json()
    left = set(rows.filter(rows["churned"])["user_id"].to_pylist())
    assert found["users"]["reached"] == len(left)
    assert f"would have reached {len(left):,} of {found['users']['leavers']:,} leavers" in found["words"]


def test_page_and_numbers_are_written_whole(world: TrainedWorld, ran: Ran):
    assert ran.code == 0
    place = world.home / "replay/churn/current"
    html = (place / "replay.html").read_text()
    assert "Leavers reached" in html
    assert "as it was" in html
    assert json.loads((place / "replay.json").read_text())["contacts"] > 0


def test_weeks_that_follow_each_other_come_out_byte_for_byte(
    command: Command, since_before: TrainedWorld, tmp_path: Path
):
    """The later list says the band of the week before, what changed since, and what is to be uploaded; scores in between do not count."""
    own = since_before.copy_to(tmp_path / "home")
    days = {BEFORE + timedelta(days=3): "score", REALLY: "export"}
    for day, verb in days.items():
        assert command(verb, *own.options(), "--as-of", day.isoformat()).code == 0
    assert f"Users since {BEFORE}" in (own.home / "lists/churn/2026-W17/at_risk/current/at_risk.html").read_text()
    assert (own.home / "lists/churn/2026-W17/at_risk/current/delta.csv").exists()
    ran = command("replay", *own.options(), "--mondays", "2", "--json")
    assert [one["differing"] for one in ran.json()["mondays"]] == [[], []]


def test_a_list_with_nobody_to_contact_comes_out_byte_for_byte(command: Command, world: TrainedWorld, tmp_path: Path):
    own = world.copy_to(tmp_path / "home")
    lists = 'lists=[{name="at_risk", at_least="medium"}, {name="vip", at_least="low", where="active_days_28d > 28"}]'
    more = [*own.options(), "--set", lists]
    assert command("export", *more, "--as-of", REALLY.isoformat()).code == 0
    assert (own.home / "lists/churn/2026-W17/vip/current/upload.csv").read_text().count("\n") == 1
    ran = command("replay", *more, "--mondays", "1", "--json")
    assert [one["differing"] for one in ran.json()["mondays"]] == [[]]


@pytest.mark.parametrize("of_before", [False, True])
def test_who_is_held_out_since_the_last_upload_is_suppressed_and_lists_of_before_that_was_so_stay_as_they_were(
    command: Command, since_before: TrainedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, of_before: bool
):
    own = since_before.copy_to(tmp_path / "home")
    place = own.home / "lists/churn/2026-W17/at_risk"
    uploaded, listed = (
        values_of(pq.ParquetFile(own.home / f"lists/churn/{week}/at_risk/current/at_risk.parquet").read(), "user_id")
        for week in ("2026-W16", "2026-W17")
    )
    user = min(set(uploaded) - set(listed))
    (tmp_path / "arms.csv").write_text(f"user_id,contacted_at,arm\n{user},2026-04-15,held_out\n")
    arms = (f"contacts.path={tmp_path / 'arms.csv'}", "contacts.columns.arm=arm")
    more = [*own.options(), *(word for one in arms for word in ("--set", one))]
    with monkeypatch.context() as patch:
        if of_before:
            patch.setattr(ListWriter, "_is_written_without_them", lambda *_: True)
        assert command("export", *more, "--as-of", REALLY.isoformat()).code == 0
    manifest = json.loads((place / "current/manifest.json").read_text())
    assert manifest.get("not_cleared", 0) == (0 if of_before else 1)
    assert (user in (place / "current/holdout.csv").read_text().split()) is not of_before
    assert user not in (place / "current/delta.csv").read_text()
    assert ("holdout.csv names them too" in (place / "current/at_risk.html").read_text()) is not of_before
    ran = command("replay", *more, "--mondays", "1", "--json")
    assert [one["differing"] for one in ran.json()["mondays"]] == [[]]


def test_who_was_held_out_does_not_depend_on_what_the_settings_say_by_now(command: Command, world: TrainedWorld):
    """And the same weeks give the same page, byte for byte: the name of a version is a digest of what it holds."""
    versions: set[Path] = set()
    for since in (("holdout.share=0",), ("holdout.share=0.3", 'holdout.epoch="month"')):
        ran = command("replay", *options(world, *since), "--mondays", "1", "--json").json()
        assert ran["mondays"][0]["differing"] == []
        versions.add((world.home / "replay/churn/current").resolve())
    assert len(versions) == 1


def test_files_that_come_out_differently_are_named(command: Command, world: TrainedWorld):
    ran = command("replay", *options(world, 'export.columns={user_id="id"}'), "--mondays", "1", "--json")
    assert ran.json()["mondays"][0]["differing"] == [f"at_risk/{name}.csv" for name in ("delta", "holdout", "upload")]
    assert not ran.json()["mondays"][0]["is_as_it_was"]


def test_what_happens_after_a_monday_changes_nothing_before_it(
    command: Command, trained_world: TrainedWorld, rows: pa.Table, tmp_path: Path
):
    """One log ends a week earlier than the other, and both replay the Monday whose horizon is over in both."""
    cut = replace(trained_world, home=tmp_path / "cut")
    until = BEFORE + timedelta(days=14)
    assert command("replay", *options(cut, f"events.covered_until={until}", ALL), "--mondays", "1").code == 0
    earlier = rows.filter(pc.equal(rows["cutoff"], pa.scalar(BEFORE)))
    assert earlier.num_rows > 50
    assert earlier.equals(contacted(cut))


def test_costs_say_from_which_save_rate_it_would_have_paid(command: Command, world: TrainedWorld, tmp_path: Path):
    own = world.copy_to(tmp_path / "home")
    ran = command("replay", *options(own, COSTS), "--mondays", "1", "--json")
    rows = contacted(own)
    vip = rows.filter(pc.equal(rows["list"], pa.scalar("vip")))
    assert set(rows["list"].to_pylist()) == {"vip", "rest"}
    left = sum(values_of(vip, "churned"))
    assert ran.json()["pays_from"] == pytest.approx(0.5 * vip.num_rows / (20.0 * left))
    assert ran.json()["mondays"][0]["is_as_it_was"] is False  # other lists were written


def test_a_log_that_is_too_short_is_refused(command: Command, tmp_path: Path):
    log = write(tmp_path / "log.parquet", [f"u{day % 5} 2026-01-{day:02}T10:00" for day in range(5, 20)])
    ran = command("replay", "--events", log, "--home", tmp_path / "home", "--mondays", "3")
    assert ran.code == 3
    assert "no Monday can be replayed" in ran.err
