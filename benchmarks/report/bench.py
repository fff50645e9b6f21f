"""How often the report finds what is there, and how often it finds what is not: simulated worlds of :mod:`benchmarks.report.worlds`.

``python -m benchmarks.report.bench`` measures all kinds; ``KINDS="null version" WORLDS=20`` some, ``FROM=20`` further worlds. Results are
kept in ``report.json``; ``report.md`` is written from all that are there. A world takes a quarter of a minute on one core.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measuring import PAGES
from benchmarks.report.page import write_page
from benchmarks.report.worlds import (
    BROKEN_WEEK,
    CHANNEL_WEEKS,
    FADING_PHONE,
    GONE_DAYS,
    PLANTED_CHANNEL,
    PLANTED_PHONE,
    People,
    ReportWorld,
    costs_of,
    day_of,
    oracle,
    simulate,
    write,
)
from churn.project import Project
from insights.acquisition.channels import acquisition
from insights.contrast import Limits, contrast
from insights.core_users import APART, FIRST, compared, ends_of, followed, prediction_limit, watched
from insights.engine.active_days import ActiveDays
from insights.engine.steps import make_steps
from insights.findings import ALARM, Finding, found_changes
from insights.presentation.texts import text
from insights.report import opened
from insights.settings import ReportSettings
from insights.shop.unit_economics import unit_economics

KINDS = {
    "null": ReportWorld(has_differences=False),
    "standing": ReportWorld(),
    "version": ReportWorld(users=24_000, planted="version"),
    "channel": ReportWorld(users=24_000, planted="channel"),
    "calm": ReportWorld(users=12_000),
    "core": ReportWorld(users=12_000, planted="core"),
    "fading": ReportWorld(users=12_000, planted="fading"),
    "cheap": ReportWorld(users=12_000, planted="cheap"),
}
_ALARM_ONLY = ("calm", "core")
_COLUMNS = ("channel", "device_model", "app_version")
_NEAR = timedelta(days=10)


def main() -> None:
    """Measure what is asked for; what is done is kept."""
    wanted, first = os.environ.get("KINDS", "").split() or list(KINDS), int(os.environ.get("FROM") or 0)
    worlds, path = int(os.environ.get("WORLDS") or 20), PAGES / "report.json"
    for name in wanted:
        for seed in range(first, first + worlds):
            results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
            results.setdefault(name, {})[str(seed)] = measured(
                KINDS[name], seed=seed, is_alarm_only=name in _ALARM_ONLY
            )
            path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            print(name, seed, results[name][str(seed)], flush=True)
    write_page(json.loads(path.read_text()), PAGES)


def measured(world: ReportWorld, *, seed: int, is_alarm_only: bool) -> dict[str, Any]:
    """Return what the report says of a world, and what who knows where to look would say."""
    people, sessions = simulate(world, seed=seed)
    result: dict[str, Any] = {"sessions": len(sessions.day)}
    with TemporaryDirectory() as folder:
        log = write(sessions, Path(folder) / "log.parquet")
        columns = {name: name for name in _COLUMNS}
        project = Project(home=Path(folder) / "home", events=str(log), settings={"events.columns": columns})
        active = opened(project.activity(), ReportSettings(purchase_event_types=("purchase",)))
        if is_alarm_only:
            result |= _alarms(active)
        elif world.planted == "fading":
            result["found"] = _is_contrast(active)
        elif world.planted == "cheap":
            result["found"] = _is_bargain(active, people)
        else:
            steps = make_steps(active, funnel=(), purchase_event_types=("purchase",))
            found = list(found_changes(active, steps))
            result["changes"] = [_shown(active, one) for one in found]
            result["found"] = any(_is_it(world, one, first=active.day(0)) for one in found)
    return result | ({"oracle": round(oracle(world, people, sessions=sessions), 5)} if world.planted else {})


def _shown(active: ActiveDays, one: Finding) -> list[Any]:
    days = (str(active.day(one.start)), str(active.day(one.stop - 1)))
    return [one.dimension, one.value, one.step, *days, round(one.p_value, 4)]


def _alarms(active: ActiveDays) -> dict[str, Any]:
    """Return whether the latest weeks are an alarm, and of how many of the weeks before the report would have said so."""
    watch = watched(active, at_least=20)
    if not watch:
        raise RuntimeError("a world without core users")
    ends = ends_of(active)
    users, days = followed(active, ends)
    past = [compared(users[:stop], days[:stop]) for stop in range(FIRST + 1, len(ends) - APART + 1)]
    is_past = [one.change < prediction_limit(one.past, chance=ALARM) for one in past if one]
    now = {"alarm": watch.is_alarm, "change": round(watch.change, 4), "limit": round(watch.limit, 4)}
    return now | {"past_alarms": sum(is_past), "past_weeks": len(is_past)}


def _is_contrast(active: ActiveDays) -> bool:
    """Tell whether the phone is marked among those who are gone, as one that they have more often."""
    rows = contrast(active, Limits(GONE_DAYS // 2, GONE_DAYS)).tables[1].rows
    gone = [row for row in rows if row["group"] == text("contrast.gone") and row["value"] == f"phone{FADING_PHONE}"]
    return any(row["is_certain"] and row["effect"] > 0 for row in gone)


def _is_bargain(active: ActiveDays, people: People) -> bool:
    """Tell whether more than on average stay of the channel, and each of them costs less, by the interval."""
    channel, costs = f"channel{PLANTED_CHANNEL}", unit_economics(active, costs_of(people)).tables[0].rows
    stays = {row["group"]: row["verdict"] for row in acquisition(active).tables[0].rows}
    upper = {row["group"]: row["cost_per_retained_high"] for row in costs}
    average = sum(row["spend"] for row in costs) / sum(row["spend"] / row["cost_per_retained"] for row in costs)
    return stays[channel] == text("groups.above") and upper[channel] < average


def _is_it(world: ReportWorld, one: Finding, *, first: Any) -> bool:
    """Tell whether a finding is what was planted: the group, a fall, and a start within ten days of the true one."""
    week, value = (
        (BROKEN_WEEK, f"phone{PLANTED_PHONE}")
        if world.planted == "version"
        else (CHANNEL_WEEKS[0], f"channel{PLANTED_CHANNEL}")
    )
    return one.value == value and one.missing > 0 and abs(first + timedelta(days=one.start) - day_of(7 * week)) <= _NEAR


if __name__ == "__main__":
    main()
