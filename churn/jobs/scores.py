"""All users of a project scored at a cutoff: the scores, the ledger, and the release for the service."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.engine import ScoredUsers, with_new_users
from churn.jobs.promotion import moving_champion
from churn.jobs.week import Week
from churn.progress import Progress, progress_of
from churn.results import Bento, Publication, Scoring
from features.errors import CheckFailed, InputError, SettingsError
from features.profiles.specification import Specification
from features.schema import COLUMNS
from features.settings import EventsSettings
from features.storage.full_disk import full_disk, is_full
from features.storage.stores import without_secrets
from features.storage.versions import Place, current_of
from models.churn_model import ChurnModel
from models.registry import CHAMPION
from models.registry.registry import RegisteredModel
from serving.batch.new_users import NewUsers
from serving.batch.score import with_reasons
from serving.batch.scored_batch import (
    Batch,
    KeptScores,
    difference_of_scores,
    kept_scores,
    write_ledger,
    write_scores,
)
from serving.release.bento import build_bento
from serving.release.bundle import ServingBundle, answers_of, names_of, new_users_of, shadow_of
from serving.release.publish import fetch
from serving.release.publish import publish as publish_release
from serving.release.release import last_good, later_profiles, link_store, store_for, write_release
from serving.release.shadow import Shadow
from serving.store.answers import BatchAnswers
from serving.store.kept_activity import KeptRows
from serving.store.profile_store import StoreArms, StoreBatch, StoreShift, write_store

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from churn.project import Project
    from features.activity.store import Activity


def score(project: Project, cutoff: date, *, model: str, say: Progress) -> Scoring:
    """Score all users, keep scores and ledger, and release the champion with its profile store."""
    _check_keeping(project)
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
            release = replace(_bundle(project, registered, CHAMPION), shadow=shadow)
            why_not = _release(project, release, replace(users, scores=explained), cutoff=cutoff, say=say)
        else:
            shadow = None
            why_not = f"it holds the champion's profiles, and version {registered.version} was scored by its name"
    about = (explained, folder, users.shift, not why_not, why_not, shadow and shadow.about)
    return Scoring(registered.name, registered.version, cutoff, *about)


def scored(project: Project, cutoff: date, *, model: str, say: Progress) -> tuple[RegisteredModel, ScoredUsers]:
    """Return the model and the users with their scores: those of an earlier run, where they were made from the same."""
    project.check_population()
    say(f"loading {model}")
    registered = project.registry.get(model)
    place = project.home.ledger(project.name, cutoff, registered.version)
    new = model_of_new_users(project, registered.model, say=say)
    earlier: list[KeptScores] = []

    def kept(activity: Activity) -> KeptScores | None:
        found = kept_scores(place, scored_from(project, registered, activity, cutoff=cutoff, new_users=new))
        earlier.extend([found] if found else [])
        return found

    users = project.engine.score(registered.model, cutoff, kept=kept, say=say)
    if new:
        shift = earlier[0].new_users_shift if earlier else None
        users = with_new_users(users, new, cutoff=cutoff, shift=shift, say=say)
    return registered, users


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
    names = ("timezone", "naive_zone", "qualifying", "event", "session_gap_minutes", "custom")
    for name in names:
        if getattr(champion.specification, name) != getattr(new.specification, name):
            return f"{name} is not the champion's"
    try:
        project.reader.check_mapping(new)
    except CheckFailed as error:
        return error.message
    return ""


def batch_of(
    project: Project, registered: RegisteredModel | ServingBundle, users: ScoredUsers, *, cutoff: date
) -> Batch:
    """Describe the scoring of all users."""
    new = users.new_users.model.shift if users.new_users else None
    return Batch(cutoff, registered.name, registered.version, project.digest, users.shift.shift, new)


def scored_from(
    project: Project,
    registered: RegisteredModel,
    activity: Activity,
    *,
    cutoff: date,
    new_users: RegisteredModel | NewUsers | None,
) -> str:
    """Return a digest of everything that scores depend on: the same digest, the same scores."""
    settings, model = project.settings, registered.model
    about = (
        (registered.name, registered.version, repr(model.quality), cutoff),
        project.reader.mapping_of(model.specification),
        activity.state_before(cutoff),
        settings.scoring.model_dump(),
        settings.outages.model_dump(),
        settings.training.seed,
        *((new_users.name, new_users.version, repr(new_users.model.quality)) if new_users else ()),
    )
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()


def keep(project: Project, registered: RegisteredModel, *, users: ScoredUsers, cutoff: date, written: Written) -> None:
    """Write who was scored, and how, into the ledger."""
    batch = batch_of(project, registered, users, cutoff=cutoff)
    activity, new = users.activity, users.new_users
    source = scored_from(project, registered, activity, cutoff=cutoff, new_users=new) if activity else ""
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
    except InputError as error:
        _log.warning("[serving] shadow: %s cannot score, and is not compared: %s", named, error.message)
        return None
    return Shadow(others.model, found.version, named, difference_of_scores(users.scores, others.scores))


def _release(project: Project, champion: ServingBundle, users: ScoredUsers, *, cutoff: date, say: Progress) -> str:
    """Release the champion with the profiles of all users, unless its current release has those of a later cutoff.

    Returns
    -------
    Why it is not the current release now, as where another version became champion in the meantime; empty where it is.
    """
    specification = champion.model.specification
    place = _releases(project, say=say)
    if why_not := _why_not_released(current_of(place.folder), users, specification, cutoff=cutoff):
        return why_not
    keep = project.settings.serving.keep_activity
    kept = KeptRows(users.activity, cutoff) if users.activity and keep else None
    refused: list[str] = []
    arms = _arms(project, champion, users, cutoff=cutoff)

    def fill(store: Path) -> None:
        found = answers_of(store.parent, version=champion.version, scoring=project.settings.scoring)
        answers = BatchAnswers(found, users.scores, champion.model.eligibility)
        batch = StoreBatch(StoreShift(champion.version, users.shift.shift), arms, answers)
        write_store(store, users.profiles, specification=specification, kept=kept, batch=batch)

    def is_wanted(current: Path | None) -> bool:
        later = _why_not_released(current, users, specification, cutoff=cutoff)
        refused.append(later or _why_not_champion(project, champion, say=say))
        return not refused[-1]

    release = write_release(place, replace(champion, new_users=users.new_users), fill=fill, becomes_current=is_wanted)
    replaced = "" if current_of(place.folder) == release else "another run has written a later one meanwhile"
    return refused[-1] or replaced


def _arms(project: Project, champion: ServingBundle, users: ScoredUsers, *, cutoff: date) -> StoreArms:
    """Return who is held out of all users, listed or not: an app may contact them too."""
    week = Week(project, users, batch_of(project, champion, users, cutoff=cutoff))
    ids: list[Any] = users.profiles.column("user_id").to_pylist()
    held_out = week.arms.held_out(ids)
    return StoreArms(week.arms.epoch, [one for one, is_held in zip(ids, held_out, strict=True) if is_held])


def _why_not_released(current: Path | None, users: ScoredUsers, specification: Specification, *, cutoff: date) -> str:
    if not users.profiles.num_rows:
        return "no user has an event before this cutoff"
    later = later_profiles(current, specification, than=cutoff)
    return f"it holds profiles of {later}, a later cutoff than {cutoff}" if later else ""


def _releases(project: Project, *, say: Progress) -> Place:
    """Return the place of the releases; the champion stays the champion while one of them becomes current."""
    folder = project.home.releases(project.name)
    return Place(folder, keeps_all=False, say=say.within, guard=lambda: moving_champion(project, say=say))


def _why_not_champion(project: Project, registered: RegisteredModel | ServingBundle, *, say: Progress) -> str:
    now = project.registry.version_of(CHAMPION)
    if now == registered.version:
        return ""
    say.within(f"version {now} became champion meanwhile: version {registered.version} is not released")
    return f"version {now} became champion meanwhile"


def _check_keeping(project: Project) -> None:
    """Refuse to keep days in the profile store where they are not a user's own, or cannot be read."""
    settings = project.settings
    if not settings.serving.keep_activity:
        return
    hint = "set [serving] keep_activity = false; items with all events of a user need no kept activity"
    if settings.compute.engine == "spark":
        raise SettingsError(
            '[serving] keep_activity needs [compute] engine = "duckdb": Spark keeps no activity', hint=hint
        )
    if settings.identities.path:
        raise SettingsError("[serving] keep_activity keeps the days of ids, and [identities] joins several", hint=hint)


