"""The report: what the log says about the product, as a page and as the same numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.jobs.reporting.outages import incomplete_days
from churn.jobs.reporting.outlook import outlook
from churn.jobs.reporting.page import page_of
from churn.jobs.reporting.pdf import browser_of, print_pdf
from churn.progress import Progress
from churn.results.report import MAIL, NUMBERS, PAGE, PDF, TABLES, Report
from features.storage.versions import Place, versions_of
from insights.engine.tables import read_annotations, read_costs
from insights.findings import Past
from insights.presentation.section import Figures
from insights.report import Context, opened, sections
from models.mail import mail_of
from models.page import Page, write_page
from models.text.catalogues import in_language

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
    browser = browser_of(settings.report.browser) if settings.report.pdf else ""
    say("reading the log")
    activity = project.activity(say=say.within)
    log = opened(activity, settings.report)
    say("answering the questions")
    place = Place(project.home.reports(project.name), keeps_all=False, say=say.within)
    context = replace(_context(project, log.last_day, place), outlook=outlook(project, say=say.within))
    with in_language(settings.report.language):
        answers = sections(log, settings.report, churn=settings.churn, context=context, say=say.within)
        notes = (*activity.notes, *incomplete_days(activity, settings.outages, churn=settings.churn))
    found = Report(
        project.name,
        log.first_day,
        log.last_day,
        settings.churn.timezone,
        answers,
        notes,
        context.past,
        settings.report.language,
    )
    say("writing the report")
    page = page_of(found, log.day(log.new_from) if log.new_from else None)
    return replace(found, path=place.add(lambda draft: _write(found, page, draft=draft, browser=browser)))


def _context(project: Project, last_day: date, place: Place) -> Context:
    settings = project.settings
    costs, annotations = read_costs(settings.costs, project.base), read_annotations(settings.annotations, project.base)
    return Context(costs, annotations, _past(place.folder, last_day))


def _past(folder: Path, last_day: date) -> Past | None:
    """Return the findings of the latest report whose log ends earlier.

    Where such a report is gone, one up to the same day still holds them, so that the same report is written again.
    """
    kept = [
        json.loads(path.read_text(encoding="utf-8"))
        for one in reversed(versions_of(folder))
        if (path := one / NUMBERS).exists()
    ]
    ends = {date.fromisoformat(one["last_day"]): one for one in kept}
    if earlier := [day for day in ends if day < last_day]:
        return Past(max(earlier), _rows_of(ends[max(earlier)]))
    past = ends.get(last_day, {}).get("past")
    return Past(date.fromisoformat(past["last_day"]), past["findings"]) if past else None


def _rows_of(numbers: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return numbers["sections"]["findings"]["tables"].get("findings", [])


def _write(found: Report, page: Page, *, draft: Path, browser: str) -> None:
    write_page(draft, page=(PAGE, page.to_html()), numbers=(NUMBERS, found.to_json()))
    (draft / MAIL).write_bytes(mail_of(page))
    if browser:
        print_pdf(draft / PAGE, draft / PDF, browser=browser, day=found.last_day)
    (draft / TABLES).mkdir()
    _write_tables([one for section in found.sections for one in section.tables], draft / TABLES)


def _write_tables(tables: Sequence[Figures], folder: Path) -> None:
    import pyarrow.parquet as pq
    from pyarrow import csv

    for one in tables:
        rows = one.to_arrow()
        csv.write_csv(rows, folder / f"{one.name}.csv")
        pq.write_table(rows, folder / f"{one.name}.parquet")
