"""Challenger against champion, on the log of a project; the decision is recorded with the version it is about."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from churn.contacts.treatment import treatment_of
from churn.progress import Progress
from churn.reader import LogReader
from churn.results import Promotion, Rollback
from features.errors import CheckFailed, InputError
from features.storage.locks import locked
from models.registry import CHALLENGER, CHAMPION
from models.registry.registry import RegisteredModel
from training.promotion.comparison import Contender
from training.promotion.decide import decide

if TYPE_CHECKING:
    from churn.project import Project

_WAIT_SECONDS = 600


def promote(project: Project, *, dry_run: bool, say: Progress) -> Promotion:
    """Decide on the challenger and, unless it is a dry run, act on it.

    Raises
    ------
    CheckFailed
        When the challenger is champion already, or there is nothing to compare it on.
    InputError
        When another run is promoting for longer than ten minutes.
    """
    with nullcontext() if dry_run else promoting(project, say=say):
        return _promoted(project, dry_run=dry_run, say=say)


def rollback(project: Project, *, say: Progress) -> Rollback:
    """Make the champion before this one champion again.

    Raises
    ------
    CheckFailed
        When there was none.
    InputError
        When another run is promoting for longer than ten minutes.
    """
    with promoting(project, say=say), moving_champion(project, say=say):
        return Rollback(*project.registry.rollback(say=say))


def promoting(project: Project, *, say: Progress) -> AbstractContextManager[None]:
    """Let one run at a time decide who is champion: a decision is about the champion that was there when it began."""
    return _alone(project, "promotion", say=say, doing="promoting a model or rolling one back")


def moving_champion(project: Project, *, say: Progress) -> AbstractContextManager[None]:
    """Keep the champion where it is, or move it: held for moments, by whoever acts on which version it is."""
    return _alone(project, "champion", say=say, doing="moving the champion")


def _alone(project: Project, name: str, *, say: Progress, doing: str) -> AbstractContextManager[None]:
    busy = InputError(
        f"another run has been {doing} of {project.name} for {_WAIT_SECONDS // 60} minutes",
        hint="wait for it or end it",
    )
    waiting = f"another run is {doing} of {project.name}; waiting for it"
    place = project.home.lock(f"{name}-{project.name}")
    return locked(place, busy, wait_seconds=_WAIT_SECONDS, waiting=lambda: say.within(waiting))


def _promoted(project: Project, *, dry_run: bool, say: Progress) -> Promotion:
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
        with moving_champion(project, say=say):
            _record(project, promotion)
    return promotion


def _decided(
    project: Project, challenger: RegisteredModel, champion: RegisteredModel | None, *, dry_run: bool, say: Progress
) -> Promotion:
    own = _contender(project, challenger, reader=project.reader, say=say)
    recipe = replace(project.recipe, churn=project.reader.churn_of(challenger.model))
    sides = (
        "that neither has seen"
        if champion
        else "that the model has not seen, with the best rule: there is no champion yet"
    )
    say(f"comparing on every finished week {sides}")
    reader = project.reader.with_nothing_set()
    other = _contender(project, champion, reader=reader, say=say) if champion else None
    settings, treatment = project.settings.promotion, treatment_of(project)
    decision = decide(own, champion=other, recipe=recipe, settings=settings, treatment=treatment)
    return Promotion(challenger.version, decision, own.activity.coverage.covered_until, dry_run)


def _contender(project: Project, found: RegisteredModel, *, reader: LogReader, say: Progress) -> Contender:
    tags, parameters = project.registry.tags_and_parameters(found)
    activity = reader.activity(frozen=found.model, say=say.within)
    follows = project.settings.scoring.follow_base_rate
    return Contender(found.version, found.model, activity, tags.get("audit", ""), parameters, follows)


def _record(project: Project, promotion: Promotion) -> None:
    decision, version = promotion.decision, promotion.version
    files = {"decision.json": json.dumps(decision.to_json(), indent=1), "decision.md": decision.to_markdown()}
    if decision.is_promoted:
        project.registry.promote(version, why=decision.why, files=files)
    else:
        project.registry.note(version, decision.why, files=files)
