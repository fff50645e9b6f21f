from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.storage.versions import Place, current_of
from models.churn_model import ChurnModel
from serving.batch.score import score_table
from serving.batch.scored_batch import (
    Batch,
    kept_scores,
    read_manifest,
    write_ledger,
    write_scores,
    write_tables,
)
from serving.settings import ScoringSettings

BATCH = Batch(date(2026, 6, 1), "churn", "3", "abc123", -0.25)
MADE_FROM = "made from this"


def scores(*users: str) -> pa.Table:
    """The first was scored, the second was not, and so on."""
    is_scored = [place % 2 == 0 for place in range(len(users))]

    def known(value: object, kind: pa.DataType) -> pa.Array[Any]:
        return pa.array([value if one else None for one in is_scored], kind)

    columns = {
        "user_id": pa.array(users, pa.string()),
        "status": pa.array(["scored" if one else "unscored" for one in is_scored]),
        "code": pa.array([None if one else "not_eligible" for one in is_scored], pa.string()),
        "raw_score": known(-0.5, pa.float64()),
        "churn_probability": known(0.4, pa.float64()),
        "percentile": known(93.5, pa.float64()),
        "risk_band": known("high", pa.string()),
        "as_of": pa.array([BATCH.cutoff] * len(users), pa.date32()),
    }
    return pa.table(columns)


def test_scores_hold_every_user_and_the_ledger_the_scored_ones(tmp_path: Path):
    table = scores("anna", "bob", "cleo")
    folder = write_scores(BATCH, scores=table, place=Place(tmp_path / "scores"))
    assert folder == current_of(tmp_path / "scores")
    assert pq.ParquetFile(folder / "scores.parquet").read().equals(table)
    ledger = write_ledger(BATCH, scores=table, place=Place(tmp_path / "ledger"))
    row = {"raw_score": -0.5, "churn_probability": 0.4, "percentile": 93.5, "risk_band": "high"}
    assert pq.ParquetFile(ledger / "scores.parquet").read().to_pylist() == [
        {"user_id": "anna", **row},
        {"user_id": "cleo", **row},
    ]


def test_the_manifest_names_model_shift_sources_and_the_digest_of_each_file(tmp_path: Path):
    folder = write_scores(BATCH, scores=scores("anna", "bob", "cleo"), place=Place(tmp_path / "scores"))
    digest = hashlib.sha256((folder / "scores.parquet").read_bytes()).hexdigest()
    assert json.loads((folder / "manifest.json").read_text()) == {
        "cutoff": "2026-06-01",
        "model": "churn",
        "version": "3",
        "settings_digest": "abc123",
        "base_rate_shift": -0.25,
        "format_version": 3,
        "files": {"scores.parquet": {"rows": 3, "sha256": digest}},
    }


def test_the_same_rows_are_the_same_version_and_others_another_one(tmp_path: Path):
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    place = Place(tmp_path / "scores")
    folder, first = write_scores(BATCH, scores=scores("anna", "bob"), place=place), content()
    assert write_scores(BATCH, scores=scores("anna", "bob"), place=place) == folder
    assert content() == first
    assert write_scores(BATCH, scores=scores("anna"), place=place) != folder
    assert write_scores(replace(BATCH, version="4"), scores=scores("anna", "bob"), place=place) != folder
    assert first.items() < content().items()


def test_a_write_that_fails_leaves_the_former_version_current_and_nothing_else(tmp_path: Path):
    table, place = pa.table({"user_id": ["anna"]}), Place(tmp_path / "rows")
    folder = write_tables(place, {"scores.parquet": table}, about={})
    with pytest.raises(OSError):  # noqa: PT011  # the system's words
        write_tables(place, {"scores.parquet": table, "no/such/folder": table}, about={})
    assert current_of(tmp_path / "rows") == folder
    assert {path.name for path in (tmp_path / "rows").iterdir()} == {folder.name, "current", ".lock"}
    assert {path.name for path in folder.iterdir()} == {"scores.parquet", "manifest.json"}


# --- Nothing is scored twice -----------------------------------------------------------------------------------------


def kept(tmp_path: Path, *users: str, scored_from: str = MADE_FROM) -> Path:
    return write_ledger(BATCH, scores=scores(*users), place=Place(tmp_path), scored_from=scored_from)


def test_kept_scores_give_the_table_that_was_scored(tmp_path: Path, model: ChurnModel, profiles: pa.Table):
    table = score_table(model, profiles, bands=ScoringSettings())
    assert 0 < table.column("raw_score").null_count < table.num_rows
    folder = write_ledger(BATCH, scores=table, place=Place(tmp_path), scored_from=MADE_FROM)
    found = kept_scores(tmp_path, MADE_FROM)
    assert found
    assert (found.folder, found.base_rate_shift) == (folder, -0.25)
    assert found.of(profiles).equals(table)
    assert found.of(profiles.slice(0, 0)).equals(table.slice(0, 0))


@pytest.mark.parametrize(("made_from", "wanted"), [("another model", MADE_FROM), ("", ""), ("", MADE_FROM)])
def test_scores_made_from_something_else_or_from_nobody_knows_what_are_made_again(
    tmp_path: Path, made_from: str, wanted: str
):
    kept(tmp_path, "anna", scored_from=made_from)
    assert kept_scores(tmp_path, wanted) is None


def test_only_the_latest_scores_count(tmp_path: Path):
    kept(tmp_path, "anna")
    kept(tmp_path, "anna", scored_from="an event that came late")
    assert kept_scores(tmp_path, MADE_FROM) is None
    assert kept_scores(tmp_path, "an event that came late")


def flip_a_byte(folder: Path) -> None:
    path = folder / "scores.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a byte": flip_a_byte,
    "half a file": lambda folder: os.truncate(folder / "scores.parquet", 100),
    "no scores": lambda folder: (folder / "scores.parquet").unlink(),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "a manifest that is not one": lambda folder: (folder / "manifest.json").write_text("[1]"),
    "a manifest that is not text": lambda folder: (folder / "manifest.json").write_bytes(b"\xff{"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_scores_are_made_again(tmp_path: Path, damage: str):
    folder = kept(tmp_path, "anna", "bob")
    assert kept_scores(tmp_path, MADE_FROM)
    DAMAGE[damage](folder)
    assert kept_scores(tmp_path, MADE_FROM) is None
    assert kept(tmp_path, "anna", "bob") == folder
    assert kept_scores(tmp_path, MADE_FROM)


def test_scores_of_another_format_are_made_again(tmp_path: Path):
    def write(folder: Path) -> None:
        pq.write_table(scores("anna"), folder / "scores.parquet")
        about = {"base_rate_shift": 0.0, "format_version": 4, "files": {}}
        (folder / "manifest.json").write_text(json.dumps(about))

    version = Place(tmp_path).add(write).name
    (tmp_path / "made_from.json").write_text(json.dumps({"scored_from": MADE_FROM, "version": version}))
    assert kept_scores(tmp_path, MADE_FROM) is None


def test_where_nothing_was_scored_nothing_is_found(tmp_path: Path):
    assert kept_scores(tmp_path / "nothing", MADE_FROM) is None
    assert read_manifest(tmp_path) == {}


def test_what_scores_were_made_from_is_not_among_their_bytes(tmp_path: Path):
    assert kept(tmp_path / "here", "anna", scored_from="here").name == kept(tmp_path / "there", "anna").name
