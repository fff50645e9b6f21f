"""The charts of an evaluation: the text and the data of each. :mod:`training.report.rendering` draws them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np

from models.arrays import Labels, Values
from models.charts import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, SKY
from models.evaluation.baselines import Baseline
from models.evaluation.metrics import Interval, equal_count_bins
from models.evaluation.results import Evaluation
from models.shares import wilson
from training.data.dataset import Dataset
from training.evaluation.backtest import Backtest
from training.evaluation.learning_curve import LearningCurve
from training.report.rendering import Chart, Position, Series, draw

__all__ = ["backtest_chart", "base_rate_chart", "draw", "evaluation_charts", "learning_curve_chart"]

_POINTS = 200
_BINS, _NARROW_BINS = 10, 20
_FEATURES = 20
_BASELINES = (ORANGE, GREEN, PURPLE, SKY, GREY)


def evaluation_charts(
    test: Dataset,
    probability: Values,
    *,
    evaluation: Evaluation,
    baselines: Sequence[Baseline],
    importance: Mapping[str, float],
) -> tuple[Chart, ...]:
    """Describe the results on the test cutoff as charts.

    Parameters
    ----------
    probability
        Calibrated, shape (n,).
    importance
        Feature to its mean absolute contribution.
    """
    scores = {"model": probability} | {baseline.name: baseline.probability(test.profiles) for baseline in baselines}
    weights = test.weights
    charts = (
        calibration_chart(test.churned, probability, weights=weights),
        gains_chart(test.churned, scores, weights=weights),
        lift_chart(test.churned, scores, weights=weights),
        roc_chart(test.churned, scores, weights=weights),
        score_chart(test.churned, probability, weights=weights),
        importance_chart(importance),
    )
    return (*charts, slice_chart(evaluation)) if any(part.metrics for part in evaluation.slices) else charts


def calibration_chart(churned: Labels, probability: Values, *, weights: Values | None = None) -> Chart:
    """Churn rate by predicted probability, and how many users have which probability."""
    means, rates, users = _bins(churned, probability, weights=weights)
    counts, edges = np.histogram(probability, bins=_NARROW_BINS, range=(0, 1), weights=weights)
    intervals = tuple(_wilson(rate, size) for rate, size in zip(rates, users, strict=True))
    return Chart(
        "calibration",
        "Calibration on the test cutoff",
        "Points on the diagonal are calibrated: of users with a probability near .3, three in ten left. Each point is a tenth of "
        "the users; the grey bars show how many users have which probability.",
        position_label="churn probability",
        value_label="churn rate",
        series=(
            Series("share of the users", _middles(edges), _floats(counts / counts.sum()), "bars", PALE),
            Series("perfect", (0.0, 1.0), (0.0, 1.0), "dashes", GREY),
            Series("model", means, rates, "line and dots", BLUE, intervals),
        ),
        value_range=(0, 1),
    )


def gains_chart(churned: Labels, scores: Mapping[str, Values], *, weights: Values | None = None) -> Chart:
    """Share of the churners found when the riskiest users are contacted first."""
    share, found = _ranked(churned, scores, weights=_or_one_each(weights, churned))
    return Chart(
        "gains",
        "Gains: churners found, the riskiest first",
        "The higher the line, the more of all churners are among the contacted users.",
        position_label="share of the users contacted",
        value_label="share of all churners among them",
        series=(Series("random", (0.0, 1.0), (0.0, 1.0), "dashes", GREY), *_lines(share, found)),
        value_range=(0, 1.01),
    )


def lift_chart(churned: Labels, scores: Mapping[str, Values], *, weights: Values | None = None) -> Chart:
    """Churn rate among the riskiest users relative to that of all."""
    share, found = _ranked(churned, scores, weights=_or_one_each(weights, churned))
    enough = share * len(churned) >= max(10, 0.01 * len(churned))
    ratios = {name: values[enough] / share[enough] for name, values in found.items()}
    return Chart(
        "lift",
        "Lift: churn rate among the riskiest users over that of all",
        "1 is what contacting users at random achieves.",
        position_label="share of the users contacted",
        value_label="lift",
        series=(Series("random", (0.0, 1.0), (1.0, 1.0), "dashes", GREY), *_lines(share[enough], ratios)),
    )


def roc_chart(churned: Labels, scores: Mapping[str, Values], *, weights: Values | None = None) -> Chart:
    """Share of churners against share of retained users contacted; the area under the line is the AUC."""
    each, at = _or_one_each(weights, churned), np.linspace(0, 1, _POINTS + 1)
    lines = _lines(at, {name: _roc(churned, values, weights=each, at=at) for name, values in scores.items()})
    return Chart(
        "roc",
        "ROC: share of churners against share of retained users contacted",
        "The area under a line is its AUC.",
        position_label="share of all retained users contacted",
        value_label="share of all churners found",
        series=(Series("random", (0.0, 1.0), (0.0, 1.0), "dashes", GREY), *lines),
        value_range=(0, 1.01),
    )


def score_chart(churned: Labels, probability: Values, *, weights: Values | None = None) -> Chart:
    """Distribution of the probabilities of churners and of retained users."""
    edges, each = np.linspace(0, 1, _NARROW_BINS + 1), _or_one_each(weights, churned)
    shares = {
        name: np.histogram(probability[of], bins=edges, weights=each[of])[0] / (each[of].sum() or 1)
        for name, of in (("retained", ~churned), ("churned", churned))
    }
    return Chart(
        "scores",
        "Churn probabilities of retained users and of churners",
        "The further apart the two distributions, the better the model separates them.",
        position_label="churn probability",
        value_label="share of the class",
        series=(
            Series("retained", _middles(edges), _floats(shares["retained"]), "area", BLUE),
            Series("churned", _middles(edges), _floats(shares["churned"]), "area", ORANGE),
        ),
        value_range=(0, 1.1 * max(float(share.max()) for share in shares.values())),
    )


def importance_chart(importance: Mapping[str, float]) -> Chart:
    """Features by mean absolute contribution, the strongest first."""
    top = sorted(importance.items(), key=lambda pair: (-pair[1], pair[0]))[:_FEATURES]
    return Chart(
        "importance",
        "Feature importance",
        "Mean absolute contribution over the test users, in log-odds; correlated features share their credit.",
        position_label="",
        value_label="mean |contribution|, log-odds",
        series=(Series("", tuple(name for name, _ in top), _floats(value for _, value in top), "bars", BLUE),),
        is_horizontal=True,
    )


def slice_chart(evaluation: Evaluation) -> Chart:
    """AUC of each slice that has enough users, with its interval, compared with that of all users."""
    shown = [part for part in evaluation.slices if part.metrics]
    names = tuple(f"{part.dimension}: {part.value}  ({part.users:,})" for part in shown)
    found = tuple(part.metrics["auc"] for part in shown)
    return Chart(
        "slices",
        "AUC by slice, with 95 % intervals",
        "The model is less accurate on a slice whose whole interval is left of the others. Numbers of users in brackets.",
        position_label="",
        value_label="AUC",
        series=(
            Series("slice", names, tuple(one.value for one in found), "dots", BLUE, found),
            Series("all users", names, (evaluation.auc.value,) * len(names), "dashes", GREY),
        ),
        is_horizontal=True,
    )


def backtest_chart(backtest: Backtest) -> Chart:
    """AUC of each past week."""
    weeks = backtest.weeks
    at: tuple[Position, ...] = tuple(week.cutoff for week in weeks)
    found = tuple(week.auc for week in weeks)
    return Chart(
        "backtest",
        "Backtest: retrained before every past test",
        backtest.summary,
        position_label="test cutoff",
        value_label="AUC",
        series=(
            Series("model", at, tuple(one.value for one in found), "line and dots", BLUE, found),
            Series("best rule", at, tuple(week.better_rule_auc for week in weeks), "line and dots", ORANGE),
        ),
    )


def learning_curve_chart(curve: LearningCurve) -> Chart:
    """AUC by number of training users, with the extrapolation."""
    users = np.array([point.users for point in curve.points], dtype=np.float64)
    found = tuple(point.auc for point in curve.points)
    dots = Series("measured", _floats(users), tuple(one.value for one in found), "dots", BLUE, found)
    law: tuple[Series, ...] = ()
    if curve.law:
        at = np.linspace(users[0], 3 * users[-1], _POINTS)
        law = (Series("inverse power law", _floats(at), _floats(curve.law.auc(at)), "dashes", GREY),)
    return Chart(
        "learning_curve",
        "Learning curve: would more users help?",
        curve.summary,
        position_label="users trained on",
        value_label="AUC on the same test",
        series=(*law, dots),
    )


def base_rate_chart(datasets: Sequence[Dataset]) -> Chart:
    """Churn rate at every training and test cutoff."""
    counted: dict[date, Interval] = {}
    for dataset in datasets:
        for day in dataset.snapshots:
            of = dataset.cutoffs == np.datetime64(day)
            each = _or_one_each(dataset.weights, dataset.churned)[of]
            counted[day] = _wilson(float(np.average(dataset.churned[of], weights=each)), _users(each))
    cutoffs = tuple(sorted(counted))
    found = tuple(counted[day] for day in cutoffs)
    return Chart(
        "base_rates",
        "Churn rate by cutoff",
        "The calibration uses the latest period whose labels are known, because this rate may change over time.",
        position_label="cutoff",
        value_label="churn rate",
        series=(Series("", cutoffs, tuple(one.value for one in found), "line and dots", BLUE, found),),
    )


def _bins(
    churned: Labels, probability: Values, *, weights: Values | None
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]]:
    """Return mean probability, churn rate and number of users of each tenth of the users, by increasing probability."""
    if weights is None:
        found = equal_count_bins(churned, probability, bins=_BINS)
        return (
            _floats(p.mean() for p, _ in found),
            _floats(c.mean() for _, c in found),
            tuple(len(c) for _, c in found),
        )
    order = np.argsort(probability, kind="stable")
    passed = np.cumsum(weights[order])
    borders = np.searchsorted(passed, passed[-1] * np.arange(1, _BINS) / _BINS)
    parts = [part for part in np.split(order, borders) if len(part)]
    means, rates = (
        _floats(np.average(one[part], weights=weights[part]) for part in parts) for one in (probability, churned)
    )
    return means, rates, tuple(_users(weights[part]) for part in parts)


def _or_one_each(weights: Values | None, churned: Labels) -> Values:
    return np.ones(len(churned)) if weights is None else weights


def _users(weights: Values) -> int:
    """Return how many users tell as much as these do: Kish's effective sample size (Survey Sampling, 1965)."""
    return round(weights.sum() ** 2 / (weights**2).sum())


