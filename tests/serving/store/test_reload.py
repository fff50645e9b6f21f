from pathlib import Path

import pyarrow as pa
import pytest
from msgspec import structs

from serving.store import reload as reload_module
from serving.store.profile_store import FILE, write_store
from serving.store.reload import StoreReload
from tests.models.model_builder import profiles_of, specification

OTHER = structs.replace(specification(), feature_names=specification().feature_names[1:])


class CountedReload:
    """A reload that checks the file at every call, and its number of refusals."""

    def __init__(self, folder: Path) -> None:
        self.refusals = 0
        self.reload = StoreReload(folder, specification(), on_refusal=self._count)

    def _count(self) -> None:
        self.refusals += 1

    @property
    def users(self) -> int | None:
        store = self.reload.current()
        return store.info.users if store else None


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountedReload:
    monkeypatch.setattr(reload_module, "CHECK_EVERY_SECONDS", 0.0)
    return CountedReload(tmp_path)


def test_a_store_that_comes_later_is_found(counted: CountedReload, profiles: pa.Table, tmp_path: Path):
    assert (counted.users, counted.users, counted.refusals) == (None, None, 1)
    write_store(tmp_path, profiles, specification=specification())
    assert (counted.users, counted.refusals) == (120, 1)


def test_a_new_store_takes_the_place_of_the_one_before(counted: CountedReload, profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    assert counted.users == 120
    write_store(tmp_path, profiles_of(10), specification=specification())
    assert (counted.users, counted.refusals) == (10, 0)


@pytest.mark.parametrize("bad", ["of another model", "unreadable", "gone"])
def test_a_store_that_does_not_fit_is_refused_once_and_the_old_one_kept(
    counted: CountedReload, profiles: pa.Table, tmp_path: Path, bad: str
):
    write_store(tmp_path, profiles, specification=specification())
    assert counted.users == 120
    match bad:
        case "of another model":
            write_store(tmp_path, profiles_of(10), specification=OTHER)
        case "unreadable":
            (tmp_path / "new").write_bytes(b"half a file")
            (tmp_path / "new").replace(tmp_path / FILE)
        case _:
            (tmp_path / FILE).unlink()
    assert [counted.users for _ in range(3)] == [120, 120, 120]
    assert counted.refusals == 1


def test_the_file_is_checked_at_most_once_a_second(profiles: pa.Table, tmp_path: Path):
    counted = CountedReload(tmp_path)
    assert counted.users is None
    write_store(tmp_path, profiles, specification=specification())
    assert counted.users is None
