"""Releases: the champion with the profiles of all users, which the service answers from."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.engine import ScoredUsers
from churn.jobs.promotion import moving_champion
from churn.jobs.week import Week, batch_of
from churn.progress import Progress
from features.errors import InputError, SettingsError
from features.profiles.specification import Specification
from features.schema import COLUMNS
from features.settings import EventsSettings
from features.storage.versions import Place, current_of
from models.registry import CHAMPION
from models.registry.registry import RegisteredModel
from serving.release.bundle import ServingBundle, answers_of, names_of, new_users_of, shadow_of
from serving.release.release import last_good, later_profiles, link_store, store_for, store_of, write_release
from serving.release.shadow import Shadow
from serving.store.answers import BatchAnswers
from serving.store.kept_activity import KeptRows
from serving.store.profile_store import StoreArms, StoreBatch, StoreShift, write_store

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from churn.project import Project


def release_scores(
    project: Project, champion: ServingBundle, users: ScoredUsers, *, cutoff: date, say: Progress
) -> str:
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


def bundle(project: Project, *, model: str, say: Progress) -> Path:
    """Write what the service reads as a release, with the latest profiles that fit the model; return its folder.

    The champion's becomes the current one. Without profiles that fit, only where there is no release yet: an earlier one that
    answers is kept until ``churn score`` has filled the new one. Where the registry does not answer, the last good release is served,
    and where ``churn score`` releases later profiles meanwhile, its release.
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
    release = served_bundle(project, found, model)
    newer: list[Path] = []
    if store:
        shadow, new_users = _kept_shadow(project, found, store.parent), new_users_of(store.parent)
        release = replace(release, shadow=shadow, new_users=new_users)

    def fill(folder: Path) -> None:
        if store:
            link_store(store, folder)

    def is_wanted(current: Path | None) -> bool:
        if model == CHAMPION and current and (later := _later_than(store, current)):
            say.within(f"another run has released profiles of {later} meanwhile: they are served")
            newer.append(current)
        return (
            model == CHAMPION
            and not newer
            and (store is not None or current is None)
            and not _why_not_champion(project, found, say=say)
        )

    written = write_release(place, release, fill=fill, becomes_current=is_wanted)
    return newer[0] if newer else written


def _later_than(store: Path | None, current: Path) -> date | None:
    """Return the cutoff of the current profiles, where they are of the same model as those of a store, and later."""
    info = store_of(store.parent) if store else None
    return later_profiles(current, info.specification, than=info.cutoff) if info else None


def _kept_shadow(project: Project, found: RegisteredModel, release: Path) -> Shadow | None:
    """Return the shadow of a release, where it was compared with this version, and is still set."""
    shadow = shadow_of(release)
    is_of_this = names_of(release).get("version") == found.version
    return shadow if is_of_this and shadow and shadow.alias == project.settings.serving.shadow else None


def served_bundle(project: Project, found: RegisteredModel, alias: str) -> ServingBundle:
    """Return what the service needs of a model, without a profile store."""
    settings = project.settings
    return ServingBundle(
        found.model,
        found.name,
        found.version,
        alias,
        store=project.home.releases(found.name),
        scoring=settings.scoring,
        serving=settings.serving,
        columns=_mapped_columns(settings.events),
    )


def _mapped_columns(events: EventsSettings) -> tuple[str, ...]:
    """Return the contract columns that churn.toml maps; none where it says nothing of the log."""
    mapped = events.mapping() if events.columns else {}
    return tuple(name for name in COLUMNS if name in mapped)


def check_keeping(project: Project) -> None:
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
