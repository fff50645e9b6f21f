"""Releases: a model with the store of its answers, swapped as one, while others write and read."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from msgspec import structs

from features.errors import InputError
from features.storage.versions import Place, current_of, digest_of, versions_of
from serving.release.bundle import FILE, ServingBundle, read_bundle
from serving.release.release import last_good, later_profiles, link_store, store_for, store_of, write_release
from serving.store.profile_store import ProfileStore, write_store
from tests.models.model_builder import CUTOFF, profiles_of, specification
from tests.races import in_turns, race

EARLIER, LATER = date(2026, 5, 4), date(2026, 7, 6)
OTHER = structs.replace(specification(), feature_names=specification().feature_names[1:])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "releases/shop", keeps_all=False)


def at(profiles: pa.Table, cutoff: date) -> pa.Table:
    column = pa.array([cutoff] * profiles.num_rows, pa.date32())
    return profiles.set_column(profiles.column_names.index("cutoff"), "cutoff", column)


def filled(profiles: pa.Table, cutoff: date = CUTOFF) -> Callable[[Path], object]:
    return lambda folder: write_store(folder, at(profiles, cutoff), specification=specification())


def test_a_release_holds_model_settings_and_store(place: Place, bundle: ServingBundle, profiles: pa.Table):
    release = write_release(place, bundle, fill=filled(profiles))
    assert current_of(place.folder) == release
    files = {str(path.relative_to(release)) for path in release.rglob("*.*")}
    assert files == {"release.json", "model/booster.txt", "model/churn_model.json", "store/profiles.sqlite"}
    found = read_bundle(release)
    assert (found.name, found.version, found.store) == ("shop", "7", release / "store")
    assert found.model.specification == bundle.model.specification


def test_the_same_model_and_profiles_are_the_same_release(place: Place, bundle: ServingBundle, profiles: pa.Table):
    assert write_release(place, bundle, fill=filled(profiles)) == write_release(place, bundle, fill=filled(profiles))
    assert len(versions_of(place.folder)) == 1


def test_a_release_moves_with_its_store(place: Place, bundle: ServingBundle, profiles: pa.Table, tmp_path: Path):
    write_release(place, bundle, fill=filled(profiles)).rename(tmp_path / "release")
    found = read_bundle(tmp_path / "release")
    assert found.store == tmp_path / "release/store"


def test_later_profiles_of_the_same_model_are_told_from_others(place: Place, bundle: ServingBundle, profiles: pa.Table):
    assert not later_profiles(None, specification(), than=EARLIER)
    release = write_release(place, bundle, fill=filled(profiles))
    found = [later_profiles(release, specification(), than=cutoff) for cutoff in (EARLIER, CUTOFF, LATER)]
    assert found == [CUTOFF, None, None]
    assert not later_profiles(release, OTHER, than=EARLIER)


def test_of_all_profiles_that_fit_the_latest_are_found(place: Place, bundle: ServingBundle, profiles: pa.Table):
    assert store_for(place.folder, specification()) is None
    later = write_release(place, bundle, fill=filled(profiles, LATER))
    write_release(place, replace(bundle, version="8"))
    write_release(place, bundle, fill=filled(profiles, EARLIER))
    assert store_for(place.folder, specification()) == later / "store"
    assert store_for(place.folder, OTHER) is None


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"cut short")])
def test_a_current_release_that_is_damaged_is_refused_and_not_served_without_its_profiles(
    place: Place, bundle: ServingBundle, profiles: pa.Table, damage: Callable[[Path], object]
):
    release = write_release(place, bundle, fill=filled(profiles))
    damage(release / "store/profiles.sqlite")
    with pytest.raises(InputError, match=f"{release} is damaged: .*store/profiles.sqlite") as refused:
        store_for(place.folder, specification())
    assert "churn score" in refused.value.hint
    assert write_release(place, bundle, fill=filled(profiles)) == release
    assert store_for(place.folder, specification()) == release / "store"


def test_a_store_is_taken_along_without_a_copy(place: Place, bundle: ServingBundle, profiles: pa.Table):
    first = write_release(place, bundle, fill=filled(profiles))
    again = write_release(place, replace(bundle, version="8"), fill=partial(link_store, first / "store"))
    files = [release / "store/profiles.sqlite" for release in (first, again)]
    assert files[0].stat().st_ino == files[1].stat().st_ino
    assert store_of(again) == store_of(first)


def test_a_release_of_a_newer_format_is_refused_with_the_way_out(place: Place, bundle: ServingBundle):
    release = write_release(place, bundle)
    about = json.loads((release / FILE).read_text())
    (release / FILE).write_bytes(msgspec.json.encode(about | {"format_version": 3}))
    with pytest.raises(InputError, match="format 3, expected at most 2") as refused:
        read_bundle(release)
    assert "churn score" in refused.value.hint


def test_the_last_good_release_is_the_current_one_or_the_latest_that_is_whole(
    place: Place, bundle: ServingBundle, profiles: pa.Table
):
    assert last_good(place.folder) is None
    first = write_release(place, bundle, fill=filled(profiles))
    write_release(place, replace(bundle, version="8"))  # without profiles
    assert last_good(place.folder) == first
    second = write_release(place, replace(bundle, version="9"), fill=filled(profiles_of(10)))
    assert last_good(place.folder) == second
    (second / "store/profiles.sqlite").unlink()
    assert last_good(place.folder) == first


def test_two_releases_at_once_and_a_service_that_reads(place: Place, bundle: ServingBundle, profiles: pa.Table):
    """Model and store always belong together, and the store can be read while it is swapped."""
    seven = partial(write_release, place, bundle, fill=filled(profiles))
    eight = partial(write_release, place, replace(bundle, version="8"), fill=filled(profiles_of(10)))
    found: set[tuple[str, int]] = set()

    def read() -> None:
        if release := current_of(place.folder):
            version = json.loads((release / FILE).read_text())["version"]
            found.add((version, len(ProfileStore(release / "store").get([f"u{n}" for n in range(120)]))))

    for turn in in_turns([seven, eight], 8):
        assert race(*turn, read=read) == [0, 0]
        release = current_of(place.folder)
        assert release
        assert digest_of(release) == release.name
        assert len(versions_of(place.folder)) == 2
    assert found == {("7", 120), ("8", 10)}
