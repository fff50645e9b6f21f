"""Verbs about models: train, promote, rollback."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churn.cli import console
from churn.cli.options import Config, Events, Home, Json, Set
from churn.project import Project, open_project
from features.errors import CheckFailed

if TYPE_CHECKING:
    from models.registry.registry import RegisteredModel
    from training.promotion.decide import Contender, Decision


def train(
    config: Config = None, home: Home = None, events: Events = None, set_: Set = None, as_json: Json = False
) -> None:
    """Train a challenger on the log, test it on a later cutoff, and register it.

    Example:

        churn train --config examples/cdnow.toml --events cdnow.parquet
    """
    from churn.api import read_events, train_horizons

    with console.steps("train", 9) as say:
        say("reading the log")
        log = read_events(config, home=home, events=events, pairs=set_ or (), say=say.within)
        say(log.describe())
        settings = log.project.settings
        horizons = settings.training.horizons_days or (settings.churn.horizon_days,)
        found = {
            days: model.to_json() for days, model in zip(horizons, train_horizons(log, horizons, say=say), strict=True)
        }
    if as_json:
        console.print_json(found[horizons[0]] if len(horizons) == 1 else {"horizons": found})
        return
    for report in found.values():
        _show(report)


def _show(report: dict[str, Any]) -> None:
    test, model = report["test"], report["model"]
    beside = {"model": test} | report["baselines"]
    columns = {"AUC": "auc", "log loss": "log_loss", "calibration error": "calibration_error"}
    rows = [
        {"": name} | {title: _with_ends(found, figure) for title, figure in columns.items()}
        for name, found in beside.items()
    ]
    console.print_table(
        f"{model['name']}, test cutoff {report['split']['test']}: {test['users']} users, churn rate {test['churn_rate']:.3f}",
        rows,
    )
    figures = ("average_precision", "brier", "calibration_slope", "lift_at_10", "recall_at_10")
    console.print_table("The model's other figures", [{name: test[name] for name in figures}])
    console.out.print(f"{report['grade']['name']}: {report['grade']['why']}", markup=False)
    _show_audit(report["audit"])
    for diagnostics in filter(None, (report["backtest"], report["learning_curve"])):
        console.out.print(diagnostics["says"], markup=False)
    console.out.print(_next(model), markup=False)


def _with_ends(found: dict[str, float], figure: str) -> str:
    return f"{found[figure]:.3f} ({found[f'{figure}_low']:.3f} to {found[f'{figure}_high']:.3f})"


def _show_audit(audit: dict[str, Any] | None) -> None:
    for check in audit["checks"] if audit else ():
        for finding in check["findings"]:
            console.out.print(f"leak? {check['code']}: {finding['where']}: {finding['found']}", markup=False)


def _next(model: dict[str, Any]) -> str:
    if model["refused"]:
        return f"registered {model['name']} version {model['version']}; {model['refused']}"
    return f"registered {model['name']} version {model['version']} as challenger; next: churn promote"


def promote(
    config: Config = None,
    home: Home = None,
    events: Events = None,
    set_: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and say why, change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make the challenger champion if it passes every gate on the weeks that neither model has seen.

    Example:

        churn promote --config world/churn.toml --dry-run
    """
    project = open_project(config, home=home, events=events, pairs=set_ or ())
    with console.steps("promote", 3) as say:
        version, decision = run_promotion(project, dry_run=dry_run, say=say)
    if as_json:
        console.print_json(decision.to_json() | {"version": version, "dry_run": dry_run})
    else:
        _show_decision(decision)
    if not decision.is_promoted:
        raise CheckFailed(f"not promoted: {decision.why}", hint="train another challenger; the champion stays")
    if not as_json:
        verb = "would become" if dry_run else "is now"
        console.out.print(f"version {version} {verb} champion: {decision.why}", markup=False)


def _show_decision(decision: Decision) -> None:
    gates = [
        {"gate": gate.name, "result": "passed" if gate.passed else "refused", "found": gate.says}
        for gate in decision.gates
    ]
    console.print_table(f"Version {decision.challenger} against the {decision.against}", gates)
    console.out.print(decision.power, markup=False)


def run_promotion(project: Project, *, dry_run: bool, say: console.Steps) -> tuple[str, Decision]:
    """Decide on the challenger and, unless it is a dry run, act on it and write down why; return its version and the decision.

    Raises
    ------
    CheckFailed
        When the challenger is champion already, or there is nothing to compare it on.
    """
    from models.registry.registry import CHALLENGER, CHAMPION
    from training.promotion.decide import decide

    say("loading challenger and champion")
    registry = project.registry
    challenger = registry.get(CHALLENGER)
    champion = registry.get(CHAMPION) if registry.has(CHAMPION) else None
    if champion and champion.version == challenger.version:
        raise CheckFailed(f"version {challenger.version} is champion already", hint="train a challenger: churn train")
    own = _contender(project, challenger, say=say)
    recipe = replace(project.recipe, churn=project.churn_of(challenger.model))
    say("comparing on every finished week that neither has seen")
    try:
        other = _contender(_unset(project), champion, say=say) if champion else None
        decision = decide(own, champion=other, recipe=recipe, settings=project.settings.promotion)
    except CheckFailed as refused:
        if not dry_run:
            registry.note(challenger.version, refused.message)
        raise
    if not dry_run:
        files = {"decision.json": json.dumps(decision.to_json(), indent=1), "decision.md": decision.to_markdown()}
        if decision.is_promoted:
            registry.promote(challenger.version, why=decision.why, files=files)
        else:
            registry.note(challenger.version, decision.why, files=files)
    return challenger.version, decision


def _unset(project: Project) -> Project:
    """The same, as if nobody had set anything: a champion may have been trained under other settings than today's."""
    return replace(project, loaded=replace(project.loaded, origins={}))


def _contender(project: Project, found: RegisteredModel, *, say: console.Steps) -> Contender:
    from training.promotion.decide import Contender

    tags, parameters = project.registry.tags_and_parameters(found)
    activity = project.activity(frozen=found.model, say=say.within)
    return Contender(found.version, found.model, activity, tags.get("audit", ""), parameters)


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
