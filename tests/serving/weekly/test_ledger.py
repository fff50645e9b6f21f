import hashlib
import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
PLACE = "cutoff=2026-06-01/model=churn-v3"


def written(home: Path, scores: list[Score]) -> Path:
    return write_scores(BATCH, scores=scores, folder=home / "scores", ledger=home / "ledger")


def test_a_batch_is_filed_under_its_cutoff_and_model():
    assert BATCH.path == PLACE


def test_scores_hold_every_user_and_the_ledger_the_scored_ones(tmp_path: Path):
    folder = written(tmp_path, scores=SCORES)
    assert folder == tmp_path / "scores" / PLACE
    assert pq.ParquetFile(folder / "scores.parquet").read()["user_id"].to_pylist() == ["anna", "bob", "cleo"]
    ledger = pq.ParquetFile(tmp_path / "ledger" / PLACE / "scores.parquet").read().to_pylist()
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
        "files": {"scores.parquet": {"rows": 3, "sha256": digest}},
    }


def test_the_same_rows_give_the_same_bytes_in_place_of_the_former_ones(tmp_path: Path):
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    written(tmp_path, scores=SCORES)
    first = content()
    written(tmp_path, scores=SCORES)
    assert content() == first
    written(tmp_path, scores=SCORES[:2])
    assert content().keys() == first.keys()
    assert content() != first


def test_a_write_that_fails_leaves_the_former_folder_unchanged(tmp_path: Path):
    table = pa.table({"user_id": ["anna"]})
    write_rows(tmp_path / "rows", {"scores.parquet": table}, batch=BATCH)
    with pytest.raises(OSError):  # noqa: PT011  # the system's words
        write_rows(tmp_path / "rows", {"scores.parquet": table, "no/such/folder": table}, batch=BATCH)
    assert {path.name for path in (tmp_path / "rows").iterdir()} == {"scores.parquet", "manifest.json"}
