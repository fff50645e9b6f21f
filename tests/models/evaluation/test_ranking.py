"""Users by score, with weights: ranks, ties and bins computed by hand."""

import numpy as np
import pytest

from models.evaluation.ranking import RankedUsers, sizes

CHURNED = np.array([True, False, True, False])
SCORE = np.array([0.9, 0.5, 0.5, 0.1])


def test_tied_users_are_one_group():
    ranked = RankedUsers.by_score(CHURNED, SCORE)
    assert ranked.score.tolist() == [0.1, 0.5, 0.5, 0.9]
    assert ranked.ends.tolist() == [1, 3, 4]
    assert ranked.sample().churners.tolist() == [0, 0, 1, 2]


def test_the_auc_counts_a_tie_as_half_a_pair():
    # churner .9 beats both; churner .5 beats .1 and ties with .5: 3.5 of 4 pairs
    assert RankedUsers.by_score(CHURNED, SCORE).sample().auc() == pytest.approx(3.5 / 4)


def test_users_without_a_score_are_tied_above_all_others_in_any_order():
    # as though they had .9 each: churner .9 beats .5, ties with .9; churner .5 loses to .9, ties with .5: 2 of 4 pairs
    churned, score = np.array([True, False, True, False]), np.array([np.nan, np.nan, 0.5, 0.5])
    for order in ([0, 1, 2, 3], [1, 0, 3, 2], [3, 1, 2, 0]):
        assert RankedUsers.by_score(churned[order], score[order]).sample().auc() == pytest.approx(2 / 4)


def test_a_weight_counts_a_user_as_often():
    ranked = RankedUsers.by_score(CHURNED, SCORE)
    sample = ranked.sample(
        np.array([2.0, 0.0, 1.0, 1.0])
    )  # the first churner twice, the retained user at .5 not at all
    assert (float(sample.users), float(sample.churn_rate)) == (4.0, 0.75)
    assert sample.auc() == pytest.approx(1.0)
    assert sample.mean(ranked.churned) == pytest.approx(0.75)


def test_the_top_users_share_the_rate_of_a_tie_at_the_border():
    sample = RankedUsers.by_score(CHURNED, SCORE).sample()
    assert float(sample.in_top(1)) == pytest.approx(1.0)
    assert float(sample.in_top(2)) == pytest.approx(1.5)
    assert (sample.top_of(0.01), sample.top_of(0.5)) == (1.0, 2.0)


def test_the_capacity_is_at_most_all_users():
    assert RankedUsers.by_score(CHURNED, SCORE, capacity=10).sample().at_capacity() == 4.0
    assert RankedUsers.by_score(CHURNED, SCORE, capacity=3).sample().at_capacity() == 3.0


def test_bins_have_equal_counts_and_the_first_ones_take_the_remainder():
    assert sizes(10, 4).tolist() == [3, 3, 2, 2]
    assert sizes(2, 4).tolist() == [1, 1]
    users, churners, expected = RankedUsers.by_score(CHURNED, SCORE).sample().bins(2)
    assert (users.tolist(), churners.tolist()) == ([2, 2], [0.5, 1.5])
    assert expected == pytest.approx([0.6, 1.4])
