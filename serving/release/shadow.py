"""The shadow of a release: a challenger's model, which is compared with the champion's and answers nobody.

::

    shadow/                  its model, as models.churn_model saves it, with the shift of its base rate at the cutoff of the store
    release.json             under "shadow": its version and alias, and how it scored the users of the store
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from features.errors import InputError
from models.churn_model import ChurnModel, load
from serving.batch.difference import Difference

FOLDER = KEY = "shadow"


@dataclass(frozen=True)
class Shadow:
    """A challenger.

    Attributes
    ----------
    difference
        Between the scores of all users of the store by the champion and by this model, each on profiles of its own.
    """

    model: ChurnModel
    version: str
    alias: str
    difference: Difference

    @property
    def about(self) -> dict[str, Any]:
        """What is said of it, without its model."""
        return {"version": self.version, "alias": self.alias, "difference": msgspec.structs.asdict(self.difference)}


def save_shadow(folder: Path, shadow: Shadow | None) -> dict[str, Any]:
    """Write the model into the folder of a release; return what is said of it."""
    if shadow is None:
        return {}
    shadow.model.save(folder / FOLDER)
    return {KEY: shadow.about}


def read_shadow(folder: Path, about: Mapping[str, Any]) -> tuple[Shadow | None, str]:
    """Return the shadow of a release, and why it cannot be read: a broken one must not keep the champion from answering."""
    if KEY not in about:
        return None, ""
    try:
        found = msgspec.convert(about[KEY], _ShadowDocument)
        model = load(folder / FOLDER, threads=1)
    except (InputError, msgspec.ValidationError) as error:
        return None, str(error).replace("\n", " ")
    return Shadow(model, found.version, found.alias, found.difference), ""


class _ShadowDocument(msgspec.Struct, frozen=True):
    version: str
    alias: str
    difference: Difference
