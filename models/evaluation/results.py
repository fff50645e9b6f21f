"""Results of an evaluation: metrics with intervals, of the model, its baselines and slices, and a one-word grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.evaluation.metrics import Interval
from models.evaluation.reliability import Reliability


@dataclass(frozen=True)
class BaselineResults:
    """A baseline on the test cutoff, and how the model differs from it on the same resampled users.

    Attributes
    ----------
    description
        The baseline in words.
    is_rule
        True for the rules of one column, which need only a query.
    difference_auc, difference_log_loss
        Model less baseline; a good model is above 0 in AUC and below 0 in log loss.
    """

    description: str
    is_rule: bool
    auc: Interval
    log_loss: Interval
    calibration_error: Interval
    difference_auc: Interval
    difference_log_loss: Interval

    @property
    def metrics(self) -> dict[str, Interval]:
        """The metrics by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Interval)}


@dataclass(frozen=True)
class Slice:
    """The metrics of a subset of the users; empty where there are too few of them.

    Attributes
    ----------
    dimension, value
        As in ``device``, ``android``.
    metrics
        ``churn_rate``, ``mean_probability``, ``auc``, and error, slope and intercept of the calibration.
    reliability
        The calibration error compared with chance; None where there are too few users.
    """

    dimension: str
    value: str
    users: int
    metrics: dict[str, Interval]
    reliability: Reliability | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the metrics by their names."""
        chance = self.reliability.to_json() if self.reliability else {}
        return {"dimension": self.dimension, "value": self.value, "users": self.users, **flat(self.metrics), **chance}


@dataclass(frozen=True)
class HorizonResults:
    """The curves of all test users at one horizon.

    Attributes
    ----------
    days
        The horizon.
    metrics
        ``churn_rate``, ``auc``, ``log_loss`` and ``calibration_error``.
    """

    days: int
    mean_probability: float
    metrics: dict[str, Interval]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the metrics by their names."""
        return {"days": self.days, "mean_probability": self.mean_probability, **flat(self.metrics)}


@dataclass(frozen=True)
class Grade:
    """How good the model is in one word, the rule of that word, and the metrics that decided."""

    name: str
    rule: str
    why: str


@dataclass(frozen=True)
class Evaluation:
    """A model on its test cutoff, compared with every baseline on the same users.

    Attributes
    ----------
    metrics
        See :func:`models.evaluation.metrics.intervals`.
    mean_probability
        Mean of the probabilities; their churn rate is among the metrics.
    reliability
        The calibration error compared with chance.
    curve
        The curves at each horizon that the log covers from the test cutoff; empty: the model has none.
    """

    users: int
    metrics: dict[str, Interval]
    baselines: dict[str, BaselineResults]
    slices: tuple[Slice, ...]
    grade: Grade
    mean_probability: float = float("nan")
    reliability: Reliability | None = None
    curve: tuple[HorizonResults, ...] = ()

    @property
    def auc(self) -> Interval:
        """The model's AUC."""
        return self.metrics["auc"]

    @property
    def metric_values(self) -> dict[str, float]:
        """The metrics without their intervals, and the number of users."""
        return {"users": float(self.users)} | {name: metric.value for name, metric in self.metrics.items()}

    @property
    def better_rule(self) -> str:
        """The rule of one column with the highest AUC; empty where no rule applies to the log."""
        rules = {name: found.auc.value for name, found in self.baselines.items() if found.is_rule}
        return max(rules, key=lambda name: rules[name], default="")

    def to_json(self) -> dict[str, Any]:
        """``test.*`` and ``baselines.<name>.*``, each metric with ``_low`` and ``_high``; slices and grade."""
        return {
            "test": {"users": self.users, **self._of_the_test, **flat(self.metrics)},
            "baselines": {name: flat(found.metrics) for name, found in self.baselines.items()},
            "slices": [part.to_json() for part in self.slices],
            "grade": vars(self.grade),
        } | ({"curve": [one.to_json() for one in self.curve]} if self.curve else {})

    def flat(self) -> dict[str, float]:
        """The metrics of the test and of the baselines under dotted names, as in MLflow."""
        rules = {
            f"baselines.{name}.{key}": value
            for name, found in self.baselines.items()
            for key, value in flat(found.metrics).items()
        }
        whole = {"test.users": float(self.users)} | {f"test.{name}": value for name, value in self._of_the_test.items()}
        curve = {
            key: value for one in self.curve for key, value in flat(one.metrics, before=f"curve.{one.days}d.").items()
        }
        return whole | flat(self.metrics, before="test.") | rules | curve

    @property
    def _of_the_test(self) -> dict[str, float]:
        """What has no interval."""
        return {"mean_probability": self.mean_probability} | (self.reliability.to_json() if self.reliability else {})


def flat(metrics: Mapping[str, Interval], *, before: str = "") -> dict[str, float]:
    """Return each metric under three names: its own, and those of the ends of its interval.

    Examples
    --------
    >>> flat({"auc": Interval(0.8, 0.75, 0.84)}, before="test.")
    {'test.auc': 0.8, 'test.auc_low': 0.75, 'test.auc_high': 0.84}
    """
    return {
        f"{before}{name}{end}": value
        for name, metric in metrics.items()
        for end, value in (("", metric.value), ("_low", metric.low), ("_high", metric.high))
    }
