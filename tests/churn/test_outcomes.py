"""`churn outcomes`, from the ledger that exports leave to the page."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import churn
from churn.jobs.outcomes import cost_per_contact
from churn.jobs.outcomes_page import page_of
from churn.results import Outcomes
from features.errors import CheckFailed, InputError
from models.registry import CHAMPION
from serving.settings import ListSettings
from serving.weekly.arms import HELD_OUT
from serving.weekly.list_ledger import PastList, past_lists
from tests.churn.command import TrainedWorld
from tests.churn.conftest import Command
from tests.models.run_builder import run_of

CLOSED, LAST = "2026-04-13", "2026-04-20"
BEFORE = date(2026, 4, 6)  # through which the model of these weeks was trained
END, FINAL = "2026-04-27", "2026-04-30"  # of the window of the first; of its grace


@pytest.fixture(scope="module")
def world(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """A log and a home of their own, with two lists; half of the users are held out, as the world is small."""
    place = tmp_path_factory.mktemp("outcomes")
    shutil.copytree(trained_world.folder, place / "world")
    found = replace(trained_world.copy_to(place / "kept/home"), folder=place / "world")  # not next to the log, as there
    shutil.rmtree(found.home / "ledger")
    (found.home / "arms/churn/epochs.json").unlink()
    (found.home / "arms/churn/key").write_text(bytes(range(32)).hex())  # the same arms in every run
    with found.config.open("a") as config:
        config.write("\n[holdout]\nshare = 0.5\n")
    promote_as_trained_before(found, place / "run")
    for day in (CLOSED, LAST):
        project(found).export(day)
    return found


def promote_as_trained_before(world: TrainedWorld, artifacts: Path) -> None:
    """Promote the champion once more, as a model that has not seen these weeks: to train one takes much longer."""
    registry = project(world).registry
    model = registry.get(CHAMPION).model
    quality = replace(model.quality, test_cutoff=BEFORE, trained_through=BEFORE)
    early = replace(model, quality=quality, known_cutoffs=())
    registry.promote(registry.log(run_of(artifacts, early)).version, why="for this test")


@pytest.fixture(scope="module")
def account(world: TrainedWorld) -> Outcomes:
    """What the log says at its end; tests that change the log come before."""
    return project(world).outcomes()


def project(world: TrainedWorld, **settings: Any) -> churn.Project:
    return churn.Project(world.config, home=world.home, settings=settings)


def add_event(world: TrainedWorld, user: str, day: str) -> None:
    """Events come late: one more file of a day."""
    folder = world.folder / f"events/day={day}"
    (first, *_) = sorted(folder.iterdir())
    known = pq.read_table(first)
    (event,) = known.slice(0, 1).to_pylist()
    event |= {"user_id": user, "event_time": datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)}
    pq.write_table(pa.Table.from_pylist([event], known.schema), folder / f"late-{user}.parquet")


def churners(found: Outcomes) -> list[str]:
    """Held-out users of the closed week who churned."""
    week = next(week for week in found.weeks if str(week.cutoff) == CLOSED)
    rows = week.users.to_pylist()
    return [row["user_id"] for row in rows if row["churned"] and row["is_left_alone"]]


def test_a_figure_is_final_after_the_grace_and_never_changes_afterwards(world: TrainedWorld):
    early = project(world).outcomes(END)
    assert (early.final_weeks, early.model.status, early.auc) == (0, "too early", None)
    assert f"those of {CLOSED}, are final on {FINAL}" in " ".join(early.notes)
    assert not (world.home / "ledger/churn/outcomes").exists()

    left = churners(project(world, **{"holdout.grace_days": 0}).outcomes(END))
    shutil.rmtree(world.home / "ledger/churn/outcomes")  # as if the grace had always been three days
    late, too_late = left[:2]
    add_event(world, late, "2026-04-20")
    found = project(world).outcomes()
    assert found.final_weeks == 1
    assert set(left) - set(churners(found)) == {late}
    assert found.actual_churners == len(left) - 1

    add_event(world, too_late, "2026-04-21")
    again = project(world).outcomes()
    assert churners(again) == churners(found)
    assert again.path == found.path  # the same bytes
    assert project(world).outcomes(END).final_weeks == 0  # what was known then


def test_the_account_is_of_everybody_who_is_held_out_and_of_nobody_else(account: Outcomes):
    week = account.weeks[0]
    rows = week.users.to_pylist()
    alone = [row for row in rows if row["arm"] == HELD_OUT]
    assert account.model.overall.rows == len(alone) == sum(row["is_left_alone"] for row in rows)
    assert any(row["list"] for row in alone)
    assert any(not row["list"] for row in alone)
    assert account.expected_churners == pytest.approx(sum(row["churn_probability"] for row in alone), abs=1e-9)
    assert {"iPhone 15", "Pixel 8"} & {one.name for one in account.model.parts["device"]}
    assert "organic" in {one.name for one in account.model.parts["channel"]}


def test_the_command_writes_a_page_and_the_numbers_that_it_prints(command: Command, world: TrainedWorld):
    said = command("outcomes", *world.options(), "--json").json()
    place = Path(said.pop("path"))
    assert place.parent == world.home / "outcomes/churn"
    assert json.loads((place / "outcomes.json").read_text()) == said
    page = (place / "outcomes.html").read_text()
    assert said["was_the_model_right"]["words"] in page
    assert "://" not in page
    assert page.count("<svg") >= 4
    shown = command("outcomes", *world.options())
    assert "was the model right?" in shown.out
    # the service still answers from the champion before
    assert "next: churn score --week 2026-W19" in shown.out
    assert command("status", *world.options(), "--json").json()["next"] in shown.out


def test_a_channel_is_shown_as_text_whatever_it_is_called(account: Outcomes):
    (channel, *others) = account.model.parts["channel"]
    evil = replace(channel, name="<script>alert(1)</script>")
    model = replace(account.model, parts=account.model.parts | {"channel": (evil, *others)})
    page = page_of(replace(account, model=model)).to_html()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2  # in the table, and in the picture


COSTS = ("2.5", "2.5", "free", "2.5")


def test_contacts_say_who_was_contacted(world: TrainedWorld, account: Outcomes, tmp_path: Path):
    week = account.weeks[0]
    rows = [row for row in week.users.to_pylist() if row["list"]]
    held_out, treated = ([row for row in rows if (row["arm"] == HELD_OUT) is of] for of in (True, False))
    lines = [
        f"{row['user_id']},2026-04-14 10:00,{cost}"
        for row, cost in zip((held_out[0], *treated[:3]), COSTS, strict=True)
    ]
    table = tmp_path / "contacts.csv"
    table.write_text("\n".join(["user_id,contacted_at,cost", *lines]))
    columns = {"user_id": "user_id", "contacted_at": "contacted_at", "cost": "cost"}
    found = project(world, **{"contacts.path": str(table), "contacts.columns": columns}).outcomes()
    assert found.contacts_are_known
    assert found.contacts_set_aside == {"cost is unreadable": 1}  # that one was contacted too
    assert found.effects[0].contamination.contacted == 1
    assert found.effects[0].effect.contacted_share == pytest.approx(3 / found.effects[0].effect.overall.treated)


def test_whom_another_tool_contacted_within_the_window_was_not_left_alone(
    world: TrainedWorld, account: Outcomes, tmp_path: Path
):
    open_week = account.weeks[-1]
    on_the_last_day, too_late = [row["user_id"] for row in open_week.users.to_pylist() if row["is_left_alone"]][:2]
    table = tmp_path / "contacts.csv"
    table.write_text(
        f"user_id,contacted_at\n{on_the_last_day},2026-05-03 23:30\n{too_late},{open_week.ends_on} 00:00\n"
    )
    week = project(world, **{"contacts.path": str(table)}).outcomes().weeks[-1]
    alone, before = (set(one.column("user_id")[one.column("is_left_alone")].tolist()) for one in (week, open_week))
    assert before - alone == {on_the_last_day}


def test_weeks_of_the_training_are_named(world: TrainedWorld, account: Outcomes):
    first = account.weeks[0]
    assert first.trained_through == project(world).load_model().quality.trained_through <= first.cutoff
    seen = replace(account, weeks=(replace(first, trained_through=date.fromisoformat(LAST)), *account.weeks[1:]))
    (note,) = set(seen.notes) - set(account.notes)
    assert note.endswith(f"was trained on labels of that time: {CLOSED} (version {first.version})")


def test_a_contact_costs_what_those_of_the_past_lists_cost_on_average():
    def past(name: str, treated: int, held_out: int = 0) -> PastList:
        arms = ["treated"] * treated + ["held_out"] * held_out
        entries = pa.table({"user_id": [f"u{number}" for number in range(len(arms))], "arm": arms})
        return PastList(date(2026, 4, 13), name, "2026-Q2", 0.1, entries)

    a, b, free = (
        ListSettings(name=name, capacity=500, cost_per_contact=cost)
        for name, cost in (("a", 0.4), ("b", 5.0), ("c", None))
    )
    lists = [past("a", 300, 100), past("a", 200), past("b", 20, 80)]
    assert cost_per_contact([a, b], lists) == pytest.approx((500 * 0.4 + 20 * 5.0) / 520)
    assert cost_per_contact([a, b, free], [*lists, past("c", 520)]) == pytest.approx((500 * 0.4 + 20 * 5.0) / 1040)
    assert cost_per_contact([a], [past("a", 5), past("renamed", 500)]) == 0.4
    assert cost_per_contact([a], []) == cost_per_contact([], lists) == 0


def test_what_is_set_aside_of_the_contacts_is_said(account: Outcomes):
    found = replace(account, contacts_set_aside={"cost is unreadable": 2})
    assert "[contacts]: set aside 2 x cost is unreadable" in found.notes
    assert found.to_json()["notes"] == list(found.notes)


def test_a_result_is_read_in_a_line_and_as_a_frame(account: Outcomes):
    assert "did contacting help?" in repr(account)
    frame = account.to_pandas()
    assert frame["actual"].tolist() == [account.actual_churners]
    assert account.effect == pytest.approx(account.effects[0].effect.overall.estimate)


def test_a_day_that_the_log_does_not_reach_and_a_ledger_without_scores_are_refused(
    world: TrainedWorld, tmp_path: Path, trained_world: TrainedWorld
):
    with pytest.raises(InputError, match="the log covers up to, not including, 2026-05-05"):
        project(world).outcomes(date(2026, 6, 1))
    with pytest.raises(CheckFailed, match="nothing was scored before 2026-03-01") as nothing:
        project(world).outcomes("2026-03-01")
    assert (
        nothing.value.hint == f"the first outcomes, those of {CLOSED}, are final on {FINAL}; until then: churn status"
    )
    empty = churn.Project(trained_world.config, home=tmp_path / "home")
    with pytest.raises(CheckFailed, match="nothing was scored yet"):
        empty.outcomes()


def test_lists_of_which_nobody_was_held_out_are_told_from_no_list(account: Outcomes):
    nobody = replace(account, effects=(), weeks=tuple(replace(week, share=0.0) for week in account.weeks))
    assert nobody.did_contacting_help == "nobody was held out ([holdout] share = 0), so there is nothing to compare"
    assert [note for note in nobody.notes if "share is 0" in note]
    assert not [note for note in nobody.notes if "no list was exported" in note]
    by_another_tool = tuple(replace(week, users=given_in(week.users)) for week in nobody.weeks)
    assert not [note for note in replace(nobody, weeks=by_another_tool).notes if "share is 0" in note]
    unlisted = replace(nobody, weeks=tuple(replace(week, users=unlisted_of(week.users)) for week in nobody.weeks))
    assert unlisted.did_contacting_help == "no list was exported, so there is nothing to compare"
    assert [note for note in unlisted.notes if "all users count as left alone" in note]


def given_in(users: pa.Table) -> pa.Table:
    return users.drop_columns(["arm_from"]).append_column("arm_from", pa.array(["given"] * len(users)))


def unlisted_of(users: pa.Table) -> pa.Table:
    return users.set_column(users.schema.get_field_index("list"), "list", pa.nulls(len(users), pa.string()))


def test_a_lost_key_is_not_made_again(world: TrainedWorld, tmp_path: Path):
    copy = world.copy_to(tmp_path / "home")
    (copy.home / "arms/churn/key").unlink()
    with pytest.raises(InputError, match="key is gone"):
        project(copy).outcomes()
    assert not (copy.home / "arms/churn/key").exists()


@pytest.mark.slow  # what it joins is tested in tests/serving/weekly
def test_who_is_held_out_and_then_to_be_contacted_within_the_window_was_not_left_alone(
    world: TrainedWorld, tmp_path: Path
):
    copy = world.copy_to(tmp_path / "home")
    shutil.rmtree(copy.home / "ledger/churn/outcomes", ignore_errors=True)
    project(copy, **{"holdout.share": 0.0}).export(LAST)  # the holdout ends within the epoch, and within the window
    found = project(copy).outcomes()
    listed = {user for one in past_lists(copy.home / "ledger/churn/lists", before=date.max)[1:] for user in one.arms()}
    rows = [row for row in found.weeks[0].users.to_pylist() if row["arm"] == HELD_OUT]
    assert {row["user_id"] for row in rows if not row["is_left_alone"]} == {row["user_id"] for row in rows} & listed
    assert 0 < found.model.overall.rows < len(rows)


@pytest.mark.slow  # what it joins is tested in tests/serving/weekly
def test_who_signs_in_just_before_an_epoch_begins_keeps_the_arm_of_the_device(world: TrainedWorld, tmp_path: Path):
    copy = world.copy_to(tmp_path / "home")
    (*_, last) = past_lists(copy.home / "ledger/churn/lists", before=date.max)
    lines = ["alias_id,user_id,linked_at", *(f"{device},person of {device},2026-04-30" for device in last.arms())]
    (tmp_path / "identities.csv").write_text("\n".join(lines))
    columns = {"alias_id": "alias_id", "user_id": "user_id", "valid_from": "linked_at"}
    settings = {"identities.path": str(tmp_path / "identities.csv"), "identities.columns": columns}
    may = project(copy, **settings, **{"holdout.epoch": "month"})
    assert may.export("2026-05-04", force=True).epoch == "2026-05"
    arms = {f"person of {device}": arm for device, arm in last.arms().items()}
    (*_, first) = past_lists(copy.home / "ledger/churn/lists", before=date.max)
    listed = {user: arm for user, arm in first.arms().items() if user in arms}
    assert len(listed) > 20
    assert listed.items() <= arms.items()
    rows = [row for row in may.outcomes().weeks[-1].users.to_pylist() if row["user_id"] in arms]
    assert {row["user_id"]: row["arm"] for row in rows}.items() <= arms.items()
    assert {row["arm_from"] for row in rows} == {"kept"}
