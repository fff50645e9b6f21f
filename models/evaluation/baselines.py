"""What every model must beat: rules of one column, BG/NBD on purchases, and logistic regression. Higher means riskier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalogue.fitted import BgNbd
from features.profiles.specification import Specification
from features.snapshots import LabelWindow
from models.encoding import by_rows, encode
from models.scorers.bg_nbd import BUYING, Buyers, few_purchases
from models.scorers.calibration import Calibration, fit_platt
from models.scorers.logistic import fit_linear

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]
Score = Callable[[pa.Table], Values]


@dataclass(frozen=True)
class Rule:
    """A score that is one column of the profile.

    Attributes
    ----------
    sign
        1 where more is riskier, -1 where less is.
    says
        The rule in words.
    """

    column: str
    sign: float
    says: str


RULES = {
    "recency": Rule("days_since_last_event", 1.0, "the longer away, the riskier"),
    "frequency": Rule("active_days", -1.0, "the fewer active days so far, the riskier"),
    "overdue": Rule("overdue_ratio", 1.0, "the longer away by the user's own usual gap, the riskier"),
}


@dataclass(frozen=True)
class Baseline:
    """A simple score and its probability.

    Attributes
    ----------
    says
        What it does, in words.
    score
        Profiles to scores, shape (n,), higher means riskier.
    """

    name: str
    says: str
    score: Score
    calibration: Calibration

    def probability(self, profiles: pa.Table) -> Values:
        """Churn probability in (0, 1) of each profile, shape (n,)."""
        return self.calibration.probability(self.score(profiles))


def fit_baselines(
    train: pa.Table,
    churned: Labels | None,
    *,
    calibrate_on: tuple[pa.Table, Labels | Values],
    specification: Specification,
    window: LabelWindow,
) -> tuple[Baseline, ...]:
    """Fit every baseline that the profiles have the columns for, with Platt scaling each.

    Parameters
    ----------
    train, churned
        Profiles and labels, shape (n,), that the model learns from; None where no label is known, then nothing is learnt.
    calibrate_on
        Profiles and labels that the probabilities are fitted on, or probabilities that stand in for labels.
    window
        Where labels look, for BG/NBD.
    """
    profiles, left = calibrate_on
    found = [*_rules(train), *_buying(train, specification.fitted.bg_nbd, window=window)]
    if churned is not None:
        found.append(_logistic(train, churned, specification=specification))
    return tuple(Baseline(name, says, score, fit_platt(score(profiles), left)) for name, says, score in found)


_Named = tuple[str, str, Score]


# --- Rules ---------------------------------------------------------------------------------------------------------


def rule_scores(profiles: pa.Table, rule: str, *, usual_gap_days: float = 1.0) -> Values:
    """Score profiles by one of :data:`RULES`, shape (n,).

    Parameters
    ----------
    usual_gap_days
        Stands in for the own usual gap of users with one active day, who have none yet.
    """
    column = RULES[rule].column
    values = RULES[rule].sign * _column(profiles, column)
    if column != RULES["overdue"].column:
        return values
    return np.where(np.isnan(values), _column(profiles, "days_since_last_event") / usual_gap_days, values)


def _rules(train: pa.Table) -> Iterator[_Named]:
    """The rules whose columns there are; a user with one active day is taken to come as often as the median training user."""
    usual = _median_gap_days(train)
    for name, rule in RULES.items():
        if rule.column in train.column_names:
            score = partial(rule_scores, rule=name, usual_gap_days=usual)
            yield name, rule.says, _for_everybody(score, train, like=np.median)


def _for_everybody(score: Score, train: pa.Table, *, like: Callable[[Values], float]) -> Score:
    """Give users without a score that of some training user: frozen, and never taken from the others that are scored."""
    scores = score(train)
    known = scores[~np.isnan(scores)]
    stand_in = float(like(known)) if len(known) else 0.0

    def for_everybody(profiles: pa.Table) -> Values:
        found = score(profiles)
        return np.where(np.isnan(found), stand_in, found)

    return for_everybody


def _median_gap_days(train: pa.Table) -> float:
    if "gap_days_mean" not in train.column_names:
        return 1.0
    gaps = _column(train, "gap_days_mean")
    known = gaps[gaps > 0]
    return float(np.median(known)) if len(known) else 1.0


def _column(profiles: pa.Table, name: str) -> Values:
    column: Any = profiles.column(name)  # pyarrow's stubs refuse to fill one whose type is not known beforehand
    return column.cast(pa.float64()).fill_null(float("nan")).to_numpy()


# --- What is fitted ------------------------------------------------------------------------------------------------


def _buying(train: pa.Table, fitted: BgNbd | None, *, window: LabelWindow) -> Iterator[_Named]:
    """BG/NBD, where the log has purchases; who never bought is as risky as the riskiest buyer of training."""
    if fitted is None or not set(BUYING) <= set(train.column_names):
        return
    score = partial(_few_purchases, fitted=fitted, window=window)
    says = "the fewer purchases BG/NBD expects in the horizon, the riskier"
    yield "bg_nbd", says, _for_everybody(score, train, like=np.max)


def _few_purchases(profiles: pa.Table, *, fitted: BgNbd, window: LabelWindow) -> Values:
    """NaN for who never bought."""
    buyers = Buyers.of(np.stack([_column(profiles, name) for name in BUYING], axis=1))
    return few_purchases(fitted, buyers, gap_days=window.gap_days, horizon_days=window.horizon_days)


def _logistic(train: pa.Table, churned: Labels, *, specification: Specification) -> _Named:
    linear = fit_linear(encode(train, specification), churned, specification=specification, seed=0)
    says = "scikit-learn logistic regression on the features of the model"
    return "logistic", says, lambda profiles: by_rows(profiles, specification, score=linear.raw)
