"""How long users stay away: idle spells and waits counted by hand, and the curve of who comes back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.settings import ChurnSettings, IdentitiesSettings
from features.users.attributes import AttributesSettings, open_known_users
from tests.builders import passing_world, world_of, write
from training.horizon.survival import (
    PARTS,
    Counts,
    Share,
    SurvivalCurve,
    count_spells,
    count_waits,
    resampling_counts,
    survival_function,
)

JAN_1 = date(2026, 1, 1)


def counted(counts: Counts) -> dict[tuple[int, bool], int]:
    """Length and whether a return ended it, to how many."""
    total = counts.reshape(-1, 2, counts.shape[-1]).sum(axis=0)
    return {(int(day), bool(back)): int(total[back, day]) for back, day in zip(*np.nonzero(total), strict=True)}


def spells_of(folder: Path, *lines: str, until: str = "2026-01-10", **churn: Any) -> dict[tuple[int, bool], int]:
    world = world_of(folder, lines, churn=churn, covered_until=date.fromisoformat(until))
    return counted(count_spells(world.activity()))


# --- Spells ----------------------------------------------------------------------------------------------------------


def test_a_return_ends_a_spell_and_the_end_of_the_log_cuts_the_last_one(tmp_path: Path):
    # away from the 1st to the 3rd and from the 3rd to the 4th; the 5th to the 9th are the idle days that the log still covers
    found = spells_of(tmp_path, "anna 2026-01-01", "anna 2026-01-03", "anna 2026-01-04")
    assert found == {(2, True): 1, (1, True): 1, (5, False): 1}


def test_equal_spells_of_several_users_are_counted_together(tmp_path: Path):
    found = spells_of(
        tmp_path, "anna 2026-01-01", "anna 2026-01-03", "bob 2026-01-02", "bob 2026-01-04", "eve 2026-01-03"
    )
    assert found == {(2, True): 2, (6, False): 2, (5, False): 1}


def test_a_user_of_the_last_day_has_not_been_away_yet(tmp_path: Path):
    assert spells_of(tmp_path, "anna 2026-01-09") == {}


def test_several_events_of_a_day_are_one_day(tmp_path: Path):
    assert spells_of(tmp_path, "anna 2026-01-07T01:00", "anna 2026-01-07T23:00") == {(2, False): 1}


def test_days_without_a_qualifying_event_are_idle(tmp_path: Path):
    lines = ("anna 2026-01-01 buy", "anna 2026-01-02 look", "anna 2026-01-05 buy", "bob 2026-01-03 look")
    assert spells_of(tmp_path, *lines, qualifying="event_type = 'buy'") == {(4, True): 1, (4, False): 1}


def test_ids_of_one_person_are_one_user(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-01", "cookie 2026-01-03"], covered_until=date(2026, 1, 10))
    names = {name: name for name in ("alias_id", "user_id", "valid_from")}
    same = {"alias_id": "cookie", "user_id": "anna", "valid_from": "2026-01-04"}
    place = write(tmp_path / "ids.jsonl", [same])
    sections = AttributesSettings(identities=IdentitiesSettings(path=str(place), columns=names))
    activity = world.activity()
    assert counted(count_spells(activity)) == {(8, False): 1, (6, False): 1}
    tables = open_known_users(activity.connection, sections, rejected=tmp_path / "rejected")
    assert counted(count_spells(replace(activity, tables=tables))) == {(2, True): 1, (6, False): 1}


# --- Waits -----------------------------------------------------------------------------------------------------------


def test_a_wait_counts_the_days_of_the_horizon_up_to_the_return(tmp_path: Path):
    # the cutoff is the 5th: anna is back on the 4th day of the horizon, bob on the first, eve not within 5 days of log
    lines = [*("anna 2026-01-02", "anna 2026-01-08"), *("bob 2026-01-04", "bob 2026-01-05"), "eve 2026-01-01"]
    world = world_of(tmp_path, lines, covered_until=date(2026, 1, 10))
    assert counted(count_waits(world.activity(), ChurnSettings(), cutoffs=[date(2026, 1, 5)])) == {
        (4, True): 1,
        (1, True): 1,
        (5, False): 1,
    }


def test_a_return_in_the_gap_decides_nothing(tmp_path: Path):
    world = world_of(
        tmp_path, ["anna 2026-01-04", "anna 2026-01-05", "anna 2026-01-09"], covered_until=date(2026, 1, 20)
    )
    found = count_waits(world.activity(), ChurnSettings(gap_days=2), cutoffs=[date(2026, 1, 5)])
    assert counted(found) == {(3, True): 1}  # the horizon starts on the 7th


DAYS = st.lists(
    st.tuples(st.sampled_from(["anna", "bob", "eve"]), st.integers(0, 30), st.sampled_from(["buy", "look"])), min_size=1
)


def slow_waits(
    rows: Sequence[tuple[str, int, str]], churn: ChurnSettings, cutoffs: Sequence[int], *, until: int
) -> list[Counter[tuple[int, bool]]]:
    """The definition, a user and a cutoff at a time; days are numbers."""
    return [Counter(_slow_waits_at(rows, churn, cutoff=cutoff, until=until)) for cutoff in cutoffs]


def _slow_waits_at(
    rows: Sequence[tuple[str, int, str]], churn: ChurnSettings, *, cutoff: int, until: int
) -> list[tuple[int, bool]]:
    found: list[tuple[int, bool]] = []
    for user in {user for user, _, _ in rows}:
        seen = [day for who, day, _ in rows if who == user]
        bought = [day for who, day, kind in rows if who == user and kind == "buy"]
        before = [day for day in bought if day < cutoff]
        is_recent = not churn.active_within_days or (before and cutoff - max(before) <= churn.active_within_days)
        if min(seen) < cutoff and cutoff - min(seen) >= churn.min_tenure_days and is_recent:
            start = cutoff + churn.gap_days
            later = [day for day in bought if day >= start]
            found.append((min(later) - start + 1, True) if later else (until - start, False))
    return found


@settings(max_examples=12)
@given(rows=DAYS, gap=st.integers(0, 4), within=st.integers(0, 9), tenure=st.integers(0, 5), every=st.integers(1, 9))
def test_waits_agree_with_the_definition(
    rows: list[tuple[str, int, str]], gap: int, within: int, tenure: int, every: int
):
    settings: dict[str, Any] = {"gap_days": gap, "active_within_days": within, "min_tenure_days": tenure}
    churn = ChurnSettings(qualifying="event_type = 'buy'", **settings)
    cutoffs = range(3, 3 + 3 * every, every)
    lines = [
        {"user_id": who, "event_time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day), "event_type": kind}
        for who, day, kind in rows
    ]
    until = 40
    with passing_world(lines, churn=churn.model_dump(), covered_until=JAN_1 + timedelta(days=until)) as world:
        found = count_waits(world.activity(), churn, cutoffs=[JAN_1 + timedelta(days=day) for day in cutoffs])
    assert [counted(at) for at in found] == slow_waits(rows, churn, cutoffs, until=until)


# --- The curve -------------------------------------------------------------------------------------------------------


def counts_of(*ends: tuple[int, bool], part: int = 0, days: int = 8) -> Counts:
    counts = np.zeros((PARTS, 2, days + 1), np.int64)
    for length, is_back in ends:
        counts[part, int(is_back), length] += 1
    return counts


def test_who_is_cut_on_the_day_of_a_return_was_still_at_risk_on_it():
    # day 2: of 4 under observation one returns and one is cut; day 3: of 2 left one returns
    counts = counts_of((2, True), (2, False), (3, True), (5, False))
    away = survival_function(counts.sum(axis=0))
    assert away == pytest.approx([1, 1, 0.75, 0.375, 0.375, 0.375, 0.375, 0.375, 0.375])


def test_a_curve_says_who_comes_back_and_when():
    curve = SurvivalCurve.of(counts_of((2, True), (2, False), (3, True), (5, False)), seed=7, minimum=1)
    assert curve.reach == 5
    assert curve.lasted.tolist() == [4, 4, 3, 1, 1, 1]
    assert curve.return_share(1, 3).value == pytest.approx(1 - 0.375)
    assert curve.return_share(2, 3).value == pytest.approx(0.5)
    assert curve.return_share(3, 5) == Share(0, None, None)  # one user: no interval
    # .625 of those away for a day come back within reach: .25 of them by day 2, the rest by day 3
    assert (curve.days_until_return(1, 0.4), curve.days_until_return(1, 0.5), curve.days_until_return(2, 0.9)) == (
        1,
        2,
        1,
    )
    assert curve.days_until_return(3, 0.5) is None


def test_the_reach_ends_where_too_few_are_left_to_tell():
    curve = SurvivalCurve.of(counts_of(*[(2, True)] * 30, (4, True)), seed=7)
    assert curve.reach == 2


@settings(max_examples=30)
@given(lengths=st.lists(st.integers(1, 8), min_size=1, max_size=30))
def test_where_nothing_is_cut_the_curve_is_a_share(lengths: list[int]):
    away = survival_function(counts_of(*((length, True) for length in lengths)).sum(axis=0))
    assert away == pytest.approx([np.mean(np.array(lengths) > day) for day in range(9)])


def test_a_redraw_is_estimated_like_the_whole():
    counts = np.asarray(
        sum(counts_of((1 + part % 5, part % 3 > 0), (6, part % 2 > 0), part=part) for part in range(PARTS))
    )
    curve = SurvivalCurve.of(counts, seed=7)
    for draw, away in zip(resampling_counts(counts, seed=7)[:3], curve.resampled, strict=False):
        assert away == pytest.approx(survival_function(np.tensordot(draw, counts, axes=1))[: len(away)])


def test_intervals_are_over_users_not_over_spells():
    ends = [(1, True), (5, False)]
    alike = sum(counts_of(*[ends[part % 2]] * 10, part=part) for part in range(PARTS))  # each user is of one kind
    mixed = sum(counts_of(*ends * 5, part=part) for part in range(PARTS))  # each user has spells of both kinds
    wide, narrow = (SurvivalCurve.of(np.asarray(counts), seed=7).return_share(0, 1) for counts in (alike, mixed))
    assert wide.value == narrow.value == pytest.approx(0.5)
    assert narrow.low == narrow.high == pytest.approx(0.5)
    # 100 resamples of a half: 0.5 -+ 1.96 x 0.05
    assert wide.low == pytest.approx(0.40, abs=0.03)
    assert wide.high == pytest.approx(0.60, abs=0.03)


def test_the_same_seed_draws_the_same_users():
    counts = np.asarray(sum(counts_of((1 + part % 5, part % 3 > 0), part=part) for part in range(PARTS)))
    first, again, other = (SurvivalCurve.of(counts, seed=seed).resampled for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
