"""``churn serve`` starts though MLflow is away, damaged or empty: the last good release is on disk."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from churn import Project
from features.errors import InputError
from features.storage.versions import current_of
from tests.churn.command import TrainedWorld


def empty(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("delete from registered_model_aliases")
        connection.execute("delete from model_version_tags")
        connection.execute("delete from model_versions")
        connection.execute("delete from registered_models")


def garble(store: Path) -> None:
    store.write_bytes(b"not a database at all" * 1000)


@pytest.mark.parametrize("harm", [pytest.param(Path.unlink, marks=pytest.mark.slow), empty, garble])
def test_the_last_good_release_is_served_and_that_is_said(
    trained_world: TrainedWorld, tmp_path: Path, harm: Callable[[Path], object], caplog: pytest.LogCaptureFixture
):
    world = trained_world.copy_to(tmp_path / "home")
    release = current_of(world.home / "releases/churn")
    harm(world.home / "mlflow.db")
    project = Project(world.config, home=world.home)
    assert project.bundle() == release
    assert "the last good release is served" in caplog.text
    with pytest.raises(InputError):
        project.bundle(model="7")
