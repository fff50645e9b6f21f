"""What is awkward about a log, and what a first look must make of it: the right columns, the right question, or a refusal in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 90
Row = Sequence[object]


@dataclass(frozen=True)
class Awkward:
    """A log and what is expected.

    Attributes
    ----------
    columns
        Contract column to its expression.
    asks
        Keys of the questions.
    refuses
        What the refusal matches.
    settings
        Keys of ``[events]`` and ``[events.format]``.
    notes
        What some note says.
    """

    name: str
    write: Callable[[Path], Path]
    columns: dict[str, str] = field(default_factory=dict[str, str])
    asks: frozenset[str] = frozenset()
    refuses: str = ""
    settings: dict[str, object] = field(default_factory=dict[str, object])
    notes: str = ""
    without: tuple[str, ...] = ()


def moment(row: int) -> datetime:
    """When a row happened: all days of two months, most times of day."""
    return datetime(2024, 3, 1, 6, 7, 9, tzinfo=UTC) + timedelta(hours=17 * row)


def early(row: int) -> datetime:
    """As :func:`moment`, on the first twelve days of months only."""
    return datetime(2024, 1 + row % 11, 1 + (7 * row) % 12, row % 24, 30, tzinfo=UTC)


def user(row: int) -> int:
    """Who: 13 users, each in several rows."""
    return 1000 + (row * row) % 13


def kind(row: int) -> str:
    """What happened."""
    return ("view", "cart", "buy")[row % 3]


def text(
    name: str, header: str, line: Callable[[int], str], *, encoding: str = "utf-8", rows: int = ROWS
) -> Callable[[Path], Path]:
    """Write a text file."""

    def write(folder: Path) -> Path:
        lines = [header] if header else []
        (folder / name).write_text("\n".join([*lines, *(line(row) for row in range(rows))]) + "\n", encoding=encoding)
        return folder / name

    return write


def parquet(**columns: Callable[[int], object]) -> Callable[[Path], Path]:
    """Write a Parquet file."""

    def write(folder: Path) -> Path:
        table = pa.table({name: [value(row) for row in range(ROWS)] for name, value in columns.items()})
        pq.write_table(table, folder / "log.parquet")
        return folder / "log.parquet"

    return write


def lines_of_json(value: Callable[[int], object]) -> Callable[[Path], Path]:
    """Write JSON Lines."""
    return text("log.jsonl", "", lambda row: json.dumps(value(row), ensure_ascii=False))


USUAL = {"user_id": "user_id", "event_time": "event_time", "event_type": "event_type"}
