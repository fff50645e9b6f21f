"""A champion with curves, end to end: the list and the report say when, too."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import churn
from churn.jobs.reporting.outlook import outlook
from seeds.simulate import World, simulate
from tests.churn.command import TrainedWorld

AS_OF, WEEK = "2026-03-16", "2026-W12"  # a Monday
SMALL = (
    *("model.max_rounds=10", "model.logistic_weight=0", "features.windows_days=[7, 28]", "features.main_event_types=1"),
    *("training.min_class_users=10", "training.curve=true", "audit.max_rows=1000", "audit.rebuilt_profiles=100"),
)


@pytest.fixture(scope="module")
def project(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> churn.Project:
    """A world of its own, as small as a champion can be trained on and a report be written of."""
    place = tmp_path_factory.mktemp("curves")
    simulate(World(users=500, days=75, seed=3), place)
    shutil.copytree(empty_store, place / ".churn")
    found = churn.Project(place / "churn.toml", home=place / ".churn", settings=SMALL)
    found.registry.promote(found.train().registered.version, why="a test")
    return found


def test_a_list_has_the_expected_day_and_the_probabilities_by_day(project: churn.Project):
    found = project.export(AS_OF)
    rows = pq.read_table(found.lists[0].path / "at_risk.parquet")
    week, own = rows.column("churn_probability_7d").to_numpy(), rows.column("churn_probability").to_numpy()
    assert len(own) > 0
    assert (week >= own).all()  # the horizon is 14 days: it takes more to stay away for longer
    assert all(day is None or str(day) >= AS_OF for day in rows.column("expected_day").to_pylist())
    assert WEEK in str(found.lists[0].path)


def test_a_list_with_nobody_to_contact_has_the_columns_and_no_rows(project: churn.Project):
    lists = 'lists=[{name="all", at_least="high"}, {name="vip", at_least="low", where="false"}]'
    with_vip = churn.Project(project.config, home=project.root, settings=(*SMALL, lists))
    _, vip = with_vip.export(AS_OF, force=True).lists
    rows = pq.read_table(vip.path / "at_risk.parquet")
    assert (vip.treated, rows.num_rows) == (0, 0)
    assert {"expected_day", "churn_probability_30d", "reason_1"} <= {*rows.column_names}


def test_the_report_says_what_is_expected_of_todays_users(project: churn.Project):
    (lifetime,) = (one for one in project.report().sections if one.name == "lifetime")
    (table,) = (one for one in lifetime.tables if one.name == "outlook")
    expected = [row["expected_users"] for row in table.rows]
    assert expected == sorted(expected, reverse=True)
    assert 0 < expected[-1] < expected[0] < table.rows[0]["users"]
    assert sum(row["expected_day_users"] for row in table.rows) <= table.rows[0]["users"]


def test_the_curves_of_the_report_are_those_of_the_scores(project: churn.Project):
    found = outlook(project, say=lambda _: None)
    assert found is not None
    horizon = found.probabilities[:, found.days.index(project.settings.churn.horizon_days)]
    table = project.score(str(found.day)).scores
    assert table is not None
    scores = table.column("churn_probability").drop_null().to_numpy()
    assert np.sort(horizon) == pytest.approx(np.sort(scores), abs=1e-9)


def test_without_curves_or_without_a_model_the_report_expects_nothing(trained_world: TrainedWorld, tmp_path: Path):
    for home in (trained_world.home, tmp_path / "new"):
        assert outlook(churn.Project(trained_world.config, home=home), say=lambda _: None) is None
    assert not (tmp_path / "new/mlflow.db").exists()
