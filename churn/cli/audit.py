"""The verb that looks for leaks in what a training would use: audit."""

from __future__ import annotations

from churn.cli import console
from churn.cli.verb import shown_by, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Audit


@verb(steps=3, then=lambda *_: ("train",))
def audit(project: Project, say: Progress) -> Audit:
    """Look for leaks in what a model would be trained on.

    Exit code 3 where there is one. Nothing is registered.

    Example:

        churn audit --config examples/cdnow.toml --events cdnow.parquet

        churn audit --config world/churn.toml --set audit.single_feature_auc=0.9
    """
    return project.audit(say=say)


@shown_by(Audit)
def _show(found: Audit) -> None:
    rows = [
        {"check": one.check.code, "": "ok" if one.is_ok else "failed", "scope": one.result.scope}
        for one in found.report.checks
    ]
    console.print_table("Leakage audit", rows)
