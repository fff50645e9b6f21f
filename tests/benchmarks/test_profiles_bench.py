"""The contenders build what we build, on a tiny world; the page says of the figures what they say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.measuring import measure
from benchmarks.profiles import ours
from benchmarks.profiles.bars import bars
from benchmarks.profiles.compared import DOZEN, check_equal, shared_features
from benchmarks.profiles.page import write_page
from benchmarks.profiles.steps import STEPS, perform
from benchmarks.profiles.world import Bench, simulate


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A world of eighty users, prepared."""
    found = Bench(tmp_path_factory.mktemp("bench"))
    simulate(found.world, users=80)
    ours.prepare(found)()
    return found


@pytest.fixture(scope="session")
def shared(bench: Bench) -> pa.Table:
    return ours.shared_from_raw(bench)()


def changed(table: pa.Table, name: str, value: object) -> pa.Table:
    """The same table with another value in the first row of a column."""
    column = table.column(name)
    values = pa.array([value, *column.to_pylist()[1:]], column.type)
    return table.set_column(table.column_names.index(name), name, values)


# --- The contenders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_tuned", [True, False])
def test_pandas_builds_the_shared_features_as_we_do(bench: Bench, shared: pa.Table, is_tuned: bool):
    from benchmarks.profiles.in_pandas import build

    theirs = build(bench.events, bench.cutoff, event_types=bench.event_types, is_tuned=is_tuned)
    assert check_equal(shared, theirs)["features"] == len(shared_features(bench.event_types))


def test_polars_builds_the_shared_features_as_we_do(bench: Bench, shared: pa.Table):
    pytest.importorskip("polars")
    from benchmarks.profiles.in_polars import build

    theirs = build(bench.events, bench.cutoff, event_types=bench.event_types)
    assert check_equal(shared, theirs)["users"] == shared.num_rows


def test_they_agree_at_a_cutoff_in_the_middle_of_the_log(bench: Bench):
    from benchmarks.profiles.in_pandas import build

    cutoff = bench.cutoffs[0]
    names = shared_features(bench.event_types)
    found = ours.profiles_at(bench, [cutoff], home=bench.home("kept"), names=names)()
    check_equal(found, build(bench.events, cutoff, event_types=bench.event_types))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PySpark 4 warns of pandas 3 and leaves sockets open
def test_pyspark_builds_the_dozen_as_we_do(bench: Bench):
    pytest.importorskip("pyspark")
    from benchmarks.profiles.in_pyspark import build, open_session

    session = open_session()
    try:
        theirs = build(session, bench.events, cutoff=bench.cutoff)
    finally:
        session.stop()
    assert check_equal(ours.dozen_from_raw(bench)(), theirs)["features"] == len(DOZEN)


# --- The proof of equality -----------------------------------------------------------------------------------------


def test_a_number_that_differs_is_named(shared: pa.Table):
    with pytest.raises(RuntimeError, match="gap_days_mean"):
        check_equal(shared, changed(shared, "gap_days_mean", 1.5))


def test_a_value_that_is_absent_on_one_side_is_named(shared: pa.Table):
    with pytest.raises(RuntimeError, match="'tenure_days': inf"):
        check_equal(shared, changed(shared, "tenure_days", None))


def test_a_text_that_differs_is_named(shared: pa.Table):
    with pytest.raises(RuntimeError, match="last_channel"):
        check_equal(shared, changed(shared, "last_channel", "word of mouth"))


def test_another_user_is_refused(shared: pa.Table):
    with pytest.raises(RuntimeError, match="users"):
        check_equal(shared, changed(shared, "user_id", "nobody"))


def test_the_order_of_rows_does_not_matter(shared: pa.Table):
    assert check_equal(shared, shared.sort_by([("user_id", "descending")]))["largest_difference"] == 0


# --- The steps -----------------------------------------------------------------------------------------------------


def test_twelve_weekly_cutoffs_end_where_the_log_ends(bench: Bench):
    assert bench.cutoff == date(2026, 7, 4)  # 180 days from 2026-01-05
    assert [(later - earlier).days for earlier, later in zip(bench.cutoffs, bench.cutoffs[1:], strict=False)] == [
        7
    ] * 11


def test_every_feature_of_ninety_days_is_in_the_frozen_specification(bench: Bench):
    assert "events_90d" in ours.frozen(bench).feature_names


def test_a_feature_that_the_catalogue_lost_is_named(bench: Bench):
    with pytest.raises(RuntimeError, match="events_8d"):
        ours.frozen(bench, ["events_7d", "events_8d"])


def test_the_scan_counts_every_event(bench: Bench):
    rows = sum(pq.read_metadata(path).num_rows for path in bench.events.rglob("*.parquet"))
    assert ours.scan(bench)() == {"events": rows}


def test_the_last_day_comes_and_profiles_are_those_of_the_whole_log(bench: Bench):
    last = bench.short_world / "events" / f"day={bench.last_day}"
    assert not last.exists()
    ours.new_day(bench)()
    assert last.exists()
    assert ours.one_after_new_day(bench)().equals(ours.one_from_kept(bench)())


