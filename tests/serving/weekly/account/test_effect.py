from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from features.errors import InputError
from serving.weekly.account.arm_checks import ArmCounts, Contamination, Mismatch, contamination, mismatch
from serving.weekly.account.confidence_sequence import ConfidenceSequence, Outlook, Season
from serving.weekly.account.effect import (
    Counts,
    Difference,
    Effect,
    FirstEntries,
    Range,
    adjusted_difference,
    effect,
    verdict,
)

OUTLOOK = Outlook(Season.steady(220, 0.4), 0.05, week=15, cost_per_contact=2.0)
CLEAN = Contamination(1_000, 40, 0.03, 0.05, "clean")
AS_PLANNED = Mismatch(1.0, rings=False, detectable_loss=0.1)
NOTHING = Difference(1_210, 1_210, -0.02, -0.07, 0.03, 0.017, "nothing shown")
LESS = Difference(10_000, 1_000, -0.041, -0.07, -0.012, 0.0096, "less churn")
EARLY = Difference(20, 20, *[float("nan")] * 4, status="too early")


def entries(count: int, *, seed: int = 1, effect: float = 0.0, share: float = 0.3) -> FirstEntries:
    random = np.random.default_rng(seed)
    log_odds, treated = random.normal(-0.4, 1, count), random.random(count) >= share
    churn = 1 / (1 + np.exp(-log_odds)) - effect * treated
    return FirstEntries(
        treated,
        (random.random(count) < churn).astype(float),
        log_odds,
        np.where(log_odds > 0, "high", np.where(log_odds > -1, "medium", "low")),
        np.arange(count) * 26 // count,
        treated * random.integers(0, 3, count),
        np.full(count, 10.0),
    )


def with_open(of: FirstEntries, *, last: int) -> FirstEntries:
    return replace(of, churned=np.where(np.arange(len(of.churned)) >= len(of.churned) - last, np.nan, of.churned))


def lin(of: FirstEntries) -> tuple[float, float]:
    """The coefficient of treated and its HC2 standard error, by statsmodels."""
    centred = of.log_odds - of.log_odds.mean()
    design = np.column_stack([np.ones(len(centred)), of.treated, centred, of.treated * centred])
    fitted = sm.OLS(of.churned, design).fit(cov_type="HC2")
    return float(fitted.params[1]), float(fitted.bse[1])


def test_the_difference_is_computed_by_hand():
    # treated: rate 3/4 at mean log-odds 1, slope 1/4; held out: 3/4 at 1/2, slope 1/2; both at the common mean 3/4
    of = FirstEntries(
        np.array([True] * 4 + [False] * 4),
        np.array([0.0, 1, 1, 1, 1, 0, 1, 1]),
        np.array([0.0, 0, 2, 2, 0, 0, 1, 1]),
        np.full(8, "high"),
        np.zeros(8, dtype=np.int64),
        np.zeros(8, dtype=np.int64),
    )
    difference, error = adjusted_difference(Counts.of(of, of.is_known))
    assert float(difference) == pytest.approx(0.6875 - 0.875)
    # in each arm two residuals of 1/2 with leverage 1/2: weights 5/16 treated, 1/8 held out
    assert float(error) ** 2 == pytest.approx((5 / 16) ** 2 + (1 / 8) ** 2)
    assert lin(of) == pytest.approx((float(difference), float(error)), abs=1e-9)


@pytest.mark.parametrize(("count", "share"), [(60, 0.3), (500, 0.5), (4_000, 0.05)])
def test_difference_and_standard_error_agree_with_statsmodels(count: int, share: float):
    of = entries(count, effect=0.1, share=share)
    difference, error = adjusted_difference(Counts.of(of, of.is_known))
    assert (float(difference), float(error)) == pytest.approx(lin(of), abs=1e-9)


def test_many_samples_at_once_equal_one_at_a_time():
    of = entries(400)
    of = replace(of, log_odds=of.log_odds.round(1))
    both = [Counts.of(of, of.is_known), Counts.of(replace(of, churned=1 - of.churned), of.is_known)]
    stacked = Counts(
        both[0].log_odds, *(np.stack([getattr(one, name) for one in both]) for name in ("users", "churners"))
    )
    difference, error = adjusted_difference(stacked)
    for place, one in enumerate(both):
        assert adjusted_difference(one) == pytest.approx((difference[place], error[place]))


