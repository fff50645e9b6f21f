"""Verbs about models: train, promote, rollback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from churn.cli import console
from churn.cli.verb import shown_by, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Promotion, Result, Rollback, Training


@dataclass(frozen=True, repr=False)
class Trainings(Result):
    """The models of one training: one for each horizon."""

    found: tuple[Training, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the only model, or each by its horizon."""
        if len(self.found) == 1:
            return self.found[0].to_json()
        return {"horizons": {one.horizon_days: one.to_json() for one in self.found}}


def _next(trainings: Trainings) -> tuple[str, ...]:
    first = trainings.found[0]
    return () if first.registered.refused or len(trainings.found) > 1 else ("promote",)


@verb(steps=9, then=_next)
def train(project: Project, say: Progress) -> Trainings:
    """Train a challenger, test it on a later cutoff, register it.

    Example:

        churn train --config examples/cdnow.toml --events cdnow.parquet
    """
    return Trainings(project.train_horizons(say=say))


@shown_by(Trainings)
def _show(trainings: Trainings) -> None:
    for one in trainings.found:
        _show_one(one.to_json())


def _show_one(report: dict[str, Any]) -> None:
    test, model = report["test"], report["model"]
    compared = {"model": test} | report["baselines"]
    columns = {"AUC": "auc", "log loss": "log_loss", "calibration error": "calibration_error"}
    rows = [
        {"": name} | {title: _with_interval(found, metric) for title, metric in columns.items()}
        for name, found in compared.items()
    ]
    console.print_table(
        f"{model['name']}, test cutoff {report['split']['test']}: {test['users']} users, churn rate {test['churn_rate']:.3f}",
        rows,
    )
    metrics = ("average_precision", "brier", "calibration_slope", "lift_at_10", "recall_at_10")
    console.print_table("More metrics of the model", [{name: test[name] for name in metrics}])
    console.out.print(f"{report['grade']['name']}: {report['grade']['why']}", markup=False)
    for warning in report["warnings"]:
        console.out.print(f"warning: {warning}", markup=False)
    _show_audit(report["audit"])
    for diagnostic in filter(None, (report["backtest"], report["learning_curve"])):
        console.out.print(diagnostic["says"], markup=False)
    console.out.print(_registered(model), markup=False)


def _with_interval(found: dict[str, float], metric: str) -> str:
    return f"{found[metric]:.3f} ({found[f'{metric}_low']:.3f} to {found[f'{metric}_high']:.3f})"


def _show_audit(audit: dict[str, Any] | None) -> None:
    for check in audit["checks"] if audit else ():
        for finding in check["findings"]:
            console.out.print(f"leak? {check['code']}: {finding['where']}: {finding['found']}", markup=False)


def _registered(model: dict[str, Any]) -> str:
    if model["refused"]:
        return f"registered {model['name']} version {model['version']}; {model['refused']}"
    return f"registered {model['name']} version {model['version']} as challenger"


def _after(found: Promotion) -> tuple[str, ...]:
    return ("promote",) if found.dry_run else ("score", "--as-of", str(found.covered_until))


@verb(steps=3, then=_after)
def promote(
    project: Project,
    say: Progress,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and say why, change nothing.")] = False,
) -> Promotion:
    """Make the challenger champion if it passes every gate.

    The gates compare both on the weeks that neither model has seen.

    Example:

        churn promote --config world/churn.toml --dry-run
    """
    return project.promote(dry_run=dry_run, say=say)


@shown_by(Promotion)
def _show_promotion(found: Promotion) -> None:
    decision = found.decision
    gates = [
        {"gate": gate.name, "result": "passed" if gate.passed else "failed", "found": gate.details}
        for gate in decision.gates
    ]
    console.print_table(f"Version {decision.challenger} against the {decision.against}", gates)
    console.out.print(decision.power, markup=False)
    if found.is_promoted:
        verb = "would become" if found.dry_run else "is now"
        console.out.print(f"version {found.version} {verb} champion: {decision.why}", markup=False)


@verb(events=False, then=lambda _: ("score", "--as-of", "DATE"))
def rollback(project: Project, say: Progress) -> Rollback:
    """Make the previous champion champion again.

    Example:

        churn rollback --config world/churn.toml
    """
    return project.rollback(say=say)


@shown_by(Rollback)
def _show_rollback(found: Rollback) -> None:
    console.out.print(f"champion: version {found.from_version} -> version {found.to_version}", markup=False)
