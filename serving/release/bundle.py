"""All that one service needs, in one folder: the files of the model and ``served.json``. It needs neither MLflow nor training code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from features.errors import InputError
from features.storage.atomic import atomic_folder
from models.churn_model import ChurnModel, load
from serving.settings import ScoringSettings, ServingSettings

FILE = "served.json"


@dataclass(frozen=True)
class ServingBundle:
    """A model to serve, with its name, version and settings.

    Attributes
    ----------
    store
        Folder of the profile store.
    columns
        Contract columns of the log that the model was trained on, which events in a request should have; empty: unknown.
    """

    model: ChurnModel
    name: str
    version: str
    alias: str
    store: Path
    scoring: ScoringSettings
    serving: ServingSettings
    columns: tuple[str, ...] = ()


def write_bundle(folder: Path, bundle: ServingBundle) -> None:
    """Write a bundle atomically.

    The path of the store is relative to the folder, so that both can move together: into a Bento, or to another machine.
    """
    place = folder.resolve()
    about = {
        "name": bundle.name,
        "version": bundle.version,
        "alias": bundle.alias,
        "store": os.path.relpath(bundle.store.resolve(), place),
        "scoring": bundle.scoring.model_dump(mode="json"),
        "serving": bundle.serving.model_dump(mode="json"),
        "columns": bundle.columns,
    }
    with atomic_folder(place) as temporary:
        bundle.model.save(temporary)
        (temporary / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(about, order="sorted"), indent=1))


def read_bundle(folder: Path) -> ServingBundle:
    """Read the folder that :func:`write_bundle` wrote; the model predicts on one thread, as each worker has one core.

    Raises
    ------
    InputError
        When the folder holds no bundle, or one of another version.
    """
    place = folder.resolve()
    try:
        about: dict[str, Any] = msgspec.json.decode((place / FILE).read_bytes())
        scoring = ScoringSettings.model_validate(about["scoring"])
        serving = ServingSettings.model_validate(about["serving"])
        names = {key: str(about[key]) for key in ("name", "version", "alias")}
        store = (place / about["store"]).resolve()
        columns = tuple(map(str, about["columns"]))
    except (OSError, msgspec.DecodeError, ValidationError, KeyError, TypeError) as error:
        raise InputError(
            f"{place} holds nothing to serve: {type(error).__name__}",
            hint="churn serve writes the folder and serves it",
        ) from error
    return ServingBundle(
        load(place, threads=1), **names, store=store, scoring=scoring, serving=serving, columns=columns
    )
