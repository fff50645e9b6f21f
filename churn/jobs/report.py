"""The report: what the log says about the product, as a page and as the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from churn.jobs.report_page import page_of
from churn.progress import Progress
from churn.results.report import NUMBERS, PAGE, TABLES, Report
from features.storage.versions import Place
from insights.presentation.section import Figures
from insights.report import opened, sections
from models.page import write_page

if TYPE_CHECKING:
    from churn.project import Project


def report(project: Project, *, say: Progress) -> Report:
    """Answer the questions of a product team from the kept activity, and write page, numbers and tables.

    Raises
    ------
    CheckFailed
        When nobody was ever active.
    """
    settings = project.settings
    say("reading the log")
    activity = project.activity(say=say.within)
    log = opened(activity, settings.report)
    say("answering the questions")
    found = Report(
        project.name,
        log.first_day,
        log.last_day,
        settings.churn.timezone,
        sections(log, settings.report, churn=settings.churn, say=say.within),
        activity.notes,
    )
    say("writing the report")
    page = page_of(found, log.new_from and log.day(log.new_from)).to_html()
    place = Place(project.home.reports(project.name), keeps_all=False, say=say.within)
    return replace(found, path=place.add(lambda draft: _write(found, page, draft)))


def _write(found: Report, page: str, draft: Path) -> None:
    write_page(draft, page=(PAGE, page), numbers=(NUMBERS, found.to_json()))
    (draft / TABLES).mkdir()
    _write_tables([one for section in found.sections for one in section.tables], draft / TABLES)


def _write_tables(tables: Sequence[Figures], folder: Path) -> None:
    import pyarrow.parquet as pq
    from pyarrow import csv

    for one in tables:
        rows = one.to_arrow()
        csv.write_csv(rows, folder / f"{one.name}.csv")
        pq.write_table(rows, folder / f"{one.name}.parquet")
