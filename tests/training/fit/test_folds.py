"""Folds of the training rows, in time or of users."""

import numpy as np
import pytest

from features.errors import CheckFailed
from models.scorers.trees import Rows
from training.fit.folds import Folds, folds_in_time, split_users

DAYS = np.datetime64("2026-01-05") + np.arange(0, 42, 7)


def rows(cutoffs: np.ndarray, *, users: int = 30) -> tuple[Rows, np.ndarray]:
    of_rows = np.repeat(cutoffs, users)
    churned = np.arange(len(of_rows)) % 3 == 0
    return Rows(np.zeros((len(of_rows), 1)), churned, np.tile(np.arange(users), len(cutoffs))), of_rows


def test_what_a_fold_is_trained_on_is_known_at_the_cutoff_that_it_is_measured_on():
    for purge in (7, 14, 21):
        known, cutoffs = rows(DAYS)
        found = folds_in_time(known, cutoffs, purge_days=purge)
        assert found.parts
        for fold in found.parts:
            measured = np.unique(cutoffs[: len(fold.held_out.churned)])
            assert len(measured) == 1
            assert fold.cutoffs.max() <= DAYS[-1] - purge
        assert str(DAYS[-1]) in found.why


def test_the_latest_comes_first_and_there_are_at_most_as_many_as_requested():
    known, cutoffs = rows(DAYS)
    assert [len(folds_in_time(known, cutoffs, purge_days=7, maximum=number).parts) for number in (1, 2, 3)] == [1, 2, 3]
    first, second = folds_in_time(known, cutoffs, purge_days=7, maximum=2).parts
    assert first.cutoffs.max() > second.cutoffs.max()


def test_a_history_that_is_too_short_for_a_later_period_has_folds_of_users():
    known, cutoffs = rows(DAYS[:2])
    assert folds_in_time(known, cutoffs, purge_days=14).parts == ()
    found = Folds.of(known, cutoffs, purge_days=14, seed=7)
    assert "folds of users" in found.why
    assert len(found.parts) == 3
    for fold in found.parts:
        assert set(fold.train.users).isdisjoint(fold.held_out.users)


def of_first_users(churners: int) -> Rows:
    """Ten users with one row each, of whom the first ones churned: neighbours, as they are where labels are sorted."""
    return Rows(np.zeros((10, 1)), np.arange(10) < churners, np.arange(10))


@pytest.mark.parametrize(("churners", "folds"), [(2, 2), (3, 3), (6, 4), (8, 2)])
def test_both_classes_are_on_both_sides_of_every_fold_of_users(churners: int, folds: int):
    rows = of_first_users(churners)
    found = list(split_users(rows, maximum=5, seed=7))
    assert len(found) == folds
    assert np.sum([held_out for _, held_out in found], axis=0).tolist() == [1] * 10
    for seen, held_out in found:
        assert seen.tolist() == (~held_out).tolist()
        assert {*rows.churned[seen].tolist()} == {*rows.churned[held_out].tolist()} == {True, False}


@pytest.mark.parametrize(
    ("churners", "words"), [(1, "1 users churned and 9 were retained"), (10, "10 users churned and 0 were retained")]
)
def test_a_class_of_fewer_than_two_users_has_no_folds(churners: int, words: str):
    with pytest.raises(CheckFailed, match=f"{words}, expected at least 2 of each"):
        list(split_users(of_first_users(churners), maximum=5, seed=7))


def test_the_rarer_class_is_counted_in_the_part_that_has_fewer():
    known, cutoffs = rows(DAYS)
    (fold,) = folds_in_time(known, cutoffs, purge_days=35, maximum=1).parts
    assert fold.smallest_class == 10
