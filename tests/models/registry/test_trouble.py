"""Ordinary trouble with MLflow's store is told in its own words, with the way out; what is unknown stays as it is."""

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from features.errors import ChurnError, InputError
from models.registry.registry import CHALLENGER, RegisteredModel, Registry
from models.registry.trouble import store_error
from tests.models.run_builder import PROJECT, run_of
from tests.models.tracking_server import free_port
from tests.small_disk import resize, small_disk, used_kilobytes


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty_store, tmp_path / "home"))


def database(home: Path) -> Path:
    return home / "mlflow.db"


@contextmanager
def locked(home: Path) -> Generator[None]:
    with closing(sqlite3.connect(database(home), isolation_level=None)) as other:
        other.execute("begin exclusive")
        yield
        other.execute("rollback")


def refusal(home: Path, tmp_path: Path) -> InputError:
    with pytest.raises(InputError) as refused:
        Registry(home, PROJECT).log(run_of(tmp_path / "artifacts"))
    return refused.value


@pytest.mark.slow
def test_a_locked_database_is_said_to_be_locked_and_is_as_it_was(store: Path, tmp_path: Path):
    with locked(store):
        found = refusal(store, tmp_path)
    assert found.message == (
        f"MLflow's database sqlite:///{database(store).resolve()} is locked: another program has been writing to it"
    )
    assert found.hint == "wait for it or end it, and run the same command again"
    assert Registry(store, PROJECT).log(run_of(tmp_path / "artifacts")).version == "1"


def test_a_database_that_may_only_be_read_is_said_to_be(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///file:{database(store)}?mode=ro&uri=true")
    assert "may only be read" in refusal(tmp_path / "elsewhere", tmp_path).message


def with_schema(home: Path, version: str) -> None:
    with closing(sqlite3.connect(database(home))) as connection, connection:
        connection.execute("update alembic_version set version_num = ?", (version,))


@pytest.mark.parametrize(
    ("version", "age", "way_out"),
    [("ffffffffffff", "newer", "install"), ("451aebb31d03", "older", "mlflow db upgrade")],
)
def test_a_database_of_another_version_of_mlflow_is_told_from_ours(
    store: Path, tmp_path: Path, version: str, age: str, way_out: str
):
    with_schema(store, version)
    found = refusal(store, tmp_path)
    assert f"was written by an {age} version" in found.message.replace("a newer", "an newer")
    assert way_out in found.hint


@pytest.mark.parametrize("content", [b"no database at all" * 1000, None])
def test_a_damaged_database_is_named(store: Path, tmp_path: Path, content: bytes | None):
    whole = database(store).read_bytes()
    database(store).write_bytes(content or whole[: len(whole) // 3])
    found = refusal(store, tmp_path)
    assert f"{database(store).resolve()} is damaged" in found.message
    assert "restore it" in found.hint


def test_a_server_that_does_not_answer_is_said_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert refusal(tmp_path / "home", tmp_path).message == f"MLflow at {address} does not answer"


def test_a_full_disk_is_said_to_be_full_and_the_run_is_not_registered(empty_store: Path, tmp_path: Path):
    with small_disk(tmp_path / "disk", kilobytes=4096) as disk:
        home = Path(shutil.copytree(empty_store, disk / "home"))
        Registry(home, PROJECT).has(CHALLENGER)
        resize(disk, kilobytes=used_kilobytes(disk) + 60)
        assert "the disk is full" in refusal(home, tmp_path).message
        resize(disk, kilobytes=16384)
        assert not Registry(home, PROJECT).has("1")
        assert Registry(home, PROJECT).log(run_of(tmp_path / "artifacts")).version == "1"


# --- The files of a model ------------------------------------------------------------------------------------------


def model_folder(found: RegisteredModel, registry: Registry) -> Path:
    import mlflow

    uri = mlflow.MlflowClient(registry.uri).get_model_version_download_uri(found.name, found.version)
    return Path(uri.removeprefix("file://")) / "data/model"


@pytest.fixture
def registered(store: Path, tmp_path: Path) -> tuple[Registry, Path, str]:
    """A registry, with the folder of the model of its only version."""
    registry = Registry(store, PROJECT)
    found = registry.log(run_of(tmp_path / "artifacts"))
    return registry, model_folder(found, registry), found.version


def test_files_that_are_gone_are_named_by_their_place(registered: tuple[Registry, Path, str]):
    registry, folder, version = registered
    shutil.rmtree(folder.parents[1])
    with pytest.raises(
        InputError, match=f"the files of {PROJECT} version {version} are gone: .*{folder.parents[1].name}"
    ):
        registry.get(version)


@pytest.mark.parametrize("name", ["booster.txt", "churn_model.json"])
def test_a_damaged_file_is_named_by_its_place_and_not_by_that_of_a_copy(
    registered: tuple[Registry, Path, str], name: str
):
    registry, folder, version = registered
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content.replace(b"5", b"6"))
    with pytest.raises(InputError, match=f"{PROJECT} version {version}, .*{folder}/{name} is damaged"):
        registry.get(version)


# --- Words ---------------------------------------------------------------------------------------------------------


def test_what_is_unknown_stays_as_it_is():
    assert store_error(ZeroDivisionError("no"), "sqlite:///a.db") is None
    assert store_error(InputError("ours"), "sqlite:///a.db") is None


def test_a_secret_in_the_address_is_not_shown():
    found: Any = store_error(sqlite3.OperationalError("database is locked"), "postgresql://anna:1234@db/mlflow")
    assert isinstance(found, ChurnError)
    assert "1234" not in found.message


@pytest.mark.parametrize("name", ["h?x", "h%20x"])
def test_a_home_that_mlflow_would_take_for_another_place_is_refused(tmp_path: Path, name: str):
    with pytest.raises(InputError, match=r"MLflow cannot keep its database in a folder with .* in its path"):
        Registry(tmp_path / name, "churn").has("champion")
    assert list(tmp_path.iterdir()) == []
