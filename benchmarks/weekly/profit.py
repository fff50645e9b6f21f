"""Whether a list that is cut by profit ends where it should: simulated worlds whose truth is known, each with costs of its own.

``make bench-profit`` trains on 20 worlds (``WORLDS=5``: fewer), ranks the test users by expected profit as ``churn export`` does, and
compares the profit down to the list's end with that of the best end of the same ranking, both by the true probabilities. The page is
``profit.md``. A world takes half a minute on one core.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.accuracy.logs import latest_cutoff
from benchmarks.accuracy.measured import truth_of
from benchmarks.measuring import PAGES
from churn.engine import with_context
from churn.progress import progress_of
from churn.project import Project
from features.profiles.build import build_profiles
from features.storage.duckdb import connect
from seeds.simulate import World, simulate
from serving.batch.score import score_table
from serving.settings import ListSettings, ScoringSettings
from serving.weekly.candidates import Candidates
from serving.weekly.profit import ContactCosts
from serving.weekly.selection import Ranking, select

WORLDS, USERS, NEAR, MANY = 20, 6000, 0.95, 0.9

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """Where a list ended, and what it would earn by the truth.

    Attributes
    ----------
    users
        How many were ranked, are on the list, and would be on it if it ended at the best place.
    expected, earned, possible
        Money: what the model expects of the list, what it earns by the true probabilities, and what the best end would.
    """

    seed: int
    settings: ListSettings
    users: tuple[int, int, int]
    expected: float
    earned: float
    possible: float

    @property
    def share(self) -> float:
        """What the list earns of what the best end of its ranking would."""
        return self.earned / self.possible


def main() -> None:
    """Measure each world, and write the page."""
    cuts: list[Cut] = []
    for seed in range(int(os.environ.get("WORLDS") or WORLDS)):
        cuts.append(measured(seed))
        print(f"{cuts[-1].share:.3f} {cuts[-1]}", flush=True)
    (PAGES / "profit.md").write_text(_page(cuts))


def measured(seed: int, *, size: int = USERS) -> Cut:
    """Train on one world, and cut the ranking of its test users."""
    with TemporaryDirectory() as folder:
        world, parameters = Path(folder) / "world", World(users=size, seed=seed)
        simulate(parameters, world, cutoffs=[latest_cutoff(parameters)])
        project = Project(world / "churn.toml", home=Path(folder) / "home")
        trained = project.train(say=progress_of(lambda _: None)).trained
        truth, activity = truth_of(trained, world), project.activity(frozen=trained.model)
        specification = with_context(trained.model.specification, activity.facts)  # what users paid, too
        built = build_profiles(activity, specification, cutoffs=[trained.split.test])
        users = trained.test.profiles.column("user_id")
        profiles = built.take(pc.index_in(users, value_set=built.column("user_id").combine_chunks()))
        scores = score_table(trained.model, profiles, bands=ScoringSettings())
        return cut_of(profiles, scores, truth=truth, seed=seed)


def cut_of(profiles: pa.Table, scores: pa.Table, *, truth: Values, seed: int) -> Cut:
    """Select a list with random costs as an export does, and compare it with every other end of its ranking."""
    candidates = Candidates.of(connect(), profiles=profiles, scores=scores)
    value = np.nan_to_num(candidates.wanted(ListSettings(save_rate=1.0)).column("value").to_numpy())
    settings = costs_of(seed, float(np.median(value[value > 0])))
    nobody = np.zeros(scores.num_rows, dtype=np.bool_)
    ranked = Ranking.of(scores, held_out=nobody, excluded=pa.nulls(scores.num_rows, pa.string()))
    (selection,) = select(ranked, [settings], wanted=[candidates.wanted(settings)])
    costs = ContactCosts.at(settings.save_rate or 0.0, settings)
    expected = costs.profit(ranked.churn_probability, value)
    order, listed = np.argsort(-expected, kind="stable"), len(selection.rows)
    earned = np.concatenate([[0.0], np.cumsum(costs.profit(truth, value)[order])])
    best = int(np.argmax(earned))
    sums = float(expected[selection.rows].sum()), float(earned[listed]), float(earned[best])
    return Cut(seed, settings, (len(value), listed, best), *sums)


def costs_of(seed: int, worth: float) -> ListSettings:
    """Return a list with costs at random, in parts of what a buyer is worth."""
    chance = np.random.default_rng(seed)
    return ListSettings(
        save_rate=round(chance.uniform(0.1, 0.4), 2),
        incentive=round(worth * chance.uniform(0.02, 0.15), 2),
        cost_per_contact=round(worth * chance.uniform(0.01, 0.05), 2),
        taken_by_stayers=round(chance.uniform(0.2, 1.0), 2),
    )


def _page(cuts: list[Cut]) -> str:
    near = sum(one.share >= NEAR for one in cuts)
    verdict = "met" if near >= MANY * len(cuts) else "missed"
    rows = [
        f"| {one.seed} | {one.settings.save_rate} | {one.settings.cost_per_contact} | {one.settings.incentive} | "
        f"{one.settings.taken_by_stayers} | {' | '.join(f'{number:,}' for number in one.users)} | "
        f"{one.expected:,.0f} | {one.earned:,.0f} | {one.possible:,.0f} | {one.share:.1%} |"
        for one in cuts
    ]
    return f"""# Where a list that is ranked by profit ends

Measured on {datetime.now(UTC).date()} by `make bench-profit`: {len(cuts)} simulated worlds of {USERS:,} people, a training with
defaults on each, and costs at random. *Earned* is what the list earns by the true probabilities, *possible* what it would if it
ended at the best place of the same ranking. Target: at least {NEAR:.0%} of what is possible in {MANY:.0%} of the worlds. Seen: in
{near} of {len(cuts)}, {verdict}.

| world | save rate | a contact | incentive | taken by stayers | users | listed | best | expected | earned | possible | share |
|---|---|---|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
