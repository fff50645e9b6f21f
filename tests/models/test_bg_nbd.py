"""BG/NBD: the likelihood by hand, and the fit on simulated buyers and on the published sample."""

import os
from math import log
from pathlib import Path

import numpy as np
import pytest

from features.learnt import BgNbd
from models.bg_nbd import Buyers, fit, log_likelihood

LOG = Path(os.environ.get("REAL_LOGS", "nowhere")) / "cdnow_sample.parquet"


def buyers_of(*histories: tuple[float, float, float]) -> Buyers:
    repeats, last, known = np.array(histories, dtype=np.float64).T
    return Buyers(repeats, last, known, np.ones(len(histories)))


def simulated(people: int, *, fitted: BgNbd, days: float) -> Buyers:
    random = np.random.default_rng(7)
    rates = random.gamma(fitted.r, 1 / fitted.alpha, people)
    stops = random.beta(fitted.a, fitted.b, people)
    histories: list[tuple[float, float, float]] = []
    for rate, stop in zip(rates, stops, strict=True):
        repeats, now, is_alive = 0, 0.0, True
        while is_alive and (later := now + random.exponential(1 / rate)) < days:
            repeats, now, is_alive = repeats + 1, later, random.random() >= stop
        histories.append((repeats, now, days))
    return buyers_of(*histories)


def test_the_likelihood_of_one_who_never_came_back_is_that_of_no_purchase_for_so_long():
    # (alpha / (alpha + T)) ^ r = (2 / 6) ^ 3; whether one would have stopped later says nothing
    assert log_likelihood(BgNbd(3, 2, 5, 7), buyers_of((0, 0, 4))) == pytest.approx(3 * log(1 / 3))


def test_the_likelihood_of_one_repeat_purchase_is_that_of_both_ways():
    # all parameters one, x = 1, t_x = 1, T = 3: B(1, 2) / B(1, 1) / (1 + 3)^2 + B(2, 1) / B(1, 1) / (1 + 1)^2 = 1/32 + 1/8
    assert log_likelihood(BgNbd(1, 1, 1, 1), buyers_of((1, 1, 3))) == pytest.approx(log(1 / 32 + 1 / 8))


def test_buyers_counted_together_weigh_as_much_as_one_by_one():
    apart, together = buyers_of((1, 1, 3), (1, 1, 3), (0, 0, 4)), buyers_of((1, 1, 3), (0, 0, 4))
    together = Buyers(together.repeats, together.last, together.known, np.array([2.0, 1.0]))
    fitted = BgNbd(0.5, 3, 1, 2)
    assert log_likelihood(fitted, together) == pytest.approx(log_likelihood(fitted, apart))


def test_the_fit_finds_the_parameters_of_simulated_buyers():
    truth = BgNbd(0.8, 20, 1.2, 3.5)
    buyers = simulated(20_000, fitted=truth, days=300)
    found = fit(buyers)
    assert found is not None
    assert log_likelihood(found, buyers) >= log_likelihood(truth, buyers)
    assert (found.r, found.alpha) == pytest.approx((truth.r, truth.alpha), rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.1)


def test_too_few_buyers_who_came_back_are_not_fitted():
    assert fit(buyers_of((1, 5, 30), (0, 0, 30))) is None


def test_the_fit_on_the_published_sample_is_the_published_one():
    if not LOG.exists():
        pytest.skip(f"REAL_LOGS names no folder with {LOG.name}")
    import duckdb

    rows = duckdb.sql(
        f"""select count(*) - 1, (max(day) - min(day)) / 7, (date '1997-09-30' - min(day)) / 7
        from (select distinct customer_id, cast(date as date) as day from '{LOG}' where date <= '1997-09-30') group by customer_id"""
    ).fetchall()
    buyers = buyers_of(*rows)
    found = fit(buyers)
    assert found is not None
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.2426, 4.4136, 0.7929, 2.4259), abs=2e-4)
    assert log_likelihood(found, buyers) == pytest.approx(-9582.43, abs=0.01)
