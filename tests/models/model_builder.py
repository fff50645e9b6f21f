"""A small real churn model, fitted in a moment on made-up profiles; no log and no training code needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from features.activity.roll_up import DETECTED_FACTS
from features.catalogue.bounds import bounds_of
from features.catalogue.catalogue import catalogue, select
from features.catalogue.definition import Feature, Unit
from features.catalogue.fitted import FittedConstants
from features.eligibility import RECENT, TENURE
from features.profiles.specification import Specification
from features.schema import COLUMNS
from models.churn_model import ChurnModel, Quality, Reference
from models.definition import ChurnDefinition
from models.encoding import encode
from models.scorers.calibration import fit_platt
from models.scorers.ensemble import Scorer
from models.scorers.hazard import INTERVAL, Hazard, with_interval
from models.scorers.trees import Rows, TreeFitter, raw_scores
from models.settings import ModelSettings

CUTOFF = date(2026, 6, 1)
WINDOWS = (7, 28)
CATEGORIES = {
    "last_device_os": ("android", "ios"),
    "last_network": ("wifi", "4g", "5g"),
    "acquisition_channel": ("organic", "ads", "friends"),
}
FAMILIES = {"recency", "usage", "purchases"}
DEFINITION = ChurnDefinition(horizon_days=14, gap_days=0, active_within_days=14, min_tenure_days=0)


@cache
def specification(windows: tuple[int, ...] = WINDOWS) -> Specification:
    """Numbers of three families, and three categories, as a log with every column has them."""
    known = select(
        catalogue(windows, FittedConstants()), {*COLUMNS, *DETECTED_FACTS}, history_days=max(windows)
    ).features
    names = [
        feature.name
        for feature in known
        if feature.name in CATEGORIES or (feature.family in FAMILIES and not feature.is_text)
    ]
    return Specification(tuple(names), windows, categories=CATEGORIES)


def profiles_of(users: int, *, seed: int = 0, of: Specification | None = None) -> pa.Table:
    """Made-up profiles at :data:`CUTOFF`: every fifth value of a category or of a rate is null, some users are away too long."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        feature.name: _column(feature, users, random=random) for feature in (of or specification()).features
    }
    keys = {"user_id": [f"u{user}" for user in range(users)], "cutoff": pa.array([CUTOFF] * users, pa.date32())}
    return pa.table(keys | columns)


def _column(feature: Feature, users: int, *, random: np.random.Generator) -> pa.Array[Any]:
    absent = random.random(users) < 0.2
    if feature.is_text:
        known = [*CATEGORIES.get(feature.name, ("one", "two")), "never seen before"]
        return pa.array(random.choice(known, users), pa.string(), mask=absent)
    whole = {RECENT: (1, 21), TENURE: (30, 400)} | ({feature.name: (0, 2)} if feature.unit is Unit.FLAG else {})
    if feature.name in whole:
        return pa.array(random.integers(*whole[feature.name], users), pa.float64())
    if feature.when_absent == 0:
        return pa.array(np.minimum(random.poisson(5, users), bounds_of(feature)[1]), pa.float64())
    amounts = random.gamma(2, 3, users)
    return pa.array(amounts / (1 + amounts) if bounds_of(feature)[1] == 1 else amounts, pa.float64(), mask=absent)


def churned_among(profiles: pa.Table, *, seed: int = 0) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Who left: the longer inactive and the fewer events, the likelier; the rest is noise."""
    away = profiles.column(RECENT).to_numpy()
    events = profiles.column("events_7d").to_numpy()
    odds = 0.25 * (away - 10) - 0.4 * (events - 5)
    return np.random.default_rng(seed + 1).random(len(away)) < 1 / (1 + np.exp(-odds))


def fit_model(
    users: int = 800, *, trees: int = 20, seed: int = 0, of: Specification | None = None, leaves: int = 8
) -> ChurnModel:
    """Fit, calibrate and describe a model on made-up profiles."""
    used = of or specification()
    profiles = profiles_of(users, seed=seed, of=used)
    churned = churned_among(profiles, seed=seed)
    matrix = encode(profiles, used)
    settings = ModelSettings(num_leaves=leaves, min_data_in_leaf=10, lambda_l2=1.0)
    learner = TreeFitter(settings, seed, used.feature_names, tuple(used.categories))
    booster = learner.fit(Rows(matrix, churned, np.arange(users)), rounds=trees)
    raw = raw_scores(booster, matrix)
    return ChurnModel(
        Scorer.of_trees(booster),
        used,
        fit_platt(raw, churned),
        DEFINITION,
        Reference(tuple(np.sort(raw).tolist()), _medians(profiles, used)),
        Quality(
            date(2026, 5, 18), date(2026, 5, 4), {"auc": 0.8125, "calibration_error": 0.0125, "users": float(users)}
        ),
    )


@cache
def curved_model() -> ChurnModel:
    """The same model with curves: who has been away for long comes back later, and less after the first week."""
    model, profiles = tiny_model(), profiles_of(800)
    matrix, churned = encode(profiles, model.specification), churned_among(profiles)
    ends = np.repeat([7.0, 14.0, 30.0], len(matrix))
    stays = np.concatenate([churned, churned | (np.arange(len(churned)) % 2 == 0), np.ones(len(churned), np.bool_)])
    stays[-50:] = False
    settings = ModelSettings(num_leaves=8, min_data_in_leaf=10, feature_fraction=1.0)
    fitter = TreeFitter(settings, 0, (*model.specification.feature_names, INTERVAL), tuple(CATEGORIES))
    rows = Rows(with_interval(np.tile(matrix, (3, 1)), ends), stays, np.arange(len(ends)))
    return replace(model, hazard=Hazard(fitter.fit(rows, rounds=10), (7, 14, 30)))


def _medians(profiles: pa.Table, of: Specification) -> dict[str, float]:
    names = [feature.name for feature in of.features if not feature.is_text]
    return {name: float(np.median(profiles.column(name).drop_null().to_numpy())) for name in names}


@cache
def tiny_model() -> ChurnModel:
    """The same model for every test that only reads it."""
    return fit_model()


def rows_of(profiles: pa.Table, places: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Profiles as mappings."""
    rows = profiles.to_pylist()
    return rows if places is None else [rows[place] for place in places]
