"""Verbs about models: train, promote, rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.options import Config, Events, Home, Json, Set
from cli.project import Project, open_project
from features.errors import GuardRefused

if TYPE_CHECKING:
    from training.promote import Decision


def train(
    config: Config = None, home: Home = None, events: Events = None, set_: Set = None, as_json: Json = False
) -> None:
    """Train a challenger on the log, test it on a later cutoff, and register it.

    Example:

        churn train --config examples/cdnow.toml --events cdnow.parquet
    """
    from cli.api import read_events
    from cli.api import train as run

    with console.steps("train", 8) as say:
        say("reading the log")
        log = read_events(config, home=home, events=events, pairs=set_ or ())
        say(log.describe())
        trained = run(log, say=say)
    if as_json:
        console.print_json(trained.to_json())
        return
    _show(trained.to_json())


def _show(report: dict[str, Any]) -> None:
    test = report["test"]
    rows = [{"": "model", "AUC": test["auc"], "low": test["auc_low"], "high": test["auc_high"]}]
    rows += [
        {"": f"{rule} rule", "AUC": found["auc"], "low": found["auc_low"], "high": found["auc_high"]}
        for rule, found in report["baselines"].items()
    ]
    console.print_table(
        f"Test cutoff {report['split']['test']}: {test['users']} users, churn rate {test['churn_rate']:.3f}", rows
    )
    figures = ("average_precision", "log_loss", "brier", "calibration_error", "lift_at_10")
    console.print_table("The model's other figures", [{name: test[name] for name in figures}])
    model = report["model"]
    console.out.print(
        f"registered {model['name']} version {model['version']} as challenger; next: churn promote", markup=False
    )


def promote(
    config: Config = None,
    home: Home = None,
    events: Events = None,
    set_: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and say why, change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make the challenger champion if it is not worse on a cutoff that neither model has seen.

    Example:

        churn promote --config world/churn.toml --dry-run
    """
    project = open_project(config, home=home, events=events, pairs=set_ or ())
    with console.steps("promote", 3) as say:
        version, decision = run_promotion(project, dry_run=dry_run, say=say)
    if as_json:
        console.print_json(decision.to_json() | {"version": version, "dry_run": dry_run})
    if not decision.is_promoted:
        raise GuardRefused(f"not promoted: {decision.why}", hint="train another challenger; the champion stays")
    if not as_json:
        verb = "would become" if dry_run else "is now"
        console.out.print(f"version {version} {verb} champion: {decision.why}", markup=False)


def run_promotion(project: Project, *, dry_run: bool, say: console.Steps) -> tuple[str, Decision]:
    """Decide on the challenger and, unless it is a dry run, act on it; return its version and the decision.

    Raises
    ------
    GuardRefused
        When the challenger is champion already, or no cutoff is unseen.
    """
    from models.registry import CHALLENGER, CHAMPION
    from training.promote import decide

    say("loading challenger and champion")
    registry = project.registry
    challenger = registry.get(CHALLENGER)
    champion = registry.get(CHAMPION) if registry.has(CHAMPION) else None
    if champion and champion.version == challenger.version:
        raise GuardRefused(f"version {challenger.version} is champion already", hint="train a challenger: churn train")
    say("comparing on the latest finished cutoff")
    decision = decide(
        project.activity(frozen=challenger.model),
        challenger.model,
        champion=champion.model if champion else None,
        churn=project.churn_of(challenger.model),
    )
    if dry_run:
        return challenger.version, decision
    if decision.is_promoted:
        registry.promote(challenger.version, why=decision.why)
    else:
        registry.note(challenger.version, decision.why)
    return challenger.version, decision


def rollback(config: Config = None, home: Home = None, set_: Set = None, as_json: Json = False) -> None:
    """Make the champion before this one champion again.

    Example:

        churn rollback --config world/churn.toml
    """
    gone, back = open_project(config, home=home, pairs=set_ or ()).registry.rollback()
    if as_json:
        console.print_json({"from": gone, "to": back})
    else:
        console.out.print(f"champion: version {gone} -> version {back}", markup=False)
