"""How true a model's probabilities are at every cutoff whose labels are known and that it was not fitted on: the test and later ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from features.activity.store import Activity
from features.errors import CheckFailed
from models.arrays import Values
from models.churn_model import ChurnModel
from models.evaluation.metrics import Interval
from models.evaluation.results import Slice
from models.evaluation.score_rates import LabelledScores, ScoreRates
from models.scorers.base_rate import Prediction, shifted
from training.data.dataset import Dataset
from training.evaluation.known_cutoffs import LeftAlone, ShiftAt, labelled_rows, unshifted, weekly_before
from training.evaluation.slices import MIN_OF_A_CLASS, MIN_USERS, measured, slices
from training.plan.plan import Recipe


@dataclass(frozen=True)
class CutoffReliability:
    """The probabilities of one cutoff, as they were given then, compared with what happened.

    Attributes
    ----------
    shift
        To the base rate, from the labels that were known at the cutoff.
    """

    cutoff: date
    shift: float
    whole: Slice
    slices: tuple[Slice, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        whole = {name: value for name, value in self.whole.to_json().items() if name not in {"dimension", "value"}}
        found = {"cutoff": str(self.cutoff), "base_rate_shift": self.shift, **whole}
        return found | {"slices": [one.to_json() for one in self.slices]}


@dataclass(frozen=True)
class KnownReliability:
    """Every such cutoff, the earliest first; and the churn rate by score that they let expect at the next one.

    Attributes
    ----------
    next_cutoff
        The first day that the log does not cover.
    base_rate
        The shift to expect there.
    shift
        The one with which probabilities are given there.
    """

    cutoffs: tuple[CutoffReliability, ...]
    rates: ScoreRates
    next_cutoff: date
    base_rate: Prediction
    shift: float

    def churn_rate(self, probability: float) -> Interval:
        """Return the churn rate among users who are given such a probability at the next cutoff, with its 90 % interval."""
        without = float(shifted(np.array([probability]), -self.shift)[0])
        return self.rates.interval(without, shift=self.base_rate)


def known_reliability(
    activity: Activity, model: ChurnModel, *, recipe: Recipe, left_alone: LeftAlone, follows: bool
) -> KnownReliability:
    """Score the test cutoff and the later ones whose horizons are over again, and compare with what happened.

    Parameters
    ----------
    left_alone
        Of a cutoff and its users, who was left alone; None: everybody was.
    follows
        Whether the probabilities follow the base rate.

    Raises
    ------
    CheckFailed
        When there is no such cutoff, or too few users at all of them.
    """
    rows = labelled_rows(activity, model, cutoffs=_unseen(activity, model), recipe=recipe, left_alone=left_alone)
    covered_until = activity.coverage.covered_until
    if rows is None or len(rows.churned) < MIN_USERS or rows.smaller_class < MIN_OF_A_CLASS:
        raise _refusal(rows, model, covered_until=covered_until)
    shift = ShiftAt.of(model, rows, follows=follows)
    given, seed = shift.probability(rows), recipe.training.seed
    cutoffs = tuple(_at(rows, given, cutoff=one, shift=shift.given(one), seed=seed) for one in rows.snapshots)
    rates = ScoreRates.fit(_scores_of(model, rows))
    return KnownReliability(cutoffs, rates, covered_until, shift.expected(covered_until), shift.given(covered_until))


def _scores_of(model: ChurnModel, rows: Dataset) -> LabelledScores:
    days, numbers = np.unique(rows.cutoffs, return_inverse=True)
    times = days.astype(np.float64) / model.definition.window.days_to_label
    return LabelledScores(unshifted(model, rows), rows.churned, rows.users, numbers, times)


def _unseen(activity: Activity, model: ChurnModel) -> list[date]:
    """Return the test cutoff and the weekly ones after it whose horizons are over, as far as the model was not fitted on them."""
    test, days_to_label = model.quality.test_cutoff, model.definition.window.days_to_label
    found = [test, *weekly_before(activity.coverage.covered_until, days_to_label=days_to_label, after=test)]
    return [one for one in found if one >= model.quality.trained_through]


def _at(rows: Dataset, given: Values, *, cutoff: date, shift: float, seed: int) -> CutoffReliability:
    at, probability = rows.at([cutoff]), given[rows.cutoffs == np.datetime64(cutoff)]
    whole = measured(("all", ""), at, probability=probability, seed=seed)
    return CutoffReliability(cutoff, shift, whole, slices(at, probability, seed=seed))


def _refusal(rows: Dataset | None, model: ChurnModel, *, covered_until: date) -> CheckFailed:
    unseen = "cutoffs whose labels are known and that the model was not fitted on"
    if rows is None:
        since = model.quality.trained_through
        hint = f"possible once the log covers the horizon of {since}, up to {model.definition.window.end(since)}"
        return CheckFailed(f"{unseen}: none, with a log that covers up to {covered_until}", hint=hint)
    found = f"{len(rows.churned)} users, {rows.smaller_class} in the smaller class"
    hint = "wait for more labels; near exported lists only users who were held out count"
    return CheckFailed(f"{unseen}: {found}, expected at least {MIN_USERS} and {MIN_OF_A_CLASS}", hint=hint)
