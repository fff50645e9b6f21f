"""The same rows under other horizons: whether the deciding event had happened by each day of a curve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa

from features.activity.store import Activity
from features.profiles.build import KEYS
from features.settings import ChurnSettings
from features.snapshots import LabelWindow
from models.arrays import Labels
from models.definition import ChurnDefinition
from training.data.dataset import Dataset, label
from training.data.treatment import TreatedRows, Treatment
from training.plan.plan import TrainingPlan, is_sound

DAYS = (7, 14, 21, 30, 45, 60, 90)


def days_of(churn: ChurnSettings) -> tuple[int, ...]:
    """Return the days of a curve, ascending: :data:`DAYS` and the horizon itself."""
    return tuple(sorted({*DAYS, churn.horizon_days}))


def contacted_by_day(rows: Dataset, treatment: Treatment, *, days: int, plan: TrainingPlan) -> TreatedRows:
    """Tell whom a contact may have kept until a day of a curve, and for how many users the others stand.

    Where users who were contacted within the horizon itself are not excluded, nobody is.
    """
    if rows.weights is None:
        return Treatment().of(rows, plan.recipe.window)
    churn = plan.recipe.churn
    return treatment.of(rows, LabelWindow(churn.gap_days, max(days, churn.horizon_days)))


@dataclass(frozen=True)
class ByDay:
    """What is known of rows by a day, all of shape (n,).

    Attributes
    ----------
    happened
        Whether the deciding event happened before the end of the day: the next qualifying event, or the event that is churn.
    known
        Whether the log tells.
    """

    happened: Labels
    known: Labels


def by_day(activity: Activity, rows: Dataset, *, days: int, plan: TrainingPlan, until: date) -> ByDay:
    """Label rows under a horizon of some days, as far as the log up to a date tells; it tells nothing across an outage."""
    churn = plan.recipe.churn.model_copy(update={"horizon_days": days})
    definition = ChurnDefinition.of(churn)
    latest, sound = definition.window.latest_finished(until), is_sound(replace(plan.recipe, churn=churn), plan.outages)
    chosen = [cutoff for cutoff in rows.snapshots if cutoff <= latest and sound(cutoff)]
    known = np.isin(rows.cutoffs, np.asarray(chosen, dtype="datetime64[D]"))
    found = label(activity, rows.profiles.select(KEYS).filter(pa.array(known)), churn=churn)
    happened = np.zeros(len(known), dtype=np.bool_)
    happened[known] = found.churned == definition.is_event
    return ByDay(happened, known)
