"""Releases in a folder and in an object store that several servers reach."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from features.errors import InputError
from features.storage.versions import Place, current_of, is_damaged, versions_of
from serving.release.bundle import ServingBundle
from serving.release.publish import fetch, publish
from serving.release.release import write_release
from serving.release.watch import ReleaseWatch
from tests.s3_server import s3_server
from tests.serving.finished import finished_release


@pytest.fixture
def release(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path) -> Path:
    return finished_release(Place(tmp_path / "releases/shop", keeps_all=False), bundle, profiles)


@pytest.fixture
def there(tmp_path: Path) -> str:
    return str(tmp_path / "there")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Of a server."""
    return Place(tmp_path / "server", keeps_all=False)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_fetched_is_what_was_published_and_nothing_is_copied_twice(release: Path, there: str, place: Place):
    assert sorted(publish(release, there)) == sorted(path for path in release.rglob("*") if path.is_file())
    assert publish(release, there) == []
    found = fetch(place, there)
    assert found is not None
    assert current_of(place.folder) == found
    assert files(found) == files(release)
    assert fetch(place, there) is None


def test_what_was_fetched_and_is_damaged_is_fetched_again_where_that_is_asked_for(
    release: Path, there: str, place: Place
):
    publish(release, there)
    found = fetch(place, there)
    assert found is not None
    (found / "release.json").write_text("{}")
    assert fetch(place, there) is None
    assert fetch(place, there, heals=True) == found
    assert files(found) == files(release)
    assert fetch(place, there, heals=True) is None


def test_a_server_takes_what_was_published_later(
    release: Path, there: str, place: Place, bundle: ServingBundle, profiles: pa.Table, tmp_path: Path
):
    publish(release, there)
    first = fetch(place, there)
    assert first is not None
    watch = ReleaseWatch(first)
    found = watch.look()
    assert found is not None
    assert found.bundle.version == "7"
    publish(finished_release(Place(release.parent, keeps_all=False), replace(bundle, version="8"), profiles), there)
    assert fetch(place, there)
    found = watch.look()
    assert found is not None
    assert found.bundle.version == "8"


@pytest.mark.parametrize("damage", ["cut short", "missing", "of another model"])
def test_what_is_not_what_was_published_does_not_count(
    release: Path, there: str, place: Place, bundle: ServingBundle, profiles: pa.Table, damage: str
):
    publish(release, there)
    good = fetch(place, there)
    later = finished_release(Place(release.parent, keeps_all=False), replace(bundle, version="8"), profiles)
    publish(later, there)
    model = Path(there) / later.name / "model/booster.txt"
    match damage:
        case "cut short":
            model.write_bytes(model.read_bytes()[:-1])
        case "missing":
            model.unlink()
        case _:
            model.write_text("another")
    with pytest.raises(InputError, match="is not what was published") as refused:
        fetch(place, there)
    assert "churn publish" in refused.value.hint
    assert current_of(place.folder) == good
    assert versions_of(place.folder) == [good]


def test_a_run_that_was_killed_half_way_is_completed_and_nobody_sees_it_before(release: Path, there: str, place: Place):
    publish(release, there)
    (Path(there) / "current").unlink()
    (Path(there) / release.name / "store/profiles.sqlite").unlink()
    with pytest.raises(InputError, match="no release can be fetched from"):
        fetch(place, there)
    assert publish(release, there) == [release / "store/profiles.sqlite"]
    found = fetch(place, there)
    assert found is not None
    assert not is_damaged(found)


def test_a_file_that_was_damaged_there_is_replaced_also_where_its_size_is_the_same(
    release: Path, there: str, place: Place
):
    publish(release, there)
    damage(Path(there) / release.name / "model/booster.txt")
    with pytest.raises(InputError, match="is not what was published"):
        fetch(place, there)
    assert publish(release, there) == [release / "model/booster.txt"]
    found = fetch(place, there)
    assert found is not None
    assert files(found) == files(release)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def test_what_cannot_be_served_is_not_published(release: Path, there: str, bundle: ServingBundle, tmp_path: Path):
    empty = write_release(Place(tmp_path / "empty"), bundle)
    with pytest.raises(InputError, match="there is no profile store"):
        publish(empty, there)
    (release / "release.json").write_bytes(b"{}")
    with pytest.raises(InputError, match="is damaged"):
        publish(release, there)
    assert not Path(there).exists()


def test_a_place_that_names_no_release_or_leads_outside_is_refused(release: Path, there: str, place: Place):
    publish(release, there)
    (Path(there) / "current").write_text("../../etc")
    with pytest.raises(InputError, match="names no release"):
        fetch(place, there)
    shutil.rmtree(there)
    with pytest.raises(InputError, match="no release can be fetched from"):
        fetch(place, there)


@pytest.fixture
def store() -> Iterator[Any]:
    with s3_server("s3cr3t"):
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        other = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        other.mkdir("models")
        yield other
        other.rm("models", recursive=True)  # servers of one process share what they keep
        fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_an_object_store_is_a_place(store: Any, release: Path, place: Place):
    publish(release, "s3://models/churn")
    found = fetch(place, "s3://models/churn")
    assert found is not None
    assert files(found) == files(release)
    assert publish(release, "s3://models/churn") == []
    store.pipe_file(f"models/churn/{release.name}/release.json", bytes((release / "release.json").stat().st_size))
    assert publish(release, "s3://models/churn") == [release / "release.json"]
    with pytest.raises(InputError, match="cannot be taken to s3://model/churn") as refused:
        publish(release, "s3://model/churn")
    assert "s3cr3t" not in str(refused.value)
    assert store.ls("") == ["models"]
