"""Snapshots, stacked: profiles of eligible users with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.activity.store import Activity
from features.profiles import build as profiles
from features.profiles.specification import Specification
from features.settings import ChurnSettings
from models.definition import ChurnDefinition
from models.encoding import encode
from models.evaluation.baselines import LabelledProfiles
from models.scorers.base_rate import KnownCutoff
from models.scorers.trees import Rows

WEIGHT = "sample_weight"  # a column of profiles that training adds where rows weigh differently
PERSON = "person today"  # one that it adds where several ids may be one person; no feature has a name with a space


@dataclass(frozen=True)
class Dataset:
    """Profiles of eligible users, one row per user and cutoff, and whether they churned (shape (n,))."""

    profiles: pa.Table
    churned: NDArray[np.bool_]

    @property
    def cutoffs(self) -> NDArray[np.datetime64]:
        """The cutoff of each row, shape (n,)."""
        return self.profiles.column("cutoff").to_numpy()

    @property
    def users(self) -> NDArray[np.int64]:
        """One number per user, for each row, shape (n,); all ids of a person that are known today have one number."""
        ids = self.profiles.column(self.user_column).combine_chunks().dictionary_encode()
        return ids.indices.to_numpy().astype(np.int64)

    @property
    def user_column(self) -> str:
        """The column that tells users apart: whose an id is today, where several may be one person's."""
        return PERSON if PERSON in self.profiles.column_names else "user_id"

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """For how many users each row stands, shape (n,), with mean 1; None: one each."""
        if WEIGHT not in self.profiles.column_names or not len(self.churned):
            return None
        found = self.profiles.column(WEIGHT).to_numpy()
        return found / found.mean()

    def with_weights(self, weights: NDArray[np.float64]) -> Dataset:
        """Return the rows with other weights, shape (n,)."""
        profiles, column = self.profiles, cast("Any", pa.array(weights))
        if WEIGHT in profiles.column_names:
            profiles = profiles.drop_columns([WEIGHT])
        return Dataset(profiles.append_column(WEIGHT, column), self.churned)

    @property
    def labelled(self) -> LabelledProfiles:
        """The same for :func:`models.evaluation.baselines.fit_baselines`."""
        return LabelledProfiles(self.profiles, self.churned, self.weights)

    @property
    def snapshots(self) -> tuple[date, ...]:
        """The distinct cutoffs, ascending."""
        return snapshots_of(self.profiles)

    @property
    def smaller_class(self) -> int:
        """Number of rows in the smaller class, churned or retained."""
        return int(min(self.churned.sum(), (~self.churned).sum()))

    def at(self, cutoffs: Sequence[date]) -> Dataset:
        """Return the rows of some cutoffs; where these are all, the data set itself, not a copy."""
        chosen = pc.is_in(self.profiles.column("cutoff"), value_set=pa.array(cutoffs, pa.date32()))
        if pc.all(chosen).as_py():
            return self
        return Dataset(self.profiles.filter(chosen), self.churned[chosen.to_numpy()])

    def only(self, mask: NDArray[np.bool_]) -> Dataset:
        """Return some rows; ``mask`` has shape (n,)."""
        return self if mask.all() else Dataset(self.profiles.filter(pa.array(mask)), self.churned[mask])

    def known_cutoffs(self, probability: NDArray[np.float64]) -> tuple[KnownCutoff, ...]:
        """Return how far off probabilities, shape (n,), were at each cutoff, ascending; with the weights of the rows, if any."""
        weights = self.weights
        return tuple(
            KnownCutoff.of(
                cutoff,
                probability=probability[at],
                churned=self.churned[at],
                weights=None if weights is None else weights[at],
            )
            for cutoff in self.snapshots
            for at in [self.cutoffs == np.datetime64(cutoff)]
        )

    def concatenated(self, other: Dataset) -> Dataset:
        """Return the rows of both."""
        return Dataset(
            pa.concat_tables([self.profiles, other.profiles]),
            np.concatenate([self.churned, other.churned]),
        )

    def rows(self, specification: Specification) -> Rows:
        """Encode for training, with the weights of the rows where they have some."""
        found, weights = Rows(encode(self.profiles, specification), self.churned, self.users), self.weights
        return found if weights is None else found.with_weights(weights)


