"""Snapshots, stacked: profiles of eligible users with their labels, and the specification that freezes what they mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
from features.errors import SettingsError, closest
from features.feature import Feature
from features.learnt import BgNbd, Learnt
from features.settings import ChurnSettings, FeatureSettings
from features.specification import Specification
from features.user_tables import is_sensitive
from models.bg_nbd import Buyers, fit
from models.classifier import Rows
from models.encoding import encode, fit_categories
from training.labels import ChurnLabel

_MOST_VERSIONS = 50
_MOST_BUYERS = 200_000


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
    learnt = learn(activity, features, before=max(learnt_from))
    selection = select(
        catalogue(features.windows_days, learnt, own=features.own),
        facts,
        history_days=min(history, observed) if observed else history,
    )
    specification = Specification(
        feature_names=tuple(feature.name for feature in selection.features),
        windows_days=features.windows_days,
        learnt=learnt,
        own=features.own,
        sensitive=tuple(name for name in learnt.attributes if is_sensitive(name)),
        observation_days=observed,
        timezone=churn.timezone,
        session_gap_minutes=features.session_gap_minutes,
        qualifying=churn.qualifying,
        event=churn.event,
        unused=unused(selection.features, features.leave_out),
    )
    specification.check_own(activity.connection)
    withheld = activity.tables.withheld(features.allow_sensitive)
    named = dict.fromkeys(specification.unused, "[features] leave_out names it")
    return specification, selection.left_out | withheld | named


def unused(features: Sequence[Feature], leave_out: Collection[str]) -> tuple[str, ...]:
    """Return the columns that the model is not to look at; the profile has them all the same, for eligibility and for people.

    Raises
    ------
    SettingsError
        When there is no feature and no family of a name.
    """
    known = {feature.name for feature in features} | {feature.family for feature in features}
    for name in leave_out:
        if name not in known:
            raise SettingsError(
                f'[features] leave_out: this log has no feature or family "{name}"', hint=closest(name, known)
            )
    return tuple(feature.name for feature in features if {feature.name, feature.family} & set(leave_out))


def learn(activity: Activity, features: FeatureSettings, *, before: date) -> Learnt:
    """Find out what a profile needs to know of other users, from the log before a date."""
    return Learnt(
        event_types=main_event_types(activity, before=before, most=features.main_event_types),
        versions=versions(activity, before=before) if "app_version" in activity.facts else {},
        bg_nbd=bg_nbd(activity, before=before, since=features.observation_days) if "amount" in activity.facts else None,
        attributes=activity.tables.allowed(features.allow_sensitive),
    )


def main_event_types(activity: Activity, *, before: date, most: int) -> tuple[str, ...]:
    """Find the event types that the most users did before a date."""
    rows = activity.connection.execute(
        f"""select event_type from {activity.known("event_types", before="$before")} group by 1
        order by count(distinct user_id) desc, sum(n) desc, event_type limit {most}""",
        {"before": before},
    ).fetchall()
    return tuple(event_type for (event_type,) in rows)


def versions(activity: Activity, *, before: date) -> dict[str, date]:
    """Find the day on which each of the most used app versions was first seen, the oldest first."""
    rows = activity.connection.execute(
        f"""select app_version, min(day) as first_day from {activity.known("contexts", before="$before")}
        where app_version is not null group by 1 order by sum(n) desc, app_version limit {_MOST_VERSIONS}""",
        {"before": before},
    ).fetchall()
    return dict(sorted(rows, key=lambda row: (row[1], row[0])))


def bg_nbd(activity: Activity, *, before: date, since: int | None) -> BgNbd | None:
    """Fit how people buy; of more buyers than it takes, some are drawn by their hash."""
    observed = f"and day >= $before - {since}" if since else ""
    found = activity.connection.execute(
        f"""select cast(repeats as double) as repeats, cast(last as double) as last, cast(known as double) as known,
            cast(count(*) as double) as how_many
        from (select count(*) - 1 as repeats, max(day) - min(day) as last, $before - min(day) as known
            from {activity.known("days", before="$before")} where purchases > 0 {observed} group by user_id
            order by hash(user_id), user_id limit {_MOST_BUYERS})
        group by all order by all""",
        {"before": before},
    ).fetchall()
    return fit(Buyers(*np.array(found, dtype=np.float64).reshape(-1, 4).T))


def with_categories(specification: Specification, training_profiles: pa.Table, *, most: int) -> Specification:
    """Freeze the category maps, from training profiles only."""
    names = [feature.name for feature in specification.features if feature.is_text]
    return replace(specification, categories=fit_categories(training_profiles, names, most=most))
