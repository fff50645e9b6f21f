"""Challenger and champion on the same users, on weeks whose features and labels fitted or calibrated neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.activity.store import Activity
from features.profiles import build as profiles
from features.snapshots import cutoffs_between
from models.churn_model import ChurnModel
from models.evaluation.baselines import rule_scores
from models.scorers.calibration import fit_platt
from training.data.dataset import Dataset, sampled, stack
from training.evaluation.backtest import better_rule
from training.plan.outages import Outage
from training.plan.plan import Recipe, is_sound
from training.plan.splits import snapshot_step

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Contender:
    """A registered model that is champion, or would be.

    Attributes
    ----------
    activity
        Of the log, as this model's profiles need it.
    audit
        What its leakage audit found: ``clean``, or the codes of the checks that failed; empty where nobody wrote it down.
    parameters
        Of its run: setting to value, as text.
    """

    version: str
    model: ChurnModel
    activity: Activity
    audit: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Comparison:
    """What two sides said of the same eligible users, and what became of these.

    Attributes
    ----------
    test
        One row per user and cutoff, with the challenger's profiles.
    challenger, other
        Churn probabilities, shape (n,).
    against
        Who the other side is, in words.
    of
        Whether the models were compared, or their recipes.
    """

    test: Dataset
    challenger: Values
    other: Values
    against: str
    of: Literal["models", "recipes"] = "models"
    is_rule: bool = False

    @property
    def cutoffs(self) -> tuple[date, ...]:
        """The weeks that were compared on, rising."""
        return self.test.snapshots

    @property
    def users(self) -> int:
        """How many users there are, each counted once."""
        return len(np.unique(self.test.users))


@dataclass(frozen=True)
class Predictions:
    """What one side said of the users of a test, shape (n,)."""

    test: Dataset
    probability: Values


def unseen_cutoffs(
    activity: Activity, models: Sequence[ChurnModel], *, recipe: Recipe, outages: Sequence[Outage] = ()
) -> tuple[date, ...]:
    """Every finished snapshot after all that the models were trained and calibrated on, away from outages, the latest ones.

    The steps are those of the snapshots, counted back from the latest finished cutoff.

    Parameters
    ----------
    outages
        Of the log, that the recipe keeps away from.
    """
    t, coverage = recipe.training, activity.coverage
    first = max(coverage.first_day + timedelta(days=1), *(model.quality.trained_through for model in models))
    every = snapshot_step(recipe.churn, t)
    found = cutoffs_between(first, recipe.window.latest_finished(coverage.covered_until), every_days=every)
    sound = is_sound(recipe, outages)
    return tuple(cutoff for cutoff in found if sound(cutoff))[-t.max_snapshots :]


def of_models(
    challenger: Contender, champion: Contender | None, *, cutoffs: Sequence[date], recipe: Recipe
) -> Comparison:
    """Score the same users with both models, each on profiles of its own specification; without a champion, with a rule."""
    activity, churn = challenger.activity, recipe.churn
    t = recipe.training
    where = sampled(activity, cutoffs, churn=churn, most=t.max_training_rows, seed=t.seed)
    test = stack(activity, challenger.model.specification, cutoffs=cutoffs, churn=churn, where=where)
    said = Predictions(test, challenger.model.predict_probability(test.profiles))
    if champion is None:
        return against_rule(said)
    beside = stack(champion.activity, champion.model.specification, cutoffs=cutoffs, churn=churn, where=where)
    return against(
        said, Predictions(beside, champion.model.predict_probability(beside.profiles)), version=champion.version
    )


def against(said: Predictions, beside: Predictions, *, version: str) -> Comparison:
    """Keep the users that challenger and champion both score, in the challenger's order."""
    own, others = (_places(one.test.profiles, name) for one, name in ((said, "own"), (beside, "other")))
    both = own.join(others, keys=[*profiles.KEYS], join_type="inner").sort_by("own")
    places, other = (both.column(name).to_numpy().astype(np.int64) for name in ("own", "other"))
    shared = Dataset(said.test.profiles.take(places), said.test.churned[places])
    return Comparison(shared, said.probability[places], beside.probability[other], f"champion (version {version})")


def _places(found: pa.Table, name: str) -> pa.Table:
    return found.select(profiles.KEYS).append_column(name, pa.array(np.arange(found.num_rows)))


def against_rule(said: Predictions) -> Comparison:
    """Let the better rule stand in, with the best calibration there is on these very users: a head start of two numbers."""
    test = said.test
    rule, _ = better_rule(test) if len(test.churned) else ("", 0.5)
    scores = rule_scores(test.profiles, rule) if rule else np.zeros(len(test.churned))
    calibrated = fit_platt(scores, test.churned).probability(scores) if len(scores) else scores
    name = f"{rule} rule, in place of a champion" if rule else "churn rate, in place of a champion"
    return Comparison(test, said.probability, calibrated, name, is_rule=True)
