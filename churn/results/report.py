"""What the log says about the product."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.results.outcomes import plain
from churn.results.result import Result

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from insights.findings import Past
    from insights.presentation.section import Section

PAGE, PDF, MAIL, NUMBERS, TABLES = "report.html", "report.pdf", "report.eml", "report.json", "tables"


@dataclass(frozen=True, repr=False)
class Report(Result):
    """The answers to what a product team asks of a log.

    Attributes
    ----------
    first_day, last_day
        The days that the log covers, both included.
    zone
        Of its days.
    sections
        An answer each, in the order of the page.
    notes
        What a reader should know of the log, a sentence each.
    past
        The findings of an earlier report, that the new ones are told by.
    language
        Of its texts.
    path
        Folder of the page, of the same numbers as JSON, and of each table as CSV and Parquet.
    """

    project: str
    first_day: date
    last_day: date
    zone: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    past: Past | None = None
    language: str = "en"
    path: Path = Path()

    @property
    def title(self) -> str:
        """What this is."""
        return f"What the log of {self.project} says, {self.first_day} to {self.last_day}"

    @property
    def summary(self) -> dict[str, Any]:
        """The headline of each question, and where the page is."""
        return {one.title.lower(): one.sentences[0] for one in self.sections} | {"page": str(self.path / PAGE)}

    def to_json(self) -> dict[str, Any]:
        """Return every number of the page; null where one is not known."""
        numbers: dict[str, Any] = {
            "project": self.project,
            "first_day": self.first_day,
            "last_day": self.last_day,
            "timezone": self.zone,
            "language": self.language,
            "sections": {one.name: one.to_json() for one in self.sections},
            "notes": self.notes,
        }
        if self.past:
            causes = [{name: one.get(name) for name in ("cause", "first_day", "last_day")} for one in self.past.rows]
            numbers["past"] = {"last_day": self.past.last_day, "findings": causes}
        return plain(numbers) | ({"path": str(self.path)} if self.path != Path() else {})

    def to_pandas(self, table: str) -> pd.DataFrame:
        """Return one of the tables by its name, such as ``retention_days``."""
        found = {one.name: one for section in self.sections for one in section.tables}
        return found[table].to_arrow().to_pandas()
