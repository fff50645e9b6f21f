"""Challenger and champion on the same users, on weeks that neither was fitted or calibrated on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa

from features.activity.store import Activity
from features.profiles import build as profiles
from features.snapshots import cutoffs_between
from models.arrays import Values
from models.churn_model import ChurnModel
from models.evaluation.baselines import rule_scores
from models.scorers.calibration import fit_platt
from training.data.dataset import Dataset, build_dataset, sample_condition
from training.data.treatment import Exclusion
from training.evaluation.backtest import better_rule
from training.evaluation.known_cutoffs import ShiftAt
from training.plan.outages import Outage
from training.plan.plan import Recipe, is_sound
from training.plan.splits import snapshot_step

COMPARED = "compared rows"


@dataclass(frozen=True)
class Contender:
    """A registered model that is champion, or a candidate for it.

    Attributes
    ----------
    activity
        Of the log, as this model's profiles need it.
    audit
        The result of its leakage audit: ``clean``, or the codes of the checks that failed; empty where none was recorded.
    parameters
        Of its run: setting to value, as text.
    follows
        Whether its probabilities follow the base rate when they are given.
    """

    version: str
    model: ChurnModel
    activity: Activity
    audit: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    follows: bool = True

    def predict(self, test: Dataset) -> Predictions:
        """Return the probabilities as scoring would have given them at each cutoff, with the labels that were known then."""
        shift = ShiftAt.of(self.model, test, follows=self.follows)
        return Predictions(test, shift.probability(test))


@dataclass(frozen=True)
class Comparison:
    """The probabilities of two sides for the same eligible users, and the labels of these.

    Attributes
    ----------
    test
        One row per user and cutoff, with the challenger's profiles.
    challenger, other
        Churn probabilities, shape (n,).
    against
        The other side, in words.
    of
        Whether the models were compared, or their recipes.
    treated
        What is done with users who were contacted; empty where there are none.
    """

    test: Dataset
    challenger: Values
    other: Values
    against: str
    of: Literal["models", "recipes"] = "models"
    is_rule: bool = False
    treated: str = ""

    @property
    def cutoffs(self) -> tuple[date, ...]:
        """The weeks of the comparison, in order."""
        return self.test.snapshots

    @property
    def users(self) -> int:
        """Number of users, each counted once."""
        return len(np.unique(self.test.users))


@dataclass(frozen=True)
class Predictions:
    """The probabilities of one side for the users of a test, shape (n,).

    Attributes
    ----------
    treated
        As of :class:`Comparison`.
    """

    test: Dataset
    probability: Values
    treated: str = ""


def unseen_cutoffs(
    activity: Activity, models: Sequence[ChurnModel], *, recipe: Recipe, outages: Sequence[Outage] = ()
) -> tuple[date, ...]:
    """Return the latest finished snapshots after all that the models were trained and calibrated on, unaffected by outages.

    The steps are those of the snapshots, counted back from the latest finished cutoff.

    Parameters
    ----------
    outages
        Of the log, that the recipe excludes.
    """
    t, coverage = recipe.training, activity.coverage
    first = max(coverage.first_day + timedelta(days=1), *(model.quality.trained_through for model in models))
    every = snapshot_step(recipe.churn, t)
    found = cutoffs_between(first, recipe.window.latest_finished(coverage.covered_until), every_days=every)
    sound = is_sound(recipe, outages)
    return tuple(cutoff for cutoff in found if sound(cutoff))[-t.max_snapshots :]


def compare_models(
    challenger: Contender,
    champion: Contender | None,
    *,
    cutoffs: Sequence[date],
    recipe: Recipe,
    exclusion: Exclusion,
) -> Comparison:
    """Score the same users with both models, each on profiles of its own specification; without a champion, with a rule.

    Users whom a contact may have kept are excluded before anything is learned from a label: the shift of each week, and the rule.
    """
    activity, churn = challenger.activity, recipe.churn
    t = recipe.training
    where = sample_condition(activity, cutoffs, churn=churn, maximum=t.max_training_rows, seed=t.seed)

    def rows(side: Contender) -> Dataset:
        return build_dataset(side.activity, side.model.specification, cutoffs=cutoffs, churn=churn, where=where)

    test, treated = exclusion.of(rows(challenger), what=COMPARED)
    own = replace(challenger.predict(test), treated=treated)
    if champion is None:
        return compare_with_rule(own)
    other, _ = exclusion.as_in(test).of(rows(champion), what=COMPARED)
    return compare_predictions(own, champion.predict(other), version=champion.version)


def compare_predictions(own: Predictions, other: Predictions, *, version: str) -> Comparison:
    """Keep the users that challenger and champion both score, in the challenger's order."""
    sides = [_with_row_numbers(one.test.profiles, name) for one, name in ((own, "own"), (other, "other"))]
    both = sides[0].join(sides[1], keys=[*profiles.KEYS], join_type="inner").sort_by("own")
    rows, other_rows = (both.column(name).to_numpy().astype(np.int64) for name in ("own", "other"))
    shared = Dataset(own.test.profiles.take(rows), own.test.churned[rows])
    against, sides = f"champion (version {version})", (own.probability[rows], other.probability[other_rows])
    return Comparison(shared, *sides, against, treated=own.treated)


def _with_row_numbers(found: pa.Table, name: str) -> pa.Table:
    return found.select(profiles.KEYS).append_column(name, pa.array(np.arange(found.num_rows)))


def compare_with_rule(own: Predictions) -> Comparison:
    """Use the best rule as champion, with the best calibration on these very users: an advantage of two parameters."""
    test = own.test
    rule, _ = better_rule(test) if len(test.churned) else ("", 0.5)
    scores = rule_scores(test.profiles, rule) if rule else np.zeros(len(test.churned))
    calibrated = fit_platt(scores, test.churned, weights=test.weights).probability(scores) if len(scores) else scores
    name = f"{rule} rule, in the absence of a champion" if rule else "churn rate, in the absence of a champion"
    return Comparison(test, own.probability, calibrated, name, is_rule=True, treated=own.treated)
