"""Which days are rolled up, under which name, and how many of them at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from features.events import FileContents


def folders(files: Sequence[FileContents]) -> dict[date, str]:
    """Name each day's folder after what it is computed from."""
    made_of: dict[date, list[tuple[str, str, int]]] = {}
    for file in files:
        for day, rows in file.days.items():
            made_of.setdefault(day, []).append((file.name, file.fingerprint, rows))
    return {
        day: hashlib.sha256(json.dumps(sorted(parts)).encode()).hexdigest()[:16]
        for day, parts in sorted(made_of.items())
    }


def batches(days: Mapping[date, str], rows: Mapping[date, int], *, most: int) -> Iterator[list[date]]:
    """Cut days into runs of neighbours with at most so many rows; a day is never cut."""
    batch: list[date] = []
    size = 0
    for day in sorted(days):
        if batch and (size + rows[day] > most or _has_other_days(batch[-1], day, rows=rows)):
            yield batch
            batch, size = [], 0
        batch.append(day)
        size += rows[day]
    if batch:
        yield batch


def _has_other_days(before: date, day: date, *, rows: Mapping[date, int]) -> bool:
    """Tell whether days of the log lie between two days to be rolled up, which are not to be."""
    return any(before + timedelta(days=step) in rows for step in range(1, (day - before).days))
