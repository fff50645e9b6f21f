"""What competes for a place, with 200 users whose ids begin with the version of the model: scores, their ledger, a list, its account."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from features.storage.versions import Place
from serving.batch.score import SCORE_SCHEMA
from serving.batch.scored_batch import Batch, write_ledger, write_scores
from serving.settings import ExportSettings
from serving.weekly.list_ledger import ListEntry, write_entries
from serving.weekly.write import ListContent, write_list

USERS = 200


def score(place: Path, batch: Batch) -> None:
    """Write the scores of all users, and the ledger in a folder inside."""
    rows = scores(batch)
    write_ledger(batch, scores=rows, place=Place(place / "ledger"))
    write_scores(batch, scores=rows, place=Place(place, keeps_all=False))


def export(place: Path, batch: Batch) -> None:
    """Write the files of a list."""
    count, users = USERS, _users(batch)
    rows = pa.table(
        {
            "rank": pa.array(range(1, count + 1), pa.int64()),
            "user_id": pa.array(users, pa.string()),
            "risk_band": ["high"] * count,
            "reason_1": [f"because of {user}" for user in users],
            "action": ["call"] * count,
            "list": ["vip"] * count,
        }
    )
    content = ListContent(rows, [f"{batch.version}-held"], ())
    write_list(Place(place), content, batch=batch, entry=_entry(batch), settings=ExportSettings())


def account(place: Path, batch: Batch) -> None:
    """Write who was entered."""
    columns = ["user_id", "raw_score", "churn_probability", "risk_band"]
    rows = scores(batch).select(columns).append_column("arm", pa.array(["treated"] * USERS))
    write_entries(batch, _entry(batch), entries=rows, place=Place(place))


def scores(batch: Batch) -> pa.Table:
    """Every user with the same score."""
    row = {"status": "scored", "raw_score": 0.0, "churn_probability": 0.5, "percentile": 50.0, "risk_band": "high"}
    rows = [row | {"user_id": user, "as_of": batch.cutoff} for user in _users(batch)]
    return pa.Table.from_pylist(rows, schema=SCORE_SCHEMA)


def _users(batch: Batch) -> list[str]:
    return [f"{batch.version}-{user}" for user in range(USERS)]


def _entry(batch: Batch) -> ListEntry:
    return ListEntry("vip", f"export {batch.version}", "2026-Q4", 0.1)
