"""A watch finds what is current by now, once, and only what a service may follow."""

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pytest
from msgspec import structs

from features.errors import InputError
from features.storage.versions import Place
from serving.release.bundle import ServingBundle, read_bundle
from serving.release.release import write_release
from serving.release.watch import ReleaseWatch
from serving.store.profile_store import FILE, write_store
from tests.models.model_builder import profiles_of, specification

LATER = date(2026, 7, 6)
OTHER = structs.replace(specification(), feature_names=specification().feature_names[1:])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "releases/shop", keeps_all=False)


def filled(profiles: pa.Table) -> Callable[[Path], object]:
    return lambda folder: write_store(folder, profiles, specification=specification())


def users(watch: ReleaseWatch) -> int | None:
    """Users of the release that came since the last look."""
    found = watch.look()
    return found.store.info.users if found else None


def test_the_first_release_is_found_once(place: Place, bundle: ServingBundle, profiles: pa.Table):
    watch = ReleaseWatch(write_release(place, bundle, fill=filled(profiles)))
    assert [users(watch) for _ in range(3)] == [120, None, None]


def test_newer_profiles_and_another_version_are_followed(place: Place, bundle: ServingBundle, profiles: pa.Table):
    watch = ReleaseWatch(write_release(place, bundle, fill=filled(profiles)))
    assert users(watch) == 120
    write_release(place, bundle, fill=filled(profiles_of(10)))
    assert users(watch) == 10
    write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    found = watch.look()
    assert found
    assert (found.bundle.version, found.store.info.users) == ("8", 20)


def test_a_service_of_one_version_stays_with_it(place: Place, bundle: ServingBundle, profiles: pa.Table):
    pinned = replace(bundle, alias="7")
    release = write_release(place, pinned, fill=filled(profiles), becomes_current=lambda _: False)
    write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    watch = ReleaseWatch(release)
    assert [users(watch), users(watch)] == [120, None]
    write_release(place, bundle, fill=filled(profiles_of(10)))  # newer profiles of version 7, by its alias
    assert users(watch) == 10


def test_a_release_of_a_store_that_does_not_fit_is_refused_once(
    place: Place, bundle: ServingBundle, profiles: pa.Table
):
    watch = ReleaseWatch(write_release(place, bundle, fill=filled(profiles)))
    assert users(watch) == 120
    write_release(place, bundle, fill=lambda folder: write_store(folder, profiles, specification=OTHER))
    with pytest.raises(InputError, match="another model"):
        watch.look()
    assert watch.look() is None
    write_release(place, bundle, fill=filled(profiles_of(10)))
    assert users(watch) == 10


@pytest.mark.parametrize("file", ["release.json", "model/booster.txt", "model/churn_model.json", f"store/{FILE}"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "empty"])
def test_a_damaged_release_is_refused_before_it_is_read(
    place: Place, bundle: ServingBundle, profiles: pa.Table, file: str, damage: str
):
    watch = ReleaseWatch(write_release(place, bundle, fill=filled(profiles)))
    assert users(watch) == 120
    path = write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20))) / file
    content = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "flipped":
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
        case "gone":
            path.unlink()
        case _:
            path.write_bytes(b"")
    with pytest.raises(InputError, match="is damaged"):
        watch.look()


@pytest.mark.parametrize("step", ["check_release", "read_bundle", "open_store"])
def test_a_release_that_could_not_be_read_for_a_moment_is_tried_again(
    place: Place, bundle: ServingBundle, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch, step: str
):
    first = write_release(place, bundle, fill=filled(profiles))
    watch = ReleaseWatch(first)
    assert users(watch) == 120
    write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    with monkeypatch.context() as context:
        context.setattr(f"serving.release.watch.{step}", fails)
        for _ in range(2):
            with pytest.raises(OSError, match="Too many open files"):
                watch.look()
    assert [users(watch), users(watch)] == [20, None]


