"""How far off a model's probabilities were at cutoffs whose labels have become known since its training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import takewhile
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.activity.store import Activity
from models.churn_model import ChurnModel
from models.scorers.base_rate import KnownCutoff, Prediction, predict_shift, shifted
from training.data.dataset import Dataset, eligible_profiles, label, sample_condition
from training.plan.plan import Recipe, is_sound, outages_of

MAX_CUTOFFS = 8
_MAX_ROWS = 100_000  # of all cutoffs together: the standard error of a shift is then about .02 in log-odds
_WEEK = timedelta(days=7)


LeftAlone = Callable[[date, Sequence[str]], NDArray[np.bool_] | None]


def known_since(
    activity: Activity,
    model: ChurnModel,
    *,
    cutoff: date,
    recipe: Recipe,
    left_alone: LeftAlone = lambda *_: None,
) -> tuple[KnownCutoff, ...]:
    """Score the latest cutoffs again whose labels have become known since the last that the model knows, and was fitted on.

    Those of :func:`weekly_before`; those that an outage of the log affects are skipped, and so are those whose labels see days that
    the model was fitted on: a refit has seen the horizon of the test. Where there are many users, a sample is scored.

    Parameters
    ----------
    left_alone
        Of a cutoff and its users, who was left alone; None: everybody was.
    """
    window, last = model.definition.window, max(one.cutoff for one in model.known_cutoffs)
    found = weekly_before(cutoff, days_to_label=window.days_to_label, after=last)
    later = [one for one in found if one >= model.quality.trained_through]
    rows = labelled_rows(activity, model, cutoffs=later, recipe=recipe, left_alone=left_alone)
    return rows.known_cutoffs(unshifted(model, rows)) if rows else ()


def weekly_before(cutoff: date, *, days_to_label: int, after: date) -> list[date]:
    """Return the latest cutoffs whose labels are known at a cutoff, whole weeks before it and at most eight; in order of time.

    A horizon that is not whole weeks has more weekends from one weekday on than from another, so its churn rate depends on the
    weekday: a cutoff is compared with those of its own.

    Parameters
    ----------
    days_to_label
        From a cutoff until its label is known.
    after
        Only later ones.
    """
    latest = cutoff - math.ceil(days_to_label / _WEEK.days) * _WEEK
    weekly = (latest - weeks * _WEEK for weeks in range(MAX_CUTOFFS))
    return [*takewhile(lambda one: one > after, weekly)][::-1]


def unshifted(model: ChurnModel, rows: Dataset) -> NDArray[np.float64]:
    """Return the calibrated probabilities without any shift, shape (n,)."""
    return replace(model, shift=0.0).predict_probability(rows.profiles)


@dataclass(frozen=True)
class ShiftAt:
    """The shift to the base rate with which a model's probabilities are given at a cutoff, by the labels that were known then.

    Attributes
    ----------
    known
        How far off the probabilities were, without a shift, at cutoffs with labels.
    follows
        Whether probabilities follow the base rate; else they have no shift.
    """

    model: ChurnModel
    known: tuple[KnownCutoff, ...]
    follows: bool

    @classmethod
    def of(cls, model: ChurnModel, rows: Dataset, *, follows: bool) -> ShiftAt:
        """Add the cutoffs of labelled rows to those that the model knows."""
        found = {one.cutoff: one for one in (*rows.known_cutoffs(unshifted(model, rows)), *model.known_cutoffs)}
        return cls(model, tuple(found.values()), follows)

    def expected(self, cutoff: date) -> Prediction:
        """Predict the shift that a cutoff will show."""
        return predict_shift(self.known, at=cutoff, purge_days=self.model.definition.window.days_to_label)

    def given(self, cutoff: date) -> float:
        """Return the shift of the probabilities at a cutoff."""
        if not self.follows:
            return 0.0
        return self.expected(cutoff).shift if self.model.known_cutoffs else self.model.shift

    def probability(self, rows: Dataset) -> NDArray[np.float64]:
        """Return the probabilities as they are given at the cutoff of each row, shape (n,)."""
        found = unshifted(self.model, rows)
        for cutoff in rows.snapshots:
            at = rows.cutoffs == np.datetime64(cutoff)
            found[at] = shifted(found[at], self.given(cutoff))
        return found


def labelled_rows(
    activity: Activity, model: ChurnModel, *, cutoffs: Sequence[date], recipe: Recipe, left_alone: LeftAlone
) -> Dataset | None:
    """Build and label the profiles of a model at cutoffs whose horizons are over; None where nobody is eligible.

    Cutoffs that an outage of the log affects are skipped. Where there are many users, a sample is taken.
    """
    if not cutoffs:
        return None
    recipe = replace(recipe, churn=recipe.churn.model_copy(update=model.frozen_churn))
    sound = is_sound(recipe, outages_of(activity, recipe))
    if not (cutoffs := [one for one in cutoffs if sound(one)]):
        return None
    where = sample_condition(activity, cutoffs, churn=recipe.churn, maximum=_MAX_ROWS, seed=recipe.training.seed)
    found = eligible_profiles(activity, model.specification, cutoffs=cutoffs, churn=recipe.churn, where=where)
    labelled = _of_the_left_alone(label(activity, found, churn=recipe.churn), left_alone)
    return labelled if labelled.snapshots else None


def _of_the_left_alone(labelled: Dataset, left_alone: LeftAlone) -> Dataset:
    """Return the rows of users whom nobody contacted on purpose."""
    mask = np.ones(len(labelled.churned), dtype=np.bool_)
    for cutoff in labelled.snapshots:
        at = labelled.cutoffs == np.datetime64(cutoff)
        users: list[Any] = labelled.profiles.column("user_id").filter(pa.array(at)).to_pylist()
        alone = left_alone(cutoff, users)
        if alone is not None:
            mask[at] = alone
    return labelled.only(mask)
