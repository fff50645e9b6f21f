"""Snapshots, stacked: profiles of eligible users with their labels, and the specification that freezes what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features import profiles
from features.activity import Activity
from features.catalogue import catalogue, select
from features.eligibility import Eligibility
from features.settings import ChurnSettings, FeatureSettings
from features.specification import Specification
from models.classifier import Rows
from models.encoding import encode, fit_categories
from training.labels import ChurnLabel


@dataclass(frozen=True)
class Dataset:
    """Profiles of eligible users, one row per user and cutoff, and whether they churned (shape (n,))."""

    profiles: pa.Table
    churned: NDArray[np.bool_]

    def at(self, cutoffs: Sequence[date]) -> Dataset:
        """Return the rows of some cutoffs."""
        chosen = pc.is_in(self.profiles.column("cutoff"), value_set=pa.array(cutoffs, pa.date32()))
        return Dataset(self.profiles.filter(chosen), self.churned[chosen.to_numpy()])

    def rows(self, specification: Specification) -> Rows:
        """Encode for learning."""
        users = self.profiles.column("user_id").combine_chunks().dictionary_encode().indices.to_numpy()
        return Rows(encode(self.profiles, specification), self.churned, users.astype(np.int64))


def stack(
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
    label = ChurnLabel.of(churn)
    eligibility = Eligibility(churn.active_within_days, churn.min_tenure_days)
    kept = profiles.build(activity, specification, cutoffs=cutoffs, where=f"{eligibility.sql()} and {where}")
    decided = activity.connection.sql(label.sql(activity, cutoffs)).to_arrow_table()
    marked = decided.append_column("decided", pa.repeat(pa.scalar(value=True), decided.num_rows))
    joined = kept.join(marked, keys=list(profiles.KEYS), join_type="left outer").sort_by(
        [("cutoff", "ascending"), ("user_id", "ascending")]
    )
    happened = joined.column("decided").is_valid().to_numpy()
    return Dataset(joined.drop_columns(["decided"]), happened if label.is_event else ~happened)


def sampled(activity: Activity, cutoffs: Sequence[date], *, churn: ChurnSettings, most: int, seed: int) -> str:
    """Return the condition that keeps about ``most`` rows, whole users by seeded hash, at natural class rates."""
    within = f"and day >= cutoff - {churn.active_within_days}" if churn.active_within_days else ""
    values = ", ".join(f"(date '{cutoff}')" for cutoff in cutoffs)
    counted = activity.connection.execute(
        f"""select count(*) from (select distinct user_id, cutoff from {activity.relation("days")}
        join (values {values}) t(cutoff) on day < cutoff {within})"""
    ).fetchall()
    rows = int(counted[0][0])
    return "true" if rows <= most else f"hash(user_id || '{seed}') % 1000000 < {int(1_000_000 * most / rows)}"


def freeze(
    activity: Activity, features: FeatureSettings, *, churn: ChurnSettings, learnt_from: Sequence[date]
) -> tuple[Specification, dict[str, str]]:
    """Decide what a profile holds, from the log before the latest training cutoff only.

    Returns
    -------
    The specification (its categories still empty), and why features are left out.
    """
    history = (min(learnt_from) - activity.coverage.first_day).days
    observed = features.observation_days
    facts = activity.facts | ({"observation_days"} if observed else set())
    types = main_event_types(activity, before=max(learnt_from), most=features.main_event_types)
    selection = select(
        catalogue(features.windows_days, types), facts, history_days=min(history, observed) if observed else history
    )
    specification = Specification(
        feature_names=tuple(feature.name for feature in selection.features),
        windows_days=features.windows_days,
        event_types=types,
        observation_days=observed,
        timezone=churn.timezone,
        session_gap_minutes=features.session_gap_minutes,
        qualifying=churn.qualifying,
        event=churn.event,
    )
    return specification, selection.left_out


def main_event_types(activity: Activity, *, before: date, most: int) -> tuple[str, ...]:
    """Find the event types that the most users did before a date."""
    rows = activity.connection.execute(
        f"""select event_type from {activity.relation("event_types")} where day < ? group by 1
        order by count(distinct user_id) desc, sum(n) desc, event_type limit {most}""",
        [before],
    ).fetchall()
    return tuple(event_type for (event_type,) in rows)


def with_categories(specification: Specification, training_profiles: pa.Table, *, most: int) -> Specification:
    """Freeze the category maps, from training profiles only."""
    names = [feature.name for feature in specification.features if feature.is_text]
    return replace(specification, categories=fit_categories(training_profiles, names, most=most))
