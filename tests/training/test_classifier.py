"""The model of a training as an estimator: what scikit-learn expects of one, and the numbers of a training."""

from __future__ import annotations

import pickle
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.settings import ModelSettings
from tests.training.conftest import Training
from training.classifier import ChurnClassifier

QUICK = ChurnClassifier(max_rounds=8, min_data_in_leaf=10, early_stopping_rounds=4)


@pytest.mark.slow
@parametrize_with_checks([ChurnClassifier(max_rounds=3, min_data_in_leaf=5)])
def test_it_does_what_scikit_learn_expects_of_an_estimator(estimator: Any, check: Any):
    check(estimator)  # all of them; the one of array API is skipped by scikit-learn unless SCIPY_ARRAY_API is set


def _frame(rows: int, *, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Users who leave the more likely the longer they are idle, twice as likely where they came through ads."""
    chance = np.random.default_rng(seed)
    idle, channel = chance.exponential(10, rows), chance.choice(np.array(["ads", "friend", None]), rows)
    left = chance.random(rows) < 1 / (1 + np.exp(2 - idle / 8 - (channel == "ads")))
    noise = np.where(chance.random(rows) < 0.1, np.nan, chance.normal(size=rows))
    return pd.DataFrame({"days_since_last_event": idle, "channel": channel, "noise": noise}), left


def _quick() -> ChurnClassifier:
    return cast("ChurnClassifier", clone(QUICK))


@pytest.fixture(scope="module")
def fitted() -> ChurnClassifier:
    return _quick().fit(*_frame(600, seed=1))


def test_it_ranks_users_that_it_has_not_seen_and_its_probabilities_are_calibrated(fitted: ChurnClassifier):
    frame, left = _frame(2000, seed=2)
    probability = fitted.predict_proba(frame)
    assert probability.shape == (2000, 2)
    assert probability.sum(axis=1) == pytest.approx(1)
    assert roc_auc_score(left, probability[:, 1]) > 0.75
    assert probability[:, 1].mean() == pytest.approx(left.mean(), abs=0.05)


def test_a_value_of_a_category_that_was_never_seen_is_no_error(fitted: ChurnClassifier):
    frame, _ = _frame(3, seed=3)
    assert np.isfinite(fitted.predict_proba(frame.assign(channel=pd.Series(["radio", None, "ads"])))).all()


GROUPS = np.arange(600) % 3 + (np.arange(600) % 7 == 0)  # four of different sizes, so that no two are as frequent
DAYS = pd.Series(pd.to_datetime("2026-01-05") + pd.to_timedelta(GROUPS, "D"))


@pytest.mark.parametrize(
    "values",
    [
        GROUPS,
        GROUPS.astype(float),
        GROUPS + 0.5,
        GROUPS > 1,
        DAYS,
        DAYS.dt.date,
        DAYS - DAYS[0],
    ],
    ids=["integers", "floats", "halves", "booleans", "instants", "days", "durations"],
)
def test_a_category_is_the_same_feature_whatever_its_values_are(values: Any):
    frame, _ = _frame(600, seed=7)
    left = np.random.default_rng(7).random(600) < 0.2 + 0.2 * GROUPS
    as_texts, as_values = (
        _quick().fit(one, left).predict_proba(one)[:, 1]
        for one in (frame.assign(of=np.char.add("g", values.astype(str))), frame.assign(of=pd.Categorical(values)))
    )
    assert as_values.tolist() == as_texts.tolist()


def test_instants_and_numbers_are_the_same_category_in_another_unit_or_type():
    frame, left = _frame(600, seed=7)
    frame = frame.assign(day=pd.Categorical(DAYS.dt.as_unit("ns")), of=pd.Categorical(GROUPS.astype(float)))
    model = _quick().fit(frame, left ^ (GROUPS > 1))
    other = frame.assign(day=pd.Categorical(DAYS.dt.as_unit("s")), of=pd.Categorical(GROUPS))
    assert model.predict_proba(other).tolist() == model.predict_proba(frame).tolist()


@pytest.mark.parametrize("other", ["my column", "share %", "a:b", "x1"])
def test_what_is_known_of_a_feature_does_not_depend_on_the_names_of_others(other: str):
    chance = np.random.default_rng(8)
    frame = pd.DataFrame({"active_days_7d": chance.random(600), other: chance.normal(size=600), "a": 1.0})
    left = chance.random(600) < 0.3 + 0.4 * frame["active_days_7d"]  # the wrong way: who is active does not leave
    model = ChurnClassifier(max_rounds=8, min_data_in_leaf=10, logistic_weight=0).fit(frame, left)
    least, most = (model.raw_score(frame.assign(active_days_7d=value)) for value in (0.05, 0.95))
    assert (least >= most).all()
    assert list(model.explain(frame).columns) == list(frame.columns)


def test_contributions_add_up_to_the_raw_score_but_for_a_constant(fitted: ChurnClassifier):
    frame, _ = _frame(50, seed=4)
    effects = fitted.explain(frame)
    assert list(effects.columns) == list(fitted.get_feature_names_out()) == list(frame.columns)
    base = fitted.raw_score(frame) - effects.sum(axis=1).to_numpy()
    assert base == pytest.approx(base[0])


def test_a_copy_gives_the_same_numbers_also_after_a_single_row_was_scored(fitted: ChurnClassifier):
    frame, _ = _frame(20, seed=5)
    single = fitted.predict_proba(frame[:1])
    assert pickle.loads(pickle.dumps(fitted)).predict_proba(frame)[:1] == pytest.approx(single)  # noqa: S301


def test_its_defaults_are_those_of_a_training():
    given, usual = ChurnClassifier().get_params(), ModelSettings().model_dump()
    same = given.keys() & usual.keys()
    assert len(same) == 12
    assert {name: given[name] for name in same} == {name: usual[name] for name in same}


def test_bad_input_is_refused_in_words():
    frame, left = _frame(60, seed=6)
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        _quick().fit(frame, np.arange(60) % 3)
    with pytest.raises(ValueError, match="expected 5 users or more"):
        _quick().fit(frame, left, groups=np.arange(60) % 4)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        _quick().fit(frame, left, groups=np.arange(59))
    with pytest.raises(ValueError, match="infinity"):
        _quick().fit(frame.assign(noise=np.inf), left)


DAY = np.datetime64("2026-01-05")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([DAY] * 60, r'the type timestamp\[.*\] in the column "told": expected numbers, booleans or texts'),
        ([np.timedelta64(1, "D")] * 60, r'the type duration\[.*\] in the column "told"'),
        ([1, "a"] * 30, 'values of several types in the column "told": expected numbers, booleans or texts'),
        ([{"a": 1}] * 60, 'the type struct<a: int64> in the column "told"'),
        (pd.cut(np.arange(60), 3), 'categories of the type .*interval.* in the column "told": expected numbers'),
        (pd.array([1.0, np.inf] * 30, dtype=object), 'infinity in the column "told"'),
    ],
)
def test_a_column_that_is_no_feature_is_refused_by_its_name(values: Any, words: str):
    frame, left = _frame(60, seed=6)
    with pytest.raises(ValueError, match=words):
        _quick().fit(frame.assign(told=values), left)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"time": [np.datetime64("NaT"), *[DAY] * 59]}, "time has absent values: expected the cutoff of every row"),
        ({"time": ["soon"] * 60}, "time has a value that is not a date"),
        ({"groups": [None, *map(str, range(59))]}, "groups has absent values: expected the user of every row"),
        ({"groups": [np.nan, *range(59)]}, "groups has absent values"),
        ({"groups": np.array(["a", *range(59)], dtype=object)}, "groups has values of several types"),
    ],
)
def test_a_row_without_a_user_or_a_cutoff_is_refused(given: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        _quick().fit(*_frame(60, seed=6), **given)


@pytest.mark.parametrize("name", ["user_id", "cutoff", "sample_weight"])
def test_a_column_that_would_be_taken_for_something_else_is_refused(name: str):
    frame, left = _frame(60, seed=6)
    with pytest.raises(ValueError, match=f"Input X has the columns {name}: expected features only"):
        _quick().fit(frame.assign(**{name: 1.0}), left)


def test_it_fits_what_a_training_fits(folds: Training):
    trained, settings = folds.trained, folds.recipe.model
    specification, rows = trained.fit.specification, trained.training_rows
    names = list(specification.feature_names)
    given = {name: getattr(settings, name) for name in ChurnClassifier().get_params() if hasattr(settings, name)}
    model = ChurnClassifier(**given, purge_days=trained.split.purge_days, random_state=folds.recipe.training.seed)
    train, test = (part.profiles.select(names).to_pandas() for part in (rows, trained.test))
    for name in specification.unused:  # drifts, so that the training is blind to it
        for frame in (train, test):
            frame[name] = pd.Series(np.nan, index=frame.index, dtype=frame[name].dtype)
    model.fit(train, rows.churned, groups=rows.users, time=rows.cutoffs)
    assert model.n_rounds_ == trained.fit.rounds
    assert model.why_ == trained.fit.why
    assert model.raw_score(test) == pytest.approx(trained.fit.raw(trained.test.profiles), abs=1e-9)
