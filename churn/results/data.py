"""The log, profiles, and what a training would use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.results.result import Result

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from features.activity.store import Activity
    from features.log.inventory import LogInventory
    from features.snapshots import Coverage


def counts_of(inventory: LogInventory, coverage: Coverage) -> dict[str, Any]:
    """Return what a log holds: valid rows, rejected ones by reason, and the days that it covers."""
    return {
        "rows": inventory.rows,
        "rejected": inventory.rejected,
        "first_day": str(coverage.first_day),
        "covered_until": str(coverage.covered_until),
    }


@dataclass(frozen=True, repr=False)
class Log(Result):
    """An event log that was read: its activity is kept in the home of the project."""

    activity: Activity

    def to_json(self) -> dict[str, Any]:
        """Count what was read, and what was set aside and why."""
        activity = self.activity
        counts = counts_of(activity.manifest.inventory, activity.coverage)
        return counts | {"notes": list(activity.notes), "days_rolled_up": len(activity.rolled_up)}

    def describe(self) -> str:
        """Say in a line what was read."""
        from features.log.rejected import describe_rejected

        activity = self.activity
        found, coverage = activity.manifest.inventory, activity.coverage
        rolled_up, days = len(activity.rolled_up), len(activity.manifest.days)
        return (
            f"{found.rows:,} rows from {coverage.first_day} up to {coverage.covered_until}; "
            f"set aside: {describe_rejected(found.rejected)}; "
            + ("activity kept from before" if activity.is_reused else f"{rolled_up} of {days} days rolled up")
        )

    def __repr__(self) -> str:
        """One line."""
        return f"<Log: {self.describe()}>"


@dataclass(frozen=True, repr=False)
class Profiles(Result):
    """Profiles of users, one row per user and cutoff.

    Attributes
    ----------
    log
        What was read to build them, as :meth:`Log.to_json` says it.
    rows, columns
        Size of the table, ``user_id`` and ``cutoff`` among the columns.
    path
        Where they were written; None: they are in ``table``.
    """

    log: dict[str, Any]
    rows: int
    columns: int
    path: Path | None = None
    table: pa.Table | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what was read and built."""
        size = {"profiles": self.rows, "columns": self.columns}
        return self.log | size | ({"path": str(self.path)} if self.path else {})

    def to_arrow(self) -> pa.Table:
        """Return the profiles as an Arrow table, read back where they were written."""
        if self.table is not None:
            return self.table
        import pyarrow.parquet as pq

        return pq.read_table(str(self.path))

    def to_pandas(self) -> pd.DataFrame:
        """Return the profiles as a DataFrame."""
        return self.to_arrow().to_pandas()


@dataclass(frozen=True, repr=False)
class TrainingData(Result):
    """What a model would be trained and tested on.

    Attributes
    ----------
    X
        Profiles, one row per user and cutoff, features only; shape (n, features).
    y
        Whether the user churned, shape (n,).
    groups
        User ids, shape (n,): rows of a user belong to one side of any split. Where several ids are one person, as ``[identities]`` says,
        the id that the person has today.
    time
        Cutoffs, shape (n,).
    part
        ``train``, ``validation``, ``calibration`` or ``test``, shape (n,). Where a fold of users stands in for a period of
        its own, validation and calibration rows are ``train``.
    purge_days
        Days from a cutoff to the day on which its label is known, gap and horizon.
    """

    X: pd.DataFrame
    y: NDArray[np.bool_]
    groups: NDArray[Any]
    time: NDArray[np.datetime64]
    part: NDArray[Any]
    purge_days: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the size of each part and its churn rate."""
        parts = {name: self.part == name for name in dict.fromkeys(self.part.tolist())}
        sizes = {
            name: {"rows": int(rows.sum()), "churn_rate": float(self.y[rows].mean())} for name, rows in parts.items()
        }
        return {
            "rows": len(self.y),
            "features": self.X.shape[1],
            "users": len(set(self.groups.tolist())),
            "parts": sizes,
        }

    @property
    def summary(self) -> dict[str, Any]:
        """Its size, and rows and churn rate of each part."""
        found = self.to_json()
        parts = {
            name: f"{of['rows']} rows, churn rate {of['churn_rate']:.3f}" for name, of in found.pop("parts").items()
        }
        return found | parts
