"""Was the model right? Expected against actual churners among the users who were left alone, whether listed or not.

Those who were contacted are never part of it: contacts that work must not look like a model that fails. They stand apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from models.arrays import Labels, Values
from models.evaluation.metrics import Interval, intervals
from serving.score import RISK_BANDS
from serving.weekly.account.confidence_sequence import ALPHA, MIN_OUTCOMES, SEASON_WEEKS, ConfidenceSequence
from serving.weekly.account.outcomes import ScoredWeek
from serving.weekly.arms import TREATED

METRICS = ("auc", "brier", "calibration_error", "lift_at_1", "lift_at_5", "lift_at_10", "lift_at_20")
_QUANTILES, _LARGEST_GROUPS = 10, 10
_UNKNOWN, _OTHERS = "unknown", "others"
Which = Callable[[ScoredWeek], Labels]


@dataclass(frozen=True)
class Comparison:
    """Churners that the model expected, and churners that there were.

    Attributes
    ----------
    rows, users
        Scores, one per user and cutoff; and users, each once.
    expected
        Sum of the churn probabilities.
    low, high
        Interval of the actual number: what a model that is right expects lies in it, with 95 % for all groups of a dimension
        together and however often it is read; of weeks, for those of half a year.
    is_too_small
        Fewer than 15 churned, or fewer than 15 did not: the interval says little.
    """

    name: str
    rows: int
    users: int
    expected: float
    actual: int
    low: float
    high: float
    is_too_small: bool

    @property
    def agrees(self) -> bool:
        """Whether the expected number lies in the interval of the actual one."""
        return self.low <= self.expected <= self.high


@dataclass(frozen=True)
class ModelAccount:
    """How right the model was on users who were left alone.

    Attributes
    ----------
    status
        "too early" until 15 users churned and 15 did not; "as expected", "more churners" or "fewer churners" than expected by an
        interval that may be read every week.
    words
        One sentence.
    overall
        All of them.
    score_over_base_rate
        Mean churn probability over churn rate; 1 is ideal. Its interval is that of the actual number.
    metrics
        AUC, Brier score, calibration error and lifts (ties split), with 95 % bootstrap intervals over users.
    quantiles
        By churn probability, in ten groups of about equal size; tied scores stay together.
    parts
        By dimension: band, decile, device, channel and week.
    treated
        Users on a list who were to be contacted: expected if left alone, and what happened; overall and by band.
    """

    status: Literal["too early", "as expected", "more churners", "fewer churners"]
    words: str
    overall: Comparison
    score_over_base_rate: Interval
    metrics: dict[str, Interval]
    quantiles: tuple[Comparison, ...]
    parts: dict[str, tuple[Comparison, ...]]
    treated: tuple[Comparison, ...]


# --- Rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Scores whose outcomes are known, all of shape (n,).

    Attributes
    ----------
    user
        One number per user, as a user has a row for each cutoff.
    labels
        Dimension to the group of each row.
    """

    user: NDArray[np.int64]
    probability: Values
    churned: Labels
    labels: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.user)

    def where(self, which: Labels) -> Rows:
        """Return some of the rows."""
        labels = {name: values[which] for name, values in self.labels.items()}
        return Rows(self.user[which], self.probability[which], self.churned[which], labels)

    def compare(self, name: str, *, errors: float) -> Comparison:
        """Compare expected with actual churners; the interval is so many standard errors to each side."""
        actual, reach = int(self.churned.sum()), errors * self.standard_error
        low, high = max(actual - reach, 0.0), min(actual + reach, float(len(self)))
        rarer = min(actual, len(self) - actual)
        expected = float(self.probability.sum())
        return Comparison(name, len(self), self.users, expected, actual, low, high, rarer < MIN_OUTCOMES)

    @property
    def users(self) -> int:
        """Users, each once."""
        return len(np.unique(self.user))

    @property
    def standard_error(self) -> float:
        """That of actual less expected churners, if the model is right.

        What a user does in one week and in the next belongs together. Where hardly anybody churned the residuals say too little of
        their variance, so it is at least the one that the probabilities imply.

        Source
        ------
        Liang, Zeger 1986, "Longitudinal Data Analysis Using Generalized Linear Models", Biometrika 73(1): the robust variance, of
        a sum.
        """
        of_users = np.bincount(self.user, self.churned - self.probability) if len(self) else np.zeros(1)
        implied = (self.probability * (1 - self.probability)).sum()
        return float(np.sqrt(max((of_users**2).sum(), implied)))


