"""The horizon advisor: idle spells and waits counted by hand, the curve, the rule, and what it warns of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.activity import Activity
from features.errors import GuardRefused, SettingsError
from features.settings import ChurnSettings, IdentitiesSettings
from features.snapshots import Coverage
from features.user_tables import UserTablesSettings, open_user_tables
from tests.builders import passing_world, world_of, write
from training.horizon import Advice, advise, has_weekly_rhythm, past_cutoffs
from training.horizon_rule import Choice, Rule
from training.idleness import PARTS, Counts, Curve, Share, count_spells, count_waits, draws, still_away
from training.settings import HorizonSettings, TrainingSettings

JAN_1 = date(2026, 1, 1)


def counted(counts: Counts) -> dict[tuple[int, bool], int]:
    """Length and whether a return ended it, to how many."""
    total = counts.reshape(-1, 2, counts.shape[-1]).sum(axis=0)
    return {(int(day), bool(back)): int(total[back, day]) for back, day in zip(*np.nonzero(total), strict=True)}


def spells_of(folder: Path, *lines: str, until: str = "2026-01-10", **churn: Any) -> dict[tuple[int, bool], int]:
    world = world_of(folder, lines, churn=churn, covered_until=date.fromisoformat(until))
    return counted(count_spells(world.activity()))


# --- Spells --------------------------------------------------------------------------------------------------------


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
    sections = UserTablesSettings(identities=IdentitiesSettings(path=str(place), columns=names))
    activity = world.activity()
    assert counted(count_spells(activity)) == {(8, False): 1, (6, False): 1}
    tables = open_user_tables(activity.connection, sections, rejected=tmp_path / "rejected")
    assert counted(count_spells(replace(activity, tables=tables))) == {(2, True): 1, (6, False): 1}


# --- Waits ---------------------------------------------------------------------------------------------------------


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
    knobs = {"gap_days": gap, "active_within_days": within, "min_tenure_days": tenure}
    churn = ChurnSettings(qualifying="event_type = 'buy'", **knobs)
    cutoffs = range(3, 3 + 3 * every, every)
    lines = [
        {"user_id": who, "event_time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day), "event_type": kind}
        for who, day, kind in rows
    ]
    until = 40
    with passing_world(lines, churn=churn.model_dump(), covered_until=JAN_1 + timedelta(days=until)) as world:
        found = count_waits(world.activity(), churn, cutoffs=[JAN_1 + timedelta(days=day) for day in cutoffs])
    assert [counted(at) for at in found] == slow_waits(rows, churn, cutoffs, until=until)


# --- The curve -----------------------------------------------------------------------------------------------------


def counts_of(*ends: tuple[int, bool], part: int = 0, days: int = 8) -> Counts:
    counts = np.zeros((PARTS, 2, days + 1), np.int64)
    for length, is_back in ends:
        counts[part, int(is_back), length] += 1
    return counts


def test_who_is_cut_on_the_day_of_a_return_was_still_at_risk_on_it():
    # day 2: of 4 under observation one returns and one is cut; day 3: of 2 left one returns
    counts = counts_of((2, True), (2, False), (3, True), (5, False))
    away = still_away(counts.sum(axis=0))
    assert away == pytest.approx([1, 1, 0.75, 0.375, 0.375, 0.375, 0.375, 0.375, 0.375])


def test_a_curve_says_who_comes_back_and_when():
    curve = Curve.of(counts_of((2, True), (2, False), (3, True), (5, False)), seed=7, fewest=1)
    assert curve.reach == 5
    assert curve.reached.tolist() == [4, 4, 3, 1, 1, 1]
    assert curve.back(1, 3).value == pytest.approx(1 - 0.375)
    assert curve.back(2, 3).value == pytest.approx(0.5)
    assert curve.back(3, 5) == Share(0, None, None)  # one user: no interval
    # .625 of those away for a day come back within reach: .25 of them by day 2, the rest by day 3
    assert (curve.wait(1, 0.4), curve.wait(1, 0.5), curve.wait(2, 0.9)) == (1, 2, 1)
    assert curve.wait(3, 0.5) is None


def test_the_reach_ends_where_too_few_are_left_to_tell():
    curve = Curve.of(counts_of(*[(2, True)] * 30, (4, True)), seed=7)
    assert curve.reach == 2


@settings(max_examples=30)
@given(lengths=st.lists(st.integers(1, 8), min_size=1, max_size=30))
def test_where_nothing_is_cut_the_curve_is_a_share(lengths: list[int]):
    away = still_away(counts_of(*((length, True) for length in lengths)).sum(axis=0))
    assert away == pytest.approx([np.mean(np.array(lengths) > day) for day in range(9)])


def test_a_redraw_is_estimated_like_the_whole():
    counts = np.asarray(
        sum(counts_of((1 + part % 5, part % 3 > 0), (6, part % 2 > 0), part=part) for part in range(PARTS))
    )
    curve = Curve.of(counts, seed=7)
    for draw, away in zip(draws(counts, seed=7)[:3], curve.drawn, strict=False):
        assert away == pytest.approx(still_away(np.tensordot(draw, counts, axes=1))[: len(away)])


def test_intervals_are_over_users_not_over_spells():
    ends = [(1, True), (5, False)]
    alike = sum(counts_of(*[ends[part % 2]] * 10, part=part) for part in range(PARTS))  # each user is of one kind
    mixed = sum(counts_of(*ends * 5, part=part) for part in range(PARTS))  # each user has spells of both kinds
    wide, narrow = (Curve.of(np.asarray(counts), seed=7).back(0, 1) for counts in (alike, mixed))
    assert wide.value == narrow.value == pytest.approx(0.5)
    assert narrow.low == narrow.high == pytest.approx(0.5)
    # 100 draws of a half: 0.5 -+ 1.96 x 0.05
    assert wide.low == pytest.approx(0.40, abs=0.03)
    assert wide.high == pytest.approx(0.60, abs=0.03)


def test_the_same_seed_draws_the_same_users():
    counts = np.asarray(sum(counts_of((1 + part % 5, part % 3 > 0), part=part) for part in range(PARTS)))
    first, again, other = (Curve.of(counts, seed=seed).drawn for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_weekly_rhythm_is_heard():
    even = counts_of(*((day, True) for day in range(1, 40) for _ in range(10)), days=40)
    weekly = even + counts_of(*((day, True) for day in (7, 14, 21, 28) for _ in range(3)), days=40)
    assert not has_weekly_rhythm(even)
    assert has_weekly_rhythm(weekly)


# --- The rule ------------------------------------------------------------------------------------------------------

RULE = Rule(HorizonSettings(), 100, is_weekly=False)


def choice(days: int, ever: float | None, **knobs: Any) -> Choice:
    back = None if ever is None else Share(ever, ever, ever)
    known: dict[str, Any] = {"snapshots": 10, "cutoffs": 5, "eligible": 1000, "smaller_class": 200}
    return Choice(days, churn_rate=Share(0.2, 0.2, 0.2), returned=0.0, back_soon=back, back_ever=back, **known | knobs)


def recommended(*choices: Choice, rule: Rule = RULE) -> int | None:
    return rule.recommend([rule.judged(one) for one in choices])[0]


def test_the_shortest_after_which_few_come_back_is_recommended():
    assert recommended(choice(7, 0.4), choice(14, 0.0999), choice(28, 0.01)) == 14


def test_one_that_leaves_too_little_to_learn_from_is_not():
    few, small = choice(7, 0.05, snapshots=2), choice(14, 0.05, smaller_class=99)
    assert recommended(few, small, choice(28, 0.05)) == 28
    assert recommended(few, small) is None


def test_where_none_is_right_the_one_that_mislabels_least_is_named_as_such():
    judged = [RULE.judged(one) for one in (choice(7, 0.4), choice(14, 0.3), choice(28, None))]
    days, why = RULE.recommend(judged)
    assert days == 14
    assert why.startswith("no candidate meets the rule, and this one mislabels least")
    assert "30% come back within the next 14 days" in why


def test_whole_weeks_are_taken_where_users_come_back_weekly():
    weekly = replace(RULE, is_weekly=True)
    assert recommended(choice(30, 0.05), choice(56, 0.04)) == 30
    assert recommended(choice(30, 0.05), choice(56, 0.04), rule=weekly) == 56
    assert recommended(choice(28, 0.3), choice(30, 0.2), rule=weekly) == 28
    assert "whole weeks" in weekly.words
    assert "whole weeks" not in RULE.words


# --- The whole advice ----------------------------------------------------------------------------------------------


def event(user: str, day: int) -> dict[str, Any]:
    return {
        "user_id": user,
        "event_time": datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day),
        "event_type": "open",
    }


def leavers_and_regulars() -> list[dict[str, Any]]:
    """Regulars come every tenth day for ever; leavers come every fifth day, and one after the other leaves for good."""
    regulars = [event(f"regular {n}", day) for n in range(200) for day in range(n % 10, 120, 10)]
    return regulars + [event(f"leaver {n}", day) for n in range(400) for day in range(n % 5, n // 4 + 5, 5)]


@pytest.fixture(scope="module")
def leaving(tmp_path_factory: pytest.TempPathFactory) -> Activity:
    folder, until = tmp_path_factory.mktemp("leaving"), JAN_1 + timedelta(days=120)
    return world_of(folder, leavers_and_regulars(), covered_until=until).activity()


def advice_of(activity: Activity, *candidates: int, horizon: int = 7, rows: int = 20, **churn: Any) -> Advice:
    return advise(
        activity,
        ChurnSettings(horizon_days=horizon, **churn),
        training=TrainingSettings(min_class_rows=rows),
        horizon=HorizonSettings(candidates_days=candidates or (7, 14, 28)),
    )


@pytest.fixture(scope="module")
def advice(leaving: Activity) -> Advice:
    return advice_of(leaving)


def test_a_horizon_shorter_than_the_rhythm_of_the_regulars_mislabels_them(advice: Advice):
    week, fortnight, _ = advice.choices
    # a regular is back within ten days at the latest: whoever is quiet for 14 has left
    assert week.back_soon is not None
    assert week.back_soon == week.back_ever
    assert 0.3 < week.back_soon.value < 0.7
    assert fortnight.back_ever == Share(0, 0, 0)
    assert fortnight.returned == 0
    assert advice.recommended == 14
    assert len(advice.warnings) == 1
    assert "horizon_days = 7 mislabels" in advice.warnings[0]


def test_a_horizon_that_is_right_is_not_warned_of(leaving: Activity):
    assert advice_of(leaving, 7, 14, horizon=14).warnings == ()


def test_idle_days_up_to_half_the_log_say_who_returns(advice: Advice):
    rows = {row.idle_days: row for row in advice.rows}
    assert list(rows) == list(range(1, 61))
    # all spells of regulars last for ten days, nobody's is longer but those of who has left
    assert rows[9].returns.value > 0.5
    assert rows[9].half_back_days == rows[9].most_back_days == 1
    assert rows[10].returns.value == 0
    assert rows[10].half_back_days is None


def test_intervals_hold_the_figure(advice: Advice):
    shares = [share for row in advice.rows for share in (row.away, row.returns)]
    shares += [one.churn_rate for one in advice.choices] + [one.back_ever for one in advice.choices if one.back_ever]
    for share in shares:
        assert share.low is not None
        assert share.high is not None
        assert -1e-9 <= share.low - 1e-9 <= share.value <= share.high + 1e-9 <= 1 + 2e-9
    assert advice.choices[0].churn_rate.low != advice.choices[0].churn_rate.high


def test_one_user_gets_figures_without_intervals_and_no_recommendation(tmp_path: Path):
    world = world_of(
        tmp_path, [event("anna", day) for day in range(0, 90, 2)], covered_until=JAN_1 + timedelta(days=90)
    )
    advice = advice_of(world.activity())
    assert advice.recommended is None
    assert advice.why == "no candidate leaves enough to learn from"
    assert [one.churn_rate for one in advice.choices] == [Share(0, None, None)] * 3
    assert advice.rows[0].returns == Share(1, None, None)  # seen on every second day


def test_a_log_that_is_too_short_is_refused_with_the_way_out(tmp_path: Path):
    world = world_of(tmp_path, [event("anna", day) for day in range(20)], covered_until=JAN_1 + timedelta(days=20))
    with pytest.raises(GuardRefused, match="no horizon of 7 days fits") as refused:
        advice_of(world.activity())
    assert "come back when it covers 2026-01-22" in refused.value.hint  # 14 days of history, 7 of horizon


def test_a_log_in_which_nobody_comes_back_is_refused(tmp_path: Path):
    world = world_of(tmp_path, [event("anna", 0), event("bob", 20)], covered_until=JAN_1 + timedelta(days=60))
    with pytest.raises(GuardRefused, match="was seen again") as refused:
        advice_of(world.activity())
    assert "qualifying" in refused.value.hint


def test_a_configured_horizon_that_the_log_does_not_reach_is_warned_of(leaving: Activity):
    advice = advice_of(leaving, 14, horizon=200)
    assert [one.horizon_days for one in advice.choices] == [14]
    assert "horizon_days = 200 does not fit" in advice.warnings[0]


def test_idle_days_say_nothing_of_an_event_that_means_leaving(leaving: Activity):
    with pytest.raises(SettingsError, match="idle days say nothing"):
        advice_of(leaving, event="event_type = 'cancel'")


@pytest.mark.parametrize(("days", "step"), [(30, 1), (44, 1), (45, 7), (182, 7), (400, 21)])
def test_past_cutoffs_are_at_most_two_dozen_in_whole_weeks_where_it_can_be(days: int, step: int):
    churn = ChurnSettings(active_within_days=14)
    coverage = Coverage(JAN_1, JAN_1 + timedelta(days=days))
    cutoffs = past_cutoffs(coverage, churn, shortest=7)
    assert len(cutoffs) <= 24
    assert {(later - cutoff).days for cutoff, later in pairwise(cutoffs)} == {step}
    assert cutoffs[-1] == coverage.covered_until - timedelta(days=7)
    assert cutoffs[0] >= JAN_1 + timedelta(days=14)
