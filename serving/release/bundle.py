"""All that one service needs, in one folder: the model, the profiles it looks users up in, and its settings.

::

    release.json             name, version and alias of the model, settings of the service
    model/                   as models.churn_model saves it
    store/profiles.sqlite    the profile store; none until all users have been scored

It needs neither MLflow nor training code.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from features.errors import InputError
from features.storage.atomic import atomic_folder
from features.storage.versions import CURRENT, digest_of
from models.churn_model import ChurnModel, load
from serving.settings import ScoringSettings, ServingSettings
from serving.store.answers import AnswersOf

FORMAT_VERSION = 2
FILE, FIRST_FILE = "release.json", "served.json"  # the latter next to the files of the model, in format 1
MODEL, STORE = "model", "store"


@dataclass(frozen=True)
class ServingBundle:
    """A model to serve, with its name, version and settings.

    Attributes
    ----------
    store
        Folder of the profile store.
    columns
        Contract columns of the log that the model was trained on, which events in a request should have; empty: unknown.
    newer
        Where the service looks for newer profiles while it runs: the store of the release that is current by then; None: in ``store``.
    digest
        Of the files of the model; empty: it is not read from any.
    """

    model: ChurnModel
    name: str
    version: str
    alias: str
    store: Path
    scoring: ScoringSettings
    serving: ServingSettings
    columns: tuple[str, ...] = ()
    newer: Path | None = None
    digest: str = ""

    @property
    def answers_of(self) -> AnswersOf:
        """What its finished answers depend on."""
        return AnswersOf(self.digest, self.version, self.scoring.high_percentile, self.scoring.medium_percentile)


def answers_of(folder: Path, *, version: str, scoring: ScoringSettings) -> AnswersOf:
    """Return what finished answers depend on, by the model that was saved in the folder of a release."""
    return AnswersOf(digest_of(folder / MODEL), version, scoring.high_percentile, scoring.medium_percentile)


def write_bundle(folder: Path, bundle: ServingBundle) -> None:
    """Write a bundle atomically.

    The path of the store is relative to the folder, so that both can move together: into a Bento, or to another machine.
    """
    place = folder.resolve()
    with atomic_folder(place) as draft:
        save_bundle(draft, bundle, store=os.path.relpath(bundle.store.resolve(), place))


def save_bundle(folder: Path, bundle: ServingBundle, *, store: str = STORE) -> None:
    """Write the model and the settings of a bundle into a folder; ``store`` is the path of its store from there."""
    about = {
        "name": bundle.name,
        "version": bundle.version,
        "alias": bundle.alias,
        "scoring": bundle.scoring.model_dump(mode="json"),
        "serving": bundle.serving.model_dump(mode="json"),
        "columns": bundle.columns,
    }
    bundle.model.save(folder / MODEL)
    _write(folder, about, store=store)


def copy_first_format(served: Path, folder: Path) -> None:
    """Write a bundle of format 1, whose files lay next to each other, into another folder; its store is not among them."""
    (folder / MODEL).mkdir()
    for path in sorted(served.iterdir()):
        if path.name != FIRST_FILE and not path.name.startswith("."):
            shutil.copyfile(path, folder / MODEL / path.name)
    _write(folder, msgspec.json.decode((served / FIRST_FILE).read_bytes()), store=STORE)


def _write(folder: Path, about: dict[str, Any], *, store: str) -> None:
    about |= {"format_version": FORMAT_VERSION, "store": store}
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(about, order="sorted"), indent=1))


def read_bundle(folder: Path) -> ServingBundle:
    """Read the folder that :func:`write_bundle` wrote; the model predicts on one thread, as each worker has one core.

    Raises
    ------
    InputError
        When the folder holds no bundle, or one of a newer version.
    """
    place = folder.resolve()
    try:
        about, model = _read(place)
        scoring = ScoringSettings.model_validate(about["scoring"])
        serving = ServingSettings.model_validate(about["serving"])
        names = {key: str(about[key]) for key in ("name", "version", "alias")}
        store = (place / about["store"]).resolve()
        columns = tuple(map(str, about["columns"]))
    except (OSError, msgspec.DecodeError, ValidationError, KeyError, TypeError) as error:
        raise InputError(
            f"{place} holds nothing to serve: {type(error).__name__}",
            hint="churn serve writes a release and serves it",
        ) from error
    return ServingBundle(
        load(model, threads=1),
        **names,
        store=store,
        scoring=scoring,
        serving=serving,
        columns=columns,
        newer=_newer(place),
        digest=digest_of(model),
    )


def _read(place: Path) -> tuple[dict[str, Any], Path]:
    """Return what a bundle says of itself, and the folder of its model."""
    if not (place / FILE).exists() and (place / FIRST_FILE).exists():
        return msgspec.json.decode((place / FIRST_FILE).read_bytes()), place
    about: dict[str, Any] = msgspec.json.decode((place / FILE).read_bytes())
    version = about["format_version"]
    if version > FORMAT_VERSION:
        raise InputError(
            f"{place}: the release is of format {version}, expected at most {FORMAT_VERSION}",
            hint="use the version of churn that wrote it, or write it again: churn score",
        )
    return about, place / MODEL


def _newer(place: Path) -> Path | None:
    """Return the store of the current release, where this one is one of several."""
    link = place.parent / CURRENT
    return link / STORE if link.is_symlink() else None
