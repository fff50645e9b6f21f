"""Rows set aside: written to a file with the reason, counted by reason, and refused where they are too many."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path

import duckdb

from features.errors import InputError
from features.sql import literal
from features.storage.atomic import atomic_file


def describe_rejected(rejected: Mapping[str, int]) -> str:
    """Say in words how many rows were set aside, and why."""
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(rejected.items())) or "none"


def rejected_of(name: str, folder: Path) -> Path:
    """Return where the invalid rows of a file of the log are written."""
    return folder / f"{sha256(name.encode()).hexdigest()[:16]}.parquet"


def write_rejected(rows: str, place: Path, *, connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows of a SELECT to a Parquet file, its folder too where there is none."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(place) as aside:
        connection.execute(f"copy ({rows}) to {literal(str(aside))} (format parquet)")


def write_by_file(rows: str, folder: Path, *, by: str, connection: duckdb.DuckDBPyConnection) -> None:
    """Write the rows of a SELECT, sorted, to one Parquet file for each file of the log that they are from.

    The log is read once, however many files it has: rows in the order of files leave those of each side by side.

    Parameters
    ----------
    by
        The column that names the file of the log; it is not written.
    """
    connection.execute(f"create or replace temp table rejected_rows as {rows} order by {by}")
    ranges = connection.execute(f"select {by}, min(rowid), max(rowid) from rejected_rows group by all").fetchall()
    for name, first, last in ranges:
        own = f"select * exclude ({by}) from rejected_rows where rowid between {first} and {last} order by all"
        write_rejected(own, rejected_of(name, folder), connection=connection)
    connection.execute("drop table rejected_rows")


def forget_rejected(names: Collection[str], folder: Path) -> None:
    """Remove what is kept of files that the log does not have any more.

    Parameters
    ----------
    names
        The files that it has.
    """
    for place in {*folder.glob("*.parquet")} - {rejected_of(name, folder) for name in names}:
        place.unlink()


def refuse_too_many(rejected: Mapping[str, int], valid: int, *, max_share: float, where: str = "", hint: str) -> None:
    """Refuse rows of which none is valid, or too large a share is not.

    Parameters
    ----------
    rejected
        Reason to number of rows set aside.
    valid
        Number of the other rows.
    max_share
        The largest share that is let pass, 0 to 1.
    where
        What the message begins with.

    Raises
    ------
    InputError
        With the counts by reason.
    """
    bad = sum(rejected.values())
    if bad and (not valid or bad / (valid + bad) > max_share):
        said = f"{bad} of {valid + bad} rows are invalid ({describe_rejected(rejected)})"
        raise InputError(f"{where}{said}, expected at most {max_share:.1%}", hint=hint)
