"""The search: inner folds that run forward, the settings as they are first, the same result for the same seed."""

# pyright: reportPrivateUsage=false

import sys
from dataclasses import replace

import numpy as np
import pytest

from features.errors import SettingsError
from models.scorers.trees import Rows, TreeFitter, explainable
from models.settings import ModelSettings
from training.fit.search import Budget, Choice, Fold, Folds, SearchResult, search
from training.fit.search import _loss as measure

POOR = ModelSettings(num_leaves=2, min_data_in_leaf=60, learning_rate=0.02, max_rounds=30, early_stopping_rounds=5)
LEARNER = TreeFitter(POOR, 7, ("signal", "noise"), ())


def days(*numbers: int) -> np.ndarray:
    return np.datetime64("2026-01-01") + np.array(numbers)


def rows(cutoffs: np.ndarray, *, users: int) -> Rows:
    random = np.random.default_rng(5)
    matrix = random.normal(size=(len(cutoffs), 2))
    odds = 2 * np.abs(matrix[:, 0]) + matrix[:, 0] * (matrix[:, 1] > 0) - 1.5
    churned = random.random(len(cutoffs)) < 1 / (1 + np.exp(-odds))
    return Rows(matrix, churned, np.arange(len(cutoffs)) % users)


def snapshots(*numbers: int, users: int = 120, purge_days: int = 7) -> Folds:
    cutoffs = np.repeat(days(*numbers), users)
    return Folds.of(rows(cutoffs, users=users), cutoffs, purge_days=purge_days, seed=7)


def run(folds: Folds, *, trials: int = 8, learner: TreeFitter = LEARNER) -> tuple[SearchResult, list[str]]:
    said: list[str] = []
    start = Choice(learner.settings)
    return search(folds, learner, start=start, budget=Budget(trials), say=said.append), said


@pytest.fixture(scope="module")
def searched() -> tuple[SearchResult, list[str]]:
    return run(snapshots(0, 7, 14, 21))


# --- Inner folds ---------------------------------------------------------------------------------------------------


def test_labels_of_a_fold_are_known_before_the_cutoff_that_measures_it():
    folds = snapshots(0, 3, 7, 10, 14, users=2)
    assert [sorted({str(c) for c in fold.cutoffs}) for fold in folds.parts] == [
        ["2026-01-01", "2026-01-04", "2026-01-08"],  # measured on the 15th
        ["2026-01-01", "2026-01-04"],  # on the 11th
        ["2026-01-01"],  # on the 8th
    ]
    assert [len(fold.held_out.churned) for fold in folds.parts] == [2, 2, 2]
    assert folds.why.startswith("folds in time: measured on 2026-01-15, 2026-01-11, 2026-01-08")


def test_of_many_cutoffs_three_are_spread_out():
    cutoffs = days(*range(0, 140, 7))
    folds = Folds.of(rows(cutoffs, users=1), cutoffs, purge_days=14, seed=7)
    assert [str(fold.cutoffs.max()) for fold in folds.parts] == ["2026-04-30", "2026-03-19", "2026-02-05"]


def test_where_no_label_is_known_in_time_folds_of_users_stand_in_and_that_is_said():
    folds = snapshots(0, 6, users=9)
    assert "folds of users" in folds.why
    assert len(folds.parts) == 3
    for fold in folds.parts:
        assert not {*fold.train.users} & {*fold.held_out.users}


def test_an_older_snapshot_weighs_half_as_much_for_every_half_life():
    fold = snapshots(0, 7, 14, users=2).parts[0]
    weights = fold.train.with_recency_weights(fold.cutoffs, 7.0).weights
    assert weights is not None
    assert weights.tolist() == pytest.approx([2 / 3, 2 / 3, 4 / 3, 4 / 3])
    assert fold.train.with_recency_weights(fold.cutoffs, None).weights is None


# --- The search ----------------------------------------------------------------------------------------------------


def test_poor_settings_are_beaten(searched: tuple[SearchResult, list[str]]):
    found, _ = searched
    assert min(one.log_loss for one in found.trials) < found.trials[0].log_loss - 0.02
    assert found.choice != Choice(POOR)


def test_the_first_trial_is_the_settings_as_they_are(searched: tuple[SearchResult, list[str]]):
    found, _ = searched
    assert found.trials[0].parameters == Choice(POOR).parameters
    assert found.trials[0].state == "complete"


def test_the_best_complete_trial_is_chosen(searched: tuple[SearchResult, list[str]]):
    found, _ = searched
    best = min((one for one in found.trials if one.state == "complete"), key=lambda one: one.log_loss)
    assert found.choice.parameters == best.parameters
    assert found.why.startswith(f"trial {best.number} of 8: log loss {best.log_loss:.5f}, compared with")


def test_settings_that_are_not_searched_stay(searched: tuple[SearchResult, list[str]]):
    kept = searched[0].choice.settings
    assert (kept.max_rounds, kept.early_stopping_rounds, kept.max_explaining_cost) == (30, 5, 250_000)


def test_the_same_seed_finds_the_same_and_another_seed_tries_others(searched: tuple[SearchResult, list[str]]):
    assert run(snapshots(0, 7, 14, 21))[0] == searched[0]
    other = run(snapshots(0, 7, 14, 21), trials=3, learner=replace(LEARNER, seed=8))[0]
    assert other.trials[1].parameters != searched[0].trials[1].parameters


def test_one_trial_keeps_the_settings_as_they_are():
    found, said = run(snapshots(0, 7), trials=1)
    assert found.choice == Choice(POOR)
    assert said[0].startswith("search: folds in time")
    assert said[1].startswith("trial 0: log loss")


def test_hopeless_trials_are_pruned_before_their_last_fold(monkeypatch: pytest.MonkeyPatch):
    measured: list[float] = []

    def kept(fold: Fold, learner: TreeFitter, *, choice: Choice) -> float:
        measured.append(measure(fold, learner, choice=choice))
        return measured[-1]

    monkeypatch.setattr("training.fit.search._loss", kept)
    found, _ = run(snapshots(0, 7, 14, 21), trials=14)
    pruned = [one for one in found.trials if one.state == "pruned"]
    assert len(found.trials) == 14
    assert pruned
    # three folds for a whole trial, one or two for a pruned one
    assert 14 * 3 - 2 * len(pruned) <= len(measured) <= 14 * 3 - len(pruned)
    assert np.isfinite(measured).all()


def test_every_trial_can_be_explained_in_time(searched: tuple[SearchResult, list[str]]):
    for one in searched[0].trials:
        tried = POOR.model_copy(update={"num_leaves": one.parameters["num_leaves"], "max_rounds": 10_000})
        depth, rounds = explainable(tried)
        assert rounds * tried.num_leaves * depth**2 <= tried.max_explaining_cost


def test_without_the_extra_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match=r'(?s)Optuna.*install the extra "search"'):
        run(snapshots(0, 7))
