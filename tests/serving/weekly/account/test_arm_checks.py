from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from features.errors import InputError
from serving.weekly.account.arm_checks import (
    MIN_HELD_OUT,
    ArmCounts,
    bounds,
    concentration,
    contamination,
    detectable_loss,
    is_contaminated,
    log_evidence,
    mismatch,
)


def test_the_evidence_of_two_users_is_computed_by_hand():
    # the first user says nothing; the second is held out with (a + 1) / (a + b + 1) instead of the planned share
    prior = concentration(0.2)
    assert float(log_evidence(1, 1, share=0.2)) == pytest.approx(0, abs=1e-9)
    expected = np.log((0.2 * prior + 1) / (prior + 1) / 0.2)
    assert float(log_evidence(2, 2, share=0.2)) == pytest.approx(expected, abs=1e-9)


def test_the_evidence_has_expectation_1_under_the_planned_share():
    held = np.arange(201)
    factors = np.exp(log_evidence(held, 200, share=0.1))
    assert float(binom.pmf(held, 200, 0.1) @ factors) == pytest.approx(1)


def test_a_clean_split_is_quiet_and_a_lossy_one_rings():
    assert not mismatch([ArmCounts(1_010, 20_000, 0.05)]).rings
    lossy = mismatch([ArmCounts(800, 19_800, 0.05)])
    assert lossy.rings
    assert lossy.p_value < 0.005


def test_epochs_with_one_share_are_counted_together_and_others_multiplied():
    one, two, other = ArmCounts(500, 9_000, 0.05), ArmCounts(480, 9_000, 0.05), ArmCounts(1_000, 9_000, 0.1)
    together = mismatch([one, two, other])
    evidence = log_evidence(980, 18_000, share=0.05) + log_evidence(1_000, 9_000, share=0.1)
    assert together.p_value == pytest.approx(float(np.exp(-evidence)))


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_detectable_loss_is_found_in_95_percent(share: float):
    users = 20_000
    loss = detectable_loss(users, share=share)
    shares = [share * (1 - loss) / (1 - share * loss), share / (1 - (1 - share) * loss)]
    held = np.random.default_rng(5).binomial(users, np.array(shares)[:, None], (2, 4_000))
    rings = (log_evidence(held, users, share=share) >= np.log(200)).mean(1)
    assert rings.min() == pytest.approx(0.95, abs=0.02)


def test_a_handful_of_users_detects_no_loss():
    assert np.isnan(detectable_loss(20, share=0.05))
    assert detectable_loss(10_628, share=0.5) <= 0.1 < detectable_loss(10_600, share=0.5)


def test_bounds_are_exact():
    low, high = bounds([0, 3, 4], [4, 60, 4])
    assert low[[0, 2]] == pytest.approx([0, 0.01**0.25])  # four of four
    assert high[[0, 2]] == pytest.approx([1 - 0.05**0.25, 1])
    assert binom.sf(2, 60, low[1]) == pytest.approx(0.01)
    assert binom.cdf(3, 60, high[1]) == pytest.approx(0.05)


@pytest.mark.parametrize("held_out", [MIN_HELD_OUT, 500, 600, 771, 1_000, 2_500])
def test_ten_percent_contamination_is_flagged_and_five_is_not(held_out: int):
    counts = np.arange(held_out + 1)
    flags = is_contaminated(counts, held_out)
    assert binom.pmf(counts, held_out, 0.05) @ flags <= 0.01
    assert binom.pmf(counts, held_out, 0.10) @ flags >= 0.95


def checked(*, closed: int, leaks: int, still_open: int = 0, open_leaks: int = 0) -> str:
    contacted = np.arange(closed + still_open) < leaks
    contacted[closed : closed + open_leaks] = True
    return contamination(contacted, np.arange(closed + still_open) < closed).status


def test_contamination_waits_for_closed_windows():
    assert checked(closed=446, leaks=22) == "too early"
    assert checked(closed=447, leaks=22) == "clean"
    assert checked(closed=1_000, leaks=100, still_open=300) == "contaminated"
    assert checked(closed=0, leaks=0) == "too early"


def test_a_campaign_to_everybody_is_noticed_in_its_week():
    assert checked(closed=0, leaks=0, still_open=40, open_leaks=20) == "contaminated"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ArmCounts(5, 4, 0.1), "of 4 scored users, 5 cannot be held out"),
        (lambda: ArmCounts(1, 4, 1.0), "between 0 and 1"),
        (lambda: mismatch([]), "no users to test"),
        (lambda: contamination(np.zeros(3, dtype=bool), np.zeros(2, dtype=bool)), "contacts of"),
    ],
)
def test_bad_input_is_refused(make: Callable[[], object], words: str):
    with pytest.raises(InputError, match=words):
        make()
