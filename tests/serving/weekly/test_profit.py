"""What contacts earn: the formula by hand, the best cut of a ranking, and what a wrong save rate would do."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from features.errors import SettingsError
from serving.settings import ListSettings
from serving.weekly.profit import ContactCosts, ProfitRanking
from serving.weekly.selection import Selection, select
from tests.serving.weekly.list_builder import candidates_of, profile_table, score_rows
from tests.serving.weekly.test_selection import ranked, wanted

COSTS = ContactCosts(0.2, per_contact=1.0, incentive=5.0)
#             a      b      c     d      e      f: no score
VALUES = (100.0, 400.0, None, 900.0, 100.0, 5000.0)


def one_list(held_out: str = "", **settings: Any) -> Selection:
    found = ListSettings(save_rate=0.2, cost_per_contact=1.0, incentive=5.0, **settings)
    return select(ranked(held_out=held_out), [found], wanted=[wanted(value=VALUES)])[0]


def names(found: Selection) -> str:
    return "".join("abcdef"[row] for row in found.rows)


def test_a_contact_earns_what_the_formula_says():
    (earned,) = COSTS.profit(np.array([0.4]), np.array([100.0]))
    assert earned == pytest.approx(0.4 * 0.2 * (100 - 5) - 0.6 * 5 - 1)
    (few_take_it,) = replace(COSTS, taken_by_stayers=0.1).profit(np.array([0.4]), np.array([100.0]))
    assert few_take_it == pytest.approx(0.4 * 0.2 * 95 - 0.6 * 0.1 * 5 - 1)


def test_a_user_without_a_value_is_worth_nothing():
    assert COSTS.profit(np.array([0.9]), np.array([np.nan])) == COSTS.profit(np.array([0.9]), np.array([0.0]))


def test_a_list_with_a_save_rate_is_ranked_by_profit_and_ends_where_a_contact_earns_nothing():
    found = one_list()
    assert names(found) == "bdae"  # c has no value, f no score
    assert found.not_reached == 1
    assert found.by_profit is not None
    assert (found.by_profit.profit[:4] > 0).all()
    assert found.by_profit.also_by_risk == 3  # by risk: a, c, e, b
    assert found.by_profit.total == pytest.approx(found.by_profit.profit[:4].sum())


@pytest.mark.parametrize(
    ("settings", "held_out", "entered"),
    [
        ({"capacity": 2}, "", "bd"),
        ({"capacity": 2}, "b", "bda"),
        ({"budget": 3.0}, "", "bda"),
        ({"at_least": "high"}, "", "bae"),
    ],
)
def test_other_cuts_hold_as_well_and_are_blind_to_the_arm(settings: dict[str, Any], held_out: str, entered: str):
    assert names(one_list(held_out, **settings)) == entered


def world(seed: int, users: int = 40_000) -> tuple[ProfitRanking, np.ndarray]:
    """A ranking by the probabilities of a model that knows the true ones but for some noise, and what each contact earns in the end."""
    random = np.random.default_rng(seed)
    true, value = random.beta(1.2, 3, users), random.lognormal(4, 0.8, users)
    p = expit(logit(true) + random.normal(0, 0.3, users))
    leaves, saved, takes = (
        random.random(users) < true,
        random.random(users) < COSTS.save_rate,
        random.random(users) < 1.0,
    )
    earned = leaves * saved * (value - COSTS.incentive) - ~leaves * takes * COSTS.incentive - COSTS.per_contact
    ordered = np.argsort(-COSTS.profit(p, value), kind="stable")
    size = int((COSTS.profit(p, value) > 0).sum())
    ranking = ProfitRanking.of(COSTS, (p, value), ordered=ordered, rows=ordered[:size], by_risk=np.argsort(-p)[:size])
    return ranking, earned[ordered]


def test_the_cut_is_near_the_best_cut_that_anybody_could_have_made():
    near = 0
    for seed in range(20):
        ranking, earned = world(seed)
        totals = np.cumsum(earned)
        near += totals[ranking.size - 1] >= 0.95 * totals.max()
    assert near >= 18


def test_no_other_cut_of_the_ranking_is_expected_to_earn_more():
    ranking, _ = world(1)
    totals = np.concatenate([[0.0], np.cumsum(ranking.profit)])
    assert ranking.total == pytest.approx(totals.max())


def test_a_list_pays_from_the_save_rate_at_which_it_earns_nothing():
    ranking, _ = world(2)
    at = replace(ranking.costs, save_rate=ranking.pays_from())
    assert at.profit(ranking.churn_probability, ranking.value)[: ranking.size].sum() == pytest.approx(0, abs=1e-6)


def test_nobody_worth_anything_makes_no_list_pay():
    costs = ContactCosts(0.2, per_contact=1.0)
    p, value = np.array([0.5]), np.array([0.0])
    assert ProfitRanking(costs, p, value, 1, 1).pays_from() == float("inf")


def test_curves_start_at_nothing_and_pass_the_cut_for_three_save_rates():
    ranking, _ = world(3)
    found = list(ranking.curves())
    assert [rate for rate, _ in found] == pytest.approx([0.2, 0.1, 0.3])
    for _, points in found:
        assert points[0] == (0, 0.0)
        assert ranking.size in [users for users, _ in points]
        assert points[-1][0] == 40_000
    assert dict(found[0][1])[ranking.size] == pytest.approx(ranking.total)


def test_a_save_rate_without_anything_that_says_what_a_user_is_worth_is_refused():
    candidates = candidates_of(profile_table(user_id=["a"], tenure_days=[50.0]), score_rows([1.0]))
    with pytest.raises(SettingsError, match="nothing says what a user is worth"):
        candidates.wanted(ListSettings(name="vip", capacity=3, save_rate=0.1))


def test_an_incentive_without_a_save_rate_and_a_list_without_any_cut_are_refused():
    with pytest.raises(ValueError, match="an incentive needs a save_rate"):
        ListSettings(capacity=3, incentive=5.0)
    with pytest.raises(ValueError, match="or a save_rate, which cuts by profit"):
        ListSettings()