def test_one_log_odds_for_all_is_the_plain_difference():
    of = replace(entries(300), log_odds=np.zeros(300))
    difference, error = adjusted_difference(Counts.of(of, of.is_known))
    treated, held_out = of.churned[of.treated], of.churned[~of.treated]
    assert float(difference) == pytest.approx(treated.mean() - held_out.mean())
    assert float(error) ** 2 == pytest.approx(treated.var(ddof=1) / len(treated) + held_out.var(ddof=1) / len(held_out))


def test_the_interval_is_the_standard_error_times_the_multiplier_of_those_known():
    of = with_open(entries(3_000, effect=0.15), last=1_000)
    found = effect(of, planned=4_000)
    reach = found.overall.standard_error * float(ConfidenceSequence(4_000).multiplier(2_000))
    assert found.overall.treated + found.overall.held_out == found.overall.users == 2_000
    assert (found.overall.high - found.overall.estimate, found.overall.estimate - found.overall.low) == pytest.approx(
        (reach, reach)
    )
    assert found.overall.status == "less churn"
    assert found.mean_value == 10
    contacts = of.contacts[of.treated & of.is_known]
    assert (found.contacted_share, found.contacts_per_user) == ((contacts > 0).mean(), contacts.mean())


def test_each_band_has_its_part_of_the_plan_and_a_third_of_the_remaining_errors():
    of = entries(3_000, effect=0.15)
    high = effect(of, planned=4_000).bands["high"]
    part = (of.band == "high").mean()
    sequence = ConfidenceSequence(4_000 * part, alpha=0.05 / 3)
    assert high.high - high.estimate == pytest.approx(high.standard_error * float(sequence.multiplier(high.users)))


def test_harm_is_shown_too():
    of = entries(3_000, effect=0.2)
    assert effect(replace(of, treated=~of.treated), planned=3_000).overall.status == "more churn"


def test_too_few_outcomes_of_a_kind_are_too_early():
    of = entries(200, share=0.3)
    held_out = np.flatnonzero(~of.treated)
    churned = np.where(of.treated, of.churned, 0.0)
    churned[held_out[:14]] = 1
    assert effect(replace(of, churned=churned), planned=400).overall.status == "too early"
    churned[held_out[14]] = 1
    assert effect(replace(of, churned=churned), planned=400).overall.status != "too early"


def test_nobody_known_yet_is_too_early():
    found = effect(with_open(entries(100), last=100), planned=400)
    assert (found.overall.status, found.overall.users) == ("too early", 0)
    assert np.isnan(found.overall.estimate)
    assert np.isnan(found.contacted_share)


def test_an_earlier_look_knows_fewer_entries_and_fewer_outcomes():
    of = entries(2_600)  # 100 a week
    earlier = of.seen_after(13, known_after_weeks=5)
    assert len(earlier.treated) == 1_300
    assert int(earlier.is_known.sum()) == 900
    assert earlier.value is not None


def test_held_out_users_are_checked_for_contacts():
    of = entries(3_000)
    assert of.contamination.status == "clean"
    assert replace(of, contacts=np.ones(3_000, dtype=np.int64)).contamination.status == "contaminated"


def said(overall: Difference, *, arms: Mismatch = AS_PLANNED, leaks: Contamination = CLEAN, **bands: Difference) -> str:
    return verdict(Effect(overall, bands, 0.9, 0.9, 10.0), arms=arms, leaks=leaks, outlook=OUTLOOK).words


def test_an_effect_is_told_in_points():
    assert said(LESS) == "contacting reduces churn by 4.1 points (1.2 to 7)"
    assert said(replace(LESS, estimate=0.03, low=0.01, high=0.05, status="more churn")) == (
        "contacting increases churn by 3 points (1 to 5)"
    )


def test_nothing_shown_says_when_it_would_be():
    words = said(NOTHING)
    assert words.startswith("nothing shown yet; ")
    assert words.endswith(" more weeks would show 5 points")


def test_a_band_may_show_what_all_do_not():
    words = said(NOTHING, high=NOTHING, medium=LESS, low=EARLY)
    assert words.endswith("; in the medium band contacting reduces churn by 4.1 points (1.2 to 7)")


