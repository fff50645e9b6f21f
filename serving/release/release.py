"""Releases: a model with the store of its answers, as one folder that is swapped as one.

A place holds the releases of one project (:mod:`features.storage.versions`): ``current`` is what the service starts from, and
where a running service looks for newer profiles of its model. The release before stays, so that a rollback finds it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

from features.errors import InputError
from features.profiles.specification import Specification
from features.storage.versions import Place, current_of, is_damaged, versions_of
from serving.release.bundle import FILE as RELEASE_FILE
from serving.release.bundle import MODEL, STORE, ServingBundle, save_bundle
from serving.store.profile_store import FILE, ProfileStore, StoreInfo


def write_release(
    place: Place,
    bundle: ServingBundle,
    *,
    fill: Callable[[Path], object] | None = None,
    becomes_current: Callable[[Path | None], bool] = lambda _: True,
) -> Path:
    """Write a release and make it the current one; return its folder.

    Parameters
    ----------
    fill
        Writes the profile store into an empty folder; None: the release has no store.
    becomes_current
        Decides with the release that is current.
    """

    def write(draft: Path) -> None:
        save_bundle(draft, replace(bundle, store=draft / STORE))
        (draft / STORE).mkdir()
        if fill:
            fill(draft / STORE)

    return place.add(write, becomes_current=becomes_current)


def later_profiles(release: Path | None, specification: Specification, *, than: date) -> date | None:
    """Return the cutoff of the profiles with which a release answers for a model, where it is later than another."""
    info = release and store_of(release)
    return info.cutoff if info and info.specification == specification and info.cutoff > than else None


def check_release(release: Path) -> None:
    """Refuse a release whose files are not those that were written.

    Raises
    ------
    InputError
        Then.
    """
    if is_damaged(release):
        raise InputError(
            f"{release} is damaged: {RELEASE_FILE}, {MODEL} or {STORE}/{FILE} is not what was written",
            hint="write it again: churn score --as-of DATE",
        )


def store_for(place: Path, specification: Specification) -> Path | None:
    """Return the folder of the latest profiles that fit a model, of the current release or a kept one; None: there are none.

    Raises
    ------
    InputError
        When the release that holds them, or the current one, is damaged.
    """
    current = current_of(place)
    if current:
        check_release(current)
    found = [(info, release) for release in versions_of(place) if (info := store_of(release))]
    fitting = [(info.cutoff, one == current, one / STORE) for info, one in found if info.specification == specification]
    latest = max(fitting)[2] if fitting else None
    if latest and latest.parent != current:
        check_release(latest.parent)
    return latest


def last_good(place: Path) -> Path | None:
    """Return the release that can be served without asking anybody: the current one, or the latest that is whole; None: there is none."""
    current = current_of(place)
    found = [*([current] if current else []), *versions_of(place)]
    return next((release for release in found if not is_damaged(release) and store_of(release)), None)


def link_store(store: Path, folder: Path) -> None:
    """Put a profile store into another folder, without a copy where the file system can: it never changes."""
    try:
        os.link(store / FILE, folder / FILE)
    except OSError:
        shutil.copy2(store / FILE, folder / FILE)


def store_of(release: Path) -> StoreInfo | None:
    """Return what the store of a release says of itself; None where there is none that can be read."""
    try:
        store = ProfileStore(release / STORE)
    except InputError:
        return None
    store.close()
    return store.info
