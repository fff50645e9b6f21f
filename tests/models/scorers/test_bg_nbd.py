"""BG/NBD: the likelihood by hand, and the fit on simulated buyers and on the published sample."""

import os
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from features.catalogue.fitted import BgNbd
from models.evaluation.metrics import auc
from models.scorers.bg_nbd import (
    Buyers,
    alive_probability,
    expected_purchases,
    fit,
    log_likelihood,
    no_purchase_probability,
    purchase_risk,
)

PUBLISHED = BgNbd(0.2426, 4.4136, 0.7929, 2.4259)  # of cdnow_sample, time in weeks
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


# --- What follows from the parameters ------------------------------------------------------------------------------

# Worked out by pymc-marketing 0.19.2 (BetaGeoModel: expected_probability_alive, expected_probability_no_purchase and
# expected_purchases) at the published parameters; lifetimes 0.11.3 says the same of being alive. For nobody without a repeat
# purchase: there its probability of no purchase is not that of the model (see the test by hand below).
KEPT_LIBRARY = [
    ((2, 30.43, 38.86), 0.7266140448542472, {4: 0.8693193237683479, 39: 0.44538829215500186}, 1.2259226579870381),
    ((7, 29.43, 38.86), 0.6418009246581506, {4: 0.6965099868500886, 39: 0.36431473805220727}, 3.3372365755725384),
    ((1, 0.5, 30), 0.21409909270266944, {4: 0.9726569161216257, 39: 0.8694115357447132}, 0.24956138812978132),
    ((26, 20, 30), 0.004210980534806771, {4: 0.9960240749602177, 39: 0.995789019474951}, 0.09219164270167456),
]


@pytest.mark.parametrize(("history", "alive", "none", "purchases"), KEPT_LIBRARY)
def test_what_follows_is_what_a_kept_library_says(
    history: tuple[float, float, float], alive: float, none: dict[int, float], purchases: float
):
    buyers = buyers_of(history)
    assert alive_probability(PUBLISHED, buyers) == pytest.approx([alive], rel=1e-10)
    for weeks, expected in none.items():
        found = no_purchase_probability(PUBLISHED, buyers, gap_days=0, horizon_days=weeks)
        assert found == pytest.approx([expected], rel=1e-10)
    assert expected_purchases(PUBLISHED, buyers, gap_days=0, horizon_days=39) == pytest.approx([purchases], rel=1e-9)


def test_who_never_came_back_is_alive_and_buys_at_a_rate_by_what_is_known():
    # alive for sure; no purchase: ((2 + 4) / (2 + 4 + 6)) ^ 3
    buyers = buyers_of((0, 0, 4))
    assert alive_probability(BgNbd(3, 2, 5, 7), buyers) == pytest.approx([1])
    assert no_purchase_probability(BgNbd(3, 2, 5, 7), buyers, gap_days=0, horizon_days=6) == pytest.approx([1 / 8])


def test_the_expected_purchases_of_one_who_never_stops_are_the_rate_times_the_time():
    # a towards zero: nobody stops, and purchases come at the mean rate (r + x) / (alpha + T) = 5 / 12
    buyers = buyers_of((2, 3, 10))
    assert expected_purchases(BgNbd(3, 2, 1e-9, 7), buyers, gap_days=4, horizon_days=6) == pytest.approx([2.5])


def test_buyers_are_read_from_three_features_of_a_profile():
    # days with a purchase, days since the first one, days since the last one
    found = Buyers.of(np.array([[3.0, 40.0, 10.0], [1.0, 5.0, 5.0], [np.nan, np.nan, np.nan]]))
    assert found.repeats[:2].tolist() == [2, 0]
    assert found.last[:2].tolist() == [30, 0]
    assert found.known[:2].tolist() == [40, 5]
    assert np.isnan([found.repeats[2], found.last[2], found.known[2]]).all()


def test_the_fewer_purchases_to_expect_the_higher_the_score_up_to_where_nothing_is_left_to_expect():
    # never stops: 5 / 12 purchases a day, 6 days; then 2,000 purchases in ten days and none for eight years
    rare, gone = buyers_of((2, 3, 10)), buyers_of((2_000, 10, 3_000))
    window = {"gap_days": 0, "horizon_days": 6}
    assert purchase_risk(BgNbd(3, 2, 1e-9, 7), rare, **window) == pytest.approx([-log(2.5)])
    assert purchase_risk(PUBLISHED, gone, **window) == pytest.approx([-log(1e-12)])
    assert np.isnan(purchase_risk(PUBLISHED, Buyers.of(np.full((1, 3), np.nan)), **window)).all()


def test_nothing_jumps_where_a_is_one():
    found = [
        expected_purchases(BgNbd(0.5, 3, a, 2), buyers_of((2, 3, 10)), gap_days=1, horizon_days=6)[0]
        for a in (1 - 1e-5, 1, 1 + 1e-5)
    ]
    assert found == pytest.approx([found[1]] * 3, rel=1e-4)


