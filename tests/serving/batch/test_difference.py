"""How the scores of two models differ, by hand."""

import pyarrow as pa
import pytest

from serving.batch.difference import Difference, difference_of
from serving.batch.scored_batch import difference_of_scores

PAIRS = [
    (("high", 0.9), ("high", 0.8)),
    (("low", 0.1), ("medium", 0.4)),
    (("low", 0.1), None),
    (None, ("low", 0.2)),
    (None, None),
]


def scores(**users: tuple[str, float] | None) -> pa.Table:
    bands, probabilities = ([one and one[place] for one in users.values()] for place in (0, 1))
    columns = {"user_id": list(users), "risk_band": bands, "churn_probability": pa.array(probabilities, pa.float64())}
    return pa.table(columns)


def test_bands_and_distances_are_counted_over_users_whom_both_score():
    found = difference_of(PAIRS)
    assert (found.users, found.scored_by_one, found.other_band) == (2, 2, 1)
    assert (found.mean, found.mean_absolute) == pytest.approx((0.1, 0.2))


def test_nobody_differs_from_nobody():
    assert difference_of([]) == difference_of([(None, None)]) == Difference()


def test_two_batches_are_compared_user_by_user_in_any_order():
    champion = scores(a=("high", 0.9), b=("low", 0.1), c=("low", 0.1), d=None, e=None)
    challenger = scores(e=None, d=("low", 0.2), b=("medium", 0.4), a=("high", 0.8), f=("low", 0.3))
    found = difference_of_scores(champion, challenger)
    assert (found.users, found.scored_by_one, found.other_band) == (2, 3, 1)
    assert (found.mean, found.mean_absolute) == pytest.approx((0.1, 0.2))
    assert difference_of_scores(champion, champion) == Difference(3)
