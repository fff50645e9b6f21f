"""All users of a project scored at a cutoff: the scores, the ledger, the release for the service and the weekly list."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from churn.engine import ScoredUsers
from churn.progress import Progress
from churn.promotion import moving_champion
from churn.results import Export, Scoring
from features.errors import SettingsError
from features.schema import COLUMNS
from features.settings import EventsSettings
from features.storage.versions import Place, current_of
from models.registry import CHAMPION
from models.registry.registry import RegisteredModel
from serving.release.bundle import ServingBundle
from serving.release.release import has_later_profiles, link_store, store_for, write_release
from serving.store.kept_activity import KeptRows
from serving.store.profile_store import write_store
from serving.weekly.at_risk_list import at_risk, week_of, write_list
from serving.weekly.ledger import Batch, write_scores

if TYPE_CHECKING:
    from churn.project import Project


def score(project: Project, cutoff: date, *, model: str, say: Progress) -> Scoring:
    """Score all users, keep scores and ledger, and release the champion with its profile store."""
    _check_keeping(project)
    registered, users = _scored(project, cutoff, model=model, say=say)
    say("writing scores and ledger")
    folder = _write_scores(project, _batch(project, registered, cutoff), users, say=say)
    is_fresh = False
    if model == CHAMPION:  # the service answers for the champion; another model may read other features
        say("refreshing the profile store")
        is_fresh = _release(project, registered, users, cutoff=cutoff, say=say)
    return Scoring(registered.name, registered.version, cutoff, users.scores, folder, is_fresh)


def export(project: Project, cutoff: date, *, model: str, say: Progress) -> Export:
    """Score all users, keep the ledger, and write the list of those at risk."""
    registered, users = _scored(project, cutoff, model=model, say=say)
    say("writing ledger and list")
    batch = _batch(project, registered, cutoff)
    _write_scores(project, batch, users, say=say)
    listed = at_risk(users.scores, project.settings.export.at_least)
    place = Place(project.home.weekly_list(project.name, week_of(cutoff)), say=say.within)
    folder = write_list(place, batch, listed=listed)
    return Export(registered.name, registered.version, cutoff, users.scores, folder, listed=listed)


def _scored(project: Project, cutoff: date, *, model: str, say: Progress) -> tuple[RegisteredModel, ScoredUsers]:
    say(f"loading {model}")
    registered = project.registry.get(model)
    return registered, project.engine.score(registered.model, cutoff, say=say)


def _batch(project: Project, registered: RegisteredModel, cutoff: date) -> Batch:
    return Batch(cutoff, registered.name, registered.version, project.digest)


def _write_scores(project: Project, batch: Batch, users: ScoredUsers, *, say: Progress) -> Path:
    about, home = (project.name, batch.cutoff, batch.version), project.home
    place = Place(home.scores(*about), keeps_all=False, say=say.within)
    ledger = Place(home.ledger(*about), say=say.within)
    return write_scores(batch, scores=users.scores, place=place, ledger=ledger)


def _release(project: Project, registered: RegisteredModel, users: ScoredUsers, *, cutoff: date, say: Progress) -> bool:
    """Release the champion with the profiles of all users, unless its current release has those of a later cutoff.

    Returns
    -------
    Whether it is the current release now: not where another version became champion in the meantime, either.
    """
    specification = registered.model.specification
    place = _releases(project, say=say)
    if not users.profiles.num_rows or has_later_profiles(current_of(place.folder), specification, than=cutoff):
        return False
    keep = project.settings.serving.keep_activity
    kept = KeptRows(users.activity, cutoff) if users.activity and keep else None

    def fill(store: Path) -> None:
        write_store(store, users.profiles, specification=specification, kept=kept)

    def is_wanted(current: Path | None) -> bool:
        return not has_later_profiles(current, specification, than=cutoff) and _is_champion(
            project, registered, say=say
        )

    release = write_release(place, _bundle(project, registered, CHAMPION), fill=fill, becomes_current=is_wanted)
    return current_of(place.folder) == release


def _releases(project: Project, *, say: Progress) -> Place:
    """Return the place of the releases; the champion stays the champion while one of them becomes current."""
    folder = project.home.releases(project.name)
    return Place(folder, keeps_all=False, say=say.within, guard=lambda: moving_champion(project, say=say))


def _is_champion(project: Project, registered: RegisteredModel, *, say: Progress) -> bool:
    now = project.registry.version_of(CHAMPION)
    if now == registered.version:
        return True
    say.within(f"version {now} became champion meanwhile: version {registered.version} is not released")
    return False


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
    answers is kept until ``churn score`` has filled the new one.
    """
    found = project.registry.get(model)
    place = _releases(project, say=say)
    store = store_for(place.folder, found.model.specification)

    def fill(folder: Path) -> None:
        if store:
            link_store(store, folder)

    def is_wanted(current: Path | None) -> bool:
        return model == CHAMPION and (store is not None or current is None) and _is_champion(project, found, say=say)

    return write_release(place, _bundle(project, found, model), fill=fill, becomes_current=is_wanted)


def _bundle(project: Project, found: RegisteredModel, alias: str) -> ServingBundle:
    settings = project.settings
    sections = (settings.scoring, settings.serving, _mapped_columns(settings.events))
    return ServingBundle(found.model, found.name, found.version, alias, project.home.releases(found.name), *sections)


def _mapped_columns(events: EventsSettings) -> tuple[str, ...]:
    """Return the contract columns that churn.toml maps; none where it says nothing of the log."""
    mapped = events.mapping() if events.columns else {}
    return tuple(name for name in COLUMNS if name in mapped)
