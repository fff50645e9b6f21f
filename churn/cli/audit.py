"""The verb that looks for leaks in what a training would learn from: audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.cli import console
from churn.cli.options import Config, Events, Home, Json, Set
from churn.project import open_project

if TYPE_CHECKING:
    from training.audit.audit import AuditReport


def audit(
    config: Config = None, home: Home = None, events: Events = None, set_: Set = None, as_json: Json = False
) -> None:
    """Look for leaks in what a model would be trained and tested on; exit code 3 where there is one. Nothing is registered.

    Example:

        churn audit --config examples/cdnow.toml --events cdnow.parquet

        churn audit --config world/churn.toml --set audit.single_feature_auc=0.9
    """
    from training.audit.audit import audit as run
    from training.pipeline import to_audit

    project = open_project(config, home=home, events=events, pairs=set_ or ())
    with console.steps("audit", 3) as say:
        say("reading the log")
        training = to_audit(project.activity(say=say.within), project.recipe, say=say)
        say("checking")
        report = run(training, seed=project.settings.training.seed)
    console.print_json(report.to_json()) if as_json else _show(report)
    report.raise_if_failed()


def _show(report: AuditReport) -> None:
    rows = [
        {"check": one.check.code, "": "ok" if one.is_ok else "failed", "looked at": one.result.scope}
        for one in report.checks
    ]
    console.print_table("Leakage audit", rows)
