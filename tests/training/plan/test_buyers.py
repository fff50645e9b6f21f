"""BG/NBD of a log: which purchases count, and until when."""

from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from features.activity.store import Activity
from models.scorers.bg_nbd import MIN_REPEAT_BUYERS, Buyers, fit
from tests.builders import world_of
from training.plan.buyers import fit_bg_nbd

START = date(2026, 3, 1)


def on(day: int) -> date:
    return START + timedelta(days=day)


@pytest.fixture(scope="module")
def activity(tmp_path_factory: pytest.TempPathFactory) -> Activity:
    """A hundred users buy on days 0 and 5, fifty on day 3 alone; all of them visit on day 8 without buying."""
    assert MIN_REPEAT_BUYERS == 100
    twice = [f"a{user} {on(day)}T10:00 buy amount=5" for user in range(100) for day in (0, 5)]
    once = [f"b{user} {on(3)}T10:00 buy amount=5" for user in range(50)]
    visits = [f"{user} {on(8)}T10:00" for user in [f"a{n}" for n in range(100)] + [f"b{n}" for n in range(50)]]
    return world_of(tmp_path_factory.mktemp("shop"), twice + once + visits).activity()


def test_buyers_with_the_same_history_are_fitted_as_one_group(activity: Activity):
    # at day 10: bought once, 7 days ago (50 users); bought twice, 5 days apart, the first time 10 days ago (100 users)
    by_hand = Buyers(*map(_floats, ((0, 1), (0, 5), (7, 10), (50, 100))))
    assert fit_bg_nbd(activity, before=on(10), since=None) == fit(by_hand)


def test_days_from_the_date_on_do_not_count(activity: Activity):
    assert fit_bg_nbd(activity, before=on(5), since=None) is None  # the second purchases are on day 5


def test_days_before_the_observation_window_do_not_count(activity: Activity):
    assert fit_bg_nbd(activity, before=on(10), since=9) is None  # from day 1 on nobody buys twice


def _floats(values: tuple[int, ...]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
