"""How often the interval of the churn rate among users with such a score has it: on simulated worlds whose truth is known.

Worlds of :mod:`seeds.simulate`, on which nothing of it was tuned, each with another seed, season and horizon. A model is trained once
with defaults; then, every three weeks from one horizon after its test cutoff on, the interval is asked for at ten probabilities of
the next cutoff, from the labels that are known by then, and compared with the true churn rate of the users there. In the holidays of
these worlds, active users leave twice as often as else, and no label shows it beforehand.

``make bench-accuracy`` runs it last; ``SEEDS="1 2" python -m benchmarks.accuracy.score_rates`` measures only some. Results are kept in
``score_rates.json``; ``score_rates.md`` is written from all that are there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from msgspec import structs

from benchmarks.accuracy.bench import in_own_process
from benchmarks.accuracy.page import table
from benchmarks.measuring import PAGES
from churn.cli.console import steps
from churn.project import Project
from features.activity.store import Activity
from models.churn_model import ChurnModel
from seeds.simulate import World, simulate
from seeds.truth import true_probabilities
from training.data.dataset import eligible_profiles
from training.evaluation.reliability import known_reliability
from training.pipeline import train
from training.settings import OutagesSettings

SEEDS = tuple(range(1, 25))
PEOPLE, DAYS, DECILES = 4_000, 200, 10
HORIZONS = (14, 7, 28)
WEEKS_BEFORE = (9, 6, 3, 0)  # cutoffs, weeks before the end of the log
LOW, HIGH = 0.85, 0.95

Intervals = list[dict[str, Any]]  # of one world

INTRODUCTION = """# The churn rate among users with such a score

Written by `make bench-accuracy` from `score_rates.json`; do not edit. `benchmarks/accuracy/score_rates.py` says how. For each decile of the
probabilities: how often the 90 % interval had the true churn rate of its users, and how wide it was. The true rate is the mean of the
probabilities that the best possible observer of the simulated world has, so it is exact but for the choice of the users. The intervals of
one world share its users and its model, so the *standard error* of the coverage is that of the worlds.
"""


def main() -> None:
    """Measure each world in a process of its own; what is done is kept."""
    wanted = [int(seed) for seed in os.environ.get("SEEDS", "").split()] or list(SEEDS)
    path = PAGES / "score_rates.json"
    with steps("bench-score-rates", len(wanted)) as tell:
        for seed in wanted:
            tell(f"world {seed}")
            found = in_own_process(partial(measured, seed))
            results = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps(results | {str(seed): found}, indent=1) + "\n")
    write_page(json.loads(path.read_text()))


def measured(seed: int) -> dict[str, Any]:
    """Train on one world, and ask for intervals at the last cutoffs of its log."""
    horizon = HORIZONS[seed % len(HORIZONS)]
    start = date(2026, 1, 5) + timedelta(days=45 * seed)
    world = World(PEOPLE, DAYS + 2 * horizon, start=start, seed=200 + seed, horizon_days=horizon)
    cutoffs = [world.end - timedelta(weeks=weeks) for weeks in WEEKS_BEFORE]
    test = cutoffs[0] - timedelta(days=horizon)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "world"
        simulate(world, out, cutoffs=cutoffs)
        settings = {"training.test_cutoff": test, "events.covered_until": world.end}
        project = Project(out / "churn.toml", home=Path(folder) / "home", settings=settings)
        activity = project.activity()
        model = train(activity, project.recipe, say=lambda _: None).model
        rows = [one for cutoff in cutoffs for one in _asked(project, model, activity=activity, cutoff=cutoff, out=out)]
    return {"world": repr(world), "intervals": rows}


def _asked(
    project: Project, model: ChurnModel, *, activity: Activity, cutoff: date, out: Path
) -> Iterator[dict[str, Any]]:
    """Yield the interval and the truth of each decile, as known at a cutoff."""
    coverage = replace(activity.coverage, covered_until=cutoff)
    then = replace(activity, manifest=structs.replace(activity.manifest, coverage=coverage))
    recipe = replace(
        project.recipe, outages=OutagesSettings(exclude=False)
    )  # there are none, and the days after the cutoff are not known then
    known = known_reliability(then, model, recipe=recipe, left_alone=lambda *_: None, follows=True)
    profiles = eligible_profiles(activity, model.specification, cutoffs=[cutoff], churn=project.recipe.churn)
    probability = replace(model, shift=known.shift).predict_probability(profiles)
    truth_of = dict(zip(*(column.to_pylist() for column in true_probabilities(out, cutoff).columns), strict=True))
    truth = np.array([truth_of[user] for user in profiles.column("user_id").to_pylist()])
    for decile, users in enumerate(np.array_split(np.argsort(probability, kind="stable"), DECILES)):
        found = known.churn_rate(float(probability[users].mean()))
        yield {
            "cutoff": str(cutoff),
            "decile": decile + 1,
            "users": len(users),
            "probability": float(probability[users].mean()),
            "truth": float(truth[users].mean()),
            "value": found.value,
            "low": found.low,
            "high": found.high,
        }


def write_page(found: dict[str, Any]) -> None:
    """Write ``score_rates.md``."""
    worlds = [one["intervals"] for one in found.values()]
    by_decile = [_of_decile(worlds, decile) for decile in range(1, DECILES + 1)]
    shown = [_row(str(decile), some) for decile, some in enumerate(by_decile, 1)] + [_row("all", worlds)]
    covered = [float(np.mean(_covered(some))) for some in (*by_decile, worlds)]
    verdict = "met" if all(LOW <= one <= HIGH for one in covered) else "not met"
    header = ("decile", "intervals", "mean probability", "true churn rate", "covered", "standard error", "mean width")
    bar = f"{len(found)} worlds of {PEOPLE:,} people; bar: {LOW:.0%} to {HIGH:.0%} overall and in each decile: **{verdict}**.\n"
    (PAGES / "score_rates.md").write_text(f"{INTRODUCTION}\n{bar}\n{table(header, shown)}")


def _of_decile(worlds: list[Intervals], decile: int) -> list[Intervals]:
    return [[row for row in rows if row["decile"] == decile] for rows in worlds]


def _covered(worlds: list[Intervals]) -> list[float]:
    """Return the share of the intervals of each world that have the truth; each world has as many."""
    return [float(np.mean([row["low"] <= row["truth"] <= row["high"] for row in rows])) for rows in worlds]


def _row(name: str, worlds: list[Intervals]) -> list[str]:
    rows, covered = [row for rows in worlds for row in rows], _covered(worlds)
    means = [f"{np.mean([row[key] for row in rows]):.3f}" for key in ("probability", "truth")]
    error = float(np.std(covered, ddof=1)) / len(covered) ** 0.5
    width = np.mean([row["high"] - row["low"] for row in rows])
    return [name, str(len(rows)), *means, f"{np.mean(covered):.1%}", f"{error:.1%}", f"{width:.3f}"]


if __name__ == "__main__":
    main()
