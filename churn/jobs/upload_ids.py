"""The users of a week as the team's tool knows them: it must not be given an id of somebody whom nobody is to contact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from churn.jobs.week import Week
from serving.weekly.at_risk_list import ListRows
from serving.weekly.files.suppression import Suppression, id_keys


@dataclass(frozen=True)
class UploadIds:
    """What the team's tool compares of the ids in a column.

    Attributes
    ----------
    column
        By which the tool matches users.
    """

    week: Week
    rows: ListRows
    column: str

    def of(self, places: NDArray[np.int64]) -> set[str]:
        """Return those of some users, as far as the tool knows them."""
        return id_keys(self.rows.ids_of(places, by=self.column))

    @cached_property
    def suppressed(self) -> Suppression:
        """Those of everybody who is held out, and of everybody who opted out or was contacted lately, on a list or not."""
        held_out, excluded = (self.of(np.flatnonzero(mask)) for mask in (self.week.held_out, self.week.not_to_contact))
        return Suppression(held_out=held_out, excluded=excluded)
