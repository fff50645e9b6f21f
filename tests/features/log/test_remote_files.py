"""Logs in an object store: a real S3 server on this machine, spoken to by the client that production uses."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.activity.store import ActivitySettings
from features.errors import InputError, SettingsError
from features.log import files as places
from features.log.files import LogFile
from features.log.formats import files_of
from features.log.sources.mapping import Mapper
from features.settings import ChurnSettings, EventsSettings, FeatureSettings
from features.storage.duckdb import connect
from tests.builders import World, found_in, open_log, write
from tests.churn.command import churn
from tests.s3_server import s3_server

ANNA, BOB = "anna 2026-01-05T10:00 open", "bob 2026-01-06T11:30 buy"
AS_READ = [("anna", "2026-01-05 10:00:00", "open"), ("bob", "2026-01-06 11:30:00", "buy")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server on this machine; the usual variables lead there."""
    with s3_server() as url:
        yield url


@pytest.fixture(scope="module")
def store(endpoint: str) -> Iterator[Any]:
    """The store as somebody else sees it, who writes to it."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def bucket(store: Any) -> Iterator[Any]:
    """The store, with an empty bucket ``logs``."""
    store.mkdir("logs")
    yield store
    store.rm("logs", recursive=True)


@pytest.fixture
def anew(bucket: Any) -> Iterator[None]:
    """Clients are made anew, as in a process of its own: they read the environment once."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def put(store: Any, key: str, lines: list[Any], folder: Path) -> None:
    store.pipe(f"logs/{key}", write(folder / "put" / Path(key).name, lines).read_bytes())


def far(path: str, **options: Any) -> Any:
    return open_log(EventsSettings(path=path, **options), "UTC")


def listing(path: str) -> tuple[LogFile, ...]:
    return files_of(EventsSettings(path=path), Path())


# --- Reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv", "csv.gz", "jsonl", "jsonl.gz"])
def test_every_format_reads_from_s3_as_from_the_disk(bucket: Any, tmp_path: Path, suffix: str):
    for day, line in enumerate((ANNA, BOB)):
        put(bucket, f"app/2026/{day}.{suffix}", [line], tmp_path)
    assert found_in(far(f"s3://logs/app/**/*.{suffix}")) == AS_READ


@pytest.mark.parametrize(
    "place", ["s3://logs", "s3://logs/app", "s3://logs/app/", "s3://logs/app/*", "s3a://logs/app/*.csv"]
)
def test_a_prefix_reads_all_below_it(bucket: Any, tmp_path: Path, place: str):
    put(bucket, "app/a.csv", [ANNA], tmp_path)
    put(bucket, "app/b.csv", [BOB], tmp_path)
    bucket.pipe("logs/app/README", b"not a log")
    assert found_in(far(place)) == AS_READ


@pytest.mark.parametrize("key", ["app/lo[g].parquet", "app/a b ü.parquet", "app/a+b=c.parquet", "log.parquet"])
def test_an_object_with_an_odd_name_is_found(bucket: Any, tmp_path: Path, key: str):
    put(bucket, key, [ANNA, BOB], tmp_path)
    assert found_in(far(f"s3://logs/{key}")) == AS_READ


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_the_keys_of_a_far_hive_folder_are_columns(bucket: Any, tmp_path: Path, suffix: str):
    for kind in ("ads", "search"):
        put(bucket, f"source={kind}/x.{suffix}", [ANNA], tmp_path)
    log = far("s3://logs", columns={"channel": "source"})
    assert sorted(channel for *_, channel in found_in(log)) == ["ads", "search"]


def test_any_other_store_of_fsspec_will_do(tmp_path: Path):
    memory = fsspec.filesystem("memory")
    memory.pipe("/app/log.csv", write(tmp_path / "log.csv", [ANNA, BOB]).read_bytes())
    assert found_in(far("memory://app/*.csv")) == AS_READ
    memory.rm("/app", recursive=True)


def test_a_file_url_is_a_path(tmp_path: Path):
    write(tmp_path / "log.csv", [ANNA, BOB])
    assert found_in(far(f"file://{tmp_path}/*.csv")) == AS_READ


