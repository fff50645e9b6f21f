"""Baselines: rules of one column, BG/NBD on purchases, and logistic regression. Higher means riskier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from features.catalogue.fitted import BgNbd
from features.profiles.specification import Specification
from features.snapshots import LabelWindow
from models.arrays import Labels, Values
from models.encoding import by_rows, encode
from models.scorers.bg_nbd import Buyers, purchase_risk, repeat_features
from models.scorers.calibration import Calibration, fit_platt
from models.scorers.logistic import fit_linear

Score = Callable[[pa.Table], Values]


@dataclass(frozen=True)
class Rule:
    """A score that is a single column of the profile.

    Attributes
    ----------
    sign
        1 where a higher value is riskier, -1 where a lower one is.
    description
        The rule in words.
    """

    column: str
    sign: float
    description: str


RULES = {
    "recency": Rule("days_since_last_event", 1.0, "the longer inactive, the riskier"),
    "frequency": Rule("active_days", -1.0, "the fewer active days so far, the riskier"),
    "overdue": Rule("overdue_ratio", 1.0, "the longer inactive, relative to the user's usual gap, the riskier"),
}


ABOVE_RULE = 0.05  # AUC: a rule that is very good itself leaves no more than that to anything honest


@dataclass(frozen=True)
class Baseline:
    """A simple score and its probability.

    Attributes
    ----------
    description
        What it does, in words.
    score
        Profiles to scores, shape (n,), higher means riskier.
    """

    name: str
    description: str
    score: Score
    calibration: Calibration

    def probability(self, profiles: pa.Table) -> Values:
        """Churn probability in (0, 1) of each profile, shape (n,)."""
        return self.calibration.probability(self.score(profiles))


@dataclass(frozen=True)
class LabelledProfiles:
    """Profiles with what is known of them, all of shape (n,).

    Attributes
    ----------
    churned
        Labels, or probabilities in place of labels.
    weights
        For how many users each stands, with mean 1; None: one each.
    """

    profiles: pa.Table
    churned: Labels | Values
    weights: Values | None = None


def fit_baselines(
    train: LabelledProfiles | pa.Table,
    *,
    calibrate_on: LabelledProfiles,
    specification: Specification,
    window: LabelWindow,
) -> tuple[Baseline, ...]:
    """Fit every baseline whose columns the profiles have, each with Platt scaling.

    Parameters
    ----------
    train
        A table where no label is known: then logistic regression is not fitted.
    calibrate_on
        What the probabilities are fitted on.
    window
        The label window, for BG/NBD.
    """
    columns = train if isinstance(train, pa.Table) else train.profiles
    found = [*_rules(columns), *_bg_nbd(columns, specification.fitted.bg_nbd, window=window)]
    if isinstance(train, LabelledProfiles):
        found.append(_logistic(train, specification=specification))
    profiles, labels, weights = calibrate_on.profiles, calibrate_on.churned, calibrate_on.weights
    return tuple(
        Baseline(name, text, score, fit_platt(score(profiles), labels, weights=weights)) for name, text, score in found
    )


_NamedScore = tuple[str, str, Score]


# --- Rules ---------------------------------------------------------------------------------------------------------


def rule_scores(profiles: pa.Table, rule: str, *, usual_gap_days: float = 1.0) -> Values:
    """Score profiles by one of :data:`RULES`, shape (n,).

    Parameters
    ----------
    usual_gap_days
        Used for users with one active day, who have no usual gap yet.
    """
    column = RULES[rule].column
    values = RULES[rule].sign * _column(profiles, column)
    if column != RULES["overdue"].column:
        return values
    return np.where(np.isnan(values), _column(profiles, "days_since_last_event") / usual_gap_days, values)


def _rules(train: pa.Table) -> Iterator[_NamedScore]:
    """The rules whose columns exist; the usual gap of a user with one active day is that of the median training user."""
    usual = _median_gap_days(train)
    for name, rule in RULES.items():
        if rule.column in train.column_names:
            score = partial(rule_scores, rule=name, usual_gap_days=usual)
            yield name, rule.description, _with_default(score, train, like=np.median)


def _with_default(score: Score, train: pa.Table, *, like: Callable[[Values], float]) -> Score:
    """Give users without a score a default from training: frozen, and never taken from other scored users."""
    scores = score(train)
    known = scores[~np.isnan(scores)]
    default = float(like(known)) if len(known) else 0.0

    def with_default(profiles: pa.Table) -> Values:
        found = score(profiles)
        return np.where(np.isnan(found), default, found)

    return with_default


def _median_gap_days(train: pa.Table) -> float:
    if "gap_days_mean" not in train.column_names:
        return 1.0
    gaps = _column(train, "gap_days_mean")
    known = gaps[gaps > 0]
    return float(np.median(known)) if len(known) else 1.0


def _column(profiles: pa.Table, name: str) -> Values:
    column: Any = profiles.column(name)  # pyarrow's stubs refuse to fill one whose type is not known beforehand
    return column.cast(pa.float64()).fill_null(float("nan")).to_numpy()


# --- Fitted models -------------------------------------------------------------------------------------------------


def _bg_nbd(train: pa.Table, fitted: BgNbd | None, *, window: LabelWindow) -> Iterator[_NamedScore]:
    """BG/NBD, where the log has purchases; users who never bought are as risky as the riskiest buyer of training."""
    if fitted is None or not set(repeat_features(train.column_names)) <= set(train.column_names):
        return
    score = partial(_purchase_risk, fitted=fitted, window=window)
    description = "the fewer purchases BG/NBD expects in the horizon, the riskier"
    yield "bg_nbd", description, _with_default(score, train, like=np.max)


def _purchase_risk(profiles: pa.Table, *, fitted: BgNbd, window: LabelWindow) -> Values:
    """NaN for users who never bought."""
    names = repeat_features(profiles.column_names)
    buyers = Buyers.of(np.stack([_column(profiles, name) for name in names], axis=1))
    return purchase_risk(fitted, buyers, gap_days=window.gap_days, horizon_days=window.horizon_days)


def _logistic(train: LabelledProfiles, *, specification: Specification) -> _NamedScore:
    matrix, churned = encode(train.profiles, specification), np.asarray(train.churned, dtype=np.bool_)
    linear = fit_linear(matrix, churned, specification=specification, seed=0, weights=train.weights)
    description = "scikit-learn logistic regression on the features of the model"
    return "logistic", description, lambda profiles: by_rows(profiles, specification, score=linear.raw)