def _ranked(churned: Labels, scores: Mapping[str, Values], *, weights: Values) -> tuple[Values, dict[str, Values]]:
    """Return shares of the users, and of all churners among the users with the highest scores; ties share their rate."""
    share = np.unique(np.linspace(0, len(churned), _POINTS + 1).round()) / len(churned)
    found = {
        name: np.interp(share * weights.sum(), *_steps(churned, one, weights=weights)) for name, one in scores.items()
    }
    return share, {name: values / (weights[churned].sum() or 1) for name, values in found.items()}


def _steps(churned: Labels, score: Values, *, weights: Values) -> tuple[Values, Values]:
    """Return users and churners up to each group of tied scores, the highest first, from zero; shape (groups + 1,)."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])) + 1, len(score)) - 1
    users, churners = (np.cumsum(one[order])[ends] for one in (weights, weights * churned))
    return np.append(0.0, users), np.append(0.0, churners)


def _roc(churned: Labels, score: Values, *, weights: Values, at: Values) -> Values:
    users, churners = _steps(churned, score, weights=weights)
    retained = (users - churners) / (weights[~churned].sum() or 1)
    return np.interp(at, retained, churners / (weights[churned].sum() or 1))


def _lines(at: Values, found: Mapping[str, Values]) -> list[Series]:
    return [
        Series(name, _floats(at), _floats(values), "line", _colour(index))
        for index, (name, values) in enumerate(found.items())
    ]


def _colour(index: int) -> str:
    return BLUE if index == 0 else _BASELINES[(index - 1) % len(_BASELINES)]


def _wilson(share: float, users: int) -> Interval:
    found = wilson(share * users, users)
    return Interval(found.value, found.low, found.high)


def _middles(edges: Values) -> tuple[float, ...]:
    return _floats((edges[:-1] + edges[1:]) / 2)


def _floats(values: Iterable[float] | Values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
