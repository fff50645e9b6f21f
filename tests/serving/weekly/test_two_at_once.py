"""Two exports or scorings of one week at the same time, and somebody who reads: never a mix, nothing lost."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.storage.versions import Place, current_of, versions_of
from serving.score import Score
from serving.weekly.at_risk_list import write_list
from serving.weekly.ledger import Batch, write_scores
from tests.races import in_turns, race

ROUNDS = 24
FIRST = Batch(date(2026, 11, 16), "churn", "1", "abc")
SECOND = replace(FIRST, version="2")


def scores(version: str) -> list[Score]:
    return [Score(f"{version}-{user}", "scored", None, 0.5, 50.0, "high", FIRST.cutoff, []) for user in range(200)]


def export(place: Path, batch: Batch) -> None:
    write_list(Place(place), batch, listed=scores(batch.version))


def score(place: Path, batch: Batch) -> None:
    own, ledger = Place(place, keeps_all=False), Place(place.with_name("ledger"))
    write_scores(batch, scores=scores(batch.version), place=own, ledger=ledger)


def version_in(folder: Path) -> str:
    """The model version that every file of a folder is of; none is half written, and all are those of the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, about in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == about["sha256"]
    (table,) = folder.glob("*.parquet")
    users = pq.ParquetFile(table).read()["user_id"].to_pylist()
    assert {user.partition("-")[0] for user in users} == {manifest["version"]}
    return manifest["version"]


@pytest.mark.parametrize("write", [export, score])
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


@pytest.mark.parametrize("write", [export, score])
def test_the_same_twice_is_one_version(tmp_path: Path, write: Callable[[Path, Batch], None]):
    for place in (tmp_path / str(turn) / "place" for turn in range(8)):
        assert race(*[partial(write, place, FIRST)] * 2) == [0, 0]
        (folder,) = versions_of(place)
        assert (current_of(place), version_in(folder)) == (folder, "1")
