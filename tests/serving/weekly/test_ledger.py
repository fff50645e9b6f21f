import hashlib
import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.storage.versions import Place, current_of
from models.reasons import Reason
from serving.score import Score
from serving.weekly.ledger import Batch, write_rows, write_scores

BATCH = Batch(date(2026, 6, 1), "churn", "3", "abc123")
REASON = Reason("recency", "days_since_last_event", "last active 6 days ago", 0.84)
SCORES = [
    Score("anna", "scored", None, 0.4, 93.5, "high", BATCH.cutoff, [REASON]),
    Score("bob", "unscored", "not_eligible", as_of=BATCH.cutoff),
    Score("cleo", "scored", None, 0.1, 12.5, "low", BATCH.cutoff, [REASON]),
]


def written(home: Path, scores: list[Score]) -> Path:
    return write_scores(BATCH, scores=scores, place=Place(home / "scores"), ledger=Place(home / "ledger"))


def test_scores_hold_every_user_and_the_ledger_the_scored_ones(tmp_path: Path):
    folder = written(tmp_path, scores=SCORES)
    assert folder == current_of(tmp_path / "scores")
    assert pq.ParquetFile(folder / "scores.parquet").read()["user_id"].to_pylist() == ["anna", "bob", "cleo"]
    ledger = pq.ParquetFile(tmp_path / "ledger/current/scores.parquet").read().to_pylist()
    assert ledger == [
        {"user_id": "anna", "churn_probability": 0.4, "percentile": 93.5, "risk_band": "high"},
        {"user_id": "cleo", "churn_probability": 0.1, "percentile": 12.5, "risk_band": "low"},
    ]


def test_the_manifest_names_the_model_and_the_digest_of_each_file(tmp_path: Path):
    folder = written(tmp_path, scores=SCORES)
    digest = hashlib.sha256((folder / "scores.parquet").read_bytes()).hexdigest()
    assert json.loads((folder / "manifest.json").read_text()) == {
        "cutoff": "2026-06-01",
        "model": "churn",
        "version": "3",
        "settings_digest": "abc123",
        "base_rate_shift": 0.0,
        "format_version": 2,
        "files": {"scores.parquet": {"rows": 3, "sha256": digest}},
    }


def test_the_same_rows_are_the_same_version_and_others_another_one(tmp_path: Path):
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    folder = written(tmp_path, scores=SCORES)
    first = content()
    assert written(tmp_path, scores=SCORES) == folder
    assert content() == first
    assert written(tmp_path, scores=SCORES[:2]) != folder
    assert first.items() < content().items()


def test_a_write_that_fails_leaves_the_former_version_current_and_nothing_else(tmp_path: Path):
    table, place = pa.table({"user_id": ["anna"]}), Place(tmp_path / "rows")
    folder = write_rows(place, {"scores.parquet": table}, batch=BATCH)
    with pytest.raises(OSError):  # noqa: PT011  # the system's words
        write_rows(place, {"scores.parquet": table, "no/such/folder": table}, batch=BATCH)
    assert current_of(tmp_path / "rows") == folder
    assert {path.name for path in (tmp_path / "rows").iterdir()} == {folder.name, "current", ".lock"}
    assert {path.name for path in folder.iterdir()} == {"scores.parquet", "manifest.json"}
