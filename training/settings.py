"""The settings of this package."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from features.settings import MAX_HORIZON_DAYS, Section, setting


def _distinct(days: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(days)) < len(days):
        raise ValueError("expected each horizon once")
    return days


_Horizons = Annotated[tuple[Annotated[int, Field(ge=1, le=MAX_HORIZON_DAYS)], ...], AfterValidator(_distinct)]


class TrainingSettings(Section):
    """``[training]``: which snapshots the model is trained and tested on."""

    test_cutoff: date | None = setting(None, "The test cutoff; default: the latest whose horizon the log covers.")
    population: Literal["all", "new"] = setting(
        "all",
        'Whom the model is for: all whom [churn] makes eligible; or "new": only new users, as a model of its own, <project>-new.',
    )
    new_user_days: int | None = setting(
        None,
        'With population = "new": users first seen 1 to this many days before a cutoff; default: who is younger than '
        "[churn] min_tenure_days, else 7.",
        unit="days",
        ge=1,
        le=90,
    )
    snapshot_every_days: int | None = setting(
        None,
        "Days between snapshots; default: 1 for horizons up to 7 days, else 7; for new users 3.",
        unit="days",
        ge=1,
    )
    calibration_snapshots: int = setting(
        4,
        "Number of latest labelled snapshots to calibrate on; at least 7 daily ones where the horizon is not whole weeks.",
        ge=1,
    )
    max_snapshots: int = setting(52, "Maximum number of training snapshots; the latest are used.", ge=1)
    horizons_days: _Horizons = setting(
        (),
        "Horizons to train a model each for; registered as <project>_7d and so on.",
        unit="days",
    )
    recency_half_life_days: float | None = setting(
        None, "Half-life of snapshot weights; default: all alike.", unit="days", gt=0
    )
    search_trials: int = setting(0, 'Hyperparameter trials; need the extra "search".', unit="trials", ge=0)
    refit: bool = setting(default=False, words="Refit the tested model on every finished snapshot, and serve that.")
    backtest_weeks: int = setting(0, "Past weeks to train and test, each as if it were the last.", ge=0)
    learning_curve: bool = setting(
        default=False, words="Train on growing shares of the users, to see what more users would add."
    )
    curve: bool = setting(
        default=False,
        words="Also fit a curve for each user: how the churn probability depends on the horizon, over 7 to 90 days.",
    )
    capacity: int | None = setting(
        None, "Users that the team can contact in a week; lift and recall are reported there too.", unit="users", ge=1
    )
    seed: int = setting(7, "Random seed.", ge=0)
    max_training_rows: int = setting(
        2_000_000, "More rows, for training or test, are sampled down, by user.", unit="rows", ge=1000
    )
    min_class_users: int = setting(
        100,
        "Minimum number of churned users, and of retained users, in each part.",
        unit="users",
        ge=2,
        was="training.min_class_rows",
    )
    treated_users: Literal["exclude", "keep"] = setting(
        "exclude",
        "Rows of users who were contacted before their label was known: exclude them, where enough users were held out, or keep them.",
    )


class AuditSettings(Section):
    """``[audit]``: the limits of the leakage audit, and how many rows it checks."""

    single_feature_auc: float = setting(
        0.95, "Alarm: one feature alone separates churners from retained users with more than this AUC.", gt=0.5, le=1
    )
    single_feature_margin: float = setting(
        0.15, "Alarm: one feature alone has an AUC that is more than this above that of every other.", gt=0, le=0.5
    )
    identifier_share: float = setting(
        0.8, "Alarm: a feature has different values for more than this share of the users.", gt=0, le=1
    )
    jump: float = setting(
        0.3,
        "Alarm: from one snapshot to the next the distribution of a feature moves this far (Kolmogorov-Smirnov "
        "distance) beyond what is usual for it.",
        gt=0,
        le=1,
    )
    max_rows: int = setting(20_000, "Maximum number of rows for the statistics and the canaries.", unit="rows", ge=1000)
    rebuilt_profiles: int = setting(
        1000, "Profiles that are rebuilt from only the days before their cutoff.", unit="profiles", ge=100
    )


class AdviceSettings(Section):
    """``[advice]``: how ``churn horizon`` chooses among horizons."""

    candidates_days: tuple[Annotated[int, Field(ge=1, le=365)], ...] = setting(
        (7, 14, 21, 28, 30, 42, 56, 60, 84, 90, 126, 182, 364),
        "Horizons to compare, besides the configured one.",
        unit="days",
        min_length=1,
        was="horizon.candidates_days",
    )
    return_share: float = setting(
        0.10,
        "A horizon mislabels where at least this share of those it labels churned come back.",
        gt=0,
        lt=1,
        was="horizon.return_share",
    )
    min_snapshots: int = setting(
        3,
        "Minimum number of training snapshots that a recommended horizon must leave.",
        ge=1,
        was="horizon.min_snapshots",
    )


class OutagesSettings(Section):
    """``[outages]``: when a day's volume has collapsed, and which snapshots to exclude for it."""

    exclude: bool = setting(
        default=True,
        words="Exclude snapshots whose windows touch an outage of the log.",
        was="training.drop_outages",
    )
    below_share: float = setting(
        0.5, "An outage: events and active users both below this share of what is usual on that weekday.", gt=0, lt=1
    )
    recent_days: int = setting(
        7, "Days before a cutoff in which an outage makes eligibility unreliable.", unit="days", ge=0
    )
    tolerated_share: float = setting(
        0.02, "Share of the labels of a snapshot that outages may make wrong, as estimated.", ge=0, lt=1
    )
    closed: tuple[date, ...] = setting(
        (), "Days on which nothing happens on purpose, such as holidays of a shop: these are not outages."
    )
    holidays: str = setting(
        "",
        'Country, as DE, or part of one, as DE-BY, whose public holidays are closed days; needs the extra "holidays".',
    )


