"""How a release reaches a server: published and fetched, as a Bento, or served from here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from churn.results import Bento, Publication
from features.errors import InputError, SettingsError
from features.storage.stores import without_secrets
from features.storage.versions import Place, current_of
from serving.release.bento import build_bento
from serving.release.publish import fetch
from serving.release.publish import publish as publish_release
from serving.release.release import last_good

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from churn.project import Project


def publish(project: Project, to: str) -> Publication:
    """Take the current release to a place that servers reach."""
    releases = project.home.releases(project.name)
    place = to or _named_place(project)
    if not place:
        raise SettingsError(
            "no place is named", hint="churn publish PLACE, or [serving] releases: a folder, or s3://bucket/churn"
        )
    release = _current(releases, "publish")
    copied = publish_release(release, place)
    return Publication(without_secrets(place), release.name, len(copied), sum(path.stat().st_size for path in copied))


def _named_place(project: Project) -> str:
    """Return where ``[serving] releases`` is; empty: the settings name no place."""
    named = project.settings.serving.releases
    place = named.get_secret_value() if named else ""
    return project.place_of(place) if place else ""


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
    place, source = Place(project.home.fetched_releases(project.name), keeps_all=False), _named_place(project)
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


def serve(project: Project, *, model: str, port: int | None) -> int:
    """Serve scores over HTTP until stopped; return the server's exit code."""
    from serving.http import server

    settings, access = project.settings.serving, project.keys.access()
    port = server.checked_port(port or settings.port)
    first, fetch = fetched(project) if settings.releases else (project.bundle(model=model), None)
    return server.serve(first, port=port, workers=settings.workers, access=access, fetch=fetch)
