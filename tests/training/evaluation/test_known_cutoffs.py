"""Cutoffs whose labels have become known since the training."""

from datetime import date, timedelta

import pytest

from training.evaluation.known_cutoffs import MAX_CUTOFFS, weekly_before

MONDAY, LONG_AGO = date(2026, 11, 23), date(2020, 1, 1)


@pytest.mark.parametrize("days_to_label", [1, 3, 7, 8, 10, 14, 30])
def test_a_cutoff_is_compared_with_those_of_its_own_weekday(days_to_label: int):
    found = weekly_before(MONDAY, days_to_label=days_to_label, after=LONG_AGO)
    assert {one.weekday() for one in found} == {MONDAY.weekday()}
    assert len(found) == MAX_CUTOFFS
    assert (
        days_to_label <= (MONDAY - found[-1]).days < days_to_label + 7
    )  # the label of the latest is known, and no later one's is


def test_they_are_in_order_of_time_and_after_what_the_model_knows():
    found = weekly_before(MONDAY, days_to_label=10, after=MONDAY - timedelta(weeks=4))
    assert found == [MONDAY - timedelta(weeks=3), MONDAY - timedelta(weeks=2)]
