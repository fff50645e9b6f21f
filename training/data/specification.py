"""The specification of a model's profiles: chosen from the log before the training cutoffs, and frozen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import pyarrow as pa
from msgspec import structs

from features.activity.store import Activity
from features.catalogue.catalogue import catalogue, select
from features.catalogue.definition import Feature
from features.catalogue.fitted import FittedConstants
from features.errors import SettingsError, closest
from features.profiles.specification import Specification
from features.settings import ChurnSettings, FeatureSettings
from features.users.attributes import is_sensitive
from models.encoding import fit_categories
from training.plan.buyers import fit_bg_nbd

_MAX_VERSIONS = 50


def freeze(
    activity: Activity, features: FeatureSettings, *, churn: ChurnSettings, training_cutoffs: Sequence[date]
) -> tuple[Specification, dict[str, str]]:
    """Choose the features of a profile, from the log before the latest training cutoff only.

    Returns
    -------
    The specification (its categories still empty), and feature to the reason why it is excluded.
    """
    history = (min(training_cutoffs) - activity.coverage.first_day).days
    observed = features.observation_days
    given = {"observation_days": observed, "leaving": churn.event}
    facts = activity.facts | {fact for fact, value in given.items() if value}
    fitted = fit_constants(activity, features, before=max(training_cutoffs), timezone=churn.timezone)
    selection = select(
        catalogue(features.windows_days, fitted, custom=features.custom),
        facts,
        history_days=min(history, observed) if observed else history,
    )
    specification = Specification(
        feature_names=tuple(feature.name for feature in selection.features),
        windows_days=features.windows_days,
        fitted=fitted,
        custom=features.custom,
        sensitive=tuple(name for name in fitted.attributes if is_sensitive(name)),
        observation_days=observed,
        timezone=churn.timezone,
        session_gap_minutes=features.session_gap_minutes,
        qualifying=churn.qualifying,
        event=churn.event,
        naive_zone=activity.naive_zone,
        unused=unused(selection.features, features.exclude),
    )
    specification.check_custom(activity.connection)
    withheld = activity.tables.withheld(features.allow_sensitive)
    named = dict.fromkeys(specification.unused, "[features] exclude names it")
    return specification, selection.excluded | withheld | named


def unused(features: Sequence[Feature], exclude: Collection[str]) -> tuple[str, ...]:
    """Return the columns that the model does not use; the profile has them nevertheless, for eligibility and for people.

    Raises
    ------
    SettingsError
        When a name is neither a feature nor a family.
    """
    known = {feature.name for feature in features} | {feature.family for feature in features}
    for name in exclude:
        if name not in known:
            raise SettingsError(
                f'[features] exclude: this log has no feature or family "{name}"', hint=closest(name, known)
            )
    return tuple(feature.name for feature in features if {feature.name, feature.family} & set(exclude))


def fit_constants(
    activity: Activity, features: FeatureSettings, *, before: date, timezone: str = "UTC"
) -> FittedConstants:
    """Fit the constants across users that profiles need, from the log before a date, which is a midnight of the zone."""
    return FittedConstants(
        event_types=main_event_types(activity, before=before, maximum=features.main_event_types),
        versions=versions(activity, before=before) if "app_version" in activity.facts else {},
        bg_nbd=fit_bg_nbd(activity, before=before, since=features.observation_days, timezone=timezone)
        if "amount" in activity.facts
        else None,
        attributes=activity.tables.allowed(features.allow_sensitive),
    )


def main_event_types(activity: Activity, *, before: date, maximum: int) -> tuple[str, ...]:
    """Find the event types with the largest numbers of users before a date."""
    rows = activity.connection.execute(
        f"""select event_type from {activity.known("event_types", before="$before")} group by 1
        order by count(distinct user_id) desc, sum(n) desc, event_type limit {maximum}""",
        {"before": before},
    ).fetchall()
    return tuple(event_type for (event_type,) in rows)


def versions(activity: Activity, *, before: date) -> dict[str, date]:
    """Find the day on which each of the most used app versions was first seen, the oldest first."""
    rows = activity.connection.execute(
        f"""select app_version, min(day) as first_day from {activity.known("contexts", before="$before")}
        where app_version is not null group by 1 order by sum(n) desc, app_version limit {_MAX_VERSIONS}""",
        {"before": before},
    ).fetchall()
    return dict(sorted(rows, key=lambda row: (row[1], row[0])))


def with_categories(specification: Specification, training_profiles: pa.Table, *, maximum: int) -> Specification:
    """Freeze the category maps, from training profiles only."""
    names = [feature.name for feature in specification.features if feature.is_text]
    return structs.replace(specification, categories=fit_categories(training_profiles, names, maximum=maximum))
