"""Two exports or scorings of one week at the same time, and somebody who reads: never a mix, nothing lost."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.storage.versions import current_of, versions_of
from serving.batch.scored_batch import Batch
from tests.builders import values_of
from tests.races import in_turns, race
from tests.serving.weekly.list_builder import MONDAY
from tests.serving.weekly.list_writers import export, score

ROUNDS = 10
FIRST = Batch(MONDAY, "churn", "1", "abc")
SECOND = replace(FIRST, version="2")
WRITERS = pytest.mark.parametrize("write", [export, score])


def version_in(folder: Path) -> str:
    """The model version that every file of a folder is of; none is half written, and all are those of the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, about in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == about["sha256"]
    (table,) = folder.glob("*.parquet")
    users = values_of(pq.ParquetFile(table).read(), "user_id")
    assert {user.partition("-")[0] for user in users} == {manifest["version"]}
    return manifest["version"]


@pytest.mark.parametrize("write", [pytest.param(export, marks=pytest.mark.slow), score])
def test_of_two_models_each_has_its_own_files_and_one_is_current(tmp_path: Path, write: Callable[[Path, Batch], None]):
    place = tmp_path / "place"
    read: list[str] = []

    def look() -> None:
        if folder := current_of(place):
            read.append(version_in(folder))

    writers = [partial(write, place, FIRST), partial(write, place, SECOND)]
    for number, turn in enumerate(in_turns(writers, ROUNDS)):
        assert race(*turn, read=look, apart_ms=number % 5) == [0, 0]
        assert {version_in(folder) for folder in versions_of(place)} == {"1", "2"}
        assert len(versions_of(place)) == 2
    assert set(read) == {"1", "2"}


@WRITERS
def test_the_same_twice_is_one_version(tmp_path: Path, write: Callable[[Path, Batch], None]):
    for place in (tmp_path / str(turn) / "place" for turn in range(4)):
        assert race(*[partial(write, place, FIRST)] * 2) == [0, 0]
        (folder,) = versions_of(place)
        assert (current_of(place), version_in(folder)) == (folder, "1")
