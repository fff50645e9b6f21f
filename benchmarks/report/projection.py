"""Whether the band of the projection holds what comes as often as it says, and whether it is nearer than "as last month".

``python -m benchmarks.report.projection`` simulates products whose new users and habits drift by themselves, projects eight weeks from each
of 26 weeks of ten of them, and writes ``projection.md``. Takes half a minute on one core.
"""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.measuring import PAGES
from features.activity.store import Activity
from insights.engine.active_days import LEFT_CENSORED_DAYS, ActiveDays
from insights.projection import COVERAGE, TESTED, WEEKS, backtest, course_of, summary

WORLDS, DAYS, WEEK = 10, 7 * 78, 7
_NEW_A_DAY, _DRIFT, _STEP = 40, 0.015, 0.05  # users; change a week: at most on the whole, and by chance
_HABIT, _MEMORY = 0.08, 0.7  # of the logarithm of how often users come, by week
_SHORT, _LONG = 8.0, 150.0  # mean days that users stay, of two halves
_WEEKEND = np.array([1, 1, 1, 1, 1.05, 1.2, 1.15])

Values = NDArray[np.float64]
Ints = NDArray[np.int64]


def main() -> None:
    """Measure all worlds, and write the page."""
    rows = [measured(seed) for seed in range(WORLDS)]
    for row in rows:
        print(row, flush=True)
    (PAGES / "projection.md").write_text(_page(rows))


def measured(seed: int) -> dict[str, float]:
    """Return how the projections of a world did, and the change of its daily users over the weeks in which they were made."""
    course = course_of(_log(*active_pairs(seed)))
    tests = backtest(course)
    return {"tested": len(tests), "growth": tests[-1].as_last_month / tests[0].as_last_month - 1} | summary(tests)


def active_pairs(seed: int) -> tuple[Ints, Ints]:
    """Simulate a world; return user and day of every active day, by user and day."""
    chance = np.random.default_rng(seed)
    steps = chance.normal(chance.uniform(-_DRIFT, _DRIFT), _STEP, DAYS // WEEK)
    new = chance.poisson(_NEW_A_DAY * np.exp(np.repeat(np.cumsum(steps), WEEK)))
    first = np.concatenate([chance.integers(-180, 0, _NEW_A_DAY * 180), np.repeat(np.arange(DAYS), new)])
    life = chance.exponential(np.where(chance.random(len(first)) < 0.5, _SHORT, _LONG))
    rate = chance.beta(0.8, 2, len(first))
    day = np.arange(DAYS)
    chances = rate[:, None] * (_WEEKEND[day % WEEK] * np.exp(np.repeat(_habits(chance), WEEK)))
    is_alive = (day >= first[:, None]) & (day < (first + life)[:, None])
    users, days = np.nonzero((is_alive & (chance.random(chances.shape) < chances)) | (day == first[:, None]))
    return users, days


def _habits(chance: np.random.Generator) -> Values:
    """Return the logarithms of how often users come in each week: they return to zero slowly."""
    found, noise = np.zeros(DAYS // WEEK), chance.normal(0, _HABIT, DAYS // WEEK)
    for week in range(1, len(found)):
        found[week] = _MEMORY * found[week - 1] + noise[week]
    return found


def _log(user: Ints, day: Ints) -> ActiveDays:
    connection = duckdb.connect(config={"threads": 1})
    connection.register("pairs", pa.table({"uid": pa.array(user), "d": pa.array(day.astype(np.int32))}))
    connection.execute(
        """create table spells as select uid, d, lead(d) over w as next_d, lag(d) over w as prev_d
        from pairs window w as (partition by uid order by d)"""
    )
    nothing = cast("Activity", None)  # the projection reads spells only
    return ActiveDays(
        connection, nothing, date(2025, 1, 6), DAYS, LEFT_CENSORED_DAYS, frozenset(), ends_by_setting=True
    )


def _page(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"| {place} | {row['growth']:+.0%} | {row['inside']:.0%} | {row['error']:.1%} | {row['error_as_last_month']:.1%} |"
        for place, row in enumerate(rows)
    ]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    better = sum(row["error"] < row["error_as_last_month"] for row in rows)
    return f"""# How good the projection is

Simulated products of {DAYS // WEEK} weeks whose new users drift (a random walk with a trend) and whose users come more or less
often from week to week, measured by `python -m benchmarks.report.projection`. From each of {TESTED} weeks the daily users of the
{WEEKS}th week ahead are projected, from what was known then.

| world | growth in the meantime | in the band of {COVERAGE:.0%} | off by | "as last month" off by |
|---|---|---|---|---|
{chr(10).join(lines)}
| all | | {mean["inside"]:.1%} | {mean["error"]:.1%} | {mean["error_as_last_month"]:.1%} |

The projection is nearer than "as last month" in {better} of {len(rows)} worlds. Of one world, neighbouring projections err together, so
that its own share scatters widely around {COVERAGE:.0%}.
"""


if __name__ == "__main__":
    main()
