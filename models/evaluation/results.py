"""What was measured, in one place: figures with intervals, beside every baseline and by slice, with a grade in a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.evaluation.metrics import Interval


@dataclass(frozen=True)
class BaselineResults:
    """A baseline on the test cutoff, and how the model differs from it on the same resampled users.

    Attributes
    ----------
    says
        The baseline in words.
    is_rule
        True for the rules of one column, that need nothing but a query.
    difference_auc, difference_log_loss
        Model less baseline; a good model is above 0 in AUC and below 0 in log loss.
    """

    says: str
    is_rule: bool
    auc: Interval
    log_loss: Interval
    calibration_error: Interval
    difference_auc: Interval
    difference_log_loss: Interval

    @property
    def figures(self) -> dict[str, Interval]:
        """The figures by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Interval)}


@dataclass(frozen=True)
class Slice:
    """The figures of some of the users; none where they are too few to say.

    Attributes
    ----------
    dimension, value
        As in ``device``, ``android``.
    figures
        ``churn_rate``, ``mean_probability``, ``auc`` and ``calibration_error``.
    """

    dimension: str
    value: str
    users: int
    figures: dict[str, Interval]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the figures by their names."""
        return {"dimension": self.dimension, "value": self.value, "users": self.users, **flat(self.figures)}


@dataclass(frozen=True)
class Grade:
    """How good the model is in a word, the rule of that word, and the figures that decided."""

    name: str
    rule: str
    why: str


@dataclass(frozen=True)
class Evaluation:
    """A model on its test cutoff, beside every baseline on the same users.

    Attributes
    ----------
    figures
        See :func:`models.evaluation.metrics.intervals`.
    """

    users: int
    figures: dict[str, Interval]
    baselines: dict[str, BaselineResults]
    slices: tuple[Slice, ...]
    grade: Grade

    @property
    def auc(self) -> Interval:
        """The model's AUC."""
        return self.figures["auc"]

    @property
    def metrics(self) -> dict[str, float]:
        """The figures without their intervals, and how many users they are of."""
        return {"users": float(self.users)} | {name: figure.value for name, figure in self.figures.items()}

    @property
    def better_rule(self) -> str:
        """The rule of one column with the highest AUC; empty where no rule fits the log."""
        rules = {name: found.auc.value for name, found in self.baselines.items() if found.is_rule}
        return max(rules, key=lambda name: rules[name], default="")

    def to_json(self) -> dict[str, Any]:
        """``test.*`` and ``baselines.<name>.*``, each figure with ``_low`` and ``_high``; slices and grade."""
        return {
            "test": {"users": self.users, **flat(self.figures)},
            "baselines": {name: flat(found.figures) for name, found in self.baselines.items()},
            "slices": [part.to_json() for part in self.slices],
            "grade": vars(self.grade),
        }

    def flat(self) -> dict[str, float]:
        """The figures of the test and of the baselines under dotted names, as MLflow keeps them."""
        rules = {
            f"baselines.{name}.{key}": value
            for name, found in self.baselines.items()
            for key, value in flat(found.figures).items()
        }
        return {"test.users": float(self.users)} | flat(self.figures, before="test.") | rules


def flat(figures: Mapping[str, Interval], *, before: str = "") -> dict[str, float]:
    """Give each figure three names: its own, and those of the ends of its interval.

    Examples
    --------
    >>> flat({"auc": Interval(0.8, 0.75, 0.84)}, before="test.")
    {'test.auc': 0.8, 'test.auc_low': 0.75, 'test.auc_high': 0.84}
    """
    return {
        f"{before}{name}{end}": value
        for name, figure in figures.items()
        for end, value in (("", figure.value), ("_low", figure.low), ("_high", figure.high))
    }
