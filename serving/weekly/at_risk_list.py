"""The weekly at-risk list: users ranked by risk, with reasons, as Parquet and as a CSV that is safe in a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.storage.versions import Place
from serving.batch.score import to_table
from serving.score import Score
from serving.weekly.ledger import Batch, write_manifest

_BANDS = ("high", "medium", "low")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def week_of(cutoff: date) -> str:
    """Return the name of the week that a list is for: the ISO week for a Monday, the ISO week date for any other day.

    Examples
    --------
    >>> week_of(date(2026, 11, 16)), week_of(date(2026, 11, 18))
    ('2026-W47', '2026-W47-3')
    """
    year, week, weekday = cutoff.isocalendar()
    return f"{year}-W{week:02d}" + ("" if weekday == 1 else f"-{weekday}")


def at_risk(scores: Sequence[Score], at_least: Literal["high", "medium", "low"]) -> list[Score]:
    """Return the scored users of at least this risk band, the riskiest first; ties by the bytes of the user id."""
    bands = _BANDS[: _BANDS.index(at_least) + 1]
    listed = [one for one in scores if one.risk_band in bands]
    return sorted(listed, key=lambda one: (-(one.churn_probability or 0), (one.user_id or "").encode()))


def write_list(place: Place, batch: Batch, *, listed: Sequence[Score]) -> Path:
    """Write ``at_risk.parquet``, ``at_risk.csv`` and, last, ``manifest.json`` as a version of the place of a list; return its folder.

    The same inputs give the same bytes, and so the same version. A killed run leaves no file under its final name.
    """
    table = to_table(listed).drop_columns(["status", "code"])
    table = table.add_column(0, "rank", pa.array(range(1, len(listed) + 1), pa.int64()))

    def write(draft: Path) -> None:
        pq.write_table(table, draft / "at_risk.parquet", compression="zstd")
        pacsv.write_csv(escape_formulas(table), draft / "at_risk.csv")
        rows = {"at_risk.parquet": table.num_rows, "at_risk.csv": table.num_rows}
        write_manifest(draft, batch=batch, rows=rows)

    return place.add(write)


def escape_formulas(table: pa.Table) -> pa.Table:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            values = [_escape(value) for value in table.column(index).to_pylist()]
            table = table.set_column(index, field, pa.array(values, pa.string()))
    return table


def _escape(value: str | None) -> str | None:
    return f"'{value}" if value and value.startswith(_FORMULA) else value
