"""One way to fit, for the model, for past weeks and for fewer users: trees and logistic regression, rounds and scores by folds of users."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.errors import CheckFailed
from features.profiles.specification import Specification
from models.evaluation.metrics import auc
from models.scorers.ensemble import Scorer
from models.scorers.trees import Rows
from models.settings import ModelSettings
from tests.training.tested import CUTOFF, made_up
from training.classifier import ChurnClassifier
from training.data.dataset import WEIGHT, Dataset
from training.fit.ensemble import EnsembleFitter
from training.fit.fit import Fitter
from training.plan.splits import Split
from training.settings import TrainingSettings

QUICK = ModelSettings(max_rounds=40, early_stopping_rounds=10, min_data_in_leaf=2, num_leaves=31)
SPECIFICATION = Specification(("face", "noise"), (7,))
FITTER = Fitter(SPECIFICATION, QUICK, TrainingSettings())


def users_with_a_face() -> Rows:
    """Ten rows a user: the label is a coin of the user, the features only tell who it is."""
    random = np.random.default_rng(6)
    coin = random.random(80) < 0.5
    users = np.repeat(np.arange(80), 10)
    face = random.normal(size=80)[users]
    return Rows(np.column_stack([face, random.normal(size=800)]), coin[users], users)


def test_the_score_of_a_row_comes_from_a_fold_that_never_saw_its_user():
    known = users_with_a_face()
    trees_alone = replace(FITTER, model=QUICK.model_copy(update={"logistic_weight": 0.0, "monotone": "none"}))
    unseen, rounds = trees_alone.predict_out_of_fold(known, weight=0)
    scorer, _ = trees_alone.ensemble_fitter.fit(known, weight=0, rounds=40)
    assert auc(known.churned, scorer.raw(known.matrix)) > 0.9  # who has seen the user knows the coin
    assert auc(known.churned, unseen) < 0.65
    assert rounds >= 1


def test_every_row_gets_a_score_from_folds_and_the_same_one_again():
    first, again = (FITTER.predict_out_of_fold(users_with_a_face(), weight=0.25) for _ in range(2))
    assert np.isfinite(first[0]).all()
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1] == again[1]


def test_the_rounds_are_the_mean_of_those_at_which_the_folds_stop(monkeypatch: pytest.MonkeyPatch):
    known = users_with_a_face()
    one_tree, _ = FITTER.ensemble_fitter.fit(known, weight=0, rounds=1)
    stops = iter((2, 4, 6, 8, 30))

    def stopped(*_: Any, **__: Any) -> tuple[Scorer, int]:
        return one_tree, next(stops)

    monkeypatch.setattr(EnsembleFitter, "fit", stopped)
    _, rounds = FITTER.predict_out_of_fold(known, weight=0.25)
    assert rounds == 10


def test_labels_that_are_sorted_in_steps_are_learned_as_any_others():
    # every fifth user churned: each fold of neighbours or of every fifth user had one class
    random = np.random.default_rng(0)
    churned = np.arange(600) % 5 == 0
    rows = Rows((churned + random.normal(size=600))[:, None], churned, np.arange(600))
    fitter = Fitter(Specification(("face",), (7,)), QUICK, TrainingSettings())
    unseen, _ = fitter.predict_out_of_fold(rows, weight=0.25)
    assert auc(churned, unseen) == pytest.approx(0.76, abs=0.04)  # two normal distributions, one apart


def test_a_class_of_one_user_is_refused_as_the_data_is_and_as_scikit_learn_expects_it():
    for kind in (CheckFailed, ValueError):
        with pytest.raises(kind, match="1 users churned and 19 were retained, expected at least 2 of each"):
            ChurnClassifier().fit(np.random.default_rng(0).random((20, 2)), np.arange(20) == 3)


@pytest.mark.parametrize(("weight", "kinds"), [(0.0, ("trees",)), (0.25, ("trees", "line")), (1.0, ("line",))])
def test_a_part_without_weight_is_not_fitted(weight: float, kinds: tuple[str, ...]):
    scorer, _ = FITTER.ensemble_fitter.fit(users_with_a_face(), weight=weight, rounds=5)
    assert scorer.kinds == kinds
    assert sum(weight for weight, _ in scorer.parts) == 1


def test_probabilities_are_those_of_the_users_that_rows_stand_for():
    plain, _ = made_up(800)
    weights = np.where(plain.churned, 1.0, 5.0)
    known = Dataset(plain.profiles.append_column(WEIGHT, pa.array(weights)), plain.churned)
    specification = Specification(("days_since_last_event", "active_days"), (7,))
    split = Split((CUTOFF,), (), (CUTOFF,), CUTOFF, "folds")
    found = Fitter(specification, QUICK.model_copy(update={"max_rounds": 5}), TrainingSettings()).fit(known, split)
    rate = float(np.average(known.churned, weights=weights))
    assert known.churned.mean() > rate + 0.1
    assert np.average(found.predict_probability(known.profiles), weights=weights) == pytest.approx(rate, abs=0.03)
    assert [(one.churn_rate, one.shift) for one in found.known_cutoffs] == [
        (pytest.approx(rate), pytest.approx(0, abs=0.05))
    ]
