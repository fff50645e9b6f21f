"""Files of a log exactly as they are written, and what is read from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.activity.store import ActivitySettings
from features.settings import ChurnSettings, EventsSettings, FeatureSettings
from tests.builders import ReadLog, World, found_in, read

HEADER = "user_id,event_time,event_type"
LENIENT: dict[str, Any] = {"max_rejected_share": 0.99}
SECONDS = 1767607200  # 2026-01-05 10:00 UTC
TEN = "2026-01-05 10:00:00"


def put(path: Path, content: str | bytes) -> Path:
    """Write a file as it stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_log(folder: Path, *lines: str, header: str = HEADER, name: str = "log.csv", **options: Any) -> ReadLog:
    """Read a CSV of these lines."""
    return read(put(folder / name, "".join(f"{line}\n" for line in (header, *lines))), **options)


def csv_logs(folder: Path, files: Sequence[Sequence[str]], *, header: str = HEADER, **options: Any) -> ReadLog:
    """Read CSV files of one header, in the order of their names."""
    for place, lines in enumerate(files):
        put(folder / f"{place:02}.csv", "".join(f"{line}\n" for line in (header, *lines)))
    return read(folder, **options)


def json_log(folder: Path, *objects: str, **options: Any) -> ReadLog:
    """Read JSON Lines; each object is given without its braces, its time and its type."""
    rest = f'"event_time": "{TEN}", "event_type": "open"'
    return read(put(folder / "log.jsonl", "".join(f"{{{one}, {rest}}}\n" for one in objects)), **options)


def parquet_of(path: Path, columns: Mapping[str, Any], **written: Any) -> Path:
    """Write a Parquet file of exactly these columns; by default each row is an open at ten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = len(next(iter(columns.values())))
    usual = {"event_time": [TEN] * rows, "event_type": ["open"] * rows}
    pq.write_table(pa.table({**usual, **columns}), path, **written)
    return path


def users_in(log: ReadLog) -> list[str]:
    return [found[0] for found in found_in(log)]


def times_in(log: ReadLog) -> list[str]:
    return [found[1] for found in found_in(log)]


def last_in(log: ReadLog) -> list[Any]:
    """The column that is mapped last, by user."""
    return [found[-1] for found in found_in(log)]


def world_at(folder: Path, path: Path, *, zone: str = "UTC", **events: Any) -> World:
    """A world over files that lie there already."""
    given: dict[str, Any] = {"path": str(path), "covered_until": date(2026, 12, 31)}
    settings = EventsSettings(**given | events)
    return World(ActivitySettings(settings, ChurnSettings(timezone=zone), FeatureSettings()), folder / "home")


def as_json(**values: Any) -> str:
    """An object without its braces."""
    return json.dumps(values)[1:-1]
