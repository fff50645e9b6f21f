"""The verb of the report."""

from __future__ import annotations

from churn.cli.verb import verb
from churn.progress import Progress
from churn.project import Project
from churn.results.report import Report


@verb(steps=3)
def report(project: Project, say: Progress) -> Report:
    """Say what the log tells about the product, question by question.

    Writes one page that opens without a network, the same numbers as JSON, and each table as CSV and Parquet.

    Example:

        churn report --config world/churn.toml
    """
    return project.report(say=say)
