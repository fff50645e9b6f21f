from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from features.errors import InputError
from seeds.behaviour import KINDS, PACE_EDGES, SILENT, State, active_day, any_day, is_holiday, symbol, transitions
from seeds.hidden_markov import Floats
from seeds.population import CHANNELS, SYSTEMS, group_risks, priors
from seeds.simulate import World, simulate
from seeds.truth import check_label, true_probabilities
from tests.builders import values_of

OpenLog = Callable[[Path], duckdb.DuckDBPyConnection]
CELLS = len(State) * len(KINDS)


def labels(log: duckdb.DuckDBPyConnection, cutoff: date, *, horizon_days: int, gap_days: int = 0) -> dict[str, bool]:
    """Whether each user active in the last horizon before the cutoff shows up in the horizon after it."""
    first, last = cutoff + timedelta(days=gap_days), cutoff + timedelta(days=gap_days + horizon_days)
    rows = log.execute(
        """select user_id, not bool_or(day >= $first and day < $last) from log
           group by user_id having max(day) filter (day < $cutoff) >= $since""",
        {"first": first, "last": last, "cutoff": cutoff, "since": cutoff - timedelta(days=horizon_days)},
    ).fetchall()
    return dict(rows)


def truth(out: Path, cutoff: date) -> dict[str, float]:
    table = true_probabilities(out, cutoff)
    return dict(zip(values_of(table, "user_id"), values_of(table, "true_probability"), strict=True))


# --- The truth from nothing but the log: one user at a time, with full matrices ------------------------------------


def night(risk: float, day: date) -> Floats:
    """The probability of every transition from one cell (state and kind) to another in the night after a day."""
    matrix = np.eye(CELLS)
    for transition in transitions(np.array([risk]), holiday=is_holiday(day)):
        for kind in range(len(KINDS)):
            here, there = transition.source * len(KINDS) + kind, transition.target * len(KINDS) + kind
            matrix[here, there] += transition.rate[kind, 0]
            matrix[here, here] -= transition.rate[kind, 0]
    return matrix


def seen_before(log: duckdb.DuckDBPyConnection, user: str, *, cutoff: date) -> list[tuple[date, int, float, int, int]]:
    return log.execute(
        """select day, count(distinct session_id), sum(duration_seconds), max((event_type = 'purchase')::int),
                  max((event_type = 'install')::int)
           from log where user_id = $user and day < $cutoff group by day order by day""",
        {"user": user, "cutoff": cutoff},
    ).fetchall()


def slow_truth(log: duckdb.DuckDBPyConnection, user: str, *, cutoff: date, world: World) -> float:
    days = seen_before(log, user, cutoff=cutoff)
    channel, system = log.execute("select channel, device_os from log where user_id = ? limit 1", [user]).fetchall()[0]
    group = list(CHANNELS).index(channel) * len(SYSTEMS) + list(SYSTEMS).index(system)
    risk, installed = group_risks()[group], days[0][4] == 1
    sessions, seconds, bought = (np.array([row[place] for row in days]) for place in (1, 2, 3))
    pace = np.searchsorted(PACE_EDGES, seconds / sessions, side="right") - 1
    found = symbol(sessions=sessions, pace=pace, bought=bought).tolist()
    symbols = dict(zip((row[0] for row in days), found, strict=True))
    today, belief = (days[0][0], priors(world.start)[-1]) if installed else (world.start, priors(world.start)[group])
    first = today if installed else None
    while today < cutoff:
        table = active_day() if today == first else any_day(today.weekday())
        belief = belief * table[:, :, symbols.get(today, SILENT)].ravel()
        belief = belief / belief.sum() @ night(risk, today)
        today += timedelta(days=1)
    for ahead in range(world.gap_days + world.horizon_days):
        day = cutoff + timedelta(days=ahead)
        if ahead >= world.gap_days:
            belief = belief * any_day(day.weekday())[:, :, SILENT].ravel()
        belief = belief @ night(risk, day)
    return float(belief.sum())


