"""Which days are rolled up, how many of them at once, and in which batch they are stored."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import msgspec

from features.log.inventory import FileInventory
from features.sql import literal
from features.storage.atomic import atomic_folder, write_atomic
from features.storage.marks import write_marks

DAYS_FILE = "days.json"


def digests(files: Sequence[FileInventory]) -> dict[date, str]:
    """Return what each day is computed from, as a digest: its files, how they are read, and how many of their rows are its."""
    made_of: dict[date, list[tuple[str, str, str, int]]] = {}
    for file in files:
        for day, rows in file.days.items():
            made_of.setdefault(day, []).append((file.name, file.fingerprint, file.reading, rows))
    return {
        day: hashlib.sha256(json.dumps(sorted(parts)).encode()).hexdigest()[:16]
        for day, parts in sorted(made_of.items())
    }


def batches(days: Mapping[date, str], rows: Mapping[date, int], *, max_rows: int) -> Iterator[list[date]]:
    """Group neighbouring days into batches of at most ``max_rows`` rows; a day is never split."""
    batch: list[date] = []
    size = 0
    for day in sorted(days):
        if batch and (size + rows[day] > max_rows or _has_other_days(batch[-1], day, rows=rows)):
            yield batch
            batch, size = [], 0
        batch.append(day)
        size += rows[day]
    if batch:
        yield batch


def name_of(batch: Mapping[date, str]) -> str:
    """Name the folder of a batch after its days and their digests."""
    digest = hashlib.sha256(json.dumps(sorted(batch.values())).encode()).hexdigest()[:16]
    return f"{min(batch)}_{max(batch)}_{digest}"


def write_batch(
    days: Mapping[date, str], folder: Path, *, queries: Mapping[str, str], connection: duckdb.DuckDBPyConnection
) -> None:
    """Write the relations of some days, and which days they are; the batch appears completely or not at all.

    Parameters
    ----------
    days
        Day to its digest.
    queries
        Relation to its SELECT.
    """
    with atomic_folder(folder / name_of(days)) as draft:
        for name, query in queries.items():
            # rows of a user are stored together, in no order: readers group by user, or want a few users only
            place = literal(str(draft / f"{name}.parquet"))
            connection.execute(f"copy (from ({query}) order by user_id) to {place} (format parquet)")
        write_days(days, draft)
        write_marks(draft)


def write_days(days: Mapping[date, str], batch: Path) -> None:
    """Write the days of a batch with their digests into its folder."""
    write_atomic(batch / DAYS_FILE, msgspec.json.encode(dict(days)))


def read_batches(folder: Path) -> dict[str, dict[date, str]]:
    """Return the batches in the folder of an activity: name of each to its days with their digests."""
    places = (place for place in sorted(folder.glob(f"*/{DAYS_FILE}")) if not place.parent.name.startswith("."))
    return {place.parent.name: msgspec.json.decode(place.read_bytes(), type=dict[date, str]) for place in places}


def batch_by_day(days: Mapping[date, str], batches: Mapping[str, Mapping[date, str]]) -> dict[date, str]:
    """Return the batch that holds each day with its current digest; a day that no batch holds is missing.

    Of several batches it is the one with the most days that count: small ones were merged into a larger one.
    """
    right = {name: [day for day in batch if days.get(day) == batch[day]] for name, batch in batches.items()}
    found = {day: name for name in sorted(right, key=lambda name: (len(right[name]), name)) for day in right[name]}
    return {day: found[day] for day in days if day in found}


def superseded(places: Mapping[date, str], batches: Mapping[str, Mapping[date, str]]) -> dict[str, tuple[date, ...]]:
    """Return the days of each batch in use that no longer count, as another batch holds them or the log no longer has them."""
    gone = {name: tuple(day for day in batches[name] if places.get(day) != name) for name in sorted({*places.values()})}
    return {name: days for name, days in gone.items() if days}


def relation_sql(name: str, folder: Path, *, batches: Collection[str], gone: Mapping[str, Collection[date]]) -> str:
    """Return the FROM clause of a relation of some batches.

    Parameters
    ----------
    gone
        Batch to those of its days that no longer count, from :func:`superseded`.
    """
    complete = sorted({*batches} - gone.keys())
    parts = [_read(name, folder, batches=complete)] if complete else []
    for batch in sorted({*batches} & gone.keys()):
        dates = ", ".join(f"date '{day}'" for day in gone[batch])
        parts.append(f"(from {_read(name, folder, batches=[batch])} where day not in ({dates}))")
    return parts[0] if len(parts) == 1 else f"({' union all '.join(f'from {part}' for part in parts)})"


def _read(name: str, folder: Path, *, batches: Sequence[str]) -> str:
    places = ", ".join(literal(f"{glob.escape(str(folder))}/{batch}/{name}.parquet") for batch in batches)
    return f"read_parquet([{places}], hive_partitioning = false)"


def _has_other_days(before: date, day: date, *, rows: Mapping[date, int]) -> bool:
    """Tell whether the log has days between two days to be rolled up that are not to be rolled up."""
    return any(before + timedelta(days=step) in rows for step in range(1, (day - before).days))
