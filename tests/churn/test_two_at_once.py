"""Two verbs at the same time on one project: what must wait waits, and what was decided on the way stays right."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.frames import keep_frame
from churn.jobs import promotion
from churn.jobs.service import releases
from churn.progress import progress_of
from churn.project import Project
from features.errors import CheckFailed, InputError
from features.storage.versions import current_of
from models.registry import CHALLENGER, CHAMPION
from models.registry.registry import Registry
from serving.release.release import store_of
from tests.churn.command import AS_OF, TrainedWorld
from tests.models.run_builder import run_of
from tests.races import race


@pytest.fixture
def project(trained_world: TrainedWorld, tmp_path: Path) -> Project:
    world = trained_world.copy_to(tmp_path / "home")
    return Project(world.config, home=world.home)


def without_champion(project: Project) -> Project:
    """The same before its only version was promoted."""
    import mlflow

    mlflow.MlflowClient(project.registry.uri).delete_registered_model_alias(project.name, CHAMPION)
    return project


def promote(config: Path, home: Path) -> None:
    """A project of its own, as another process would open it; that the other was first is said to be so."""
    with suppress(CheckFailed):
        Project(config, home=home).promote()
        (home.parent / "promoted").open("a").write("once ")


def test_of_two_promotions_one_decides_and_the_other_finds_it_done(project: Project):
    without_champion(project)
    assert project.config
    run = partial(promote, project.config, project.root)
    assert race(run, run) == [0, 0]
    assert (project.root.parent / "promoted").read_text() == "once "
    assert project.registry.version_of(CHAMPION) == "1"


@pytest.mark.parametrize("verb", [Project.promote, Project.rollback])
def test_whoever_moves_the_champion_waits_for_another_and_says_so(project: Project, verb: Callable[..., object]):
    said: list[str] = []
    waits = "another run is promoting a model or rolling one back of churn; waiting for it"
    with promotion.promoting(project, say=progress_of(None)):
        other = threading.Thread(target=lambda: _refused(verb, project, said))
        other.start()
        until = time.monotonic() + 60
        while waits not in said:
            assert time.monotonic() < until, said
            time.sleep(0.01)
    other.join()
    assert said[-1] != waits or verb is Project.rollback


def _refused(verb: Callable[..., object], project: Project, said: list[str]) -> None:
    """Version 1 is champion already, and there is none before it."""
    with pytest.raises(CheckFailed):
        verb(project, say=said.append)


def test_nobody_waits_for_ever(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(promotion, "_WAIT_SECONDS", 0.1)
    with promotion.promoting(project, say=progress_of(None)), pytest.raises(InputError, match="another run") as refused:
        project.rollback()
    assert refused.value.hint == "wait for it or end it"


def test_a_dry_run_waits_for_nobody(project: Project):
    without_champion(project)
    with promotion.promoting(project, say=progress_of(None)):
        assert project.promote(dry_run=True).is_promoted


def test_a_champion_that_changes_while_it_is_scored_is_not_released(project: Project, tmp_path: Path):
    second = project.registry.log(run_of(tmp_path / "run"))
    place = project.home.releases(project.name)
    before, said = current_of(place), list[str]()

    def promote_in_between(message: str) -> None:
        said.append(message)
        if message == "writing scores and ledger":
            project.registry.promote(second.version, why="meanwhile")

    scoring = project.score("2026-05-04", say=promote_in_between)
    assert (scoring.version, scoring.store_refreshed) == ("1", False)
    assert "version 2 became champion meanwhile: version 1 is not released" in said
    assert current_of(place) == before
    project.rollback()
    assert project.score("2026-05-04").store_refreshed


# --- Serving -------------------------------------------------------------------------------------------------------


def test_serving_again_writes_no_other_release(project: Project):
    release = current_of(project.home.releases(project.name))
    assert project.bundle() == release
    assert project.bundle() == release


def test_other_settings_of_the_service_are_another_release_with_the_same_profiles(project: Project):
    before = project.bundle()
    other = Project(project.config, home=project.root, settings={"serving.max_items": 7})
    after = other.bundle()
    assert after == current_of(project.home.releases(project.name)) != before
    assert (after / "store/profiles.sqlite").samefile(before / "store/profiles.sqlite")


def test_a_champion_without_profiles_does_not_take_the_place_of_one_that_answers(project: Project, tmp_path: Path):
    before = project.bundle()
    project.registry.promote(project.registry.log(run_of(tmp_path / "run")).version, why="a try")
    after = project.bundle()
    assert current_of(project.home.releases(project.name)) == before
    assert not list((after / "store").iterdir())
    project.rollback()
    assert project.bundle() == before


def test_a_version_by_its_number_is_served_and_does_not_become_current(project: Project):
    before = project.bundle()
    after = project.bundle(model="1")
    assert after != before
    assert current_of(project.home.releases(project.name)) == before


def test_serve_and_score_at_once_leave_a_release_with_profiles(project: Project):
    assert project.config
    config, home = project.config, project.root

    def score() -> None:
        Project(config, home=home).score("2026-05-04")

    def serve() -> None:
        for _ in range(3):
            assert (Project(config, home=home).bundle() / "store/profiles.sqlite").exists()

    assert race(score, serve) == [0, 0]
    release = current_of(project.home.releases(project.name))
    assert release
    assert (release / "store/profiles.sqlite").exists()


def test_profiles_that_are_released_while_the_service_starts_are_served(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    """They are made current between the choice of earlier ones and the release that was to be served with them."""
    before, said, write = project.bundle(), list[str](), releases.write_release

    def released_in_between(*arguments: Any, **options: Any) -> Path:
        monkeypatch.undo()
        assert project.score("2026-05-04").store_refreshed
        return write(*arguments, **options)

    other = Project(project.config, home=project.root, settings={"serving.max_items": 7})
    monkeypatch.setattr(releases, "write_release", released_in_between)
    served = other.bundle(say=said.append)
    assert before != served == current_of(project.home.releases(project.name))
    info = store_of(served)
    assert info
    assert info.cutoff == date(2026, 5, 4)
    assert "another run has released profiles of 2026-05-04 meanwhile: they are served" in said


def test_an_earlier_cutoff_of_another_model_is_released(project: Project):
    """Later profiles stay only where they are of the same model."""
    project.score(date.fromisoformat(AS_OF))
    assert not project.score("2026-04-20").store_refreshed


# --- Training ------------------------------------------------------------------------------------------------------


def test_two_trainings_at_once_in_a_new_home_register_two_versions(tmp_path: Path):
    def train(number: int) -> None:
        Registry(tmp_path / "home", "shop").log(run_of(tmp_path / f"run{number}"))

    assert race(partial(train, 1), partial(train, 2)) == [0, 0]
    registry = Registry(tmp_path / "home", "shop")
    assert [registry.has(version) for version in ("1", "2", "3")] == [True, True, False]
    assert registry.version_of(CHALLENGER) in {"1", "2"}


# --- Frames --------------------------------------------------------------------------------------------------------


def test_the_same_frame_twice_at_once_is_one_file(tmp_path: Path):
    events = pa.table({"user_id": ["anna"] * 1000, "event_time": ["2026-01-05"] * 1000, "event_type": ["open"] * 1000})
    for folder in (tmp_path / str(turn) for turn in range(5)):
        assert race(*[partial(keep_frame, events, folder)] * 2) == [0, 0]
        (place,) = folder.iterdir()
        assert pq.ParquetFile(place).read() == events
