"""What each picture of an evaluation shows: its words and its data. How it is painted stands in :mod:`training.report.rendering`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from models.evaluation.baselines import Baseline
from models.evaluation.metrics import Interval, equal_count_bins
from models.evaluation.results import Evaluation
from training.data.dataset import Dataset
from training.evaluation.backtest import Backtest
from training.evaluation.learning_curve import LearningCurve
from training.report.rendering import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, SKY, Picture, Place, Series, draw

__all__ = ["draw", "of_backtest", "of_base_rates", "of_learning_curve", "pictures"]

_POINTS = 200
_BINS, _NARROW = 10, 20
_FEATURES = 20
_BASELINES = (ORANGE, GREEN, PURPLE, SKY, GREY)
_WITHIN_95 = 1.96

Labels = NDArray[np.bool_]
Values = NDArray[np.float64]


def pictures(
    test: Dataset,
    probability: Values,
    *,
    evaluation: Evaluation,
    baselines: Sequence[Baseline],
    importance: Mapping[str, float],
) -> tuple[Picture, ...]:
    """Describe what the test showed.

    Parameters
    ----------
    probability
        Calibrated, shape (n,).
    importance
        Feature to its mean absolute contribution.
    """
    scores = {"model": probability} | {baseline.name: baseline.probability(test.profiles) for baseline in baselines}
    always = (
        calibration(test.churned, probability),
        gains(test.churned, scores),
        lift(test.churned, scores),
        roc(test.churned, scores),
        by_class(test.churned, probability),
        of_importance(importance),
    )
    return (*always, of_slices(evaluation)) if any(part.figures for part in evaluation.slices) else always


def calibration(churned: Labels, probability: Values) -> Picture:
    """Of those with a probability near .3, do three in ten leave? And how many have which probability."""
    bins = equal_count_bins(churned, probability, bins=_BINS)
    means = _floats(p.mean() for p, _ in bins)
    counts, edges = np.histogram(probability, bins=_NARROW, range=(0, 1))
    ends = tuple(_of_share(float(c.mean()), len(c)) for _, c in bins)
    return Picture(
        "calibration",
        "Calibration on the test cutoff",
        "Dots on the diagonal: of users with a probability near .3, three in ten left. Each dot is a tenth of the users; the grey "
        "bars say how many users have which probability.",
        at="churn probability",
        values="share that churned",
        series=(
            Series("share of the users", _middles(edges), _floats(counts / len(churned)), "bars", PALE),
            Series("perfect", (0.0, 1.0), (0.0, 1.0), "dashes", GREY),
            Series("model", means, _floats(c.mean() for _, c in bins), "line and dots", BLUE, ends),
        ),
        widest=(0, 1),
    )


def gains(churned: Labels, scores: Mapping[str, Values]) -> Picture:
    """Who is found when the riskiest are contacted first."""
    share, found = _ranked(churned, scores)
    return Picture(
        "gains",
        "Gains: churners found, the riskiest first",
        "The higher the line, the more of all churners are among those contacted.",
        at="share of the users contacted",
        values="share of all churners among them",
        series=(Series("by chance", (0.0, 1.0), (0.0, 1.0), "dashes", GREY), *_lines(share, found)),
        widest=(0, 1.01),
    )


def lift(churned: Labels, scores: Mapping[str, Values]) -> Picture:
    """How many times more churners than average are among the riskiest."""
    share, found = _ranked(churned, scores)
    enough = share * len(churned) >= max(10, 0.01 * len(churned))
    ratios = {name: values[enough] / share[enough] for name, values in found.items()}
    return Picture(
        "lift",
        "Lift: churn rate among the riskiest over that of all",
        "1 is what contacting at random finds.",
        at="share of the users contacted",
        values="lift",
        series=(Series("by chance", (0.0, 1.0), (1.0, 1.0), "dashes", GREY), *_lines(share[enough], ratios)),
    )


def roc(churned: Labels, scores: Mapping[str, Values]) -> Picture:
    """Churners found against retained contacted in vain; the area under it is the AUC."""
    lines = [
        _roc(churned, values, name=name, colour=_colour(place)) for place, (name, values) in enumerate(scores.items())
    ]
    return Picture(
        "roc",
        "ROC: churners found against retained contacted",
        "The area under a line is its AUC.",
        at="share of all retained contacted",
        values="share of all churners found",
        series=(Series("by chance", (0.0, 1.0), (0.0, 1.0), "dashes", GREY), *lines),
        widest=(0, 1.01),
    )


def by_class(churned: Labels, probability: Values) -> Picture:
    """Where churners and retained lie: the further apart, the better."""
    edges = np.linspace(0, 1, _NARROW + 1)
    shares = {
        name: np.histogram(probability[of], bins=edges)[0] / max(1, of.sum())
        for name, of in (("stayed", ~churned), ("churned", churned))
    }
    return Picture(
        "scores",
        "Churn probabilities of those who stayed and of those who churned",
        "The further apart the two hills, the better the model tells them.",
        at="churn probability",
        values="share of the class",
        series=(
            Series("stayed", _middles(edges), _floats(shares["stayed"]), "area", BLUE),
            Series("churned", _middles(edges), _floats(shares["churned"]), "area", ORANGE),
        ),
        widest=(0, 1.1 * max(float(share.max()) for share in shares.values())),
    )


def of_importance(importance: Mapping[str, float]) -> Picture:
    """Which features move the score, the strongest first."""
    top = sorted(importance.items(), key=lambda pair: (-pair[1], pair[0]))[:_FEATURES]
    return Picture(
        "importance",
        "What moves the score",
        "Mean absolute contribution over the users of the test, in log-odds; related features share theirs.",
        at="",
        values="mean |contribution|, log-odds",
        series=(Series("", tuple(name for name, _ in top), _floats(value for _, value in top), "bars", BLUE),),
        lies=True,
    )


def of_slices(evaluation: Evaluation) -> Picture:
    """The AUC of each slice that has enough users, with its interval, beside that of all."""
    shown = [part for part in evaluation.slices if part.figures]
    names = tuple(f"{part.dimension}: {part.value}  ({part.users:,})" for part in shown)
    found = tuple(part.figures["auc"] for part in shown)
    return Picture(
        "slices",
        "AUC by slice, with 95 % intervals",
        "A slice whose interval lies wholly left of the others is one that the model knows less about. Users in brackets.",
        at="",
        values="AUC",
        series=(
            Series("slice", names, tuple(one.value for one in found), "dots", BLUE, found),
            Series("all users", names, (evaluation.auc.value,) * len(names), "dashes", GREY),
        ),
        lies=True,
    )


def of_backtest(backtest: Backtest) -> Picture:
    """How each past week would have done."""
    weeks = backtest.weeks
    at: tuple[Place, ...] = tuple(week.cutoff for week in weeks)
    found = tuple(week.auc for week in weeks)
    return Picture(
        "backtest",
        "Backtest: trained again before every past test",
        backtest.says,
        at="test cutoff",
        values="AUC",
        series=(
            Series("model", at, tuple(one.value for one in found), "line and dots", BLUE, found),
            Series("better rule", at, tuple(week.better_rule_auc for week in weeks), "line and dots", ORANGE),
        ),
    )


def of_learning_curve(curve: LearningCurve) -> Picture:
    """What ever more users bring, and what the law says of still more."""
    users = np.array([point.users for point in curve.points], dtype=np.float64)
    found = tuple(point.auc for point in curve.points)
    dots = Series("trained on so many", _floats(users), tuple(one.value for one in found), "dots", BLUE, found)
    law: tuple[Series, ...] = ()
    if curve.law:
        at = np.linspace(users[0], 3 * users[-1], _POINTS)
        law = (Series("inverse power law", _floats(at), _floats(curve.law.auc(at)), "dashes", GREY),)
    return Picture(
        "learning_curve",
        "Learning curve: would more users help?",
        curve.says,
        at="users trained on",
        values="AUC on the same test",
        series=(*law, dots),
    )


def of_base_rates(datasets: Sequence[Dataset]) -> Picture:
    """The churn rate at every cutoff that was learnt from or tested on."""
    counted: dict[date, tuple[int, int]] = {}
    for dataset in datasets:
        days = dataset.cutoffs
        for day in dataset.snapshots:
            churned = dataset.churned[days == np.datetime64(day)]
            counted[day] = (len(churned), int(churned.sum()))
    cutoffs = tuple(sorted(counted))
    found = tuple(_of_share(counted[day][1] / counted[day][0], counted[day][0]) for day in cutoffs)
    return Picture(
        "base_rates",
        "Churn rate by cutoff",
        "A rate that moves is why the calibration uses the latest period whose labels are known.",
        at="cutoff",
        values="share that churned",
        series=(Series("", cutoffs, tuple(one.value for one in found), "line and dots", BLUE, found),),
    )


def _ranked(churned: Labels, scores: Mapping[str, Values]) -> tuple[Values, dict[str, Values]]:
    """Shares of the users, and of all churners among those with the highest scores; ties share their rate."""
    users = np.arange(len(churned) + 1)
    places = np.unique(np.linspace(0, len(churned), _POINTS + 1).round().astype(int))
    found = {name: np.interp(users, *_steps(churned, values))[places] for name, values in scores.items()}
    return places / len(churned), {name: values / max(1, churned.sum()) for name, values in found.items()}


def _steps(churned: Labels, score: Values) -> tuple[Values, Values]:
    """Users and churners up to each group of tied scores, the highest first, from zero; shape (groups + 1,)."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])) + 1, len(score))
    return np.append(0.0, ends), np.append(0.0, churned[order].cumsum()[ends - 1])


def _roc(churned: Labels, score: Values, *, name: str, colour: str) -> Series:
    users, churners = _steps(churned, score)
    retained = (users - churners) / max(1, (~churned).sum())
    at = np.linspace(0, 1, _POINTS + 1)
    return Series(name, _floats(at), _floats(np.interp(at, retained, churners / max(1, churned.sum()))), "line", colour)


def _lines(at: Values, found: Mapping[str, Values]) -> list[Series]:
    return [
        Series(name, _floats(at), _floats(values), "line", _colour(place))
        for place, (name, values) in enumerate(found.items())
    ]


def _colour(place: int) -> str:
    return BLUE if place == 0 else _BASELINES[(place - 1) % len(_BASELINES)]


def _of_share(share: float, users: int) -> Interval:
    """Wilson's 95 % interval of a share, cut where it would leave out the share itself.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22.
    """
    z, n = _WITHIN_95, users
    middle, reach = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = float((middle - reach) / (1 + z**2 / n)), float((middle + reach) / (1 + z**2 / n))
    return Interval(share, min(low, share), max(high, share))


def _middles(edges: Values) -> tuple[float, ...]:
    return _floats((edges[:-1] + edges[1:]) / 2)


def _floats(values: Iterable[float] | Values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
