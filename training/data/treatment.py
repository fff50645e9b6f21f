"""Rows whose label a contact may have changed: they are excluded, and users who were held out on the same lists stand for them.

Whether a user on a list would have left is known only of those who were held out: of the others it is known what contacting did. A
held-out user weighs one over the share of users held out, because each stands for so many, and at most :data:`MAX_WEIGHT`. Under
several epochs these weights are multiplied, except where an arm of the earlier epoch still held: then it was drawn once.

Source: Horvitz and Thompson 1952, "A Generalization of Sampling Without Replacement From a Finite Universe", Journal of the American
Statistical Association 47(260); the bound: Ionides 2008, "Truncated Importance Sampling", Journal of Computational and Graphical
Statistics 17(2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.profiles.build import KEYS
from features.snapshots import LabelWindow
from training.data.dataset import Dataset

MAX_WEIGHT = 10.0
ENTRIES = pa.schema(
    [
        ("user_id", pa.string()),
        ("day", pa.date32()),
        ("epoch", pa.string()),
        ("is_held_out", pa.bool_()),
        ("share", pa.float64()),
        ("drawn_by", pa.string()),
        ("holds_days", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Treatment:
    """Who was on a list, or was contacted otherwise, and who of these was held out.

    Attributes
    ----------
    entries
        :data:`ENTRIES`; ``share`` of all users who were held out in that epoch. A contact by another tool is an entry that is not held out.
        ``drawn_by``: who drew the arm, as each project draws its own; ``holds_days``: how long it holds from an entry, also into the next
        epoch of whoever drew it.
    """

    entries: pa.Table = field(default_factory=ENTRIES.empty_table)

    def before(self, day: date) -> Treatment:
        """Return what was known of it before a day."""
        known = pc.less(self.entries.column("day"), pa.scalar(day, pa.date32()))
        return replace(self, entries=self.entries.filter(known))

    def of(self, rows: Dataset, window: LabelWindow) -> TreatedRows:
        """Tell which rows have an entry within their label window, and how much the held-out ones of these weigh."""
        keys = rows.profiles.select(KEYS).append_column("place", pa.array(np.arange(len(rows.churned))))
        with duckdb.connect() as connection:
            connection.register("the_rows", keys)
            connection.register("the_entries", self.entries)
            found = connection.sql(
                f"""with hits as (
                    select r.place, e.drawn_by, bool_and(e.is_held_out) as is_held_out, max(1 / e.share) as weight,
                        min(e.day) as first, max(e.day + e.holds_days) as held_until
                    from the_rows r join the_entries e on e.user_id = r.user_id
                        and e.day >= r.cutoff and e.day < r.cutoff + {window.days_to_label} group by r.place, e.drawn_by, e.epoch),
                drawn as (
                    select *, first < lag(held_until) over (partition by place, drawn_by order by first) as is_kept from hits)
                select place, bool_and(is_held_out) as is_held_out,
                    least(product(if(is_kept, 1, weight)), {MAX_WEIGHT}) as weight
                from drawn group by place"""
            ).to_arrow_table()
        places, all_held_out = found.column("place").to_numpy(), np.asarray(found.column("is_held_out"), dtype=np.bool_)
        is_treated, is_held_out = (np.zeros(len(rows.churned), dtype=np.bool_) for _ in range(2))
        is_treated[places[~all_held_out]] = True
        is_held_out[places[all_held_out]] = True
        weights = np.ones(len(rows.churned))
        weights[places[all_held_out]] = found.column("weight").to_numpy()[all_held_out]
        return TreatedRows(rows, is_treated, is_held_out, weights)


@dataclass(frozen=True)
class TreatedRows:
    """Rows, with what lists did to them.

    Attributes
    ----------
    is_treated
        Whether a contact may have changed the label, shape (n,).
    is_held_out
        Whether the user was held out on a list, and on every one, shape (n,).
    weights
        Above 1 for who was held out on a list, shape (n,).
    """

    rows: Dataset
    is_treated: NDArray[np.bool_]
    is_held_out: NDArray[np.bool_]
    weights: NDArray[np.float64]

    @property
    def held_out_churners(self) -> int:
        """Number of rows of users who were held out on a list, and left."""
        return int((self.rows.churned & self.is_held_out).sum())

    def untreated(self) -> Dataset:
        """Return the rows whose label no contact changed, with their weights."""
        return self.rows.with_weights(self.weights).only(~self.is_treated)

    def words(self, minimum: int, *, what: str = "training rows") -> str:
        """Say what is done with the treated rows; empty where there are none."""
        treated, held_out = int(self.is_treated.sum()), self.held_out_churners
        if not treated:
            return ""
        rows = f"{treated:,} of {len(self.weights):,} {what}"
        if held_out < minimum:
            return (
                f"{rows} are of users who were contacted before their label was known, so that the model may take them for safer than "
                f"they are: {minimum:,} held-out churners are needed to exclude these rows, and {held_out:,} are known"
            )
        return (
            f"{rows} are excluded, because their users were contacted before the label was known; users who were held out on the same "
            f"lists stand for them, with weights up to {float(self.weights.max()):.1f}"
        )


@dataclass(frozen=True)
class Exclusion:
    """Excludes rows whose label a contact may have changed, where enough users were held out to stand for them.

    Attributes
    ----------
    minimum
        Number of held-out churners that are enough.
    """

    treatment: Treatment
    window: LabelWindow
    minimum: int

    def of(self, rows: Dataset, *, what: str) -> tuple[Dataset, str]:
        """Return the rows to use, and say what was done; ``what``: what the rows are."""
        found = self.treatment.of(rows, self.window)
        words = found.words(self.minimum, what=what)
        if not words or found.held_out_churners < self.minimum:
            return rows, words
        return found.untreated(), words

    def as_in(self, rows: Dataset) -> Exclusion:
        """Decide for other rows as was decided for some."""
        return replace(self, treatment=Treatment()) if rows.weights is None else replace(self, minimum=0)
