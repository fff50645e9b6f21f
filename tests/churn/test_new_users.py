"""New users have a model of their own: trained, promoted and told of beside the champion, which it leaves as it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churn.project import Project
from features.eligibility import TENURE
from seeds.simulate import World, simulate
from tests.churn.command import churn

NEW = ("--set", "training.population=new")
# a small model of few features: what is tested is who is trained on and scored by which, not how well
SMALL = """min_tenure_days = 8
[features]
windows_days = [3, 7, 28]
main_event_types = 1
[model]
max_rounds = 8
logistic_weight = 0
[training]
min_class_users = 20
max_snapshots = 10
[audit]
max_rows = 1000
rebuilt_profiles = 100
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated world in which some 150 users are new at each cutoff, with a champion for everybody else."""
    place = tmp_path_factory.mktemp("new")
    simulate(World(users=3_000, days=75, seed=3), place)
    with (place / "churn.toml").open("a") as config:
        config.write(SMALL)
    promoted(place, churn("train", "--json", cwd=place).json())
    return place


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    """What the training of the model of new users said."""
    return promoted(folder, churn("train", *NEW, "--json", cwd=folder).json())


def project_of(folder: Path, *settings: str) -> Project:
    return Project(folder / "churn.toml", home=folder / ".churn", settings=settings)


def promoted(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Promote a model whatever the gates say of so few users."""
    project_of(folder).registry_of(report["model"]["name"]).promote(report["model"]["version"], why="for this test")
    return report


def test_it_is_registered_under_a_name_of_its_own_and_the_champion_stays(folder: Path, report: dict[str, Any]):
    assert report["model"]["name"] == "churn-new"
    status = churn("status", "--json", cwd=folder).json()
    assert (status["champion"], status["new_users"]) == ("1", {"champion": "1", "challenger": "1"})
    assert "champion version 1; challenger version 1" in churn("status", cwd=folder).out


def test_where_there_is_none_status_says_nothing_of_it(folder: Path, tmp_path: Path):
    other = ("--set", "project.name=other", "--json")
    assert "new_users" not in churn("status", *other, cwd=folder).json()


def test_it_is_trained_and_tested_on_new_users_only(folder: Path, report: dict[str, Any]):
    data = project_of(folder, "training.population=new").training_data()
    tenure = data.X[TENURE]
    assert (tenure.min(), tenure.max()) == (1, 7)
    # who is too new for the champion, and nobody else
    cutoff = date.fromisoformat(report["split"]["test"])
    seen = project_of(folder).profiles(cutoff).to_pandas().set_index("user_id")
    too_new = seen[(seen[TENURE] < 8) & (seen["days_since_last_event"] <= 14)]
    assert set(data.groups[data.part == "test"]) == set(too_new.index)
    assert len(too_new) == report["test"]["users"]


def test_the_gates_judge_it_against_a_rule_or_its_own_champion(folder: Path, report: dict[str, Any]):
    again = churn("train", *NEW, cwd=folder)
    assert again.out.splitlines()[-1] == "next: churn promote --set training.population=new"
    decided = churn("promote", "--dry-run", *NEW, cwd=folder)
    assert "Version 2 against the champion (version 1)" in decided.out
    assert churn("reliability", *NEW, "--json", cwd=folder).json()["model"]["name"] == "churn-new"


@pytest.mark.parametrize("verb", [("score", "--as-of", "2026-03-01"), ("export", "--week", "2026-W10"), ("outcomes",)])
def test_it_never_scores_alone(folder: Path, report: dict[str, Any], verb: tuple[str, ...]):
    told = churn(*verb, *NEW, cwd=folder)
    assert told.code == 2
    assert "churn-new is trained, promoted and checked by itself, and never scores alone" in told.err
