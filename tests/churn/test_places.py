"""Where the command looks for things, and where it keeps them."""

import json
from pathlib import Path

import pytest

from tests.builders import write
from tests.churn.conftest import Command

LOG = ["anna 2026-03-01T10:00", "anna 2026-03-05T10:00", "bob 2026-03-02T10:00"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A churn.toml in a folder of its own, beside its log; another log lies where the command is run."""
    write(tmp_path / "shop" / "log.parquet", LOG)
    write(tmp_path / "log.parquet", LOG[:1])
    (tmp_path / "shop" / "churn.toml").write_text('[events]\npath = "log.parquet"\n')
    return tmp_path / "shop" / "churn.toml"


def profiles(command: Command, *options: str | Path) -> dict[str, object]:
    ran = command("profiles", "--as-of", "2026-03-02", "--out", "profiles.parquet", "--json", *options)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_relative_path_of_the_file_starts_at_its_folder(command: Command, project: Path):
    assert profiles(command, "--config", project)["rows"] == 3


def test_a_path_given_with_events_starts_where_you_are(command: Command, project: Path):
    ran = command(
        "profiles",
        "--config",
        project,
        "--events",
        "log.parquet",
        "--as-of",
        "2026-03-02",
        "--out",
        "p.parquet",
        "--json",
    )
    assert json.loads(ran.out)["rows"] == 1


def test_a_churn_toml_in_this_folder_is_taken_by_itself(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(project.parent)
    assert profiles(command)["rows"] == 3


def test_everything_is_kept_in_the_home(command: Command, project: Path, tmp_path: Path):
    profiles(command, "--config", project)
    assert (tmp_path / ".churn" / "activity").is_dir()
    profiles(command, "--config", project, "--home", "elsewhere")
    assert (tmp_path / "elsewhere" / "activity").is_dir()


def test_the_environment_may_name_the_home(
    command: Command, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "kept"))
    profiles(command, "--config", project)
    assert (tmp_path / "kept" / "activity").is_dir()
    profiles(command, "--config", project, "--home", "flagged")
    assert (tmp_path / "flagged" / "activity").is_dir()
    assert not (tmp_path / ".churn").exists()


def test_the_environment_may_name_the_settings(
    command: Command, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CHURN_CONFIG", str(project))
    profiles(command)
    assert (tmp_path / ".churn" / "activity").is_dir()
    assert command("settings", "--config", "nowhere.toml").code == 2


def test_profiles_are_of_the_cutoff_and_the_file_is_whole(command: Command, project: Path, tmp_path: Path):
    import pyarrow.parquet as pq

    report = profiles(command, "--config", project)
    table = pq.read_table(tmp_path / "profiles.parquet")
    assert table["user_id"].to_pylist() == ["anna"]  # bob came on the day of the cutoff
    assert (report["profiles"], report["columns"]) == table.shape
    assert {path.name for path in tmp_path.iterdir()} == {".churn", "shop", "log.parquet", "profiles.parquet"}