def rows_of(weeks: Sequence[ScoredWeek], which: Which) -> Rows:
    """Put the rows of weeks together."""
    chosen = [which(week) for week in weeks]

    def column(name: str) -> NDArray[Any]:
        parts = [week.column(name)[rows] for week, rows in zip(weeks, chosen, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0)

    user = np.unique(column("user_id").astype(str), return_inverse=True)[1].astype(np.int64)
    cutoffs = [np.full(int(rows.sum()), str(week.cutoff)) for week, rows in zip(weeks, chosen, strict=True)]
    labels = {
        "band": column("risk_band"),
        "decile": decile_of(column("percentile").astype(np.float64)),
        "device": _groups(column("device")),
        "channel": _groups(column("channel")),
        "week": np.concatenate(cutoffs) if cutoffs else np.zeros(0),
    }
    return Rows(user, column("churn_probability").astype(np.float64), column("churned").astype(np.bool_), labels)


def decile_of(percentile: Values) -> NDArray[np.int64]:
    """Return the decile of percentiles, 1 the riskiest.

    Examples
    --------
    >>> decile_of(np.array([0.0, 55.0, 90.0, 100.0])).tolist()
    [10, 5, 1, 1]
    """
    return 10 - np.minimum(percentile // 10, 9).astype(np.int64)


def _groups(values: NDArray[Any]) -> NDArray[Any]:
    """Return the largest groups under their names, and all others under one."""
    names = np.array([_UNKNOWN if value is None else str(value) for value in values], dtype=object)
    found, counts = np.unique(names.astype(str), return_counts=True)
    largest = set(found[np.argsort(-counts, kind="stable")[:_LARGEST_GROUPS]].tolist())
    return np.array([name if name in largest else _OTHERS for name in names], dtype=object)


# --- The account -----------------------------------------------------------------------------------------------------


def model_account(weeks: Sequence[ScoredWeek], *, seed: int) -> ModelAccount:
    """Compare what was expected with what happened, in weeks that are final and that the model was not trained on.

    Parameters
    ----------
    seed
        Of the bootstrap.
    """
    final = [week for week in weeks if week.is_final and not week.was_trained_on]
    alone = rows_of(final, _is_left_alone)
    width = Width.of(alone, next(iter(final), None), which=_is_left_alone)
    overall = alone.compare("all", errors=width.errors(alone))
    status = _status(overall)
    return ModelAccount(
        status,
        _words(overall, status),
        overall,
        _score_over_base_rate(overall),
        _metrics(alone, seed=seed) if status != "too early" else {},
        tuple(_quantiles(alone, width)),
        {name: tuple(_parts(alone, name, width=width)) for name in alone.labels if _is_known(alone.labels[name])},
        tuple(_treated(final)),
    )


@dataclass(frozen=True)
class Width:
    """How many standard errors wide intervals are, so that they may be read every week.

    They are the tightest at as many users as there were in the first week: that number is known before any outcome.

    Attributes
    ----------
    first_users
        Users of all groups in the first week.
    rows
        Of all groups.
    """

    first_users: int
    rows: int

    @classmethod
    def of(cls, rows: Rows, first: ScoredWeek | None, *, which: Which) -> Width:
        """Plan for the users who are chosen from the first week."""
        return cls(max(int(which(first).sum()), 1) if first else 1, len(rows))

    def errors(self, part: Rows, *, groups: int = 1) -> float:
        """Return how many, for one of so many groups whose intervals hold together; the usual number where it is empty."""
        planned = self.first_users * len(part) / max(self.rows, 1)
        return (
            float(ConfidenceSequence(planned, ALPHA / groups).multiplier(part.users)) if planned else errors_of(groups)
        )


def _status(overall: Comparison) -> Literal["too early", "as expected", "more churners", "fewer churners"]:
    if overall.is_too_small:
        return "too early"
    if overall.agrees:
        return "as expected"
    return "more churners" if overall.actual > overall.expected else "fewer churners"


def _words(overall: Comparison, status: str) -> str:
    rows = f"{overall.rows:,} scores of {overall.users:,} users who were left alone"
    if status == "too early":
        return (
            f"too early to say: {rows} have a known outcome, {overall.actual:,} of them churned; "
            f"at least {MIN_OUTCOMES} must have churned, and {MIN_OUTCOMES} not"
        )
    found = f"{overall.expected:,.0f} churners expected, {overall.actual:,} there were ({overall.low:,.0f} to {overall.high:,.0f})"
    if status == "as expected":
        return f"yes, within the interval: {found}, among {rows}"
    return f"no, {status} than expected: {found}, among {rows}"


def _score_over_base_rate(overall: Comparison) -> Interval:
    found = [overall.expected / of if of > 0 else float("nan") for of in (overall.actual, overall.high, overall.low)]
    return Interval(*found)


def _metrics(alone: Rows, *, seed: int) -> dict[str, Interval]:
    return intervals(alone.churned, alone.probability, seed=seed, users=alone.user, of=METRICS)


def _quantiles(alone: Rows, width: Width) -> Iterator[Comparison]:
    if not len(alone):
        return
    edges = np.quantile(alone.probability, np.arange(1, _QUANTILES) / _QUANTILES, method="lower")
    places = np.searchsorted(edges, alone.probability, side="left")
    found = np.unique(places)
    for place in found:
        rows = alone.where(places == place)
        name = f"{rows.probability.min():.3f} to {rows.probability.max():.3f}"
        yield rows.compare(name, errors=width.errors(rows, groups=len(found)))


def _parts(rows: Rows, dimension: str, *, width: Width) -> Iterator[Comparison]:
    names = _in_order(rows.labels[dimension], dimension)
    for name in names:
        part = rows.where(rows.labels[dimension] == name)
        of_week = dimension == "week"  # it is read once, when it is final
        errors = errors_of(SEASON_WEEKS) if of_week else width.errors(part, groups=len(names))
        yield part.compare(str(name), errors=errors)


def errors_of(groups: int) -> float:
    """Return how many standard errors intervals are wide that hold for all groups together in 95 %.

    Source: Bonferroni's inequality.

    Examples
    --------
    >>> round(errors_of(1), 2), round(errors_of(10), 2)
    (1.96, 2.81)
    """
    return float(norm.ppf(1 - ALPHA / 2 / groups))


def _in_order(groups: NDArray[Any], dimension: str) -> list[Any]:
    if dimension == "band":
        return [band for band in RISK_BANDS if (groups == band).any()]
    found = sorted(set(groups.tolist()))
    return (
        found
        if dimension in ("decile", "week")
        else sorted(found, key=lambda name: (-int((groups == name).sum()), name))
    )


def _is_known(groups: NDArray[Any]) -> bool:
    return len(groups) > 0 and set(groups.tolist()) != {_UNKNOWN}


def _treated(weeks: Sequence[ScoredWeek]) -> Iterator[Comparison]:
    rows = rows_of(weeks, _is_treated)
    if len(rows):
        width = Width.of(rows, weeks[0], which=_is_treated)
        yield rows.compare("all", errors=width.errors(rows))
        yield from (replace(part, name=f"{part.name} band") for part in _parts(rows, "band", width=width))


def _is_left_alone(week: ScoredWeek) -> Labels:
    return week.column("is_left_alone").astype(np.bool_)


def _is_treated(week: ScoredWeek) -> Labels:
    return is_listed(week) & (week.column("arm") == TREATED)


def is_listed(week: ScoredWeek) -> Labels:
    """Tell who was on a list, shape (n,)."""
    return np.array([one is not None for one in week.column("list")], dtype=np.bool_)
