"""A training knows whom the lists were to contact, whom they held out, and whom other tools contacted."""

import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from churn.contacts.treatment import treatment_of
from churn.project import Project
from features.storage.versions import Place
from serving.batch.scored_batch import Batch
from serving.weekly.list_ledger import ListEntry, write_entries
from tests.churn.command import TrainedWorld
from training.data.dataset import Dataset

LISTED = date(2026, 3, 23)
QUICK = (
    *("model.max_rounds=5", "model.logistic_weight=0", "features.windows_days=[7, 28]", "features.main_event_types=1"),
    *("training.max_snapshots=4", "training.min_class_users=10", "audit.max_rows=1000", "audit.rebuilt_profiles=100"),
)


@pytest.fixture(scope="module")
def world(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """A home with a list of a past week, of which a half is held out."""
    found = trained_world.copy_to(tmp_path_factory.mktemp("treated") / "home")
    project = Project(found.config, home=found.home, settings=["holdout.share=0.5", "holdout.epoch=month"])
    assert project.export(LISTED).lists[0].held_out > 50
    return found


def entered(world: TrainedWorld) -> pa.Table:
    return pq.ParquetFile(world.home / "ledger/churn/lists/2026-W13/at_risk/current/entries.parquet").read()


def treated_in(world: TrainedWorld) -> list[Any]:
    return [one["user_id"] for one in entered(world).to_pylist() if one["arm"] == "treated"]


def test_every_entry_of_a_past_list_is_known_with_its_arm(world: TrainedWorld):
    found = treatment_of(Project(world.config, home=world.home)).before(date(2026, 4, 1)).entries
    expected = entered(world)
    assert found.column("user_id").to_pylist() == expected.column("user_id").to_pylist()
    assert found.column("is_held_out").to_pylist() == [arm == "held_out" for arm in expected.column("arm").to_pylist()]
    assert set(zip(*(found.column(name).to_pylist() for name in ("day", "epoch", "share")), strict=True)) == {
        (LISTED, "2026-03", 0.5)
    }
    assert treatment_of(Project(world.config, home=world.home)).before(LISTED).entries.num_rows == 0


def test_an_arm_holds_until_the_outcome_of_its_entry_is_final(world: TrainedWorld):
    found = treatment_of(Project(world.config, home=world.home, settings=["holdout.grace_days=3"]))
    assert set(found.entries.column("holds_days").to_pylist()) == {14 + 3}


def test_contacts_of_other_tools_are_entries_that_nobody_held_out(world: TrainedWorld, tmp_path: Path):
    (tmp_path / "contacts.csv").write_text("user_id,contacted_at\nu1,2026-03-02 23:30:00\nu2,2026-03-30 10:00:00\n")
    settings = [f"contacts.path={tmp_path / 'contacts.csv'}"]
    found = treatment_of(Project(world.config, home=world.home, settings=settings)).before(LISTED).entries
    (entry,) = found.to_pylist()
    assert (entry["user_id"], entry["day"], entry["epoch"]) == ("u1", date(2026, 3, 2), "contacts")
    assert (entry["is_held_out"], entry["share"]) == (False, 1.0)


def write_list(project: Project, users: Sequence[str], arms: Sequence[str], *, share: float = 0.1) -> None:
    """Keep a list of :data:`LISTED` in the ledger, as an export does."""
    entries = pa.table({"user_id": pa.array(users), "arm": pa.array(arms)})
    place = Place(project.home.list_ledger(project.name, "2026-W13", "at_risk"))
    entry = ListEntry("at_risk", "x", "2026-Q1", share)
    write_entries(Batch(LISTED, project.name, "1", ""), entry, entries=entries, place=place)


def test_a_training_of_several_horizons_knows_the_lists_of_each(tmp_path: Path):
    horizons = {"churn_7d": 7, "churn_30d": 30}
    for name in ("churn", *horizons):
        own = Project(home=tmp_path, settings={"project.name": name})
        write_list(own, [f"of {name}", "both"], ["treated", "held_out"])
    found = treatment_of(Project(home=tmp_path, settings={"churn.horizon_days": 14}), horizons).entries
    rows = {(row["user_id"], row["drawn_by"], row["holds_days"]) for row in found.to_pylist()}
    days = {"churn": 17, "churn_7d": 10, "churn_30d": 33}
    assert rows == {(user, name, days[name]) for name in days for user in (f"of {name}", "both")}


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_arms_of_another_tool_weigh_by_the_share_that_it_holds_out(tmp_path: Path, share: float):
    users = [f"u{number}" for number in range(100)]
    arms = ["held_out" if number % 2 else "treated" for number in range(100)]
    lines = [f"{user},2026-03-02,{arm}" for user, arm in zip(users, arms, strict=True) if arm == "held_out"]
    lines += [f"{user},2026-01-02,treated" for user, arm in zip(users, arms, strict=True) if arm == "treated"]
    (tmp_path / "arms.csv").write_text("\n".join(["user_id,contacted_at,arm", *lines]))
    settings = {"contacts.path": str(tmp_path / "arms.csv"), "contacts.columns": {"arm": "arm"}}
    project = Project(home=tmp_path, settings=settings)
    write_list(project, [*users, "own"], [*arms, "held_out"], share=share)
    keys = pa.table({"user_id": users, "cutoff": pa.array([LISTED] * 100, pa.date32())})
    found = treatment_of(project).of(Dataset(keys, np.ones(100, dtype=np.bool_)), project.recipe.window)
    assert found.is_treated.tolist() == [arm == "treated" for arm in arms]
    assert set(found.untreated().profiles.column("sample_weight").to_pylist()) == {2.0}
    assert found.held_out_churners == 50
    own = Dataset(pa.table({"user_id": ["own"], "cutoff": pa.array([LISTED], pa.date32())}), np.ones(1, dtype=np.bool_))
    assert treatment_of(project).of(own, project.recipe.window).weights.tolist() == [1 / (share or 1.0)]


def test_a_training_excludes_treated_users_and_says_so(world: TrainedWorld):
    project = Project(world.config, home=world.home, settings=QUICK)
    training = project.train()
    (said,) = (one for one in training.to_json()["warnings"] if "held out on the same lists stand for them" in one)
    assert "with weights up to 2.0" in said
    treated = treated_in(world)
    rows = training.trained.training_rows.profiles
    cutoffs = [day for day in training.trained.split.training_cutoffs if day <= LISTED < day + timedelta(days=14)]
    near = rows.filter(pc.is_in(rows["cutoff"], pa.array(cutoffs, pa.date32())))
    assert near.num_rows > 100
    assert set(near["user_id"].to_pylist()).isdisjoint(treated)


@pytest.mark.slow
def test_treated_users_can_be_kept(world: TrainedWorld):
    kept = Project(world.config, home=world.home, settings=(*QUICK, "training.treated_users=keep")).train()
    users = kept.trained.training_rows.profiles["user_id"].to_pylist()
    assert set(users) & set(treated_in(world))
    assert not [one for one in kept.to_json()["warnings"] if "were contacted" in one]


@pytest.mark.slow
def test_the_list_of_one_horizon_excludes_users_from_the_training_of_another(world: TrainedWorld, tmp_path: Path):
    copy = world.copy_to(tmp_path / "home")
    shutil.copytree(copy.home / "ledger/churn/lists", copy.home / "ledger/other_7d/lists")
    project = Project(copy.config, home=copy.home, settings=(*QUICK, "project.name=other"))
    for training in project.train_horizons([7, 14]):
        assert [one for one in training.to_json()["warnings"] if "held out on the same lists stand for them" in one]
