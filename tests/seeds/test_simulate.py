from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from features.errors import InputError
from seeds.behaviour import SILENT
from seeds.day_log import SCHEMA
from seeds.hidden_markov import Flags, Floats
from seeds.hidden_states import HiddenStates
from seeds.population import populate
from seeds.simulate import ARRIVALS, STATES, Summary, World, churn_toml, simulate
from seeds.truth import Belief, Observer

TINY = World(users=150, days=21)


def content(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def one(log: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    return log.execute(query).fetchall()[0]


# --- Reproducible ------------------------------------------------------------------------------------------------


def test_the_same_world_gives_the_same_bytes(tmp_path: Path) -> None:
    cutoff = TINY.start + timedelta(days=10)
    first, second = (simulate(TINY, tmp_path / name, cutoffs=[cutoff]) for name in ("a", "b"))
    assert first == second
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    simulate(TINY, tmp_path / "a")
    simulate(replace(TINY, seed=8), tmp_path / "b")
    a, b = content(tmp_path / "a"), content(tmp_path / "b")
    days = {name for name in a.keys() & b.keys() if name.endswith(".parquet")}
    assert len(days) >= 21
    assert [name for name in a.keys() & b.keys() if a[name] == b[name]] == []


# --- The log -------------------------------------------------------------------------------------------------------


def test_there_is_a_folder_for_every_day_and_it_holds_only_that_day(
    log: duckdb.DuckDBPyConnection, world: World
) -> None:
    # 86_400_000_000 microseconds are a UTC day.
    strays = one(log, "select count(*) from log where micros // 86_400_000_000 != date_diff('day', '1970-01-01', day)")
    span = one(log, "select count(distinct day), min(day), max(day) from log")
    assert strays == (0,)
    assert span == (world.days, world.start, world.end - timedelta(days=1))


def test_the_summary_counts_what_the_log_holds(summary: Summary, world: World, log: duckdb.DuckDBPyConnection) -> None:
    assert one(log, "select count(*), count(distinct user_id) from log") == (summary.events, summary.users)
    assert one(log, "select count(distinct (user_id, day)) from log") == (summary.active_user_days,)
    assert one(log, "select count(*) from log where event_type = 'purchase'") == (summary.purchases,)
    assert 6 < summary.events / summary.active_user_days < 12
    assert 0.15 < summary.active_user_days / (world.users * world.days) < 0.35
    assert 0.95 * world.users < summary.users <= world.users


# --- How hard it is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Snapshot:
    """Users eligible at a cutoff: their true probability, whether they churned, and the scores of simple rules."""

    truth: Floats
    left: Floats
    rules: dict[str, Floats]

    @classmethod
    def of(cls, belief: Belief, active: Flags, *, day: int, horizon_days: int) -> Snapshot:
        eligible = belief.days_since_last_active <= horizon_days
        users, since = belief.users[eligible], belief.days_since_last_active[eligible]
        past, future = active[:day, users], active[day : day + horizon_days, users]
        rules = {
            "recency": since.astype(float),
            "frequency": -past.sum(axis=0).astype(float),
            "frequency of 28 days": -past[-28:].sum(axis=0).astype(float),
        }
        return cls(belief.probability[eligible], 1.0 - np.any(future, axis=0), rules)


@pytest.fixture(scope="module")
def snapshots() -> list[Snapshot]:
    """Simulate 20,000 users without writing their log; the horizons of the snapshots do not overlap."""
    world = World(users=20_000, days=164)
    population = populate(world.users, world.days, start=world.start, rng=world.rng(ARRIVALS))
    states, observer = HiddenStates(population, world.start), Observer(population, world.start)
    active, beliefs = np.zeros((world.days, world.users), dtype=bool), {}
    for day in range(world.days):
        if day in {108, 122, 136, 150}:
            beliefs[day] = observer.belief(world.start + timedelta(days=day), world.label)
        symbols = states.pass_day(day, world.rng(STATES, day))
        active[day, : len(symbols)] = symbols != SILENT
        observer.observe(day, symbols)
    return [Snapshot.of(known, active, day=day, horizon_days=world.horizon_days) for day, known in beliefs.items()]


def test_the_best_possible_auc_is_below_one_and_simple_rules_stay_below_it(snapshots: list[Snapshot]) -> None:
    for snapshot in snapshots:
        best = roc_auc_score(snapshot.left, snapshot.truth)
        assert 0.15 < snapshot.left.mean() < 0.30
        assert 0.82 < best < 0.87
        for rule in snapshot.rules.values():
            assert 0.6 < roc_auc_score(snapshot.left, rule) < best - 0.04


def test_the_truth_is_calibrated_from_the_safest_to_the_riskiest(snapshots: list[Snapshot]) -> None:
    truth = np.concatenate([snapshot.truth for snapshot in snapshots])
    left = np.concatenate([snapshot.left for snapshot in snapshots])
    bins = np.array_split(np.argsort(truth), 20)
    assert np.mean([abs(truth[part].mean() - left[part].mean()) for part in bins]) < 0.01
    assert np.quantile(truth, 0.1) < 0.02
    assert np.quantile(truth, 0.95) > 0.5


# --- The folder ----------------------------------------------------------------------------------------------------


def test_the_churn_toml_maps_every_column_and_states_the_label(out: Path, world: World) -> None:
    settings = tomllib.loads((out / "churn.toml").read_text())
    assert settings["events"]["columns"] == {name: name for name in SCHEMA.names}
    assert list(out.glob(settings["events"]["path"]))
    assert settings["churn"] == {"horizon_days": 14, "active_within_days": 14}
    assert tomllib.loads(churn_toml(replace(world, gap_days=3)))["churn"]["gap_days"] == 3


def test_without_cutoffs_there_is_no_truth(tmp_path: Path) -> None:
    summary = simulate(World(users=1, days=1), tmp_path)
    assert (summary.users, summary.days, summary.active_user_days, summary.truths) == (1, 1, 1, ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["churn.toml", "events"]


def test_the_summary_holds_the_churn_rate_of_eligible_users(summary: Summary, cutoffs: tuple[date, ...]) -> None:
    assert tuple(truth.cutoff for truth in summary.truths) == cutoffs
    assert all(600 < truth.eligible < 1_000 and 0.12 < truth.churn_rate < 0.30 for truth in summary.truths)
    assert 0.3 < summary.gone_share < 0.7


def test_progress_is_reported_day_by_day(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    simulate(World(users=5, days=3), tmp_path, progress=lambda done, days: reported.append((done, days)))
    assert reported == [(1, 3), (2, 3), (3, 3)]


def test_an_interrupted_simulation_leaves_no_files(tmp_path: Path) -> None:
    def stop(done: int, _days: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(TINY, tmp_path, progress=stop, cutoffs=[TINY.start + timedelta(days=3)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["events/day=2026-01-05/part-0.parquet", "truth/x", "churn.toml"])
def test_existing_files_are_not_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("mine")
    with pytest.raises(InputError, match="already exists") as caught:
        simulate(TINY, tmp_path)
    assert "another folder" in caught.value.hint
    assert content(tmp_path) == {there: b"mine"}


def test_an_empty_folder_for_the_events_is_fine(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    assert simulate(World(users=3, days=2), tmp_path).events > 0


@pytest.mark.parametrize("cutoff", [TINY.start, TINY.end + timedelta(days=1)])
def test_a_cutoff_outside_the_log_is_refused(tmp_path: Path, cutoff: date) -> None:
    with pytest.raises(InputError, match="outside the simulated log"):
        simulate(TINY, tmp_path, cutoffs=[cutoff])
    assert list(tmp_path.iterdir()) == []


def test_the_day_after_the_last_may_be_a_cutoff(tmp_path: Path) -> None:
    summary = simulate(TINY, tmp_path, cutoffs=[TINY.end])
    assert pq.ParquetFile(tmp_path / f"truth/cutoff={TINY.end}.parquet").metadata.num_rows == summary.users


@pytest.mark.parametrize("wrong", [{"users": 0}, {"days": 0}, {"horizon_days": 0}, {"gap_days": -1}, {"seed": -1}])
def test_an_impossible_world_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        World(**wrong)
