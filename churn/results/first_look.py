"""What a first look at a log found, and what its settings give."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from churn.results.result import Result
from features.errors import CheckFailed


@dataclass(frozen=True)
class Finding:
    """What a column of the contract is in this log.

    Attributes
    ----------
    expression
        For churn.toml.
    evidence
        Why, in a sentence.
    columns
        The own columns that it reads.
    """

    expression: str
    evidence: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cohort:
    """The users first seen in one week.

    Attributes
    ----------
    week
        Its Monday.
    users
        How many they are.
    active
        Share of them that was active in the first week after, the second, and so on, as far as the log covers whole weeks.
    """

    week: date
    users: int
    active: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"week": str(self.week), "users": self.users, "active": [round(share, 4) for share in self.active]}


@dataclass(frozen=True, repr=False)
class FirstLook(Result):
    """A proposed churn.toml, checked by reading the log with it.

    Attributes
    ----------
    path
        Where it was written; None: nowhere.
    toml
        Its text.
    read
        Which rows the columns were judged by, in words.
    layout
        The product or data set whose export it is; empty: unknown.
    columns
        Contract column to what it is, with the evidence.
    counts
        Rows, users, days and types that the log has under these settings; empty where it cannot be read with them.
    retention
        The latest weekly cohorts.
    horizon_days
        The proposed horizon; None: the log is too short for one.
    notes
        What a user should know.
    refusal
        Why the log cannot be read under these settings; empty: it can.
    """

    path: Path | None
    toml: str
    read: str
    layout: str
    columns: dict[str, Finding]
    counts: dict[str, Any] = field(default_factory=dict[str, Any])
    retention: tuple[Cohort, ...] = ()
    horizon_days: int | None = None
    notes: tuple[str, ...] = ()
    refusal: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return everything that was found."""
        return {
            "path": str(self.path) if self.path else None,
            "layout": self.layout or None,
            "read": self.read,
            "columns": {
                name: {"expression": one.expression, "evidence": one.evidence} for name, one in self.columns.items()
            },
            **self.counts,
            "horizon_days": self.horizon_days,
            "retention": [cohort.to_json() for cohort in self.retention],
            "notes": list(self.notes),
            "refusal": self.refusal or None,
            "toml": self.toml,
        }

    def check(self) -> None:
        """Refuse settings under which the log cannot be read.

        Raises
        ------
        CheckFailed
            With the reason.
        """
        if self.refusal:
            place = str(self.path) if self.path else "the proposed churn.toml"
            raise CheckFailed(
                f"the log cannot be used with {place} as it is: {self.refusal}",
                hint="edit it, or run churn init again with --answer",
            )

    @property
    def title(self) -> str:
        """What was written."""
        return f"Proposed settings: {self.path}" if self.path else "Proposed settings"

    @property
    def summary(self) -> dict[str, Any]:
        """Columns, and what the log has."""
        columns = {name: one.expression for name, one in self.columns.items()}
        return columns | self.counts | {"horizon_days": self.horizon_days}