def test_an_error_of_the_disk_that_is_told_in_our_words_is_one_that_may_pass(
    place: Place, bundle: ServingBundle, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    watch = ReleaseWatch(write_release(place, bundle, fill=filled(profiles)))
    with monkeypatch.context() as context:
        context.setattr("serving.release.bundle._read", fails)
        context.setattr("serving.release.watch.store_folder", lambda folder: folder / "store")
        context.setattr("serving.release.watch.check_release", lambda _: None)
        with pytest.raises(InputError, match="nothing to serve"):
            watch.look()
    assert [users(watch), users(watch)] == [120, None]


def test_a_service_that_cannot_read_what_is_current_starts_with_the_first_and_follows_later(
    place: Place, bundle: ServingBundle, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    first = write_release(place, bundle, fill=filled(profiles))
    write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    watch = ReleaseWatch(first)
    with monkeypatch.context() as context:
        context.setattr("serving.release.watch.check_release", fails)
        with pytest.raises(OSError, match="Too many open files"):
            watch.look()
    assert [users(watch), users(watch), users(watch)] == [120, 20, None]


def fails(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.EMFILE, "Too many open files")


def test_a_store_that_is_replaced_in_a_folder_of_its_own_is_taken(
    bundle: ServingBundle, profiles: pa.Table, tmp_path: Path
):
    watch = ReleaseWatch(tmp_path / "served")
    with pytest.raises(InputError, match="no profile store"):
        watch.look()
    filled(profiles)(bundle.store)
    assert users(watch) == 120
    filled(profiles_of(10))(bundle.store)
    assert users(watch) == 10
    assert watch.look() is None


def test_a_folder_that_is_gone_is_an_error_and_not_the_end(tmp_path: Path):
    watch = ReleaseWatch(tmp_path / "nowhere")
    with pytest.raises(InputError, match="nothing to serve"):
        watch.look()
    assert watch.look() is None


def test_a_golden_profile_travels_with_a_release(place: Place, bundle: ServingBundle):
    golden = read_bundle(write_release(place, bundle)).golden
    assert golden
    assert set(golden.profile) == set(bundle.model.specification.feature_names)


def test_a_worker_that_is_started_again_starts_with_what_is_current(
    place: Place, bundle: ServingBundle, profiles: pa.Table
):
    first = write_release(place, bundle, fill=filled(profiles))
    write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    watch = ReleaseWatch(first)
    assert [users(watch), users(watch)] == [20, None]


def test_what_a_service_was_started_with_is_served_where_what_is_current_is_broken(
    place: Place, bundle: ServingBundle, profiles: pa.Table
):
    first = write_release(place, bundle, fill=filled(profiles))
    broken = write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    (broken / f"store/{FILE}").unlink()
    watch = ReleaseWatch(first)
    with pytest.raises(InputError, match="is damaged"):
        watch.look()
    assert users(watch) == 120
    with pytest.raises(InputError, match="is damaged"):
        watch.look()
    assert watch.look() is None


def test_another_release_is_taken_where_neither_the_first_nor_what_is_current_can_be_served(
    place: Place, bundle: ServingBundle, profiles: pa.Table
):
    first = write_release(place, bundle)
    write_release(place, replace(bundle, version="8"))
    watch = ReleaseWatch(first)
    for _ in range(2):
        with pytest.raises(InputError, match="no profile store"):
            watch.look()
    assert watch.look() is None
    write_release(place, replace(bundle, version="9"), fill=filled(profiles))
    assert [users(watch), users(watch)] == [120, None]


def test_what_could_not_be_read_is_tried_again_where_the_first_is_broken(
    place: Place, bundle: ServingBundle, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    first = write_release(place, bundle)
    write_release(place, replace(bundle, version="8"), fill=filled(profiles))
    watch = ReleaseWatch(first)
    with monkeypatch.context() as context:
        context.setattr("serving.release.watch.check_release", fails)
        with pytest.raises(OSError, match="Too many open files"):
            watch.look()
    with pytest.raises(InputError, match="no profile store"):
        watch.look()
    assert [users(watch), users(watch)] == [120, None]


@pytest.mark.parametrize("step", ["read_bundle", "open_store"])
def test_a_service_falls_back_on_the_first_whatever_fails_of_what_is_current(
    place: Place, bundle: ServingBundle, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch, step: str
):
    def has_a_bug(*_: object) -> NoReturn:
        raise ZeroDivisionError

    first = write_release(place, bundle, fill=filled(profiles))
    write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    watch = ReleaseWatch(first)
    with monkeypatch.context() as context:
        context.setattr(f"serving.release.watch.{step}", has_a_bug)
        with pytest.raises(ZeroDivisionError):
            watch.look()
    assert [users(watch), users(watch), users(watch)] == [120, 20, None]


def test_a_release_that_is_found_and_refused_gives_way_to_the_first_or_to_the_one_before(
    place: Place, bundle: ServingBundle, profiles: pa.Table
):
    first = write_release(place, bundle, fill=filled(profiles))
    write_release(place, replace(bundle, version="8"), fill=filled(profiles_of(20)))
    watch = ReleaseWatch(first)
    assert users(watch) == 20
    watch.refuse(InputError("another score"))
    assert [users(watch), users(watch)] == [120, 20]
    watch.refuse(InputError("another score"))
    assert watch.look() is None
    write_release(place, bundle, fill=filled(profiles_of(10)))
    assert users(watch) == 10
    watch.refuse(OSError(errno.EIO, "Input/output error"))
    assert [users(watch), users(watch)] == [10, None]
