"""How good scores and probabilities are, with intervals.

A figure that does not exist (the AUC of churners only) is NaN. No figure depends on the order of tied users.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.evaluation.ranking import Labels, Sample, Scored, Values, sizes
from models.weights import weighted

_BINS, _SHARES = 10, (0.01, 0.05, 0.10, 0.20)
_RESAMPLES, _FEWEST_RESAMPLES, _MOST_DRAWN = 200, 50, 200_000_000


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval over users."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One figure, in words.

    Attributes
    ----------
    better
        Which way is better; "none" where neither is.
    of
        Works it out.
    """

    name: str
    meaning: str
    better: Literal["higher", "lower", "none"]
    unit: str
    of: Callable[[Sample], float]


# --- Figures -------------------------------------------------------------------------------------------------------


def _log_loss(of: Sample) -> float:
    return of.mean(of.scored.logarithmic_losses)


def _brier(of: Sample) -> float:
    return of.mean(of.scored.square_losses)


def _reliability(of: Sample) -> float:
    users, churners, expected = of.bins(_BINS)
    return float(np.sum((expected - churners) ** 2 / users) / of.users)


def _resolution(of: Sample) -> float:
    users, churners, _ = of.bins(_BINS)
    return float(weighted(users, (churners / users - of.churn_rate) ** 2) / of.users)


def _uncertainty(of: Sample) -> float:
    return float(of.churn_rate * (1 - of.churn_rate))


def _calibration_error(of: Sample, bins: int = _BINS) -> float:
    _, churners, expected = of.bins(bins)
    return float(np.abs(expected - churners).sum() / of.users)


def _calibration_slope(of: Sample) -> float:
    return of.scored.recalibrated.slope_of(of.weights)


def _lift(of: Sample, top: float) -> float:
    return float(of.in_top(top) / top / of.churn_rate)


def _recall(of: Sample, top: float) -> float:
    return float(of.in_top(top) / of.churners[-1])


def _at(words: str, name: str, *, top: Callable[[Sample], float]) -> tuple[Figure, Figure]:
    return (
        Figure(
            f"lift_at_{name}",
            f"Churn rate among {words} over the churn rate of all.",
            "higher",
            "times",
            lambda of: _lift(of, top(of)),
        ),
        Figure(
            f"recall_at_{name}",
            f"Share of all churners who are among {words}.",
            "higher",
            "share",
            lambda of: _recall(of, top(of)),
        ),
    )


def _at_share(share: float) -> tuple[Figure, Figure]:
    percent = f"{100 * share:.0f}"
    return _at(f"the riskiest {percent} %", percent, top=lambda of: of.top_of(share))


_AT_CAPACITY = _at("the riskiest users, as many as the team can contact", "capacity", top=lambda of: of.at_capacity())
_TOPS = [_at_share(share) for share in _SHARES]
_LIST = (
    Figure("users", "Users that were scored.", "none", "users", lambda of: float(of.users)),
    Figure("churn_rate", "Share of the users that churned.", "none", "share", lambda of: float(of.churn_rate)),
    Figure("auc", "Chance that a random churner scores above a random stayer.", "higher", "share", Sample.auc),
    Figure(
        "average_precision",
        "Mean, over all churners, of the churn rate among those who score at least as high.",
        "higher",
        "share",
        Sample.average_precision,
    ),
    Figure("log_loss", "Mean surprise at what happened, sure mistakes costing most.", "lower", "nats", _log_loss),
    Figure("brier", "Mean square of churn probability less what happened (1 or 0).", "lower", "square", _brier),
    Figure(
        "brier_reliability",
        "Part of the Brier score from bins of ten whose churn rate is not what was said.",
        "lower",
        "square",
        _reliability,
    ),
    Figure(
        "brier_resolution",
        "Part of the Brier score saved by bins of ten whose churn rates differ.",
        "higher",
        "square",
        _resolution,
    ),
    Figure(
        "brier_uncertainty",
        "Brier score of saying the overall churn rate to everybody.",
        "none",
        "square",
        _uncertainty,
    ),
    Figure(
        "calibration_error",
        "Mean distance between churn probability and churn rate, over ten bins of equal count.",
        "lower",
        "share",
        _calibration_error,
    ),
    Figure(
        "calibration_slope",
        "1 where probabilities are as bold as they should be, below 1 where they are too bold.",
        "none",
        "ratio",
        _calibration_slope,
    ),
    *(lifts for lifts, _ in _TOPS),
    *(recalls for _, recalls in _TOPS),
    *_AT_CAPACITY,
)
FIGURES = {figure.name: figure for figure in _LIST}


def _known(capacity: int | None) -> list[Figure]:
    return [figure for figure in _LIST if capacity or figure not in _AT_CAPACITY]


# --- What others ask for -------------------------------------------------------------------------------------------


