"""All users of a project scored at a cutoff: the scores, the ledger, and the release for the service."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from churn.contacts.past import PastContacts
from churn.engine import ScoredUsers, with_new_users
from churn.jobs.service import releases
from churn.jobs.week import batch_of
from churn.progress import Progress, progress_of
from churn.results import Scoring
from features.errors import CheckFailed, ChurnError, InputError
from features.storage.full_disk import full_disk, is_full
from features.storage.versions import Place
from models.churn_model import ChurnModel
from models.registry import CHAMPION
from models.registry.registry import RegisteredModel
from serving.batch.new_users import NewUsers
from serving.batch.score import with_reasons
from serving.batch.scored_batch import (
    KeptScores,
    difference_of_scores,
    kept_scores,
    write_ledger,
    write_scores,
)
from serving.release.shadow import Shadow

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from churn.project import Project
    from features.activity.store import Activity


def score(project: Project, cutoff: date, *, model: str, say: Progress) -> Scoring:
    """Score all users, keep scores and ledger, and release the champion with its profile store."""
    releases.check_keeping(project)
    registered, users = scored(project, cutoff, model=model, say=say)
    say("writing scores and ledger")
    explained = with_reasons(users.scores, users.model, profiles=users.profiles, new_users=users.new_users)
    batch = batch_of(project, registered, users, cutoff=cutoff)
    place = Place(project.home.scores(project.name, cutoff, registered.version), keeps_all=False, say=say.within)
    with telling_what_is_written(say) as written:
        folder = write_scores(batch, scores=explained, place=place)
        written.add(folder)
        keep(project, registered, users=users, cutoff=cutoff, written=written)
        if model == CHAMPION:  # the service answers for the champion; another model may read other features
            say("refreshing the profile store")
            shadow = _shadow(project, registered, users, cutoff=cutoff, say=say)
            release = replace(releases.served_bundle(project, registered, CHAMPION), shadow=shadow)
            why_not = releases.release_scores(
                project, release, replace(users, scores=explained), cutoff=cutoff, say=say
            )
        else:
            shadow = None
            why_not = f"it holds the champion's profiles, and version {registered.version} was scored by its name"
    return Scoring(
        registered.name,
        registered.version,
        cutoff,
        scores=explained,
        path=folder,
        shift=users.shift,
        not_refreshed_because=why_not,
        shadow=shadow and shadow.about,
    )


def scored(project: Project, cutoff: date, *, model: str, say: Progress) -> tuple[RegisteredModel, ScoredUsers]:
    """Return the model and the users with their scores: those of an earlier run, where they were made from the same."""
    project.check_population()
    say(f"loading {model}")
    registered = project.registry.get(model)
    place = project.home.ledger(project.name, cutoff, registered.version)
    new = model_of_new_users(project, registered.model, say=say)

    def kept(activity: Activity, contacts: PastContacts) -> KeptScores | None:
        return kept_scores(place, scored_from(project, registered, activity, contacts=contacts, new_users=new))

    users = project.engine.score(registered.model, cutoff, kept=kept, say=say)
    return registered, with_new_users(users, new, cutoff=cutoff, say=say) if new else users


def model_of_new_users(project: Project, champion: ChurnModel, *, say: Progress) -> RegisteredModel | None:
    """Return the promoted model of new users, where users are too new for the champion and both predict the same; else None."""
    if champion.eligibility.min_tenure_days <= 1:
        return None
    registry = project.registry_of(project.new_users_name)
    if not registry.has(CHAMPION):
        return None
    found = registry.get(CHAMPION)
    if why_not := _why_not_comparable(project, champion, found.model):
        say.within(f"{found.name} version {found.version} is not used: {why_not}; train it again")
        return None
    return found


def _why_not_comparable(project: Project, champion: ChurnModel, new: ChurnModel) -> str:
    """Say why two models cannot score the users of one list; empty where they can."""
    if champion.definition.window != new.definition.window:
        return "its horizon is not the champion's"
    if name := champion.specification.differing(new.specification, besides="custom"):
        return f"{name} is not the champion's"
    try:
        project.reader.check_mapping(new)
    except CheckFailed as error:
        return error.message
    return ""


def scored_from(
    project: Project,
    registered: RegisteredModel,
    activity: Activity,
    *,
    contacts: PastContacts,
    new_users: RegisteredModel | NewUsers | None,
) -> str:
    """Return a digest of everything that scores at a cutoff depend on: the same digest, the same scores.

    Parameters
    ----------
    contacts
        Those before the cutoff.
    """
    settings, model, cutoff = project.settings, registered.model, contacts.before
    parts = (
        (registered.name, registered.version, repr(model.quality), cutoff),
        project.reader.mapping_of(model.specification),
        (activity.folder.name, activity.state_before(cutoff)),  # the folder is named by how the log is read
        settings.scoring.model_dump(),
        settings.outages.model_dump(),
        settings.training.seed,
        *((new_users.name, new_users.version, repr(new_users.model.quality)) if new_users else ()),
        *((contacts.digest,) if contacts.digest else ()),
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def keep(project: Project, registered: RegisteredModel, *, users: ScoredUsers, cutoff: date, written: Written) -> None:
    """Write who was scored, and how, into the ledger."""
    batch = batch_of(project, registered, users, cutoff=cutoff)
    activity, contacts, new = users.activity, users.contacts, users.new_users
    source = scored_from(project, registered, activity, contacts=contacts, new_users=new) if activity else ""
    place = Place(project.home.ledger(project.name, cutoff, registered.version), say=written.say.within)
    written.add(write_ledger(batch, scores=users.scores, place=place, scored_from=source))


@dataclass(frozen=True)
class Written:
    """The results that a run has written so far, and what tells of its progress."""

    say: Progress
    folders: list[Path] = field(default_factory=list[Path])

    def add(self, folder: Path) -> None:
        """Remember a result that is whole."""
        self.folders.append(folder)


@contextmanager
def telling_what_is_written(say: Progress) -> Generator[Written]:
    """Return what remembers each result that is written; an error in the block says which were."""
    written = Written(say)
    try:
        yield written
    except (InputError, OSError) as error:
        known = full_disk(getattr(error, "filename", None)) if is_full(error) else error
        if not written.folders or not isinstance(known, InputError):
            raise
        places = " and ".join(map(str, written.folders))
        raise InputError(f"{known.message}; what is written already is whole: {places}", hint=known.hint) from error


def _shadow(
    project: Project, champion: RegisteredModel, users: ScoredUsers, *, cutoff: date, say: Progress
) -> Shadow | None:
    """Score with the model that ``[serving] shadow`` names, too; without it where it cannot, which is a line of the log."""
    named = project.settings.serving.shadow
    version = project.registry.version_of(named) if named else None
    if not named or version == champion.version:
        return None
    say.within(f"scoring with the shadow, {named}")
    try:
        found, others = scored(project, cutoff, model=named, say=progress_of(say.within))
    except ChurnError as error:
        _log.warning("[serving] shadow: %s cannot score, and is not compared: %s", named, error.message)
        return None
    return Shadow(others.model, found.version, named, difference_of_scores(users.scores, others.scores))
