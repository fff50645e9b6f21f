"""New users at a cutoff, whom a model of their own scores, and what is said of users by the model that scored them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.churn_model import ChurnModel

Explain = Callable[[ChurnModel, pa.Table], pa.Table]


@dataclass(frozen=True)
class NewUsersModel:
    """The model of new users, as it scores at a cutoff: with its shift; name and version are those of the registry."""

    name: str
    version: str
    model: ChurnModel

    @property
    def scored_by(self) -> str:
        """Name and version of the model, as an answer says them."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class NewUsers(NewUsersModel):
    """The users who are too new for the champion and not for the model of new users.

    Attributes
    ----------
    profiles
        One row per new user, by user id, as that model reads them.
    """

    profiles: pa.Table


def by_model(explain: Explain, model: ChurnModel, *, profiles: pa.Table, new_users: NewUsers | None) -> pa.Table:
    """Explain each user by the model that scores them.

    Parameters
    ----------
    explain
        Of a model and the profiles that it reads, a row per profile.
    model, profiles
        The champion, and the profiles that it reads, in any order.
    new_users
        None: everybody is scored by the champion.

    Returns
    -------
    A row per profile, in their order.
    """
    if new_users is None:
        return explain(model, profiles)
    places = pc.index_in(_ids(profiles), _ids(new_users.profiles))
    is_new = np.asarray(places.is_valid())
    others = explain(model, profiles.filter(pa.array(~is_new)))
    found = pa.concat_tables([others, explain(new_users.model, new_users.profiles.take(places.drop_null()))])
    order = np.argsort(np.concatenate([np.flatnonzero(~is_new), np.flatnonzero(is_new)]))
    return found.take(pa.array(order, pa.int64()))


def _ids(profiles: pa.Table) -> pa.Array[pa.StringScalar]:
    return profiles.column("user_id").combine_chunks()
