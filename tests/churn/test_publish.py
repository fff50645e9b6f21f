"""``churn publish``, and a server that fetches what it left."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from churn.project import Project
from features.errors import InputError
from features.storage.versions import Place, current_of
from serving.release.bundle import ServingBundle
from serving.settings import ScoringSettings, ServingSettings
from tests.churn.conftest import Command
from tests.models.model_builder import profiles_of, tiny_model
from tests.serving.finished import finished_release


@pytest.fixture
def release(tmp_path: Path) -> Path:
    place = Place(tmp_path / "home/releases/churn", keeps_all=False)
    bundle = ServingBundle(tiny_model(), "churn", "7", "champion", Path(), ScoringSettings(), ServingSettings())
    profiles: pa.Table = profiles_of(20)
    return finished_release(place, bundle, profiles)


def test_a_release_is_published_and_fetched_by_another_home(command: Command, release: Path, tmp_path: Path):
    ran = command("publish", "there", "--home", "home", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["version"] == release.name
    server = Project(home=tmp_path / "server", settings={"serving.releases": str(tmp_path / "there")})
    from churn.jobs.service.delivery import fetched

    found, again = fetched(server)
    assert found == current_of(server.home.fetched_releases("churn"))
    assert found.name == release.name
    assert again() is None


def test_where_the_place_does_not_answer_the_last_good_release_is_served(
    command: Command, release: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    from churn.jobs.service.delivery import fetched

    server = Project(home=tmp_path / "server", settings={"serving.releases": str(tmp_path / "there")})
    with pytest.raises(InputError, match="no release can be fetched from"):
        fetched(server)
    assert command("publish", "there", "--home", "home").code == 0
    before, _ = fetched(server)
    (tmp_path / "there/current").unlink()
    found, _ = fetched(server)
    assert found == before
    assert "the last good release is served" in caplog.text


def test_a_folder_in_the_settings_starts_from_theirs(command: Command, release: Path, tmp_path: Path):
    from churn.jobs.service.delivery import fetched

    (tmp_path / "at").mkdir()
    (tmp_path / "at/churn.toml").write_text('[serving]\nreleases = "shared"\n')
    assert command("publish", "--config", "at/churn.toml", "--home", "home").code == 0
    assert (tmp_path / "at/shared/current").exists()
    found, _ = fetched(Project(tmp_path / "at/churn.toml", home=tmp_path / "server"))
    assert found.name == release.name


def test_without_a_place_or_a_release_the_way_is_said(command: Command, release: Path):
    ran = command("publish", "--home", "home")
    assert (ran.code, "[serving] releases" in ran.err) == (2, True)
    ran = command("publish", "there", "--home", "empty")
    assert (ran.code, "churn score" in ran.err) == (2, True)
