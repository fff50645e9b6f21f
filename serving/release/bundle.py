"""What one service needs, in one folder: the model's own files and ``served.json``. Neither MLflow nor training code reads it."""

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
    """A model that is served, under which name, with which settings.

    Attributes
    ----------
    store
        Folder of the profile store.
    columns
        Contract columns of the log that the model learnt from, which events that are sent should have; empty: not known.
    """

    model: ChurnModel
    name: str
    version: str
    alias: str
    store: Path
    scoring: ScoringSettings
    serving: ServingSettings
    columns: tuple[str, ...] = ()


def write_bundle(folder: Path, served: ServingBundle) -> None:
    """Write what is served, whole or not at all.

    The store is noted by its way from the folder, so that both can move together: into a Bento, or to another machine.
    """
    place = folder.resolve()
    about = {
        "name": served.name,
        "version": served.version,
        "alias": served.alias,
        "store": os.path.relpath(served.store.resolve(), place),
        "scoring": served.scoring.model_dump(mode="json"),
        "serving": served.serving.model_dump(mode="json"),
        "columns": served.columns,
    }
    with atomic_folder(place) as aside:
        served.model.save(aside)
        (aside / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(about, order="sorted"), indent=1))


def read_bundle(folder: Path) -> ServingBundle:
    """Read what :func:`write_bundle` wrote; the model predicts on one thread, as each worker has one core.

    Raises
    ------
    InputError
        When there is nothing, or it is not of this version.
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
            f"{place} holds nothing to serve: {type(error).__name__}", hint="churn serve writes and serves it"
        ) from error
    return ServingBundle(
        load(place, threads=1), **names, store=store, scoring=scoring, serving=serving, columns=columns
    )
