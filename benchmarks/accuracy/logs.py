"""The logs that accuracy is measured on: those in ``REAL_LOGS`` that an example maps, and a simulated one with its truth."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.measuring import PAGES, measure
from benchmarks.profiles.world import simulate
from seeds.simulate import World

EXAMPLES = PAGES.parent / "examples"
BARRED = ("kuaishou", "cdnow", "cdnow_sample")  # shown first, in this order
SIMULATED, USERS = "simulated", 100_000


@dataclass(frozen=True)
class Log:
    """One log and the ``churn.toml`` that maps it.

    Attributes
    ----------
    config
        Only mapping, horizon, eligibility and test cutoff.
    events
        The log; None where ``config`` names it.
    world
        The folder that holds the true probabilities; None for a real log.
    """

    name: str
    config: Path
    events: Path | None = None
    world: Path | None = None

    @property
    def says(self) -> str:
        """What the example says of it, in a line."""
        return self.config.read_text().splitlines()[0].removeprefix("# ")


def real_logs() -> list[Log]:
    """Return the logs in the folder ``REAL_LOGS`` that an example maps; none where there is no such folder."""
    folder = Path(os.environ.get("REAL_LOGS", "nowhere"))
    names = [*BARRED, *sorted({path.stem for path in EXAMPLES.glob("*.toml")} - {*BARRED})]
    logs = [Log(name, EXAMPLES / f"{name}.toml", folder / f"{name}.parquet") for name in names]
    return [log for log in logs if log.events and log.events.exists()]


def users_of_the_world() -> int:
    """Return how many people are simulated: ``SIZE``, or 100,000."""
    return int(os.environ.get("SIZE") or USERS)


def simulated(users: int) -> Log:
    """Return a world as ``churn simulate`` makes it by default, with its truth at the test cutoff; made unless it is there."""
    folder = kept() / f"world-{users}"
    if not folder.exists():
        seconds = measure(lambda: simulate(folder, users, options=("--cutoff", str(latest_cutoff(World(users))))))[0]
        _seconds(folder).write_text(json.dumps(seconds.wall_seconds))
    return Log(SIMULATED, folder / "churn.toml", world=folder)


def seconds_to_simulate(log: Log) -> float | None:
    """Return how long it took to make a world, if that is known."""
    found = _seconds(log.world) if log.world else None
    return float(json.loads(found.read_text())) if found and found.exists() else None


def _seconds(folder: Path) -> Path:
    return folder / "seconds.json"


def latest_cutoff(world: World) -> date:
    """Return the latest cutoff whose horizon the world's log covers: the default of ``[training] test_cutoff``."""
    return world.end - timedelta(days=world.gap_days + world.horizon_days)


def kept() -> Path:
    """Return where worlds are kept between runs: ``BENCH_FOLDER``, or the system's temporary folder."""
    return Path(os.environ.get("BENCH_FOLDER", Path(tempfile.gettempdir()) / "churn-bench")) / "accuracy"
