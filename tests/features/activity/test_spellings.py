"""One log under several spellings of its path is one log; and one that moves with its home stays the one it was."""

import json
import os
import shutil
from contextlib import chdir
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.activity import manifest as manifests
from features.activity.store import Activity, ActivitySettings, open_activity
from features.errors import InputError
from features.log.inventory import FileInventory
from features.settings import ChurnSettings, FeatureSettings
from tests.builders import events_at, write

DAYS = ("2026-01-05", "2026-01-06")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A project: its log in two files, and its home beside."""
    for day in DAYS:
        write(
            tmp_path / f"shop/log/{day}.parquet", [f"anna {day}T10:00 open count=1", f"bob {day}T11:00 open count=-1"]
        )
    return tmp_path / "shop"


def opened(path: str | Path, home: Path, base: Path = Path()) -> Activity:
    events = events_at(Path(path), max_rejected_share=0.9, columns={"count": "count"})
    return open_activity(ActivitySettings(events, ChurnSettings(), FeatureSettings(), base), home)


def rejected(home: Path) -> list[list[dict[str, object]]]:
    return [pq.ParquetFile(path).read().to_pylist() for path in sorted((home / "rejected").rglob("*.parquet"))]


def test_relative_absolute_and_linked_paths_are_one_log(top: Path, tmp_path: Path):
    home = top / "home"
    (tmp_path / "link").symlink_to(top)
    first = opened(top / "log", home)
    set_aside = rejected(home)
    with chdir(top):
        found = [
            opened("log", home),
            opened("log/*.parquet", home),
            opened("../shop/log/", home),
            opened("log", Path("home")),
            opened(tmp_path / "link/log", home),
            opened(tmp_path / "link" / "log/*.parquet", tmp_path / "link/home"),
            opened("log", home, base=tmp_path / "link"),
        ]
    assert [one.is_reused for one in found] == [True] * 7
    assert {one.manifest == first.manifest for one in found} == {True}
    assert (rejected(home), len(set_aside)) == (set_aside, 2)


def test_another_file_is_read_alone_whatever_the_spelling_was_before(top: Path):
    home = top / "home"
    opened(top / "log", home)
    write(top / "log/2026-01-07.parquet", ["bob 2026-01-07T10:00 open count=1", "bob 2026-01-07T10:00 open count=-1"])
    with chdir(top):
        found = opened("log", home)
    assert found.rolled_up == (date(2026, 1, 7),)
    assert len(rejected(home)) == 3
    assert found.manifest.inventory.rejected == {"count is negative": 3}


def test_a_linked_file_is_the_file(top: Path, tmp_path: Path):
    (tmp_path / "today.parquet").symlink_to(top / "log/2026-01-05.parquet")
    assert not opened(top / "log/2026-01-05.parquet", top / "home").is_reused
    assert opened(tmp_path / "today.parquet", top / "home").is_reused


def test_two_links_to_one_file_are_read_once(top: Path):
    for name in ("a", "b"):
        (top / f"log/{name}.parquet").symlink_to(top / "log/2026-01-05.parquet")
    assert opened(top / "log", top / "home").manifest.inventory.days == {date(2026, 1, 5): 1, date(2026, 1, 6): 1}


def test_a_project_that_moves_keeps_its_activity(top: Path, tmp_path: Path):
    opened(top / "log", top / "home")
    top.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved/log", tmp_path / "moved/home").is_reused


def test_a_home_that_moves_alone_keeps_the_activity_of_a_log_elsewhere(top: Path, tmp_path: Path):
    opened(top / "log", tmp_path / "a/home")
    (tmp_path / "a").rename(tmp_path / "b")
    assert opened(top / "log", tmp_path / "b/home").is_reused


def test_two_logs_with_files_of_the_same_names_are_two_logs(top: Path, tmp_path: Path):
    shutil.copytree(top / "log", top / "other")
    for day in DAYS:
        write(top / f"other/{day}.parquet", [f"carl {day}T10:00 open count=1", f"bob {day}T11:00 open count=-1"])
        before = (top / f"log/{day}.parquet").stat()
        os.utime(top / f"other/{day}.parquet", ns=(before.st_mtime_ns, before.st_mtime_ns))
    opened(top / "log", top / "home")
    found = opened(top / "other", top / "home")
    assert not found.is_reused
    users = found.connection.sql(f"select distinct user_id from {found.relation('days')}").fetchall()
    assert users == [("carl",)]


# --- Formats -------------------------------------------------------------------------------------------------------


def test_activity_of_an_earlier_format_is_made_again(top: Path):
    first = opened(top / "log", top / "home")
    written = json.loads((first.folder / "manifest.json").read_text())
    (first.folder / "manifest.json").write_text(json.dumps(written | {"format_version": 2}))
    found = opened(top / "log", top / "home")
    assert found.manifest == first.manifest
    assert found.is_reused  # its days are read as they are now


def test_a_newer_format_is_refused_with_the_way_out(top: Path):
    folder = opened(top / "log", top / "home").folder
    written = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(written | {"format_version": manifests.FORMAT_VERSION + 1}))
    with pytest.raises(InputError, match="format 4, expected at most 3") as refused:
        opened(top / "log", top / "home")
    assert "use the version of churn that wrote it" in refused.value.hint


def test_files_are_known_by_keys(top: Path):
    found = opened(top / "log", top / "home").manifest.files
    assert [(type(file), file.name) for file in found] == [(FileInventory, f"log/{day}.parquet") for day in DAYS]