def snapshots_of(found: pa.Table) -> tuple[date, ...]:
    """Return the distinct cutoffs of profiles, ascending."""
    return tuple(np.unique(found.column("cutoff").to_numpy()).astype(object).tolist())


def build_dataset(
    activity: Activity,
    specification: Specification,
    *,
    cutoffs: Sequence[date],
    churn: ChurnSettings,
    where: str = "true",
) -> Dataset:
    """Build profiles at the cutoffs, keep the eligible users, and label them.

    Raises
    ------
    InputError
        When a cutoff is not covered or its horizon not finished.
    """
    ChurnDefinition.of(churn).check_finished(activity.coverage, cutoffs)
    return label(
        activity, eligible_profiles(activity, specification, cutoffs=cutoffs, churn=churn, where=where), churn=churn
    )


def eligible_profiles(
    activity: Activity,
    specification: Specification,
    *,
    cutoffs: Sequence[date],
    churn: ChurnSettings,
    where: str = "true",
) -> pa.Table:
    """Build the profiles of the eligible users, sorted by cutoff and user. Models of several horizons share them."""
    rule = ChurnDefinition.of(churn).eligibility
    return profiles.build_profiles(activity, specification, cutoffs=cutoffs, where=f"{rule.sql()} and {where}")


def label(activity: Activity, found: pa.Table, *, churn: ChurnSettings) -> Dataset:
    """Label profiles: whether each user churned; and where the log has identities, whose each id is today.

    A person has rows under an alias before signing in and under their own id afterwards, and a label that the two share.

    Raises
    ------
    InputError
        When a horizon is not finished.
    """
    definition = ChurnDefinition.of(churn)
    found = _with_persons(activity, found)
    cutoffs = snapshots_of(found)
    if not cutoffs:
        return Dataset(found, np.zeros(0, dtype=np.bool_))
    keys = found.select(profiles.KEYS).append_column("place", pa.array(np.arange(found.num_rows)))
    activity.connection.register("labelled_profiles", keys)
    decided = activity.connection.sql(
        f"select place from labelled_profiles semi join ({definition.label_sql(activity, cutoffs)}) d using (user_id, cutoff)"
    ).to_arrow_table()
    activity.connection.unregister("labelled_profiles")
    happened = np.zeros(found.num_rows, dtype=np.bool_)
    happened[decided.column("place").to_numpy()] = True
    return Dataset(found, happened if definition.is_event else ~happened)


def _with_persons(activity: Activity, found: pa.Table) -> pa.Table:
    if not activity.tables.has_identities or PERSON in found.column_names:
        return found
    ids = found.column("user_id")
    activity.connection.register("labelled_ids", found.select(["user_id"]))
    persons = activity.tables.person_today("select distinct user_id from labelled_ids")
    known = activity.connection.sql(f"from {persons}").to_arrow_table()
    activity.connection.unregister("labelled_ids")
    places = pc.index_in(ids, value_set=known.column("user_id").combine_chunks())
    return found.append_column(PERSON, known.column("person").take(places))


def sample_condition(
    activity: Activity, cutoffs: Sequence[date], *, churn: ChurnSettings, maximum: int, seed: int
) -> str:
    """Return the condition that keeps about ``maximum`` rows, whole users by seeded hash, at natural class rates."""
    share = sampled_share(activity, cutoffs, churn=churn, maximum=maximum)
    return "true" if share == 1 else f"hash(user_id || '{seed}') % 1000000 < {round(1_000_000 * share)}"


def sampled_share(activity: Activity, cutoffs: Sequence[date], *, churn: ChurnSettings, maximum: int) -> float:
    """Return the share of all users that :func:`sample_condition` keeps: 1 where there are few enough."""
    within = f"and day >= cutoff - {churn.active_within_days}" if churn.active_within_days else ""
    values = ", ".join(f"(date '{cutoff}')" for cutoff in cutoffs)
    days = activity.relation("days")
    if churn.max_tenure_days:
        days = f"(select user_id, min(day) as day from {days} group by user_id)"
        within = f"and day >= cutoff - {churn.max_tenure_days}"
    counted = activity.connection.execute(
        f"""select count(*) from (select distinct user_id, cutoff from {days}
        join (values {values}) t(cutoff) on day < cutoff {within})"""
    ).fetchall()
    rows = int(counted[0][0])
    return 1.0 if rows <= maximum else int(1_000_000 * maximum / rows) / 1_000_000
