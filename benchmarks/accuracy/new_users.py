"""How good the model of new users is: a simulated world with thousands of them at the test cutoff, next to every rule and the truth.

``make bench-new-users`` simulates 170,000 people (``USERS=20000``: fewer), trains with ``[training] population = "new"`` and defaults, and
writes ``new_users.md``. It takes some ten minutes on two cores.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.accuracy.logs import latest_cutoff
from benchmarks.accuracy.measured import truth_of
from benchmarks.measuring import PAGES
from churn.progress import progress_of
from churn.project import Project
from models.evaluation.metrics import Interval, auc
from models.evaluation.results import Evaluation
from seeds.simulate import World, simulate

USERS, DAYS, SEED = 170_000, 130, 12
SETTINGS = {"training.population": "new", "churn.min_tenure_days": 8}
BAR, ENOUGH = 0.03, 5_000  # calibration error, and new users in the test


def main() -> None:
    """Measure one world, and write the page."""
    world = World(users=int(os.environ.get("USERS") or USERS), days=DAYS, seed=SEED)
    with TemporaryDirectory() as folder:
        place = Path(folder) / "world"
        simulate(world, place, cutoffs=[latest_cutoff(world)])
        project = Project(place / "churn.toml", home=Path(folder) / "home", settings=SETTINGS)
        trained = project.train(say=progress_of(print)).trained
        truth = auc(trained.test.churned, truth_of(trained, place))
    (PAGES / "new_users.md").write_text(page(trained.evaluation, world=world, possible=truth))


def page(found: Evaluation, *, world: World, possible: float) -> str:
    """Return the page, with what was asked for and whether it was met."""
    rows = [f"| the model | {_interval(found.metrics['auc'])} | | {_interval(found.metrics['calibration_error'])} |"]
    rows += [
        f"| {name} | {_interval(one.auc)} | {_interval(one.difference_auc, sign='+')} | {_interval(one.calibration_error)} |"
        for name, one in found.baselines.items()
    ]
    return f"""# The model of new users

Measured on {datetime.now(UTC).date()} by `make bench-new-users`: a simulated world of {world.users:,} people over {world.days} days,
horizon {world.horizon_days} days, `[training] population = "new"`, defaults; {found.users:,} users are 1 to 7 days old at the test cutoff.
Intervals of 95 %; the difference is that of the model's AUC to the other's, on the same resampled users.

Target: on at least {ENOUGH:,} new users a calibration error under {BAR}, and an AUC above that of the best rule by its interval.
{verdict(found)}

| | AUC | the model's is higher by | calibration error |
|---|---|---|---|
{chr(10).join(rows)}
| who knows the world's parameters | {possible:.3f} | | |
"""


def verdict(found: Evaluation) -> str:
    """Return what was seen, and whether it is what was asked for."""
    name = found.better_rule
    error, above = found.metrics["calibration_error"].value, found.baselines[name].difference_auc
    is_met = error < BAR and above.low > 0 and found.users >= ENOUGH
    seen = f"Seen: {found.users:,} users, calibration error {error:.3f}, AUC above {name} by {_interval(above)}"
    return f"{seen}: {'met' if is_met else 'missed'}."


def _interval(of: Interval, *, sign: str = "") -> str:
    return f"{of.value:{sign}.3f} ({of.low:{sign}.3f} to {of.high:{sign}.3f})"


if __name__ == "__main__":
    main()
