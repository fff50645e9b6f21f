"""Rejected rows: written to a file with the reason, counted by reason, and refused where they are too many."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path

import duckdb

from features.errors import InputError
from features.log.validation import AFTER, BEFORE
from features.sql import literal
from features.storage.atomic import atomic_file
from features.storage.marks import flaw_of, is_marked, write_marks


def describe_rejected(rejected: Mapping[str, int]) -> str:
    """Describe how many rows were rejected, and why."""
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(rejected.items())) or "none"


def rejected_of(key: str, folder: Path) -> Path:
    """Return where the invalid rows of a file of the log are written."""
    return folder / f"{sha256(key.encode()).hexdigest()[:16]}.parquet"


def write_rejected(rows: str, place: Path, *, connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows of a SELECT to a Parquet file, its folder too where there is none."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(place) as draft:
        connection.execute(f"copy ({rows}) to {literal(str(draft))} (format parquet)")


def write_by_file(rows: str, places: Mapping[str, Path], *, by: str, connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows of a SELECT, sorted, to one Parquet file for each file of the log that they are from.

    The log is read once, however many files it has: rows in the order of files leave those of each side by side.

    Parameters
    ----------
    places
        Name of a file of the log, as it is read, to where its rows go.
    by
        The column that names the file of the log; it is not written.
    """
    connection.execute(f"create or replace temp table rejected_rows as {rows} order by {by}")
    ranges = connection.execute(f"select {by}, min(rowid), max(rowid) from rejected_rows group by all").fetchall()
    for name, first, last in ranges:
        own = f"select * exclude ({by}) from rejected_rows where rowid between {first} and {last} order by all"
        write_rejected(own, places[name], connection=connection)
    connection.execute("drop table rejected_rows")


def forget_rejected(keys: Collection[str], folder: Path) -> None:
    """Remove the rejected rows of files that the log no longer has, and mark those that stay: none is written after this.

    Parameters
    ----------
    keys
        The files that it has.
    """
    for place in {*folder.glob("*.parquet")} - {rejected_of(key, folder) for key in keys}:
        place.unlink()
    if folder.is_dir():
        write_marks(folder)


def flaw_of_rejected(folder: Path, *, is_needed: bool) -> str:
    """Say which file of rejected rows is not what was written; empty where none is.

    Parameters
    ----------
    is_needed
        The log has rejected rows.
    """
    if not folder.is_dir():
        return f"{folder} is gone" if is_needed else ""
    return flaw_of(folder) if is_marked(folder) else ""


def is_too_many(rejected: Mapping[str, int], valid: int, *, max_share: float) -> bool:
    """Tell whether no row is valid, or a larger share than is allowed is not; what the settings exclude is not invalid."""
    bad = sum(_invalid(rejected, valid).values())
    return bool(bad) and (not valid or bad / (valid + bad) > max_share)


def _invalid(rejected: Mapping[str, int], valid: int) -> Mapping[str, int]:
    """Exclude the rows that ``covered_from`` and ``covered_until`` set aside, unless no other is left."""
    return {reason: count for reason, count in rejected.items() if reason not in (BEFORE, AFTER)} if valid else rejected


def refuse_too_many(
    rejected: Mapping[str, int], valid: int, *, max_share: float, section: str = "events", hint: str
) -> None:
    """Refuse rows of which none is valid, or too large a share is not.

    Parameters
    ----------
    rejected
        Reason to number of rejected rows.
    valid
        Number of the other rows.
    max_share
        Maximum share of invalid rows, 0 to 1.
    section
        Of the settings, which the message names.

    Raises
    ------
    InputError
        With the counts by reason.
    """
    invalid = _invalid(rejected, valid)
    bad = sum(invalid.values())
    if is_too_many(rejected, valid, max_share=max_share):
        counted = f"{bad} of {valid + bad} rows are invalid ({describe_rejected(invalid)})"
        allowed = f"at most {100 * max_share:g} % allowed ([{section}] max_rejected_share)"
        raise InputError(f"{counted}; {allowed}", hint=hint)
