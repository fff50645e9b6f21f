"""Verbs about models: train, promote, rollback, reliability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from churn.cli import console
from churn.cli.options import Model
from churn.cli.verb import shown_by, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Promotion, Reliability, Result, Rollback, Training
from models.registry import CHAMPION


@dataclass(frozen=True, repr=False)
class Trainings(Result):
    """The models of one training: one for each horizon."""

    found: tuple[Training, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the only model, or each by its horizon."""
        if len(self.found) == 1:
            return self.found[0].to_json()
        return {"horizons": {one.horizon_days: one.to_json() for one in self.found}}


def _next(_: Project, trainings: Trainings) -> tuple[str, ...]:
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
    if report.get("curve"):
        console.print_table("At other horizons", [_at_horizon(one) for one in report["curve"]])
    metrics = ("average_precision", "brier", "calibration_slope", "lift_at_10", "recall_at_10")
    console.print_table("More metrics of the model", [{name: test[name] for name in metrics}])
    console.out.print(f"{report['grade']['name']}: {report['grade']['why']}", markup=False)
    for warning in report["warnings"]:
        console.out.print(f"warning: {warning}", markup=False)
    _show_audit(report["audit"])
    for diagnostic in filter(None, (report["backtest"], report["learning_curve"])):
        console.out.print(diagnostic["says"], markup=False)
    console.out.print(_registered(model), markup=False)


def _at_horizon(found: dict[str, float]) -> dict[str, str]:
    columns = {"churn rate": "churn_rate", "AUC": "auc", "calibration error": "calibration_error"}
    return {"days": str(found["days"])} | {title: _with_interval(found, metric) for title, metric in columns.items()}


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


def _after(project: Project, found: Promotion) -> tuple[str, ...]:
    from churn.jobs.status import next_step

    return ("promote",) if found.dry_run else next_step(project, reached=found.covered_until)


def _after_rollback(project: Project, _: Rollback) -> tuple[str, ...]:
    from churn.jobs.status import next_step

    return next_step(project)


@verb(steps=3, then=_after)
def promote(
    project: Project,
    say: Progress,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and say why, change nothing.")] = False,
) -> Promotion:
    """Make the challenger champion if it passes every gate.

    The gates compare it with the champion, or a rule, on unseen weeks.

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


@verb(events=False, then=_after_rollback)
def rollback(project: Project, say: Progress) -> Rollback:
    """Make the previous champion champion again.

    Example:

        churn rollback --config world/churn.toml
    """
    return project.rollback(say=say)


@shown_by(Rollback)
def _show_rollback(found: Rollback) -> None:
    console.out.print(f"champion: version {found.from_version} -> version {found.to_version}", markup=False)


@verb(steps=3)
def reliability(
    project: Project,
    say: Progress,
    model: Model = CHAMPION,
    probability: Annotated[
        list[float] | None, typer.Option(help="Also say how many of the users with this churn probability churn.")
    ] = None,
) -> Reliability:
    """Compare probabilities with what happened since.

    At the test cutoff and at every later one whose labels are known, overall and by slice.

    Example:

        churn reliability --config world/churn.toml

        churn reliability --config world/churn.toml --probability 0.7
    """
    return project.reliability(probability or (), model=model, say=say)


@shown_by(Reliability)
def _show_reliability(found: Reliability) -> None:
    report = found.to_json()
    console.print_table(found.title, [_reliability_row("cutoff", one) for one in report["cutoffs"]])
    latest = report["cutoffs"][-1]
    slices = [_reliability_row("slice", one) for one in latest["slices"] if "calibration_error" in one]
    if slices:
        console.print_table(f"By slice at {latest['cutoff']}", slices)
    rates = report["churn_rate_among_users_with_such_a_score"]
    for one in rates["rates"]:
        console.out.print(
            f"of users with a churn probability of {one['probability']:g} at {rates['cutoff']}, {one['low']:.1%} to {one['high']:.1%} "
            f"churn ({rates['level']:.0%} interval of the churn rate among users with such a score)",
            markup=False,
        )


def _reliability_row(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table; without metrics where there were too few users."""
    first = found["cutoff"] if name == "cutoff" else f"{found['dimension']} {found['value']}"
    row: dict[str, Any] = {name: first, "users": found["users"]}
    if "calibration_error" not in found:
        return row | dict.fromkeys(
            ("churn rate", "probability", "error", "by chance", "debiased", "slope", "intercept")
        )
    return row | {
        "churn rate": found["churn_rate"],
        "probability": found["mean_probability"],
        "error": found["calibration_error"],
        "by chance": f"{found['calibration_error_by_chance']:.3f}, up to {found['calibration_error_by_chance_95']:.3f}",
        "debiased": found["calibration_error_debiased"],
        "slope": _with_interval(found, "calibration_slope"),
        "intercept": _with_interval(found, "calibration_intercept"),
    }
