"""All users of a project scored at a cutoff: the scores, the ledger, the profile store and the weekly list."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from churn.engine import ScoredUsers
from churn.progress import Progress
from churn.results import Export, Scoring
from features.errors import SettingsError
from features.schema import COLUMNS
from features.settings import EventsSettings
from models.registry import CHAMPION
from models.registry.registry import RegisteredModel
from serving.release.bundle import ServingBundle, write_bundle
from serving.store.kept_activity import KeptRows
from serving.store.profile_store import refresh_store
from serving.weekly.at_risk_list import at_risk, write_list
from serving.weekly.ledger import Batch, write_scores

if TYPE_CHECKING:
    from churn.project import Project


def score(project: Project, cutoff: date, *, model: str, say: Progress) -> Scoring:
    """Score all users, keep scores and ledger, and refresh the champion's profile store."""
    _check_keeping(project)
    registered, users = _scored(project, cutoff, model=model, say=say)
    say("writing scores and ledger")
    folder = _write_scores(project, _batch(project, registered, cutoff), users)
    is_fresh = False
    if model == CHAMPION:  # the store serves the champion; another model may read other features
        say("refreshing the profile store")
        is_fresh = _refresh_store(project, registered, users, cutoff=cutoff)
    return Scoring(registered.name, registered.version, cutoff, users.scores, folder, is_fresh)


def export(project: Project, cutoff: date, *, model: str, say: Progress) -> Export:
    """Score all users, keep the ledger, and write the list of those at risk."""
    registered, users = _scored(project, cutoff, model=model, say=say)
    say("writing ledger and list")
    batch = _batch(project, registered, cutoff)
    _write_scores(project, batch, users)
    listed = at_risk(users.scores, project.settings.export.at_least)
    folder = write_list(project.home.lists, batch, listed=listed)
    return Export(registered.name, registered.version, cutoff, users.scores, folder, listed=listed)


def _scored(project: Project, cutoff: date, *, model: str, say: Progress) -> tuple[RegisteredModel, ScoredUsers]:
    say(f"loading {model}")
    registered = project.registry.get(model)
    return registered, project.engine.score(registered.model, cutoff, say=say)


def _batch(project: Project, registered: RegisteredModel, cutoff: date) -> Batch:
    return Batch(cutoff, registered.name, registered.version, project.digest)


def _write_scores(project: Project, batch: Batch, users: ScoredUsers) -> Path:
    return write_scores(batch, scores=users.scores, folder=project.home.scores, ledger=project.home.ledger)


def _refresh_store(project: Project, registered: RegisteredModel, users: ScoredUsers, *, cutoff: date) -> bool:
    keep = project.settings.serving.keep_activity
    kept = KeptRows(users.activity, cutoff) if users.activity and keep else None
    specification = registered.model.specification
    return refresh_store(project.home.store, users.profiles, specification=specification, kept=kept)


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


def bundle(project: Project, *, model: str) -> Path:
    """Write what the service reads, the model and its settings, into one folder; return it."""
    settings, home, found = project.settings, project.home, project.registry.get(model)
    names = (found.name, found.version, model)
    columns = _mapped_columns(settings.events)
    write_bundle(
        home.served, ServingBundle(found.model, *names, home.store, settings.scoring, settings.serving, columns)
    )
    return home.served


def _mapped_columns(events: EventsSettings) -> tuple[str, ...]:
    """Return the contract columns that churn.toml maps; none where it says nothing of the log."""
    mapped = events.mapping() if events.columns else {}
    return tuple(name for name in COLUMNS if name in mapped)
