"""Events that came more than once, told by ``[events] event_id``: each counts once, across files and days.

For each file its ids are kept, with the instants at which its rows have them. Of the rows of an id the earliest counts, where the log
says when rows became known (``ingested_at``) the one known first, as what came later must not change what was known before; of several
at the same instant the first in the order of all columns. So neither the order of rows nor that of files decides, and a new file is
compared with what is kept of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from features.log.inventory import FileInventory
from features.sql import literal, local_time_of
from features.storage.atomic import atomic_folder
from features.storage.drafts import remove
from features.storage.marks import flaw_of, write_marks

EVENT_ID = "event_id"
_FILE = "ids.parquet"
_MOVED = "moved_event_ids"
_KEY = f"md5_number(cast({EVENT_ID} as varchar))"


@dataclass(frozen=True)
class EventIds:
    """The ids of the events of a log, a folder with a Parquet file for each of its files.

    Attributes
    ----------
    folder
        Where they are kept.
    columns
        Contract columns of the log.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    zone: str
    columns: Sequence[str]

    def keep(self, file: FileInventory, valid_sql: str) -> None:
        """Keep the ids of a file, given its valid rows; those that are not what was written are read from the log again."""
        place = self._place(file)
        if place.is_dir() and not flaw_of(place):
            return
        rows = f"""select cast({_KEY} as varchar) as key, epoch_us(event_time) as us, {_place_of(self.columns)} as place, count(*) as n
            from ({valid_sql}) where {EVENT_ID} is not null group by all order by all"""
        with atomic_folder(place) as draft:
            ids = literal(str(draft / _FILE))
            self.connection.execute(f"copy ({rows}) to {ids} (format parquet, compression zstd)")
            write_marks(draft)

    def compare(self, files: Sequence[FileInventory]) -> tuple[int, dict[date, str]]:
        """Find the ids that have several instants; return the number of rows that do not count, and a digest for each of their days."""
        places = [self._place(file) for file in files]
        for place in {*self.folder.iterdir()} - set(places):
            remove(place)
        listed = "[" + ", ".join(literal(str(place / _FILE)) for place in places) + "]"
        self.connection.execute(f"create or replace temp table all_event_ids as from read_parquet({listed})")
        self.connection.execute(
            f"""create or replace temp table {_MOVED} as select key, min(place) as place from all_event_ids group by key
            having min(place) <> max(place)"""
        )
        ((rows, keys),) = self.connection.execute(
            "select coalesce(sum(n), 0), count(distinct key) from all_event_ids"
        ).fetchall()
        day = f"cast({local_time_of('make_timestamptz(a.us)', self.zone)} as date)"
        found = self.connection.execute(
            f"""select {day} as day, md5(string_agg(key || ' ' || a.us, ',' order by key, a.us))
            from all_event_ids a join {_MOVED} m using (key) where a.place > m.place group by 1"""
        ).fetchall()
        self.connection.execute("drop table all_event_ids")
        return int(rows) - keys, dict(found)

    def _place(self, file: FileInventory) -> Path:
        """Name the ids of a file after what it is, and after its valid rows: which these are may change though the file does not."""
        known = "\n".join((file.name, file.fingerprint, file.reading, repr(sorted(file.days.items()))))
        return self.folder / f"{hashlib.sha256(known.encode()).hexdigest()[:24]}"


def once(valid_sql: str, columns: Sequence[str]) -> str:
    """Return the SELECT of valid rows in which each event id is there once; :meth:`EventIds.compare` was called before."""
    names = ", ".join(columns)
    return f"""select {names} from (select *, row_number() over (partition by {EVENT_ID} order by {_place_of(columns)}, {names}) as _number
        from ({valid_sql})) e where {EVENT_ID} is null or (_number = 1
            and not exists (from {_MOVED} m where m.key = cast({_KEY} as varchar) and m.place < {_place_of(columns)}))"""


def _place_of(columns: Collection[str]) -> str:
    """Return the SQL of what a row is compared by with others of its id, the least of which counts."""
    us = "epoch_us(event_time)"
    return f"row(epoch_us(greatest(event_time, ingested_at)), {us})" if "ingested_at" in columns else us


def with_moved(days: Mapping[date, str], moved: Mapping[date, str]) -> dict[date, str]:
    """Return the digests of days, changed where other rows of them no longer count."""
    return {
        day: hashlib.sha256(f"{digest} {moved[day]}".encode()).hexdigest()[:16] if day in moved else digest
        for day, digest in days.items()
    }
