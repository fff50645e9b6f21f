"""A home of an earlier version of churn, brought to the layout of this one by the first verb that opens it.

Format 1 (no ``home.json``) held one project, and one result under each name::

    scores/cutoff=2026-04-27/model=churn-v2/    ->  scores/churn/cutoff=2026-04-27/model=churn-v2/<version>/
    ledger/cutoff=2026-04-27/model=churn-v2/    ->  ledger/churn/cutoff=2026-04-27/model=churn-v2/<version>/
    lists/2026-W18/                             ->  lists/churn/2026-W18/at_risk/<version>/
    served/, store/                             ->  releases/churn/<version>/{model,store}

Each folder moves by one rename, so a killed run leaves each where it was or where it belongs, and the next run does the rest.
``home.json`` is written last. Kept activity and models have formats of their own, and are read where they are.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from churn.home import Home
from features.errors import InputError

FORMAT_VERSION = 2
_WAIT_SECONDS = 600

_log = logging.getLogger("churn")


def open_home(root: Path) -> Home:
    """Return a home in the layout of this version; one of an earlier version is moved to it, and a line of the log says so.

    Raises
    ------
    InputError
        When a newer version of churn wrote it.
    """
    home = Home(root)
    if root.is_dir() and format_of(home) < FORMAT_VERSION:
        _upgrade(home)
    return home


def mark(home: Home) -> None:
    """Write the format of a home that was just made."""
    from features.storage.atomic import write_atomic

    if not home.format_file.exists() and home.root.is_dir():
        write_atomic(home.format_file, json.dumps({"format_version": FORMAT_VERSION}).encode() + b"\n")


def format_of(home: Home) -> int:
    """Return the format of a home as it is; the first had no file that says so.

    Raises
    ------
    InputError
        When the file cannot be read, or a newer version of churn wrote it.
    """
    try:
        found = int(json.loads(home.format_file.read_text())["format_version"])
    except FileNotFoundError:
        return 1
    except (ValueError, KeyError, TypeError) as error:
        hint = (
            f'write {{"format_version": {FORMAT_VERSION}}} there if churn wrote this home, or use another one: --home'
        )
        raise InputError(f"{home.format_file} does not say the format of the home", hint=hint) from error
    if found > FORMAT_VERSION:
        raise InputError(
            f"the home {home.root} is of format {found}, expected at most {FORMAT_VERSION}",
            hint="use the version of churn that wrote it, or another home: --home",
        )
    return found


def _upgrade(home: Home) -> None:
    from features.storage.locks import locked

    busy = InputError(
        f"{home.root}: another run has been upgrading this home for {_WAIT_SECONDS // 60} minutes",
        hint="wait for it or end it",
    )
    waiting = "churn: another run is upgrading this home; waiting for it"
    with locked(home.lock("upgrade"), busy, wait_seconds=_WAIT_SECONDS, waiting=lambda: _log.warning(waiting)):
        if format_of(home) == FORMAT_VERSION:
            return
        if sum((_move_results(home), _move_served(home))):
            _log.warning(
                "churn: the home %s was written by an earlier version; it now has the layout of this one", home.root
            )
        mark(home)


def _move_results(home: Home) -> int:
    """Move scores, ledger and lists; return how many there were."""
    moved = 0
    for folder in _results(home.root):
        project, top = _said_in(folder / "manifest.json", "model"), folder.relative_to(home.root).parts[0]
        if project is None:
            _log.warning("churn: %s stays where it is: its manifest cannot be read", folder)
            continue
        below = folder.relative_to(home.root / top)
        place = home.weekly_list(project, below.name) if top == "lists" else home.root / top / project / below
        _become_version(folder, place)
        moved += 1
    _clear(home.root)
    return moved


def _said_in(file: Path, key: str) -> str | None:
    """Return a text of a JSON file; None where it cannot be read."""
    try:
        return str(json.loads(file.read_text())[key])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _results(root: Path) -> Iterator[Path]:
    """Return every folder that holds a result of format 1."""
    for pattern in ("lists/*/manifest.json", "scores/cutoff=*/*/manifest.json", "ledger/cutoff=*/*/manifest.json"):
        yield from (found.parent for found in sorted(root.glob(pattern)) if not found.parent.name.startswith("."))


def _become_version(folder: Path, place: Path) -> None:
    """Move a folder into a place as its only version; the link is there first, so that no version is left without one."""
    from features.storage.versions import CURRENT, digest_of

    version = place / digest_of(folder)
    place.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        (place / CURRENT).symlink_to(version.name)
    folder.rename(version)


def _clear(root: Path) -> None:
    """Remove what is left of the folders of format 1: empty ones, and drafts of killed runs under its fixed names."""
    from features.storage.drafts import remove

    for draft in root.glob(".served.*"):
        remove(draft)
    for top in ("lists", "scores", "ledger"):
        for draft in [*(root / top).glob(".*.tmp"), *(root / top).glob("cutoff=*/.*.tmp")]:
            remove(draft)
        for folder in (root / top).glob("cutoff=*"):
            with suppress(OSError):
                folder.rmdir()


def _move_served(home: Home) -> int:
    """Make releases of the folder that was served and of the profile store; return how many there were."""
    from features.storage.drafts import clear_abandoned, discard

    clear_abandoned(home.root)
    served, store = home.root / "served", home.root / "store"
    moved = 0
    if project := _said_in(served / "served.json", "name"):
        _release_served(home.releases(project), served, store)
        moved += 1
    if (store / "profiles.sqlite").exists():
        for project in _projects(home):
            _keep_store(home.releases(project), store)
        moved += 1
    for folder in (served, store):  # in this order: what was served takes its store along
        if folder.exists():
            discard(folder)
    return moved


def _projects(home: Home) -> list[str]:
    """Return the projects of a home: those that have scores or releases."""
    return sorted(
        {path.name for top in ("scores", "releases") for path in (home.root / top).glob("*") if path.is_dir()}
    )


def _release_served(place: Path, served: Path, store: Path) -> None:
    """Copy what was served into a release of its own, with the profile store where its profiles are of the same model."""
    from features.storage.versions import Place
    from serving.release.bundle import STORE, copy_first_format
    from serving.release.release import link_store

    def write(draft: Path) -> None:
        copy_first_format(served, draft)
        (draft / STORE).mkdir()
        if _fits(store, served):
            link_store(store, draft / STORE)

    Place(place).add(write)


def _fits(store: Path, served: Path) -> bool:
    from models.churn_model import specification_of
    from serving.store.profile_store import ProfileStore

    try:
        found, specification = ProfileStore(store), specification_of(served)
    except InputError:
        return False
    found.close()
    return found.info.specification == specification


def _keep_store(place: Path, store: Path) -> None:
    """Keep a profile store among the releases of a project, from where the next ``churn serve`` or ``churn score`` takes it."""
    from features.storage.versions import Place, current_of
    from serving.release.bundle import STORE
    from serving.release.release import link_store

    current = current_of(place)
    if current and (current / STORE / "profiles.sqlite").exists():
        return

    def write(draft: Path) -> None:
        (draft / STORE).mkdir()
        link_store(store, draft / STORE)

    Place(place).add(write, becomes_current=lambda _: False)
