"""Simulated seasons of the weekly list hold what they say; a few dozen keep the error rates that the benchmark measures on 1,000."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.weekly.effect import list_results, mismatch_results, smallest_scored
from benchmarks.weekly.effect_page import bars, write_page
from benchmarks.weekly.effect_seasons import BAND_EFFECT, BAND_OF, LOOKS, Plant, expected, readings, season_of
from benchmarks.weekly.effect_small import Setting, rates_of


@pytest.fixture(scope="module")
def small_list() -> dict[str, Any]:
    return list_results(762, seasons=150, seed=11)


def test_users_stay_so_that_first_entries_are_far_fewer_than_rows():
    season = season_of(np.random.default_rng(3), 2_000, share=0.1)
    entered = np.bincount(season.week, minlength=26)
    assert entered[0] == 2_000
    assert entered[13] == pytest.approx(2_000, rel=0.05)  # the list again, with new arms
    assert (np.delete(entered, [0, 13]) == 400).all()
    assert len(season.week) / (26 * 2_000) < 0.3


def test_whoever_is_kept_would_have_left_and_the_planted_effect_is_found():
    season = season_of(np.random.default_rng(3), 15_000, share=0.1)
    churned, saved = season.outcomes(Plant(0.05, 0.05))
    alone, _ = season.outcomes(Plant(0.0, 0.0))
    assert (churned <= alone).all()
    assert saved.mean() == pytest.approx(0.0475, abs=0.002)
    assert BAND_EFFECT[BAND_OF[season.place]].mean() == pytest.approx(1, abs=0.01)
    assert alone.mean() == pytest.approx(0.4, abs=0.02)


def test_the_last_look_knows_the_entries_of_22_weeks():
    season = season_of(np.random.default_rng(3), 1_000, share=0.5)
    found = readings([season], Plant(0.05, 0.0))
    assert found.users.shape == (1, len(LOOKS), 4)
    assert found.users[0, -1, 0] == (season.week < 22).sum()
    assert found.users[0, -1, 0] == pytest.approx(expected(1_000).planned, rel=0.05)
    assert found.users[..., 1:].sum(-1) == pytest.approx(found.users[..., 0])


def test_errors_stay_rare_over_all_looks(small_list: dict[str, Any]):
    # with 150 seasons, a rate of 2.5 % shows above 6 % in one of 100 tries
    for look in small_list["looks"]:
        assert look["zero_shown"] <= 0.06
        assert look["zero_shown_anywhere"] <= 0.09
        assert look["covered_entered"] >= 0.91
    assert small_list["looks"][0]["width"] <= 1.60
    assert max(look["width"] for look in small_list["looks"]) <= 1.67
    assert small_list["ordinary_looks"] > 0.1
    assert small_list["power"] == pytest.approx(0.8, abs=0.15)


def test_contamination_is_flagged_where_it_should_be(small_list: dict[str, Any]):
    little, much = small_list["contamination"]
    assert max(little["flagged"]) <= 0.09
    assert much["flagged"][1] >= 0.95


def test_a_clean_split_rarely_rings():
    found = mismatch_results(seasons=100, seed=4)
    assert max(one["clean"] for one in found) <= 0.006
    assert found[-1]["held_out_lost"] == 1


def test_fifteen_outcomes_of_each_kind_are_enough_where_one_is_not():
    rare = Setting(share=0.1, users=4_000, intercept=-2.0)
    found = list(rates_of(rare, np.random.default_rng(2), seasons=1_000))
    assert max(rate for _, minimum, rate in found if minimum == 15) <= 1.5
    assert max(rate for _, minimum, rate in found if minimum == 1) > 1.5


def test_the_page_says_which_targets_are_missed(small_list: dict[str, Any], tmp_path: Path):
    results = {
        "measured_on": "2026-11-26",
        "seasons": 150,
        "seed": 11,
        "seconds": 1.0,
        "lists": [small_list | {"looks": [one | {"width": 2.0} for one in small_list["looks"]]}],
        "mismatch": mismatch_results(seasons=10, seed=4),
        "small": [{"interval": "overall", "minimum": 15, "settings": 180, "above": 0, "highest": 0.8}],
        "smallest_scored": {"0.5": smallest_scored(0.5)},
    }
    write_page(results, tmp_path)
    page = (tmp_path / "weekly_effect.md").read_text()
    assert "half-width in week 26 over that of one fixed look | at most 1.60 times | 2.000 | **missed** |" in page
    assert sum(not bar.is_met for bar in bars(results)) == page.count("**missed**")
