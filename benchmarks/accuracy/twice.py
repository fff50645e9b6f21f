"""Three trainings of ``churn train`` on one small simulated log, each a process and a home of its own: two seeds are the same."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.accuracy.logs import simulated

USERS = 5_000
# Written by MLflow about the run, with the instant and the number of the run in it.
ABOUT_THE_RUN = {"MLmodel"}
_NUMBERED = re.compile(r"(?:m-)?[0-9a-f]{32}")


def measured() -> dict[str, Any]:
    """Train twice with one seed and compare every logged file; train with another seed and compare the AUC."""
    config = simulated(USERS).config
    with TemporaryDirectory() as name:
        homes = [Path(name) / home for home in ("first", "again", "other")]
        first, _, other = (_train(config, home, seed=seed) for home, seed in zip(homes, (7, 7, 8), strict=True))
        one, two = (logged(home) for home in homes[:2])
    test = first["test"]
    return {
        "people": USERS,
        "files": len(one),
        "differing": sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name)),
        "auc": [test["auc"], test["auc_low"], test["auc_high"]],
        "auc_of_another_seed": other["test"]["auc"],
    }


def logged(home: Path) -> dict[str, str]:
    """Return the SHA-256 of every artifact; the numbers of run and model, which differ, are left out of the paths."""
    top = home / "artifacts"
    files = (path for path in sorted(top.rglob("*")) if path.is_file() and path.name not in ABOUT_THE_RUN)
    return {
        _NUMBERED.sub("*", str(path.relative_to(top))): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def _train(config: Path, home: Path, *, seed: int) -> dict[str, Any]:
    churn = Path(sys.executable).with_name("churn")
    command = [churn, "train", "--config", config, "--home", home, "--set", f"training.seed={seed}", "--json"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"churn train ended with {ran.returncode}: {' '.join(ran.stderr.splitlines()[-2:])}")
    return json.loads(ran.stdout)
