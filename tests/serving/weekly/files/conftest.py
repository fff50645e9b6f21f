"""A finished list of three users, and a real PostgreSQL to take it to."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from serving.batch.scored_batch import Batch, write_manifest
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.list_columns import About
from serving.weekly.files.spreadsheet import write_xlsx
from serving.weekly.files.tables import write_csv, write_parquet
from tests.features.log_tables import postgres_or_skip

ADDRESS = ListAddress("shop", "2026-W47", "vip", "abc123")
MONDAY = date(2026, 11, 16)
Finish = Callable[..., Path]


def listed(*users: str) -> pa.Table:
    return pa.table(
        {
            "rank": pa.array(range(1, len(users) + 1), pa.int64()),
            "user_id": pa.array(users, pa.string()),
            "churn_probability": pa.array([0.5] * len(users), pa.float64()),
            "ours": pa.array([True] * len(users), pa.bool_()),
            "as_of": pa.array([MONDAY] * len(users), pa.date32()),
            "last_seen_at": pa.array(
                [datetime(2026, 11, 14, 18, 30, tzinfo=UTC)] * len(users), pa.timestamp("us", "Europe/Berlin")
            ),
            "note": pa.array([None] * len(users), pa.string()),
        }
    )


def finish(folder: Path, table: pa.Table) -> Path:
    """A folder as an export leaves it."""
    folder.mkdir()
    write_parquet(table, folder / "at_risk.parquet")
    write_csv(table, folder / "at_risk.csv")
    write_xlsx(table, folder / "at_risk.xlsx", about=About("vip", "2026-W47", MONDAY, "churn", "3", "abc123"))
    rows = dict.fromkeys(["at_risk.parquet", "at_risk.csv", "at_risk.xlsx"], table.num_rows)
    write_manifest(folder, about=asdict(Batch(MONDAY, "churn", "3", "settings")), rows=rows)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return finish(tmp_path / "list", listed("anna", "bob", "Zoë\n王"))


@pytest.fixture(scope="session")
def postgres_of_the_team() -> Iterator[str]:
    yield from postgres_or_skip()
