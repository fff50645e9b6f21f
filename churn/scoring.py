"""All users of a project scored at a cutoff: the scores, the ledger, the release for the service and the weekly list."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from churn.engine import ScoredUsers
from churn.progress import Progress
from churn.promotion import moving_champion
from churn.results import Export, Scoring
from features.errors import InputError, SettingsError
from features.profiles.specification import Specification
from features.schema import COLUMNS
from features.settings import EventsSettings
from features.storage.full_disk import full_disk, is_full
from features.storage.versions import Place, current_of
from models.registry import CHAMPION
from models.registry.registry import RegisteredModel
from serving.release.bundle import ServingBundle
from serving.release.release import later_profiles, link_store, store_for, write_release
from serving.store.kept_activity import KeptRows
from serving.store.profile_store import StoreShift, write_store
from serving.weekly.at_risk_list import at_risk, week_of, write_list
from serving.weekly.ledger import Batch, write_scores

if TYPE_CHECKING:
    from churn.project import Project


def score(project: Project, cutoff: date, *, model: str, say: Progress) -> Scoring:
    """Score all users, keep scores and ledger, and release the champion with its profile store."""
    _check_keeping(project)
    registered, users = _scored(project, cutoff, model=model, say=say)
    say("writing scores and ledger")
    with _telling_what_is_written() as done:
        folder = _write_scores(project, _batch(project, registered, users, cutoff=cutoff), users, say=say, done=done)
        if model == CHAMPION:  # the service answers for the champion; another model may read other features
            say("refreshing the profile store")
            why_not = _release(project, registered, users, cutoff=cutoff, say=say)
        else:
            why_not = f"it holds the champion's profiles, and version {registered.version} was scored by its name"
    return Scoring(registered.name, registered.version, cutoff, users.scores, folder, users.shift, not why_not, why_not)


def export(project: Project, cutoff: date, *, model: str, say: Progress) -> Export:
    """Score all users, keep the ledger, and write the list of those at risk."""
    registered, users = _scored(project, cutoff, model=model, say=say)
    say("writing ledger and list")
    batch = _batch(project, registered, users, cutoff=cutoff)
    listed = at_risk(users.scores, project.settings.export.at_least)
    place = Place(project.home.weekly_list(project.name, week_of(cutoff)), say=say.within)
    with _telling_what_is_written() as done:
        _write_scores(project, batch, users, say=say, done=done)
        folder = write_list(place, batch, listed=listed)
    return Export(registered.name, registered.version, cutoff, users.scores, folder, users.shift, listed=listed)


@contextmanager
def _telling_what_is_written() -> Generator[Callable[[Path], None]]:
    """Return what is called with each result that is written; an error in the block says which were."""
    written: list[Path] = []
    try:
        yield written.append
    except (InputError, OSError) as error:
        known = full_disk(getattr(error, "filename", None)) if is_full(error) else error
        if not written or not isinstance(known, InputError):
            raise
        places = " and ".join(map(str, written))
        raise InputError(f"{known.message}; what is written already is whole: {places}", hint=known.hint) from error


def _scored(project: Project, cutoff: date, *, model: str, say: Progress) -> tuple[RegisteredModel, ScoredUsers]:
    say(f"loading {model}")
    registered = project.registry.get(model)
    return registered, project.engine.score(registered.model, cutoff, say=say)


def _batch(project: Project, registered: RegisteredModel, users: ScoredUsers, *, cutoff: date) -> Batch:
    return Batch(cutoff, registered.name, registered.version, project.digest, users.shift.shift)


def _write_scores(
    project: Project, batch: Batch, users: ScoredUsers, *, say: Progress, done: Callable[[Path], None]
) -> Path:
    about, home = (project.name, batch.cutoff, batch.version), project.home
    place = Place(home.scores(*about), keeps_all=False, say=say.within)
    ledger = Place(home.ledger(*about), say=say.within)
    return write_scores(batch, scores=users.scores, place=place, ledger=ledger, done=done)


def _release(project: Project, registered: RegisteredModel, users: ScoredUsers, *, cutoff: date, say: Progress) -> str:
    """Release the champion with the profiles of all users, unless its current release has those of a later cutoff.

    Returns
    -------
    Why it is not the current release now, as where another version became champion in the meantime; empty where it is.
    """
    specification = registered.model.specification
    place = _releases(project, say=say)
    if why_not := _why_not_released(current_of(place.folder), users, specification, cutoff=cutoff):
        return why_not
    keep = project.settings.serving.keep_activity
    kept = KeptRows(users.activity, cutoff) if users.activity and keep else None
    refused: list[str] = []

    def fill(store: Path) -> None:
        shift = StoreShift(registered.version, users.shift.shift)
        write_store(store, users.profiles, specification=specification, kept=kept, shift=shift)

    def is_wanted(current: Path | None) -> bool:
        later = _why_not_released(current, users, specification, cutoff=cutoff)
        refused.append(later or _why_not_champion(project, registered, say=say))
        return not refused[-1]

    release = write_release(place, _bundle(project, registered, CHAMPION), fill=fill, becomes_current=is_wanted)
    replaced = "" if current_of(place.folder) == release else "another run has written a later one meanwhile"
    return refused[-1] or replaced


def _why_not_released(current: Path | None, users: ScoredUsers, specification: Specification, *, cutoff: date) -> str:
    if not users.profiles.num_rows:
        return "no user has an event before this cutoff"
    later = later_profiles(current, specification, than=cutoff)
    return f"it holds profiles of {later}, a later cutoff than {cutoff}" if later else ""


def _releases(project: Project, *, say: Progress) -> Place:
    """Return the place of the releases; the champion stays the champion while one of them becomes current."""
    folder = project.home.releases(project.name)
    return Place(folder, keeps_all=False, say=say.within, guard=lambda: moving_champion(project, say=say))


def _why_not_champion(project: Project, registered: RegisteredModel, *, say: Progress) -> str:
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
    answers is kept until ``churn score`` has filled the new one.
    """
    found = project.registry.get(model)
    place = _releases(project, say=say)
    store = store_for(place.folder, found.model.specification)

    def fill(folder: Path) -> None:
        if store:
            link_store(store, folder)

    def is_wanted(current: Path | None) -> bool:
        return (
            model == CHAMPION
            and (store is not None or current is None)
            and not _why_not_champion(project, found, say=say)
        )

    return write_release(place, _bundle(project, found, model), fill=fill, becomes_current=is_wanted)


def _bundle(project: Project, found: RegisteredModel, alias: str) -> ServingBundle:
    settings = project.settings
    sections = (settings.scoring, settings.serving, _mapped_columns(settings.events))
    return ServingBundle(found.model, found.name, found.version, alias, project.home.releases(found.name), *sections)


def _mapped_columns(events: EventsSettings) -> tuple[str, ...]:
    """Return the contract columns that churn.toml maps; none where it says nothing of the log."""
    mapped = events.mapping() if events.columns else {}
    return tuple(name for name in COLUMNS if name in mapped)
