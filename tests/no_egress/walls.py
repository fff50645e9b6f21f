"""Two walls around a process, which nothing that leaves the machine gets through unseen (tests/test_no_egress.py)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


def namespace() -> list[str]:
    """What to put before a command for a network of its own; nothing where the machine does not allow that."""
    prefix = ["unshare", "--map-root-user", "--net", sys.executable, str(HERE / "loopback_only.py")]
    if shutil.which("unshare") is None:
        return []
    works = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if works else []


@dataclass(frozen=True)
class Walls:
    """A folder to work in, and the attempts to leave the machine from there."""

    folder: Path
    prefix: list[str]

    @property
    def attempts(self) -> str:
        log = self.folder / "attempts.log"
        return log.read_text() if log.exists() else ""

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {"PYTHONPATH": os.pathsep.join(paths), "NO_EGRESS_LOG": str(self.folder / "attempts.log")}
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            cwd=self.folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