def test_fewer_leavers_and_money_follow_from_the_difference():
    found = verdict(Effect(LESS, {}, 0.9, 0.9, 10.0), arms=AS_PLANNED, leaks=CLEAN, outlook=OUTLOOK)
    assert found.fewer_leavers is not None
    assert found.money is not None
    leavers, money = found.fewer_leavers, found.money
    assert (leavers.value, leavers.low, leavers.high) == pytest.approx((410, 120, 700))
    # each worth 10; 9,000 contacts at 2
    assert (money.value, money.low, money.high) == pytest.approx((4_100 - 18_000, 1_200 - 18_000, 7_000 - 18_000))


def money(**found: object) -> Range:
    of = replace(Effect(LESS, {}, 1.0, 1.0, 20.0), **found)
    told = verdict(of, arms=AS_PLANNED, leaks=CLEAN, outlook=replace(OUTLOOK, cost_per_contact=0.4)).money
    assert told is not None
    return told


def test_every_contact_of_a_user_costs():
    # 1,000 treated users of whom 40 stay, each worth 20; 4 contacts of each at 0.40
    less = Difference(1_000, 100, -0.04, -0.06, -0.02, 0.01, "less churn")
    assert money(overall=less, contacts_per_user=4.0).value == pytest.approx(800 - 1_600)


def test_the_ends_of_an_amount_are_in_order_where_users_cost_money():
    found = money(mean_value=-5.0, contacts_per_user=0.0)
    assert (found.low, found.value, found.high) == pytest.approx((-3_500, -2_050, -600))


def test_without_values_there_is_no_money():
    assert verdict(Effect(LESS, {}, 0.9, 0.9, None), arms=AS_PLANNED, leaks=CLEAN, outlook=OUTLOOK).money is None


def test_too_early_concludes_nothing():
    found = verdict(Effect(EARLY, {}, 0.9, 0.9, 10.0), arms=AS_PLANNED, leaks=CLEAN, outlook=OUTLOOK)
    assert found.words == "too early to say: each arm needs 15 users who churned and 15 who did not"
    assert found.fewer_leavers is None


def test_a_leaking_control_group_withholds_the_verdict():
    found = verdict(
        Effect(LESS, {}, 0.9, 0.9, 10.0),
        arms=AS_PLANNED,
        leaks=Contamination(1_000, 101, 0.086, 0.118, "contaminated"),
        outlook=OUTLOOK,
    )
    assert (found.status, found.fewer_leavers) == ("withheld", None)
    assert (
        found.words
        == "withheld: held-out users were contacted: 101 of 1,000 in closed windows, up to 11.8%; the limit is 8 %"
    )


def test_a_campaign_that_is_obvious_before_windows_close_is_told_by_those_who_entered():
    of = entries(1_000, share=1.0)
    found = contamination(np.arange(1_000) >= 600, np.arange(1_000) < 500)  # 400 of the 500 in open windows
    words = verdict(effect(of, planned=1_000), arms=AS_PLANNED, leaks=found, outlook=OUTLOOK).words
    assert words == (
        "withheld: held-out users were contacted: 400 of 1,000 who have entered, 36.4% or more; the limit is 8 %"
    )


def test_a_control_group_that_is_too_small_to_check_is_said():
    words = said(LESS, leaks=Contamination(100, 3, 0.004, 0.08, "too early"))
    assert words.endswith("; too early to say whether held-out users were left alone")


def test_arms_of_the_wrong_size_withhold_the_verdict():
    words = said(LESS, arms=mismatch([ArmCounts(800, 19_800, 0.05)]))
    assert words.startswith("withheld: the arms are not as large as planned (p = ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"churned": np.full(100, 2.0)}, "churned must be 1, 0, or NaN"),
        ({"churned": np.zeros(99)}, "differ in shape"),
        ({"log_odds": np.full(100, np.inf)}, "log-odds at entry must be finite"),
        ({"band": np.full(100, "hgih")}, 'unknown risk band "hgih"'),
    ],
)
def test_bad_entries_are_refused(change: dict[str, np.ndarray], words: str):
    with pytest.raises(InputError, match=words):
        replace(entries(100), **change)


def test_a_plan_of_nobody_is_refused():
    with pytest.raises(InputError, match="planned number of users must be positive"):
        effect(entries(100), planned=0)