def bundle(project: Project, *, model: str, say: Progress) -> Path:
    """Write what the service reads as a release, with the latest profiles that fit the model; return its folder.

    The champion's becomes the current one. Without profiles that fit, only where there is no release yet: an earlier one that
    answers is kept until ``churn score`` has filled the new one. Where the registry does not answer, the last good release is served.
    """
    project.check_population()
    place = _releases(project, say=say)
    try:
        found = project.registry.get(model)
    except InputError as error:
        kept = last_good(place.folder) if model == CHAMPION else None
        if kept is None:
            raise
        _log.warning("%s; the last good release is served: %s", error.message, kept)
        return kept
    store = store_for(place.folder, found.model.specification)
    release = _bundle(project, found, model)
    if store:
        shadow, new_users = _kept_shadow(project, found, store.parent), new_users_of(store.parent)
        release = replace(release, shadow=shadow, new_users=new_users)

    def fill(folder: Path) -> None:
        if store:
            link_store(store, folder)

    def is_wanted(current: Path | None) -> bool:
        return (
            model == CHAMPION
            and (store is not None or current is None)
            and not _why_not_champion(project, found, say=say)
        )

    return write_release(place, release, fill=fill, becomes_current=is_wanted)


def _kept_shadow(project: Project, found: RegisteredModel, release: Path) -> Shadow | None:
    """Return the shadow of a release, where it was compared with this version, and is still set."""
    shadow = shadow_of(release)
    is_of_this = names_of(release).get("version") == found.version
    return shadow if is_of_this and shadow and shadow.alias == project.settings.serving.shadow else None


