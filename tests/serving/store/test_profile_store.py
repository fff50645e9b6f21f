import gc
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from msgspec import structs

from features.errors import InputError
from serving.store.profile_store import FILE, ProfileStore, open_store, refresh_store, write_store
from tests.models.model_builder import CUTOFF, profiles_of, rows_of, specification

OTHER = structs.replace(specification(), feature_names=specification().feature_names[1:])


@pytest.fixture(autouse=True)
def closed():
    """Stores close their files when nobody holds them."""
    yield
    gc.collect()


def at(profiles: pa.Table, cutoff: date) -> pa.Table:
    column = pa.array([cutoff] * profiles.num_rows, pa.date32())
    return profiles.set_column(profiles.column_names.index("cutoff"), "cutoff", column)


def test_a_profile_comes_back_as_it_was_built(profiles: pa.Table, tmp_path: Path):
    info = write_store(tmp_path, profiles, specification=specification())
    assert (info.cutoff, info.users) == (CUTOFF, 120)
    store = ProfileStore(tmp_path)
    assert store.info == info
    rows = {row["user_id"]: row for row in rows_of(profiles)}
    assert store.get(list(rows)) == rows


def test_an_unknown_user_has_no_profile(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    assert set(ProfileStore(tmp_path).get(["u5", "nobody", "", "u\x005", "u5' or '1'='1"])) == {"u5"}


def test_a_folder_may_have_any_name(profiles: pa.Table, tmp_path: Path):
    folder = tmp_path / "a b#c?d%20é"
    write_store(folder, profiles, specification=specification())
    assert ProfileStore(folder).get(["u1"])


def test_threads_that_share_a_store_each_get_their_own_users(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    store = ProfileStore(tmp_path)
    requests = [[f"u{place % 120}", f"u{(place + 1) % 120}"] for place in range(600)]
    with ThreadPoolExecutor(4) as threads:
        for users, found in zip(requests, threads.map(store.get, requests), strict=True):
            assert [found[user]["user_id"] for user in users] == users


def test_an_open_store_stays_readable_while_another_takes_its_place(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    before = ProfileStore(tmp_path)
    write_store(tmp_path, at(profiles_of(10), date(2026, 6, 8)), specification=specification())
    assert (before.info.users, ProfileStore(tmp_path).info.users) == (120, 10)
    assert before.get(["u100"])["u100"]["cutoff"] == CUTOFF


def test_a_write_that_fails_leaves_the_store_as_it_was(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    twice = pa.concat_tables([profiles_of(3), profiles_of(3)])
    with pytest.raises(sqlite3.IntegrityError):
        write_store(tmp_path, twice, specification=specification())
    assert ProfileStore(tmp_path).info.users == 120


def test_a_refresh_takes_later_profiles_and_never_earlier_ones(profiles: pa.Table, tmp_path: Path):
    for cutoff, taken in ((date(2026, 6, 8), True), (CUTOFF, False), (date(2026, 6, 15), True)):
        assert refresh_store(tmp_path, at(profiles, cutoff), specification=specification()) is taken
    assert ProfileStore(tmp_path).info.cutoff == date(2026, 6, 15)


def test_nobody_to_store_changes_nothing(profiles: pa.Table, tmp_path: Path):
    assert not refresh_store(tmp_path, profiles.slice(0, 0), specification=specification())
    assert not (tmp_path / FILE).exists()


def test_a_refresh_replaces_what_cannot_be_read(profiles: pa.Table, tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"not a database at all")
    assert refresh_store(tmp_path, profiles, specification=specification())
    assert ProfileStore(tmp_path).info.users == 120


@pytest.mark.parametrize("content", [None, b"", b"not a database at all"])
def test_a_missing_or_unreadable_store_is_an_error_with_a_hint(content: bytes | None, tmp_path: Path):
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError) as caught:
        ProfileStore(tmp_path)
    assert "churn score" in caught.value.hint


def test_profiles_of_another_specification_do_not_fit_the_model(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=OTHER)
    with pytest.raises(InputError, match="another model") as caught:
        open_store(tmp_path, specification())
    assert "churn score" in caught.value.hint
