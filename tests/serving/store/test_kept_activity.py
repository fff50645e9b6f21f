from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serving.store.kept_activity import KeptRows
from tests.builders import world_of

LINES = [
    "anna 2026-05-30T10:00 open",
    "anna 2026-05-30T10:10 buy",
    "anna 2026-05-31T23:59 open",
    "anna 2026-06-01T00:00 open",
    "bob 2026-05-31T12:00 buy",
    "cleo 2026-06-01T08:00 open",
]
CUTOFF = date(2026, 6, 1)
EPOCH = date(1970, 1, 1)


@pytest.fixture
def kept(tmp_path: Path) -> KeptRows:
    return KeptRows(world_of(tmp_path, LINES).activity(), CUTOFF)


def unpacked(kept: KeptRows, relation: str) -> dict[str, dict[str, list[Any]]]:
    return {user: msgspec.msgpack.decode(packed) for user, name, packed in kept.rows() if name == relation}


def test_days_before_the_cutoff_are_kept_by_user_and_later_days_are_not(kept: KeptRows):
    days = unpacked(kept, "days")
    assert set(days) == {"anna", "bob"}
    assert sorted(days["anna"]["day"]) == [(date(2026, 5, 30) - EPOCH).days, (date(2026, 5, 31) - EPOCH).days]
    assert days["bob"]["day"] == [(date(2026, 5, 31) - EPOCH).days]


def test_event_types_are_kept_with_their_numbers(kept: KeptRows):
    types = unpacked(kept, "event_types")
    found = zip(types["anna"]["day"], types["anna"]["event_type"], types["anna"]["n"], strict=True)
    saturday, sunday = ((date(2026, 5, day) - EPOCH).days for day in (30, 31))
    assert sorted(found) == [(saturday, "buy", 1), (saturday, "open", 1), (sunday, "open", 1)]


def test_the_columns_say_what_the_rows_hold_and_which_contract_columns_they_come_from(kept: KeptRows):
    assert {"user_id", "event_time", "event_type"} <= set(kept.columns.contract)
    assert "amount" not in kept.columns.contract
    for relation, names in kept.columns.relations.items():
        assert "user_id" not in names
        assert all(tuple(columns) == names for columns in unpacked(kept, relation).values())


def test_a_row_that_became_known_at_the_cutoff_or_later_is_not_kept(tmp_path: Path):
    late = "anna 2026-05-30T10:00 open ingested_at=2026-06-01T00:00"
    known = "bob 2026-05-30T10:00 open ingested_at=2026-05-31T23:59"
    kept = KeptRows(world_of(tmp_path, [late, known]).activity(), CUTOFF)
    assert set(unpacked(kept, "days")) == {"bob"}
    assert not {"known_day", "known_until"} & set(kept.columns.relations["days"])