class BotsSettings(Section):
    """``[bots]``: whether users whose rhythm is inhuman are excluded."""

    exclude: bool = setting(
        default=False,
        words="Exclude users whose rhythm is inhuman from training and test; they are still scored.",
    )


class DriftSettings(Section):
    """``[drift]``: how far a feature may drift between the training snapshots."""

    exclude: bool = setting(
        default=True,
        words="Exclude categories whose values drift, and whatever only reveals the date.",
        was="training.drop_drifting",
    )
    max_category_auc: float = setting(
        0.6,
        "A text feature that separates early from late snapshots with a higher AUC than this is pooled, or dropped.",
        ge=0.5,
        le=1,
        was="stability.most_category_auc",
    )
    max_number_auc: float = setting(
        0.98,
        "A number that separates early from late snapshots with a higher AUC than this reveals the date, and is dropped.",
        ge=0.5,
        le=1,
        was="stability.most_number_auc",
    )


class PromotionSettings(Section):
    """``[promotion]``: what a challenger must show before it becomes champion."""

    max_worse_log_loss: float = setting(
        0.01,
        "The whole interval of the difference in log loss to the champion must lie at or under this.",
        unit="nats",
        ge=0,
    )
    min_lift_ratio: float = setting(
        0.95, "Refused where the lift at 10 % is clearly under this share of the champion's.", ge=0, le=1
    )
    max_calibration_error: float = setting(
        0.05, "Largest calibration error, unless the champion's, or what chance shows, is larger.", gt=0, le=1
    )
    max_slice_loss: float = setting(
        0.03, "Refused where the log loss of a slice is clearly worse by more than this.", unit="nats", ge=0
    )
    needs_clean_audit: bool = setting(
        default=True, words="Refuse a challenger whose leakage audit found something, or is unknown."
    )
    backtest_weeks: int = setting(
        4, "Past weeks on which recipes are compared where the models have seen every finished one.", ge=1
    )
