import gc
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from msgspec import structs

from features.errors import InputError
from serving.store.profile_store import FILE, ProfileStore, StoreArms, StoreBatch, open_store, write_store
from tests.models.model_builder import CUTOFF, profiles_of, rows_of, specification

OTHER = structs.replace(specification(), feature_names=specification().feature_names[1:])


@pytest.fixture(scope="module", autouse=True)
def closed():
    """Stores close their files when nobody holds them: all of them at once, as each collection looks at everything that is loaded."""
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


def test_a_store_that_cannot_be_read_is_replaced(profiles: pa.Table, tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"not a database at all")
    write_store(tmp_path, profiles, specification=specification())
    assert ProfileStore(tmp_path).info.users == 120


def with_format(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a store says of itself."""
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        info = msgspec.json.decode(connection.execute("select info from meta").fetchone()[0])
        change(info)
        connection.execute("update meta set info = ?", (msgspec.json.encode(info),))


def test_a_store_of_the_first_format_is_read(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    with_format(tmp_path, lambda info: info.pop("format_version"))
    assert ProfileStore(tmp_path).info.format_version == 1
    assert ProfileStore(tmp_path).get(["u1"])


def test_a_store_of_a_newer_format_is_refused_with_the_way_out(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    with_format(tmp_path, lambda info: info.update(format_version=5))
    with pytest.raises(InputError, match="format 5, expected at most 4") as caught:
        ProfileStore(tmp_path)
    assert "churn score" in caught.value.hint


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


def test_a_store_knows_who_is_held_out(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification(), batch=StoreBatch(arms=StoreArms("2026-Q2", ["u2"])))
    store = ProfileStore(tmp_path)
    assert store.info.epoch == "2026-Q2"
    assert store.arms(["u1", "u2", "nobody"]) == {"u1": "treated", "u2": "held_out"}


def test_a_store_without_arms_holds_nobody_out(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    with_format(tmp_path, lambda info: info.update(format_version=2))
    store = ProfileStore(tmp_path)
    assert (store.info.epoch, store.arms(["u1"])) == ("", {})
