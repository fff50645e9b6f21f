"""Training for new users, whom the champion does not score: who they are, what their profiles can see, how often they are seen."""

from __future__ import annotations

from collections.abc import Sequence

from features.errors import SettingsError
from features.settings import ChurnSettings, FeatureSettings
from training.settings import TrainingSettings

SUFFIX = "-new"  # of the registered model, next to that of the project
SNAPSHOT_DAYS = 3  # each is new in two or three snapshots, and these fall on every weekday
_NEW_DAYS = 7


def new_users_only(
    churn: ChurnSettings, features: FeatureSettings, *, training: TrainingSettings
) -> tuple[ChurnSettings, FeatureSettings]:
    """Return the sections under which a model of new users is trained.

    Windows that end before anybody was there are dropped, unless settings name features, which may be of such windows.

    Raises
    ------
    SettingsError
        When profiles see so little history that everybody would look new.

    Examples
    --------
    >>> churn, features = new_users_only(ChurnSettings(min_tenure_days=15), FeatureSettings(), training=TrainingSettings())
    >>> churn.min_tenure_days, churn.max_tenure_days, features.windows_days
    (1, 14, (1, 3, 7, 14))
    """
    days = training.new_user_days or max(churn.min_tenure_days - 1, 0) or _NEW_DAYS
    observed = features.observation_days
    if observed and observed <= days:
        raise SettingsError(
            f"[features] observation_days is {observed}, and new users are up to {days} days old: everybody would look new",
            hint=f"set it to more than {days}, or omit it",
        )
    if not (features.custom or features.exclude):
        features = features.model_copy(update={"windows_days": _windows_within(days, features.windows_days)})
    return churn.model_copy(update={"min_tenure_days": 1, "max_tenure_days": days}), features


def _windows_within(days: int, windows: Sequence[int]) -> tuple[int, ...]:
    """Return the windows up to the first that holds all days of a new user."""
    return tuple(one for one in windows if one < days) + tuple(one for one in windows if one >= days)[:1]
