import csv
import json
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.storage.versions import Place, current_of
from models.reasons import Reason
from serving.score import Score
from serving.weekly.at_risk_list import at_risk, escape_formulas, week_of, write_list
from serving.weekly.ledger import Batch

BATCH = Batch(date(2026, 11, 16), "churn", "3", "abc123")


def scored(user: str, probability: float, band: Literal["high", "medium", "low"]) -> Score:
    reason = Reason("recency", "days_since_last_event", "last active 6 days ago", 0.84)
    return Score(user, "scored", None, probability, 50.0, band, BATCH.cutoff, [reason])


SCORES = [
    scored("low", 0.05, "low"),
    scored("medium", 0.3, "medium"),
    scored("é", 0.8, "high"),
    scored("z", 0.8, "high"),
    Score("away", "unscored", "not_eligible", as_of=BATCH.cutoff),
    scored("first", 0.9, "high"),
]


@pytest.mark.parametrize(
    ("at_least", "users"),
    [
        ("high", ["first", "z", "é"]),
        ("medium", ["first", "z", "é", "medium"]),
        ("low", ["first", "z", "é", "medium", "low"]),
    ],
)
def test_users_of_the_band_are_listed_the_riskiest_first_and_ties_by_bytes(
    at_least: Literal["high", "medium", "low"], users: list[str]
):
    assert [one.user_id for one in at_risk(SCORES, at_least)] == users
    assert [one.user_id for one in at_risk(SCORES[::-1], at_least)] == users


@pytest.mark.parametrize(
    ("cutoff", "name"),
    [
        (date(2026, 11, 16), "2026-W47"),
        (date(2026, 11, 22), "2026-W47-7"),
        (date(2027, 1, 1), "2026-W53-5"),
        (date(2026, 1, 5), "2026-W02"),
    ],
)
def test_a_list_is_named_by_its_iso_week(cutoff: date, name: str):
    assert week_of(cutoff) == name


def test_the_list_has_a_rank_and_reasons_in_both_files(tmp_path: Path):
    folder = write_list(Place(tmp_path / "list"), BATCH, listed=at_risk(SCORES, "high"))
    assert folder == current_of(tmp_path / "list")
    rows = pq.ParquetFile(folder / "at_risk.parquet").read().to_pylist()
    assert [(row["rank"], row["user_id"]) for row in rows] == [(1, "first"), (2, "z"), (3, "é")]
    assert not {"status", "code"} & rows[0].keys()
    with (folder / "at_risk.csv").open(newline="", encoding="utf-8") as file:
        shown = list(csv.DictReader(file))
    assert [(row["rank"], row["user_id"], row["reason_1"]) for row in shown] == [
        (str(row["rank"]), row["user_id"], "last active 6 days ago") for row in rows
    ]
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert {name: file["rows"] for name, file in files.items()} == {"at_risk.csv": 3, "at_risk.parquet": 3}


def test_a_week_without_users_at_risk_is_an_empty_list(tmp_path: Path):
    folder = write_list(Place(tmp_path / "list"), BATCH, listed=[])
    assert pq.ParquetFile(folder / "at_risk.parquet").read().num_rows == 0
    assert (folder / "at_risk.csv").read_text().startswith('"rank","user_id"')


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\nx"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str):
    table = pa.table({"user_id": [text, f"a{text}", "", None], "rank": [-1, 2, 3, 4]})
    assert escape_formulas(table).to_pydict() == {"user_id": [f"'{text}", f"a{text}", "", None], "rank": [-1, 2, 3, 4]}


def test_the_file_for_machines_keeps_ids_as_they_are(tmp_path: Path):
    folder = write_list(Place(tmp_path / "list"), BATCH, listed=[scored("=1+1", 0.9, "high")])
    assert pq.ParquetFile(folder / "at_risk.parquet").read()["user_id"].to_pylist() == ["=1+1"]
    assert '"\'=1+1"' in (folder / "at_risk.csv").read_text()
