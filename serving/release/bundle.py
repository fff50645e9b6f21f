"""All that one service needs, in one folder: the model, the profiles it looks users up in, and its settings.

::

    release.json             name, version and alias of the model, settings of the service
    model/                   as models.churn_model saves it
    store/profiles.sqlite    the profile store; none until all users have been scored
    shadow/                  a challenger's model, where one is compared with this (serving.release.shadow)
    new_users/               the model of new users, as of the last scoring; none where there is none

It needs neither MLflow nor training code.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from features.errors import InputError
from features.storage.atomic import atomic_folder
from features.storage.versions import digest_of
from models.churn_model import ChurnModel, load
from models.encoding import encode_rows
from serving.batch.new_users import NewUsersModel
from serving.release.shadow import Shadow, read_shadow, save_shadow
from serving.settings import ScoringSettings, ServingSettings
from serving.store.answers import AnswersOf

FORMAT_VERSION = 2
FILE, FIRST_FILE = "release.json", "served.json"  # the latter next to the files of the model, in format 1
MODEL, STORE, NEW_USERS = "model", "store", "new_users"
_NAMES = ("name", "version", "alias")


class Golden(msgspec.Struct, frozen=True):
    """A profile, and its raw score."""

    profile: dict[str, str | float | None]
    raw_score: float


@dataclass(frozen=True)
class ServingBundle:
    """A model to serve, with its name, version and settings.

    Attributes
    ----------
    store
        Folder of the profile store.
    columns
        Contract columns of the log that the model was trained on, which events in a request should have; empty: unknown.
    digest
        Of the files of the model; empty: it is not read from any.
    golden
        A profile with the raw score that it had when the bundle was written; None: not read from a file, or from an older one.
    shadow
        A challenger that scores too, and answers nobody; None: there is none, or ``why_no_shadow``.
    new_users
        The model of new users; None: there is none.
    """

    model: ChurnModel
    name: str
    version: str
    alias: str
    store: Path
    scoring: ScoringSettings
    serving: ServingSettings
    columns: tuple[str, ...] = ()
    digest: str = ""
    golden: Golden | None = None
    shadow: Shadow | None = None
    why_no_shadow: str = ""
    new_users: NewUsersModel | None = None

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
        "golden": golden_of(bundle.model),
    } | save_shadow(folder, bundle.shadow)
    bundle.model.save(folder / MODEL)
    if new := bundle.new_users:
        new.model.save(folder / NEW_USERS)
        about[NEW_USERS] = {"name": new.name, "version": new.version}
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
        names = {key: str(about[key]) for key in _NAMES}
        store = (place / about["store"]).resolve()
        columns = tuple(map(str, about["columns"]))
    except (OSError, msgspec.DecodeError, ValidationError, KeyError, TypeError) as error:
        raise InputError(
            f"{place} holds nothing to serve: {type(error).__name__}",
            hint="churn serve writes a release and serves it",
        ) from error
    shadow, why_no_shadow = read_shadow(place, about)
    return ServingBundle(
        load(model, threads=1),
        **names,
        store=store,
        scoring=scoring,
        serving=serving,
        columns=columns,
        digest=digest_of(model),
        golden=msgspec.convert(about.get("golden"), Golden | None),
        shadow=shadow,
        why_no_shadow=why_no_shadow,
        new_users=_new_users(about, place),
    )


def shadow_of(folder: Path) -> Shadow | None:
    """Return the shadow of a release, as far as it can be read."""
    try:
        about, _ = _read(folder)
    except (OSError, msgspec.DecodeError, KeyError, TypeError, InputError):
        return None
    return read_shadow(folder, about)[0]


def new_users_of(folder: Path) -> NewUsersModel | None:
    """Return the model of new users of a bundle; None where it has none.

    Raises
    ------
    InputError
        When the model cannot be read.
    """
    about, _ = _read(folder)
    return _new_users(about, folder)


def _new_users(about: Mapping[str, Any], place: Path) -> NewUsersModel | None:
    """Read the model of new users; None where the bundle has none."""
    named = about.get(NEW_USERS)
    return NewUsersModel(named["name"], named["version"], load(place / NEW_USERS, threads=1)) if named else None


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


def names_of(folder: Path) -> dict[str, str]:
    """Return name, version and alias of the model of a bundle, without reading it; empty where they cannot be read."""
    try:
        about, _ = _read(folder)
        return {name: str(about[name]) for name in _NAMES}
    except (OSError, msgspec.DecodeError, KeyError, TypeError, InputError):
        return {}


def store_folder(folder: Path) -> Path:
    """Return the folder of the store of a bundle, as far as it can be read."""
    try:
        about, _ = _read(folder)
        return (folder / about["store"]).resolve()
    except (OSError, msgspec.DecodeError, KeyError, TypeError, InputError):
        return folder / STORE


def check_golden(bundle: ServingBundle) -> None:
    """Score the profile that was scored when the release was written; a release of an earlier version has none.

    Raises
    ------
    InputError
        When the model gives it another raw score.
    """
    golden = bundle.golden
    if golden and not isclose(_raw_score(bundle.model, golden.profile), golden.raw_score, rel_tol=1e-9, abs_tol=1e-9):
        raise InputError(
            f"version {bundle.version} of {bundle.name} gives another score here than where its release was written",
            hint="write it again: churn score --as-of DATE",
        )


def golden_of(model: ChurnModel) -> Golden:
    """Score a typical profile: the medians of the reference population, and the most frequent text."""
    profile: dict[str, str | float | None] = dict.fromkeys(model.specification.feature_names)
    profile |= {name: value for name, value in model.reference.medians.items() if name in profile}
    profile |= {name: known[0] for name, known in model.specification.categories.items() if known and name in profile}
    return Golden(profile, _raw_score(model, profile))


def _raw_score(model: ChurnModel, profile: Mapping[str, object]) -> float:
    return float(model.raw(encode_rows([profile], model.specification))[0])