@pytest.mark.parametrize("gap_days", [0, 5])
def test_the_truth_follows_from_the_log_before_the_cutoff_and_the_laws_of_the_world_alone(
    tmp_path: Path, open_log: OpenLog, gap_days: int
) -> None:
    # The days reach over the Easter holiday, and both kinds of users are there.
    world = World(users=40, days=50, start=date(2026, 3, 2), gap_days=gap_days)
    cutoff = date(2026, 4, 8)
    simulate(world, tmp_path, cutoffs=[cutoff])
    log = open_log(tmp_path)
    fast = truth(tmp_path, cutoff)
    slow = {user: slow_truth(log, user, cutoff=cutoff, world=world) for user in fast}
    assert len(fast) > 22
    assert slow == pytest.approx(fast, rel=1e-9)


# --- What it is worth ----------------------------------------------------------------------------------------------


def test_the_truth_covers_everyone_seen_before_the_cutoff_and_nobody_else(
    out: Path, log: duckdb.DuckDBPyConnection, cutoffs: tuple[date, ...]
) -> None:
    for cutoff in cutoffs:
        seen = log.execute("select distinct user_id from log where day < ?", [cutoff]).fetchall()
        table = true_probabilities(out, cutoff)
        assert sorted(values_of(table, "user_id")) == sorted(user for (user,) in seen)
        assert all(0 <= p <= 1 for p in values_of(table, "true_probability"))


def test_of_the_users_with_a_true_probability_of_one_in_three_one_in_three_leaves(
    out: Path, log: duckdb.DuckDBPyConnection, cutoffs: tuple[date, ...], world: World
) -> None:
    pairs = []
    for cutoff in cutoffs:
        known, happened = truth(out, cutoff), labels(log, cutoff, horizon_days=world.horizon_days)
        pairs += [(known[user], left) for user, left in happened.items()]
    for part in np.array_split(np.array(sorted(pairs)), 8):
        p, left = part[:, 0], part[:, 1]
        standard_error = np.sqrt(np.sum(p * (1 - p))) / len(p)
        # Snapshots share users, so the spread is somewhat wider than that of independent draws.
        assert abs(p.mean() - left.mean()) < 4 * standard_error


def test_with_a_gap_the_truth_is_of_the_days_after_it(tmp_path: Path, open_log: OpenLog) -> None:
    world = World(users=4_000, days=60, gap_days=10, horizon_days=7)
    cutoff = world.start + timedelta(days=40)
    simulate(world, tmp_path, cutoffs=[cutoff])
    known = truth(tmp_path, cutoff)
    happened = labels(open_log(tmp_path), cutoff, horizon_days=7, gap_days=10)
    p = np.array([known[user] for user in happened])
    assert len(p) > 1_000
    assert abs(p.mean() - np.mean(list(happened.values()))) < 4 * np.sqrt(np.sum(p * (1 - p))) / len(p)


def test_later_cutoffs_leave_earlier_ones_as_they_are(
    tmp_path: Path, out: Path, world: World, cutoffs: tuple[date, ...]
) -> None:
    simulate(world, tmp_path, cutoffs=cutoffs[:1])
    name = f"truth/cutoff={cutoffs[0]}.parquet"
    assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_where_a_user_comes_from_matters(
    out: Path, log: duckdb.DuckDBPyConnection, cutoffs: tuple[date, ...], world: World
) -> None:
    channel = dict(log.execute("select distinct user_id, channel from log").fetchall())
    known, eligible = truth(out, cutoffs[-1]), labels(log, cutoffs[-1], horizon_days=world.horizon_days)
    mean = {
        name: np.mean([known[user] for user in eligible if channel[user] == name]) for name in ("referral", "affiliate")
    }
    assert mean["affiliate"] > mean["referral"] + 0.03


# --- What it refuses -----------------------------------------------------------------------------------------------


def test_the_truth_is_unknown_at_a_cutoff_that_was_not_simulated(out: Path) -> None:
    with pytest.raises(InputError, match="the truth at 2026-01-20 is unknown") as caught:
        true_probabilities(out, date(2026, 1, 20))
    assert "among its cutoffs" in caught.value.hint


@pytest.mark.parametrize(
    ("label", "named"),
    [
        ({"event": "event_type = 'uninstall'"}, "event"),
        ({"qualifying": "event_type = 'purchase'"}, "qualifying"),
        ({"timezone": "Europe/Paris"}, "timezone is Europe/Paris"),
    ],
)
def test_the_truth_of_another_label_is_refused(label: dict[str, str], named: str) -> None:
    with pytest.raises(InputError, match=named):
        check_label(**label)


def test_inactivity_of_any_kind_on_utc_days_is_known() -> None:
    check_label(event="", qualifying="", timezone="UTC")