@pytest.mark.parametrize("history", [(0, 0, 0), (0, 0, 38), (1, 0.1, 300), (2, 30.43, 38.86), (500, 300, 301)])
@pytest.mark.parametrize(("gap", "horizon"), [(0, 39), (4, 39), (30, 7)])
def test_the_closed_form_is_the_integral_over_the_probability_to_stop(
    history: tuple[float, float, float], gap: float, horizon: float
):
    x, _, known = history
    until = PUBLISHED.alpha + known

    def bought(p: float) -> float:
        later = (1 + p * gap / until) ** -(PUBLISHED.r + x) - (1 + (p * gap + horizon) / until) ** -(PUBLISHED.r + x)
        return float(beta.pdf(p, PUBLISHED.a, PUBLISHED.b + x) * later)

    alive = alive_probability(PUBLISHED, buyers_of(history))[0]
    expected = 1 - alive * quad(bought, 0, 1, limit=200)[0]
    found = no_purchase_probability(PUBLISHED, buyers_of(history), gap_days=gap, horizon_days=horizon)
    assert found == pytest.approx([expected], abs=1e-7)


def test_the_closed_form_is_the_share_of_simulated_buyers_who_do_not_buy():
    # sampled from the posterior of one alive with x = 2, T = 10: rate gamma(3, 12), stop beta(1, 5); gap 5, horizon 8
    random = np.random.default_rng(1)
    people = 20_000
    rates, stops = random.gamma(3, 1 / 12, people), random.beta(1, 5, people)
    now, alive, bought = np.zeros(people), np.ones(people, dtype=bool), np.zeros(people, dtype=bool)
    while alive.any():
        now = now + random.exponential(1 / rates)
        alive &= now < 13
        bought |= alive & (now >= 5)
        alive &= random.random(people) >= stops
    fitted, buyers = BgNbd(1, 2, 1, 3), buyers_of((2, 9, 10))
    still = alive_probability(fitted, buyers)[0]
    found = no_purchase_probability(fitted, buyers, gap_days=5, horizon_days=8)[0]
    assert found == pytest.approx(1 - still * bought.mean(), abs=0.01)


@given(
    repeats=st.integers(0, 2_000),
    known=st.floats(0, 3_000),
    share=st.floats(0, 1),
    gap=st.floats(0, 60),
    horizon=st.floats(1, 365),
)
def test_whatever_the_history_it_is_a_probability_that_a_longer_horizon_lowers(
    repeats: int, known: float, share: float, gap: float, horizon: float
):
    buyers = buyers_of((repeats, known * share, known))
    short, long = (
        no_purchase_probability(PUBLISHED, buyers, gap_days=gap, horizon_days=days)[0]
        for days in (horizon, 2 * horizon)
    )
    assert -1e-9 <= long <= short + 1e-9
    assert short <= 1
    assert expected_purchases(PUBLISHED, buyers, gap_days=gap, horizon_days=horizon)[0] >= 0


# --- The published sample ------------------------------------------------------------------------------------------


def sample() -> tuple[Buyers, np.ndarray]:
    """Buyers to 1997-09-30, time in weeks, and who bought nothing in the 39 weeks after it."""
    if not LOG.exists():
        pytest.skip(f"REAL_LOGS names no folder with {LOG.name}")
    import duckdb

    found = duckdb.execute(
        f"""select count(*) filter (is_seen) - 1, (max(day) filter (is_seen) - min(day)) / 7, (date '1997-09-30' - min(day)) / 7,
            bool_and(is_seen)
        from (select distinct customer_id, cast(date as date) as day, date <= '1997-09-30' as is_seen from '{LOG}')
        group by customer_id order by customer_id"""
    ).fetchall()
    return buyers_of(*(row[:3] for row in found)), np.array([row[3] for row in found])


def test_the_fit_on_the_published_sample_is_the_published_one():
    buyers, _ = sample()
    found = fit(buyers)
    assert found is not None
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.2426, 4.4136, 0.7929, 2.4259), abs=2e-4)
    assert log_likelihood(found, buyers) == pytest.approx(-9582.43, abs=0.01)


def test_on_the_published_sample_the_expected_purchases_rank_best():
    buyers, churned = sample()
    weeks = {"gap_days": 0, "horizon_days": 39}
    assert churned.mean() == pytest.approx(0.710, abs=5e-4)
    assert auc(churned, -expected_purchases(PUBLISHED, buyers, **weeks)) == pytest.approx(0.7725, abs=5e-5)
    assert auc(churned, no_purchase_probability(PUBLISHED, buyers, **weeks)) == pytest.approx(0.7569, abs=5e-5)
