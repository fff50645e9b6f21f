"""A training knows whom the lists were to contact, whom they held out, and whom other tools contacted."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from churn.contacts.treatment import treatment_of
from churn.project import Project
from tests.churn.command import TrainedWorld

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
    found = treatment_of(Project(world.config, home=world.home, settings=["holdout.grace_days=3"])).before(LISTED)
    assert found.holds_days == 14 + 3


def test_contacts_of_other_tools_are_entries_that_nobody_held_out(world: TrainedWorld, tmp_path: Path):
    (tmp_path / "contacts.csv").write_text("user_id,contacted_at\nu1,2026-03-02 23:30:00\nu2,2026-03-30 10:00:00\n")
    settings = [f"contacts.path={tmp_path / 'contacts.csv'}"]
    found = treatment_of(Project(world.config, home=world.home, settings=settings)).before(LISTED).entries
    assert found.to_pylist() == [
        {"user_id": "u1", "day": date(2026, 3, 2), "epoch": "contacts", "is_held_out": False, "share": 1.0}
    ]


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