def summary(churned: Labels, probability: Values, *, capacity: int | None = None) -> dict[str, float]:
    """Every figure of a model on one test cutoff.

    Parameters
    ----------
    churned, probability
        Shape (n,); the probability is calibrated, in (0, 1).
    capacity
        How many users the team can contact; without it there are no figures at capacity.

    Notes
    -----
    ``brier = brier_reliability - brier_resolution + brier_uncertainty`` exactly where all users of a bin have one probability.
    Else the bins leave a rest: the spread of the probabilities within the bins, less twice their covariance with what happened.

    Source
    ------
    Murphy 1973, "A New Vector Partition of the Probability Score", Journal of Applied Meteorology 12(4); the rest: Stephenson,
    Coelho, Jolliffe 2008, "Two Extra Components in the Brier Score Decomposition", Weather and Forecasting 23(4). Calibration
    slope: Cox 1958, "Two Further Applications of a Model for Binary Regression", Biometrika 45.
    """
    sample = Scored.by_score(churned, probability, capacity=capacity).sample()
    with np.errstate(divide="ignore", invalid="ignore"):
        return {figure.name: figure.of(sample) for figure in _known(capacity)}


def intervals(  # noqa: PLR0913
    churned: Labels,
    probability: Values,
    *,
    seed: int,
    users: NDArray[np.int64] | None = None,
    capacity: int | None = None,
    of: Collection[str] = (),
) -> dict[str, Interval]:
    """Every figure of :func:`summary` except the number of users, with its interval.

    Parameters
    ----------
    of
        Only these.
    users
        One number per user, shape (n,), where users have several rows: all rows of a user are drawn together.
    """
    scored = Scored.by_score(churned, probability, capacity=capacity)
    figures = [figure for figure in _known(capacity) if figure.name != "users" and (not of or figure.name in of)]
    samples = (scored.sample(weights) for weights in _resamples(len(churned), users, seed=seed))
    with np.errstate(divide="ignore", invalid="ignore"):
        points = [figure.of(scored.sample()) for figure in figures]
        drawn = np.array([[figure.of(sample) for figure in figures] for sample in samples])
    found = zip(figures, points, drawn.T, strict=True)
    return {figure.name: _interval(point, column) for figure, point, column in found}


def paired(  # noqa: PLR0913, PLR0917
    churned: Labels, first: Values, second: Values, *, of: str, seed: int, users: NDArray[np.int64] | None = None
) -> Interval:
    """Figure ``of`` of the first score less that of the second, the same users drawn for both."""
    figure, scores = FIGURES[of].of, [Scored.by_score(churned, score) for score in (first, second)]

    def difference(weights: Values | None = None) -> float:
        return figure(scores[0].sample(weights)) - figure(scores[1].sample(weights))

    with np.errstate(divide="ignore", invalid="ignore"):
        drawn: list[float] = [difference(weights) for weights in _resamples(len(churned), users, seed=seed)]
        return _interval(difference(), np.array(drawn))


def _resamples(rows: int, users: NDArray[np.int64] | None, *, seed: int) -> Iterator[Values]:
    """Draw users with replacement: how often each row was drawn, shape (n,). Fewer resamples of very many rows."""
    random = np.random.default_rng(seed)
    places = np.arange(rows) if users is None else np.unique(users, return_inverse=True)[1]
    people = int(places.max()) + 1
    for _ in range(int(np.clip(_MOST_DRAWN // rows, _FEWEST_RESAMPLES, _RESAMPLES))):
        counts = np.bincount(random.integers(0, people, people), minlength=people).astype(np.float64)
        yield counts if users is None else counts[places]


def _interval(value: float, drawn: Values) -> Interval:
    """Take the percentiles of the resamples in which the figure exists."""
    exists = drawn[np.isfinite(drawn)]
    low, high = np.percentile(exists, [2.5, 97.5]) if len(exists) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def auc(churned: Labels, score: Values) -> float:
    """Area under the ROC curve: the chance that a random churner scores above a random stayer; a tie is half a chance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return Scored.by_score(churned, score).sample().auc()


def calibration_error(churned: Labels, probability: Values, *, bins: int = _BINS) -> float:
    """Weighted mean of the absolute differences between mean probability and churn rate, bins of equal count.

    Examples
    --------
    >>> calibration_error(np.array([True, False]), np.array([0.75, 0.25]), bins=2)
    0.25
    """
    return _calibration_error(Scored.by_score(churned, probability).sample(), bins)


def equal_count_bins(churned: Labels, probability: Values, *, bins: int) -> list[tuple[Values, Values]]:
    """Split (probability, churned) into bins of equal count, by rising probability; empty bins are left out.

    Returns
    -------
    Tied users share their churn rate, whichever of them fall into which bin: ``churned`` is 0, 1 or the rate of the tied.
    """
    scored = Scored.by_score(churned, probability)
    groups = np.diff(scored.ends, prepend=0)
    shared = np.repeat(np.diff(scored.sample().churners) / groups, groups)
    borders = np.cumsum(sizes(len(churned), bins))[:-1]
    return list(zip(np.split(scored.score, borders), np.split(shared, borders), strict=True))


def lift(churned: Labels, score: Values, *, share: float) -> float:
    """Churn rate among the top share of users (at least one) over the overall rate; ties at the border share their rate."""
    sample = Scored.by_score(churned, score).sample()
    with np.errstate(divide="ignore", invalid="ignore"):
        return _lift(sample, sample.top_of(share))
