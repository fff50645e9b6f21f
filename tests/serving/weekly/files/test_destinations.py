"""A list is taken to folders and stores: whole, once, with the manifest last."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from features.errors import InputError, SettingsError
from serving.weekly.files import destinations
from serving.weekly.files.destinations import Delivery, deliver
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.verify import verify
from tests.races import race
from tests.serving.weekly.files.conftest import ADDRESS, finish, listed

BELOW = "shop/2026-W47/vip/abc123"
NAMES = ["at_risk.csv", "at_risk.parquet", "at_risk.xlsx", "manifest.json"]


@pytest.fixture(autouse=True)
def memory() -> Iterator[MemoryFileSystem]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def test_a_list_is_taken_to_a_folder(folder: Path, tmp_path: Path):
    assert deliver(folder, str(tmp_path / "crm"), address=ADDRESS) == Delivery(f"{tmp_path}/crm/{BELOW}", is_new=True)
    there = tmp_path / "crm" / BELOW
    assert sorted(path.name for path in there.iterdir()) == NAMES
    assert all((there / name).read_bytes() == (folder / name).read_bytes() for name in NAMES)
    assert verify(there).is_whole


def test_a_list_is_taken_to_a_store(folder: Path, memory: MemoryFileSystem):
    assert deliver(folder, "memory://crm/", address=ADDRESS) == Delivery(f"memory://crm/{BELOW}", is_new=True)
    assert [path.rpartition("/")[2] for path in memory.find("/crm")] == NAMES
    assert all(memory.cat_file(f"/crm/{BELOW}/{name}") == (folder / name).read_bytes() for name in NAMES)


@pytest.mark.parametrize("to", ["{}/crm", "file://{}/crm"])
def test_doing_it_again_changes_nothing(folder: Path, tmp_path: Path, to: str):
    place = to.format(tmp_path)
    deliver(folder, place, address=ADDRESS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "crm").rglob("*")}
    assert not deliver(folder, place, address=ADDRESS).is_new
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "crm").rglob("*")} == before


def test_a_file_that_somebody_removed_is_there_again(folder: Path, memory: MemoryFileSystem):
    deliver(folder, "memory://crm", address=ADDRESS)
    memory.rm_file(f"/crm/{BELOW}/at_risk.csv")
    assert deliver(folder, "memory://crm", address=ADDRESS).is_new
    assert memory.exists(f"/crm/{BELOW}/at_risk.csv")


@pytest.mark.parametrize("to", ["{}/crm", "memory://crm"])
def test_a_delivery_that_ends_after_a_file_leaves_no_manifest_and_is_completed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
):
    place, copy, is_out = to.format(tmp_path), destinations.copy_to, True

    def fail_at_the_second(source: Path, *args: Any, **options: Any) -> None:
        if is_out and source.name == "at_risk.parquet":
            raise ConnectionResetError("the cable is out")
        copy(source, *args, **options)

    monkeypatch.setattr(destinations, "copy_to", fail_at_the_second)
    with pytest.raises(InputError, match=r"cannot be taken to .*: the cable is out") as raised:
        deliver(folder, place, address=ADDRESS)
    assert "it goes on where it ended" in raised.value.hint
    store, top = fsspec.core.url_to_fs(place)
    assert [path.rpartition("/")[2] for path in store.find(top)] == ["at_risk.csv"]
    is_out = False
    assert deliver(folder, place, address=ADDRESS).is_new
    assert [path.rpartition("/")[2] for path in store.find(top)] == NAMES


def test_a_delivery_that_is_killed_leaves_no_manifest_and_is_completed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy, there = destinations.copy_to, tmp_path / "crm" / BELOW

    def die_at_the_last(source: Path, *args: Any, **options: Any) -> None:
        if source.name == "manifest.json":
            os.kill(os.getpid(), signal.SIGKILL)
        copy(source, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(destinations, "copy_to", die_at_the_last)
        codes = race(lambda: deliver(folder, str(tmp_path / "crm"), address=ADDRESS))
    assert (codes, sorted(path.name for path in there.iterdir())) == ([-signal.SIGKILL], NAMES[:3])
    assert deliver(folder, str(tmp_path / "crm"), address=ADDRESS).is_new
    assert verify(there).is_whole


def test_where_the_manifest_is_everything_is_also_with_two_deliveries_at_once(folder: Path, tmp_path: Path):
    there, seen = tmp_path / "crm" / BELOW, list[bool]()

    def look() -> None:
        if (there / "manifest.json").exists():
            seen.append(all((there / name).read_bytes() == (folder / name).read_bytes() for name in NAMES))

    def start() -> None:
        deliver(folder, str(tmp_path / "crm"), address=ADDRESS)

    assert race(start, start, read=look) == [0, 0]
    assert all(seen)
    assert verify(there).is_whole


def test_another_list_of_the_same_export_id_is_not_written_over(folder: Path, tmp_path: Path):
    other = finish(tmp_path / "other", listed("eve"))
    deliver(other, "memory://crm", address=ADDRESS)
    with pytest.raises(InputError, match=f"/crm/{BELOW}: another list of the same export id is there"):
        deliver(folder, "memory://crm", address=ADDRESS)


def test_the_same_files_under_other_settings_are_there_already(folder: Path, memory: MemoryFileSystem):
    deliver(folder, "memory://crm", address=ADDRESS)
    there, manifest = memory.cat_file(f"/crm/{BELOW}/manifest.json"), folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"settings"', '"others"'))
    assert manifest.read_bytes() != there
    assert not deliver(folder, "memory://crm", address=ADDRESS).is_new
    assert memory.cat_file(f"/crm/{BELOW}/manifest.json") == there
    memory.rm_file(f"/crm/{BELOW}/at_risk.csv")
    assert deliver(folder, "memory://crm", address=ADDRESS).is_new
    assert memory.exists(f"/crm/{BELOW}/at_risk.csv")


def test_a_manifest_that_was_cut_off_is_written_again(folder: Path, memory: MemoryFileSystem):
    memory.pipe_file(f"/crm/{BELOW}/manifest.json", b'{"files": {')
    assert deliver(folder, "memory://crm", address=ADDRESS).is_new
    assert memory.cat_file(f"/crm/{BELOW}/manifest.json") == (folder / "manifest.json").read_bytes()


def test_a_damaged_list_is_not_delivered(folder: Path, memory: MemoryFileSystem):
    (folder / "at_risk.csv").write_text("x")
    with pytest.raises(InputError, match=r"the list is damaged: at_risk.csv"):
        deliver(folder, "memory://crm", address=ADDRESS)
    assert not memory.store


def test_a_folder_that_may_not_be_written_is_named(folder: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"the list cannot be taken to {tmp_path}/file/{BELOW}"):
        deliver(folder, str(tmp_path / "file"), address=ADDRESS)


@pytest.mark.parametrize("password", ["s3cr3t", "s3/cr3t"])
def test_a_store_that_cannot_be_reached_is_named_without_the_password(folder: Path, password: str):
    with pytest.raises(InputError) as raised:
        deliver(folder, f"ftp://anna:{password}@127.0.0.1:1/lists?token=t0k3n", address=ADDRESS)
    assert "ftp://anna:***@127.0.0.1:1/lists?***" in raised.value.message
    assert not any(secret in str(raised.value) for secret in (password, "t0k3n"))


def test_a_store_whose_package_is_missing_is_a_setting_to_change(folder: Path):
    with pytest.raises(SettingsError, match=r"gs://bucket/lists needs a package"):
        deliver(folder, "gs://bucket/lists", address=ADDRESS)


@pytest.mark.parametrize("part", ["", "..", "a/b", "a\\b"])
def test_a_name_that_leads_elsewhere_is_refused(part: str):
    with pytest.raises(InputError, match="a list cannot be delivered under the name"):
        ListAddress("shop", "2026-W47", part, "abc123")