def test_only_the_bytes_that_are_needed_travel(bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of a wide file the three columns of the contract are read: not the rest, and not what lies around them."""
    rows = 20_000
    padding = [os.urandom(500) for _ in range(rows)]
    users, times, types = [f"u{row}" for row in range(rows)], ["2026-01-05"] * rows, ["open"] * rows
    table = pa.table({"user_id": users, "before": padding, "event_time": times, "after": padding, "event_type": types})
    pq.write_table(table, tmp_path / "wide.parquet")
    bucket.put(str(tmp_path / "wide.parquet"), "logs/wide.parquet")
    travelled: list[int] = []
    kind = fsspec.get_filesystem_class("s3")
    ask = kind._call_s3

    async def counted(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        answer = await ask(self, method, *arguments, **options)
        travelled.append(answer.get("ContentLength", 0) if method == "get_object" else 0)
        return answer

    monkeypatch.setattr(kind, "_call_s3", counted)
    (file,) = listing("s3://logs/wide.parquet")
    assert far("s3://logs/wide.parquet").rows == rows
    assert sum(travelled) < file.bytes / 10


# --- What changed --------------------------------------------------------------------------------------------------


def test_files_come_in_the_order_of_their_names_with_their_size(bucket: Any):
    for key in ("b.csv", "a/c.csv", "a.csv"):
        bucket.pipe(f"logs/{key}", b"user_id\n")
    assert [(file.name, file.bytes) for file in listing("s3://logs")] == [
        ("s3://logs/a.csv", 8),
        ("s3://logs/a/c.csv", 8),
        ("s3://logs/b.csv", 8),
    ]


def test_a_far_file_that_is_written_anew_is_another(bucket: Any):
    for key in ("a.csv", "b.csv"):
        bucket.pipe(f"logs/{key}", b"user_id\nanna\n")
    before = listing("s3://logs")
    assert listing("s3://logs") == before
    bucket.pipe("logs/b.csv", b"user_id\nemma\n")
    after = listing("s3://logs")
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False]


def test_a_far_file_that_is_gone_is_seen_at_once(bucket: Any):
    for key in ("a.csv", "b.csv"):
        bucket.pipe(f"logs/{key}", b"user_id\n")
    listing("s3://logs")
    bucket.rm("logs/a.csv")
    assert [file.name for file in listing("s3://logs")] == ["s3://logs/b.csv"]


def test_a_near_file_that_is_written_anew_is_another(tmp_path: Path):
    path = write(tmp_path / "log.csv", [ANNA])
    (before,) = listing(str(path))
    write(path, [ANNA.replace("anna", "jane")])
    (after,) = listing(str(path))
    assert (before.name, before.bytes) == (after.name, after.bytes)
    assert before.fingerprint != after.fingerprint


def test_kept_activity_follows_the_objects(bucket: Any, tmp_path: Path):
    settings = ActivitySettings(EventsSettings(path="s3://logs"), ChurnSettings(), FeatureSettings())
    world = World(settings, tmp_path / "home")
    put(bucket, "a.csv", [ANNA], tmp_path)
    put(bucket, "b.csv", [BOB], tmp_path)
    assert world.daily() == [("anna", "2026-01-05"), ("bob", "2026-01-06")]
    put(bucket, "b.csv", [BOB.replace("bob", "eve")], tmp_path)
    assert world.daily() == [("anna", "2026-01-05"), ("eve", "2026-01-06")]
    bucket.rm("logs/a.csv")
    assert world.daily() == [("eve", "2026-01-06")]


# --- What goes wrong -----------------------------------------------------------------------------------------------


def test_a_bucket_that_does_not_exist_is_named(bucket: Any):
    with pytest.raises(InputError, match=r"s3://nowhere/logs(?s:.*)Hint: .*name"):
        listing("s3://nowhere/logs/*.parquet")


def test_a_prefix_with_nothing_under_it_is_named(bucket: Any):
    with pytest.raises(InputError, match="no Parquet, CSV or JSON Lines file at s3://logs/none"):
        listing("s3://logs/none/")


def test_absent_credentials_are_said(anew: None, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match=r"s3://logs(?s:.*)[Cc]redentials(?s:.*)AWS_PROFILE"):
        listing("s3://logs/*.parquet")


def test_wrong_credentials_are_said(bucket: Any, endpoint: str, tmp_path: Path):
    put(bucket, "a.parquet", [ANNA], tmp_path)
    httpx.post(f"{endpoint}/moto-api/reset-auth", content="0")  # from now on the server looks at the key
    try:
        with pytest.raises(InputError, match=r"s3://logs(?s:.*)Hint: (?s:.*)AWS_PROFILE"):
            listing("s3://logs/*.parquet")
    finally:
        httpx.post(f"{endpoint}/moto-api/reset-auth", content="inf")


def test_a_store_that_nobody_answers_for_is_said(anew: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    started = time.monotonic()
    with pytest.raises(InputError, match=r"s3://logs(?s:.*)reach it"):
        listing("s3://logs/*.parquet")
    assert time.monotonic() - started < places.ANSWERS_WITHIN_SECONDS


def test_a_store_that_says_nothing_is_not_waited_for(anew: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(places, "ANSWERS_WITHIN_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(InputError, match="did not answer within"):
            listing("s3://logs/*.parquet")


def test_an_unknown_store_is_said():
    with pytest.raises(InputError, match="nosuch"):
        listing("nosuch://logs/*.parquet")


@pytest.mark.parametrize("url", ["nosuch://anna:hunter2@host/logs", "nosuch://host/logs?sig=hunter2"])
def test_no_secret_of_a_url_is_shown(url: str):
    with pytest.raises(InputError) as raised:
        listing(url)
    assert "***" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_missing_package_is_named():
    fsspec.register_implementation("absent", "no_such_package.Store", errtxt="Install no_such_package")
    with pytest.raises(SettingsError, match=r"absent://logs needs a package\nHint: Install no_such_package"):
        listing("absent://logs")


def test_a_far_file_that_goes_before_it_is_read_is_said(bucket: Any, tmp_path: Path):
    put(bucket, "a.parquet", [ANNA], tmp_path)
    settings = EventsSettings(path="s3://logs")
    files = files_of(settings, Path())
    bucket.rm("logs/a.parquet")
    with pytest.raises(InputError, match="cannot be read"):
        Mapper(connect(), settings).sources(files)


def test_a_password_in_a_place_is_not_shown():
    with pytest.raises(InputError) as refusal:
        listing("nosuch://anna:secret@host/logs")
    assert "secret" not in str(refusal.value)


# --- The command ---------------------------------------------------------------------------------------------------


def test_the_command_builds_profiles_of_a_far_log(bucket: Any, tmp_path: Path):
    put(bucket, "app/log.parquet", [ANNA, BOB], tmp_path)
    ran = churn(
        "profiles", "--events", "s3://logs/app", "--as-of", "2026-01-07", "--out", "p.parquet", "--json", cwd=tmp_path
    )
    assert ran.json()["profiles"] == 2
    assert all(line.startswith("profiles: ") for line in ran.err.splitlines())  # and no library has a word to add


def test_the_command_says_that_a_place_cannot_be_read(bucket: Any, tmp_path: Path):
    ran = churn("profiles", "--events", "s3://nowhere/app", "--as-of", "2026-01-07", "--out", "p.parquet", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "Hint:" in ran.err
