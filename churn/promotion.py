"""Challenger against champion, on the log of a project; the decision is recorded with the version it is about."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from churn.progress import Progress
from churn.reader import LogReader
from churn.results import Promotion
from features.errors import CheckFailed
from models.registry import CHALLENGER, CHAMPION
from models.registry.registry import RegisteredModel
from training.promotion.comparison import Contender
from training.promotion.decide import decide

if TYPE_CHECKING:
    from churn.project import Project


def promote(project: Project, *, dry_run: bool, say: Progress) -> Promotion:
    """Decide on the challenger and, unless it is a dry run, act on it.

    Raises
    ------
    CheckFailed
        When the challenger is champion already, or there is nothing to compare it on.
    """
    say("loading challenger and champion")
    registry = project.registry
    challenger = registry.get(CHALLENGER)
    champion = registry.get(CHAMPION) if registry.has(CHAMPION) else None
    if champion and champion.version == challenger.version:
        raise CheckFailed(f"version {challenger.version} is already champion", hint="train a challenger: churn train")
    try:
        promotion = _decided(project, challenger, champion, dry_run=dry_run, say=say)
    except CheckFailed as failed:
        if not dry_run:
            registry.note(challenger.version, failed.message)
        raise
    if not dry_run:
        _record(project, promotion)
    return promotion


def _decided(
    project: Project, challenger: RegisteredModel, champion: RegisteredModel | None, *, dry_run: bool, say: Progress
) -> Promotion:
    own = _contender(project, challenger, reader=project.reader, say=say)
    recipe = replace(project.recipe, churn=project.reader.churn_of(challenger.model))
    say("comparing on every finished week that neither has seen")
    reader = project.reader.with_nothing_set()
    other = _contender(project, champion, reader=reader, say=say) if champion else None
    decision = decide(own, champion=other, recipe=recipe, settings=project.settings.promotion)
    return Promotion(challenger.version, decision, own.activity.coverage.covered_until, dry_run)


def _contender(project: Project, found: RegisteredModel, *, reader: LogReader, say: Progress) -> Contender:
    tags, parameters = project.registry.tags_and_parameters(found)
    activity = reader.activity(frozen=found.model, say=say.within)
    return Contender(found.version, found.model, activity, tags.get("audit", ""), parameters)


def _record(project: Project, promotion: Promotion) -> None:
    decision, version = promotion.decision, promotion.version
    files = {"decision.json": json.dumps(decision.to_json(), indent=1), "decision.md": decision.to_markdown()}
    if decision.is_promoted:
        project.registry.promote(version, why=decision.why, files=files)
    else:
        project.registry.note(version, decision.why, files=files)
