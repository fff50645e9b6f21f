"""Many small batches become one: daily refreshes leave a batch each, and what reads them pays for every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from features.activity.batches import batch_by_day, read_batches, relation_sql, superseded, write_batch

_MAX_SMALL_BATCHES = 16


def compact(
    folder: Path,
    days: Mapping[date, str],
    *,
    rows: Mapping[date, int],
    max_rows: int,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Merge small batches where there are more than a few; the old ones stay, and no day is read from them any more.

    Parameters
    ----------
    days
        Day to its digest; batches hold them all.
    rows
        Day to its events.
    max_rows
        Events whose days are rolled up together; a small batch has at most a sixteenth of them, in days that count.
    """
    kept = read_batches(folder)
    places = batch_by_day(days, kept)
    small = _small(places, rows, max_rows=max_rows // _MAX_SMALL_BATCHES)
    if len(small) <= _MAX_SMALL_BATCHES:
        return
    gone = superseded(places, kept)
    queries = {
        name: f"from {relation_sql(name, folder, batches=small, gone=gone)}" for name in _relations(folder / min(small))
    }
    together = {day: days[day] for day, batch in places.items() if batch in small}
    write_batch(together, folder, queries=queries, connection=connection)


def _relations(batch: Path) -> list[str]:
    """Return the relations of a batch, which are those of all batches next to it."""
    return sorted(path.stem for path in batch.glob("*.parquet"))


def _small(places: Mapping[date, str], rows: Mapping[date, int], *, max_rows: int) -> set[str]:
    """Return the batches with no more than so many events in days that count."""
    sizes = Counter[str]()
    for day, batch in places.items():
        sizes[batch] += rows[day]
    return {batch for batch, size in sizes.items() if size <= max_rows}
