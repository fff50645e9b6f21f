"""Many small batches become one: daily refreshes leave a batch each, and what reads them pays for every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from features.activity.batches import held, places_of, relation_sql, superseded, write_batch
from features.activity.roll_up import RELATIONS

_MOST_SMALL = 16


def compact(
    folder: Path,
    days: Mapping[date, str],
    *,
    rows: Mapping[date, int],
    most: int,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Write small batches together where there are more than a few; those they come from stay, and no day lies there any more.

    Parameters
    ----------
    days
        Day to its digest; batches hold them all.
    rows
        Day to its events.
    most
        Events whose days are rolled up together; a small batch has at most a sixteenth of them, in days that count.
    """
    kept = held(folder)
    places = places_of(days, kept)
    small = _small(places, rows, most=most // _MOST_SMALL)
    if len(small) <= _MOST_SMALL:
        return
    gone = superseded(places, kept)
    queries = {name: f"from {relation_sql(name, folder, batches=small, gone=gone)}" for name in RELATIONS}
    together = {day: days[day] for day, batch in places.items() if batch in small}
    write_batch(together, folder, queries=queries, connection=connection)


def _small(places: Mapping[date, str], rows: Mapping[date, int], *, most: int) -> set[str]:
    """Return the batches with no more than so many events in days that count."""
    sizes = Counter[str]()
    for day, batch in places.items():
        sizes[batch] += rows[day]
    return {batch for batch, size in sizes.items() if size <= most}
