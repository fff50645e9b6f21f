"""A home of the first format is brought to today's layout, whatever stops it in between; a newer one is left alone."""

import json
import os
import shutil
import signal
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from churn.project import Project
from churn.upgrade import FORMAT_VERSION, open_home
from features.errors import InputError
from features.storage.versions import current_of
from serving.release.release import store_for, store_of
from tests.builders import write
from tests.churn.conftest import Command
from tests.races import race

FIXTURE = Path(__file__).parents[1] / "fixtures" / "home_4b49813.tar.xz"
CHANGES = {"os.rename", "os.mkdir", "os.symlink", "os.link", "os.remove", "os.rmdir", "shutil.rmtree", "os.utime"}
BATCH = "churn/cutoff=2026-04-27/model=churn-v2"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a home of format 1, without its models and its activity; look, do not touch."""
    folder = tmp_path_factory.mktemp("first")
    with tarfile.open(FIXTURE) as packed:
        parts = ("home/lists", "home/scores", "home/ledger", "home/served", "home/store")
        packed.extractall(folder, [one for one in packed if one.name.startswith(parts)], filter="data")
    return folder / "home"


@pytest.fixture
def home(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "home"))


def tree(home: Path) -> dict[str, bytes | str]:
    """Every file with its bytes, every link with where it leads."""
    found = (path for path in sorted(home.rglob("*")) if path.is_symlink() or path.is_file())
    kept = (path for path in found if not path.name.endswith(".lock"))
    return {str(p.relative_to(home)): str(p.readlink()) if p.is_symlink() else p.read_bytes() for p in kept}


def test_each_result_becomes_a_version_of_its_project(home: Path, first: Path):
    before = tree(first)
    open_home(home)
    (week,) = (home / "lists/churn").iterdir()
    assert week.name == "2026-W18"
    for place, was in {
        home / "lists/churn/2026-W18/at_risk": "lists/2026-W18",
        home / "scores" / BATCH: "scores/cutoff=2026-04-27/model=churn-v2",
        home / "ledger" / BATCH: "ledger/cutoff=2026-04-27/model=churn-v2",
    }.items():
        version = current_of(place)
        assert version
        assert tree(version) == tree(first / was)
    assert set(before.values()) - set(tree(home).values()) == {(first / "served/served.json").read_bytes()}
    assert {path.name for path in home.iterdir()} == {"home.json", "lists", "scores", "ledger", "releases", "locks"}


def test_what_was_served_becomes_the_current_release_with_its_store(home: Path):
    open_home(home)
    release = current_of(home / "releases/churn")
    assert release
    assert set(tree(release)) == {
        "release.json",
        "model/booster.txt",
        "model/churn_model.json",
        "store/profiles.sqlite",
    }
    about = json.loads((release / "release.json").read_text())
    assert (about["name"], about["version"], about["store"]) == ("churn", "2", "store")


def test_a_store_that_was_never_served_waits_for_its_model(home: Path):
    shutil.rmtree(home / "served")
    open_home(home)
    (release,) = (path for path in (home / "releases/churn").iterdir() if path.is_dir())
    info = store_of(release)
    assert info
    assert current_of(home / "releases/churn") is None
    assert store_for(home / "releases/churn", info.specification) == release / "store"


def test_what_cannot_be_read_stays_where_it_is_and_is_named(home: Path, caplog: pytest.LogCaptureFixture):
    (home / "lists/2026-W18/manifest.json").write_text("{")
    (home / "served/churn_model.json").write_text("{")
    open_home(home)
    assert (home / "lists/2026-W18/at_risk.csv").exists()
    assert f"{home / 'lists/2026-W18'} stays where it is: its manifest cannot be read" in caplog.text
    assert current_of(home / "scores" / BATCH)
    assert json.loads((home / "home.json").read_text()) == {"format_version": FORMAT_VERSION}


def test_a_home_that_is_upgraded_stays_as_it_is(home: Path, caplog: pytest.LogCaptureFixture):
    open_home(home)
    before = tree(home)
    caplog.clear()
    open_home(home)
    assert tree(home) == before
    assert not caplog.records


def moments(home: Path) -> int:
    """How often an upgrade changes something, so how often it can be killed."""
    seen: list[str] = []

    def count() -> None:
        sys.addaudithook(lambda event, _: seen.append(event) if event in CHANGES else None)
        open_home(home)
        (home.parent / "moments").write_text(str(len(seen)))

    assert race(count) == [0]
    return int((home.parent / "moments").read_text())


def upgrade_and_die(home: Path, at: int) -> None:
    left = iter(range(at))

    def die(event: str, _: object) -> None:
        if event in CHANGES and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    open_home(home)


def copies(first: Path, folder: Path, number: int) -> Iterator[Path]:
    for index in range(number):
        yield Path(shutil.copytree(first, folder / str(index) / "home"))


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_an_upgrade_that_is_killed_at_any_moment_is_finished_by_the_next_run(first: Path, tmp_path: Path, every: int):
    whole = tmp_path / "whole" / "home"
    shutil.copytree(first, whole)
    number = moments(whole)
    assert number > 20
    for at in range(0, number, every):
        home = Path(shutil.copytree(first, tmp_path / str(at) / "home"))
        assert race(lambda: upgrade_and_die(home, at)) == [-signal.SIGKILL]  # noqa: B023  # it runs at once
        open_home(home)
        assert tree(home) == tree(whole), at
        shutil.rmtree(home)


def test_two_runs_that_upgrade_at_once_take_turns(first: Path, tmp_path: Path):
    whole = Path(shutil.copytree(first, tmp_path / "whole" / "home"))
    open_home(whole)
    for home in copies(first, tmp_path, 6):
        assert race(lambda: open_home(home), lambda: open_home(home)) == [0, 0]  # noqa: B023
        assert tree(home) == tree(whole)


# --- Formats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        Project.activity,
        pytest.param(lambda project: project.registry, marks=pytest.mark.slow),  # MLflow lays out its tables
    ],
    ids=["log", "registry"],
)
def test_a_home_that_was_just_made_says_its_format(tmp_path: Path, make: Callable[[Project], object]):
    log = write(tmp_path / "log.parquet", ["anna 2026-01-05T10:00", "anna 2026-01-06T10:00"])
    make(Project(home=tmp_path / "home", events=log))
    assert json.loads((tmp_path / "home/home.json").read_text()) == {"format_version": FORMAT_VERSION}


def test_a_home_is_not_made_by_looking_at_it(tmp_path: Path):
    assert Project(home=tmp_path / "home").home.root == tmp_path / "home"
    assert list(tmp_path.iterdir()) == []


def test_a_newer_home_is_refused_with_the_way_out(command: Command, tmp_path: Path):
    (tmp_path / "home.json").write_text('{"format_version": 3}')
    ran = command("rollback", "--home", tmp_path)
    assert ran.code == 2
    assert f"the home {tmp_path} is of format 3, expected at most 2" in ran.err
    assert "Hint: use the version of churn that wrote it, or another home: --home" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["home.json"]


@pytest.mark.parametrize("content", ["", "{}", "[2]", '{"format_version": "x"}'])
def test_a_home_that_does_not_say_its_format_is_refused(tmp_path: Path, content: str):
    (tmp_path / "home.json").write_text(content)
    with pytest.raises(InputError, match="does not say the format of the home"):
        open_home(tmp_path)
