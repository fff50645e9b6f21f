"""What replaying a year of Mondays costs, next to one training on the same log: ``make bench-replay``.

A simulated world of 600 days; 52 Mondays with monthly retraining. ``USERS=4500`` measures a smaller one. The page is ``replay.md``.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.measuring import PAGES
from churn.progress import progress_of
from churn.project import Project
from seeds.simulate import World, simulate

USERS, DAYS, MONDAYS, BAR = 6000, 600, 52, 8
START = date(2025, 1, 6)
R = TypeVar("R")


def main() -> None:
    """Measure a training and a replay, one after the other in this process, and write the page."""
    users = int(os.environ.get("USERS") or USERS)
    with TemporaryDirectory() as folder:
        simulate(World(users=users, days=DAYS, start=START), Path(folder) / "world")
        project = Project(Path(folder) / "world/churn.toml", home=Path(folder) / "home")
        project.activity()  # kept from here on: neither of the two pays for it
        say = progress_of(lambda _: None)
        trained, training = measured(lambda: project.train(say=say))
        found, replay = measured(lambda: project.replay(MONDAYS, say=progress_of(print)))
    (wall, cpu), (replay_wall, replay_cpu) = training, replay
    about = (
        f"Measured on {datetime.now(UTC).date()} by `make bench-replay` on 2 cores: a simulated log of {users:,} users and {DAYS} days, "
        f"{len(found.mondays)} Mondays with monthly retraining, after the log was read. Bar: at most {BAR} times one training."
    )
    lines = [
        "# What a replay costs",
        "",
        about,
        "",
        "| | seconds | CPU seconds |",
        "|---|---|---|",
        f"| one training (AUC {trained.auc:.3f}) | {wall:.1f} | {cpu:.1f} |",
        f"| the replay | {replay_wall:.1f} | {replay_cpu:.1f} |",
        f"| times a training | {replay_wall / wall:.1f} | {replay_cpu / cpu:.1f} |",
        "",
        f"Peak of memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB. In short: {found.words}.",
        "",
    ]
    (PAGES / "replay.md").write_text("\n".join(lines))
    print("\n".join(lines))


def measured(function: Callable[[], R]) -> tuple[R, tuple[float, float]]:
    """Return a result, and the seconds of the clock and of the processor that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = function()
    return found, (time.perf_counter() - wall, time.process_time() - cpu)


if __name__ == "__main__":
    main()
