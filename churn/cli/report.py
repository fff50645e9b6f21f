"""The verb of the report."""

from __future__ import annotations

from typing import Annotated

import typer

from churn.cli.verb import verb
from churn.progress import Progress
from churn.project import Project
from churn.results.report import Report

Language = Annotated[str | None, typer.Option(metavar="en|zh", help="Language of its texts; [report] language.")]
Pdf = Annotated[bool | None, typer.Option("--pdf", help="Print the page as PDF too; needs Chromium.")]


@verb(steps=3, as_settings={"language": ("report.language", Language), "pdf": ("report.pdf", Pdf)})
def report(project: Project, say: Progress) -> Report:
    """Say what the log tells about the product, by question.

    Writes one page that opens without a network, the same numbers as JSON, and each table as CSV and Parquet.

    Example:

        churn report --config world/churn.toml --language zh
    """
    return project.report(say=say)
