from pathlib import Path

import pyarrow as pa
import pytest
from msgspec import structs

from serving.store import reload as store_watch
from serving.store.profile_store import FILE, write_store
from serving.store.reload import StoreReload
from tests.models.model_builder import profiles_of, specification

OTHER = structs.replace(specification(), feature_names=specification().feature_names[1:])


class Watched:
    """A watch that looks at every call, and the refusals it told of."""

    def __init__(self, folder: Path) -> None:
        self.refusals = 0
        self.watch = StoreReload(folder, specification(), on_refusal=self._count)

    def _count(self) -> None:
        self.refusals += 1

    @property
    def users(self) -> int | None:
        store = self.watch.current()
        return store.info.users if store else None


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(store_watch, "CHECK_EVERY_SECONDS", 0.0)
    return Watched(tmp_path)


def test_a_store_that_comes_later_is_found(watched: Watched, profiles: pa.Table, tmp_path: Path):
    assert (watched.users, watched.users, watched.refusals) == (None, None, 1)
    write_store(tmp_path, profiles, specification=specification())
    assert (watched.users, watched.refusals) == (120, 1)


def test_a_new_store_takes_the_place_of_the_one_before(watched: Watched, profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    assert watched.users == 120
    write_store(tmp_path, profiles_of(10), specification=specification())
    assert (watched.users, watched.refusals) == (10, 0)


@pytest.mark.parametrize("bad", ["of another model", "unreadable", "gone"])
def test_a_store_that_does_not_fit_is_refused_once_and_the_old_one_kept(
    watched: Watched, profiles: pa.Table, tmp_path: Path, bad: str
):
    write_store(tmp_path, profiles, specification=specification())
    assert watched.users == 120
    match bad:
        case "of another model":
            write_store(tmp_path, profiles_of(10), specification=OTHER)
        case "unreadable":
            (tmp_path / "new").write_bytes(b"half a file")
            (tmp_path / "new").replace(tmp_path / FILE)
        case _:
            (tmp_path / FILE).unlink()
    assert [watched.users for _ in range(3)] == [120, 120, 120]
    assert watched.refusals == 1


def test_the_file_is_looked_at_no_more_than_once_a_second(profiles: pa.Table, tmp_path: Path):
    watched = Watched(tmp_path)
    assert watched.users is None
    write_store(tmp_path, profiles, specification=specification())
    assert watched.users is None
