"""Which days are rolled up, how many of them at once, and where they lie then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec

from features.events import FileContents

_HOLDS = "days.json"


def digests(files: Sequence[FileContents]) -> dict[date, str]:
    """Return what each day is computed from, as a digest."""
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


def name_of(batch: Mapping[date, str]) -> str:
    """Name the folder of a batch after its days and their digests."""
    digest = hashlib.sha256(json.dumps(sorted(batch.values())).encode()).hexdigest()[:16]
    return f"{min(batch)}_{max(batch)}_{digest}"


def note(batch: Mapping[date, str], folder: Path) -> None:
    """Write down beside the relations of a batch which days they hold, each with its digest."""
    (folder / _HOLDS).write_bytes(msgspec.json.encode(dict(batch)))


def held(folder: Path) -> dict[str, dict[date, str]]:
    """Return what lies in the folder of an activity: name of each batch to its days with their digests."""
    places = (place for place in sorted(folder.glob(f"*/{_HOLDS}")) if not place.parent.name.startswith("."))
    return {place.parent.name: msgspec.json.decode(place.read_bytes(), type=dict[date, str]) for place in places}


def places_of(days: Mapping[date, str], batches: Mapping[str, Mapping[date, str]]) -> dict[date, str]:
    """Return the batch that holds each day as its digest says; a day that none holds is left out."""
    found = {(day, digest): name for name, batch in batches.items() for day, digest in batch.items()}
    return {day: found[day, digest] for day, digest in days.items() if (day, digest) in found}


def superseded(places: Mapping[date, str], batches: Mapping[str, Mapping[date, str]]) -> dict[str, tuple[date, ...]]:
    """Return the days of each batch in use that do not count any more, as another batch holds them or the log has lost them."""
    gone = {name: tuple(day for day in batches[name] if places.get(day) != name) for name in sorted({*places.values()})}
    return {name: days for name, days in gone.items() if days}


def _has_other_days(before: date, day: date, *, rows: Mapping[date, int]) -> bool:
    """Tell whether days of the log lie between two days to be rolled up, which are not to be."""
    return any(before + timedelta(days=step) in rows for step in range(1, (day - before).days))