def publish(project: Project, to: str) -> Publication:
    """Take the current release to a place that servers reach."""
    releases, named = project.home.releases(project.name), project.settings.serving.releases
    place = to or (named.get_secret_value() if named else "")
    if not place:
        raise SettingsError(
            "no place is named", hint="churn publish PLACE, or [serving] releases: a folder, or s3://bucket/churn"
        )
    release = _current(releases, "publish")
    copied = publish_release(release, place)
    return Publication(without_secrets(place), release.name, len(copied), sum(path.stat().st_size for path in copied))


def bento(project: Project) -> Bento:
    """Build a Bento of the current release."""
    found = build_bento(_current(project.home.releases(project.name), "build a Bento of"))
    return Bento(found.tag, found.path, found.bytes)


def _current(releases: Path, what: str) -> Path:
    release = current_of(releases)
    if release is None:
        raise InputError(f"there is no release to {what}", hint="write one: churn score --as-of DATE")
    return release


def fetched(project: Project) -> tuple[Path, Callable[[], object]]:
    """Fetch the release that was published last; return its folder, and what fetches the next one.

    Where the place does not answer, or what is there is not what was published, the last good one that was fetched is served.
    """
    named = project.settings.serving.releases
    place = Place(project.home.fetched_releases(project.name), keeps_all=False)
    source = named.get_secret_value() if named else ""
    try:
        fetch(place, source, heals=True)
    except InputError as error:
        if last_good(place.folder) is None:
            raise
        _log.warning("%s; the last good release is served", error.message)
    found = last_good(place.folder)
    if found is None:
        raise InputError(f"{place.folder}: what was fetched is damaged", hint="publish it again: churn publish")
    return found, partial(fetch, place, source)


def _bundle(project: Project, found: RegisteredModel, alias: str) -> ServingBundle:
    settings = project.settings
    sections = (settings.scoring, settings.serving, _mapped_columns(settings.events))
    return ServingBundle(found.model, found.name, found.version, alias, project.home.releases(found.name), *sections)


def _mapped_columns(events: EventsSettings) -> tuple[str, ...]:
    """Return the contract columns that churn.toml maps; none where it says nothing of the log."""
    mapped = events.mapping() if events.columns else {}
    return tuple(name for name in COLUMNS if name in mapped)


def serve(project: Project, *, model: str, port: int | None) -> int:
    """Serve scores over HTTP until stopped; return the server's exit code."""
    from serving.http import server

    settings, access = project.settings.serving, project.keys.access()
    port = server.checked_port(port or settings.port)
    first, fetch = fetched(project) if settings.releases else (project.bundle(model=model), None)
    return server.serve(first, port=port, workers=settings.workers, access=access, fetch=fetch)
