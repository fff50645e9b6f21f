"""The application object: what the command does, from Python, with results that can be read."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import churn
from churn.results import Result, TrainingData
from features.errors import InputError, SettingsError
from tests.builders import write
from tests.churn.command import AS_OF, WEEK, TrainedWorld

EVENTS = pd.DataFrame(
    {
        "user_id": ["007", "007", "bob"],
        "event_time": pd.to_datetime(["2026-01-05T10:00Z", "2026-01-06T10:00Z", "2026-01-06T11:00Z"]),
        "event_type": ["open", "buy", "open"],
        "amount": [None, 9.5, None],
    }
)


@pytest.fixture(scope="module")
def project(trained_world: TrainedWorld) -> churn.Project:
    return churn.Project(trained_world.config, home=trained_world.home)


@pytest.fixture(scope="module")
def copied(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> churn.Project:
    """The same with a home that may be written to."""
    home = trained_world.copy_to(tmp_path_factory.mktemp("copied") / "home").home
    return churn.Project(trained_world.config, home=home)


def test_a_copied_home_reads_nothing_of_the_log_again(copied: churn.Project):
    """Hundreds of tests copy the trained world; a second each would be minutes of them all."""
    assert copied.activity().is_reused


def test_tab_shows_the_public_names_and_nothing_else():
    names = [name for name in dir(churn) if not name.startswith("__")]
    assert {"Project", "read_events", "build_profiles", "train", "score", "CheckFailed"} <= set(names)
    assert {"os", "Any", "main", "annotations"} & set(names) == set()
    assert all(getattr(churn, name) is not None for name in names)


def test_the_version_is_that_of_the_package():
    assert churn.__version__.count(".") == 2


def test_a_project_and_a_log_fit_a_line(project: churn.Project):
    assert "\n" not in repr(project)
    log = repr(project.log())
    assert log.startswith("<Log: 292,330 rows from 2026-01-05 up to 2026-05-05; set aside: none")
    assert "\n" not in log
    assert len(log) < 200


@pytest.mark.parametrize("kind", [lambda frame: frame, pl.from_pandas, lambda frame: pl.from_pandas(frame).to_arrow()])
def test_a_log_may_be_a_dataframe(kind: Callable[[pd.DataFrame], Any], tmp_path: Path):
    project = churn.Project(home=tmp_path / "home", events=kind(EVENTS))
    assert project.log().to_json()["rows"] == 3
    profiles = project.profiles("2026-01-07").to_pandas().set_index("user_id")
    assert profiles.loc[["007"], ["events_1d", "purchases_1d"]].to_numpy().tolist() == [[1, 1]]


def test_a_dataframe_gives_the_profiles_of_the_same_log_in_a_file(tmp_path: Path):
    in_memory = churn.Project(home=tmp_path / "memory", events=EVENTS)
    place = tmp_path / "log.parquet"
    EVENTS.to_parquet(place)
    in_a_file = churn.Project(home=tmp_path / "file", events=place, settings={"events.columns": {"amount": "amount"}})
    assert in_memory.profiles("2026-01-07").to_arrow().equals(in_a_file.profiles("2026-01-07").to_arrow())


def test_what_is_no_table_is_refused_with_a_way_out(tmp_path: Path):
    with pytest.raises(InputError, match="got int, expected a path, a URL or a DataFrame"):
        churn.Project(home=tmp_path, events=7)


def test_cutoffs_are_dates_or_their_text(project: churn.Project):
    week, day = project.profiles([WEEK]), project.profiles(AS_OF)
    assert week.to_arrow().equals(day.to_arrow())
    with pytest.raises(InputError, match='cutoff: got "spring", expected a date'):
        project.profiles("spring")


def test_settings_are_given_as_a_mapping_or_as_on_the_command_line(trained_world: TrainedWorld):
    by_name = churn.Project(trained_world.config, settings={"churn.horizon_days": 30})
    by_text = churn.Project(trained_world.config, settings=["churn.horizon_days=30"])
    assert by_name.settings == by_text.settings
    with pytest.raises(SettingsError, match="unknown setting"):
        churn.Project(trained_world.config, settings={"churn.horizon": 30})


@pytest.fixture(scope="module")
def data(project: churn.Project) -> TrainingData:
    return project.training_data()


def test_the_training_data_is_ready_for_a_model_of_ones_own(data: TrainingData):
    assert data.X.shape[0] == len(data.y) == len(data.groups) == len(data.time) == len(data.part)
    assert {"user_id", "cutoff"} & set(data.X.columns) == set()
    assert set(data.part.tolist()) == {"train", "validation", "calibration", "test"}
    latest = {name: data.time[data.part == name].max() for name in ("train", "validation", "calibration")}
    assert latest["train"] < latest["validation"] < latest["calibration"] < data.time[data.part == "test"].min()
    assert 0 < data.y[data.part == "test"].mean() < 1
    assert "rows" in repr(data)
    assert all(kind.kind in "fOi" or str(kind) == "str" for kind in data.X.dtypes)
    assert np.issubdtype(data.time.dtype, np.datetime64)


def test_rows_of_one_person_are_one_group_of_the_training_data(
    data: TrainingData, trained_world: TrainedWorld, tmp_path: Path
):
    alias, person = sorted(set(data.groups.tolist()))[:2]
    (tmp_path / "ids.csv").write_text(f"alias_id,user_id,valid_from\n{alias},{person},2026-05-04\n")
    columns = [f"identities.columns.{name}={name}" for name in ("alias_id", "user_id", "valid_from")]
    settings = [f"identities.path={tmp_path}/ids.csv", *columns]
    found = churn.Project(trained_world.config, home=tmp_path / "home", settings=settings).training_data()
    assert found.groups.tolist() == [person if user == alias else user for user in data.groups]
    assert list(found.X.columns) == list(data.X.columns)


def test_a_score_and_a_list_are_frames_too(copied: churn.Project, trained_world: TrainedWorld):
    shutil.rmtree(copied.root / "ledger")  # else the scores of the command would be found there
    scores = copied.score(AS_OF)
    assert scores.to_json() | {"path": ""} == trained_world.said["score"] | {"path": ""}
    assert (scores.to_pandas()["status"] == "scored").sum() == scores.scored
    listed = copied.export(WEEK)
    assert len(listed.to_pandas()) == trained_world.said["export"]["listed"]
    assert listed.to_pandas()["churn_probability"].is_monotonic_decreasing


def test_what_python_promotes_is_what_the_command_decides(copied: churn.Project):
    with pytest.raises(churn.CheckFailed, match="already champion"):
        copied.promote(dry_run=True)


def test_every_result_shows_its_title_and_its_values_to_people(copied: churn.Project):
    results: list[Result] = [copied.log(), copied.profiles(AS_OF), copied.horizon(), copied.score(AS_OF)]
    for result in results:
        assert len(repr(result).splitlines()) < 30
        html = result._repr_html_()
        assert html.startswith("<table>")
        assert all(str(name) in html for name in result.summary)


def test_a_progress_may_be_any_function_of_a_text(tmp_path: Path):
    heard: list[str] = []
    lines = [f"u{user} 2026-01-{day:02d}T10:00" for day in range(1, 4) for user in range(3)]
    project = churn.Project(home=tmp_path / "home", events=write(tmp_path / "log.parquet", lines))
    project.log(say=heard.append)
    assert heard == ["reading 1 of 1 files", "rolling up 2026-01-01 to 2026-01-03: 0 of 3 days are done"]