def test_a_step_reports_its_cost_and_leaves_its_table(bench: Bench, tmp_path: Path):
    report = perform("benchmarks.profiles.ours:one_from_kept", bench, table=tmp_path / "profiles.parquet")
    assert json.loads(json.dumps(report)) == report
    assert report["wall_seconds"] > 0
    assert report["peak_bytes"] > 2**20
    assert pq.read_metadata(tmp_path / "profiles.parquet").num_columns == len(ours.frozen(bench).feature_names) + 2


def test_the_median_of_three_runs_is_told():
    waits = iter([0.2, 0.0, 0.05])

    def work() -> str:
        time.sleep(next(waits))
        return "done"

    measured, result = measure(work, times=3)
    assert 0.05 <= measured.wall_seconds < 0.2
    assert result == "done"


# --- The page ------------------------------------------------------------------------------------------------------


def results(**seconds: float) -> dict[str, Any]:
    """What a run leaves, with one second for each step that is not named."""
    costs = {step.name: {"wall_seconds": seconds.get(step.name, 1.0), "cpu_seconds": 1.0} for step in STEPS}
    steps: dict[str, Any] = {name: cost | {"peak_bytes": 2**30, "runs": 3} for name, cost in costs.items()}
    steps["scan"]["events"] = 1000
    machine = {"cpu": "one", "cores": 2, "memory_bytes": 2**34, "system": "Linux", "load": 0.1, "versions": {"a": "1"}}
    counts = {"users": 4, "features": 150, "shared_features": 76}
    return {"date": "2026-11-22 10:00 UTC", "machine": machine, "steps": steps} | counts


def verdicts(sizes: dict[str, Any]) -> dict[str, bool | None]:
    return {bar.what: bar.is_met for bar in bars(sizes)}


def test_bars_are_met_at_the_bound_and_missed_above_it():
    at, above = (
        results(raw_1=16, new_day=3, pandas=3, plain_pandas=4),
        results(raw_1=16.1, new_day=3.1, pandas=2.9, plain_pandas=4),
    )
    names = (
        "10M: one cutoff from raw, to the scan",
        "10M: a new day",
        "10M: pandas, to ours from raw, the same features",
    )
    assert [verdicts({"10m": at})[name] for name in names] == [True, True, True]
    assert [verdicts({"10m": above})[name] for name in names] == [False, False, False]


def test_a_bar_of_a_size_that_was_not_measured_is_open():
    assert verdicts({"10m": results()})["100M: one cutoff from raw, to the scan"] is None


def test_a_step_that_did_not_finish_leaves_its_bar_open():
    stopped = results()
    for name in ("pandas", "plain_pandas"):
        stopped["steps"][name] = {"why_not": "did not finish: stopped by signal 9"}
    assert verdicts({"10m": stopped})["10M: pandas, to ours from raw, the same features"] is None


def test_growth_is_told_by_event():
    large = results(raw_1=14)
    large["steps"]["scan"]["events"] = 10_000
    assert verdicts({"10m": results(), "100m": large})["100M: cost of an event from raw, to that at 10M"] is True
    large["steps"]["raw_1"]["wall_seconds"] = 15.1
    assert verdicts({"10m": results(), "100m": large})["100M: cost of an event from raw, to that at 10M"] is False


def test_the_page_holds_every_size_with_its_date_and_a_picture(tmp_path: Path):
    stopped = results()
    stopped["date"] = "2026-11-20 09:00 UTC"
    stopped["steps"]["polars"] = {"why_not": "polars is not installed"}
    write_page({"100m": stopped, "10m": results()}, tmp_path)
    page = (tmp_path / "profiles.md").read_text()
    assert page.index("## 10M") < page.index("## 100M")
    assert "2026-11-20 09:00 UTC" in page
    assert "polars is not installed" in page
    assert (tmp_path / "profiles.png").read_bytes().startswith(b"\x89PNG")


def test_one_size_is_put_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from benchmarks.profiles import bench

    monkeypatch.setattr(bench, "PAGES", tmp_path)
    keep: Callable[..., None] = bench.keep
    for size, users in (("1m", 1), ("100m", 2), ("1m", 3)):
        keep(size, {"users": users})
    assert json.loads((tmp_path / "profiles.json").read_text()) == {"1m": {"users": 3}, "100m": {"users": 2}}


@pytest.mark.parametrize(("asked", "sizes"), [("", ["1m", "10m"]), ("100m", ["100m"]), ("1M 10M", ["1m", "10m"])])
def test_sizes_come_from_the_environment(asked: str, sizes: list[str], monkeypatch: pytest.MonkeyPatch):
    from benchmarks.profiles.bench import wanted

    monkeypatch.setenv("SIZE", asked)
    assert wanted() == sizes


def test_an_unknown_size_is_refused(monkeypatch: pytest.MonkeyPatch):
    from benchmarks.profiles.bench import wanted

    monkeypatch.setenv("SIZE", "7m")
    with pytest.raises(SystemExit, match="7m"):
        wanted()
