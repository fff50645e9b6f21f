"""After set-up nothing leaves the machine.

Two walls. Every Python process gets an audit hook (no_egress/sitecustomize.py) that refuses and logs any address but
loopback. Where Linux allows it, the processes also live in a network namespace that has nothing but loopback, which no
library can go around.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent / "no_egress"
CHURN = str(Path(sys.executable).with_name("churn"))

# The main way, each line a command in an empty folder.
MAIN_WAY = (
    "simulate --out world --users 1500 --days 120 --seed 7",
    "train --config world/churn.toml --home home",
    "promote --config world/churn.toml --home home",
    "score --config world/churn.toml --home home --as-of 2026-04-27",
    "export --config world/churn.toml --home home --as-of 2026-04-27",
)

REACH_OUT = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=5)"
RESOLVE = "import socket; socket.getaddrinfo('example.invalid', 443)"
DATAGRAM = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"
STAY = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"


def namespace() -> list[str]:
    """What to put before a command for a network of its own; nothing where the machine does not allow that."""
    prefix = ["unshare", "--map-root-user", "--net", sys.executable, str(HERE / "loopback_only.py")]
    if shutil.which("unshare") is None:
        return []
    works = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if works else []


class Walls(NamedTuple):
    """A folder to work in, and the attempts to leave the machine from there."""

    folder: Path
    prefix: list[str]

    @property
    def attempts(self) -> str:
        log = self.folder / "attempts.log"
        return log.read_text() if log.exists() else ""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(HERE), "NO_EGRESS_LOG": str(self.folder / "attempts.log")}
        return subprocess.run(
            [*self.prefix, *command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def walls(tmp_path: Path) -> Walls:
    return Walls(tmp_path, namespace())


@pytest.fixture
def hook_alone(tmp_path: Path) -> Walls:
    return Walls(tmp_path, [])


@pytest.mark.parametrize("code", [REACH_OUT, RESOLVE, DATAGRAM], ids=["connect", "resolve", "datagram"])
def test_the_hook_refuses_and_logs_what_leaves_the_machine(hook_alone: Walls, code: str):
    run = hook_alone.run(sys.executable, "-c", code)
    assert run.returncode != 0
    assert "outbound traffic is blocked" in run.stderr
    assert hook_alone.attempts.count("\n") == 1


def test_the_hook_reaches_the_children_of_children(hook_alone: Walls):
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {REACH_OUT!r}])"
    hook_alone.run(sys.executable, "-c", child)
    assert "192.0.2.1" in hook_alone.attempts


def test_loopback_stays_open(walls: Walls):
    run = walls.run(sys.executable, "-c", STAY)
    assert run.returncode == 0, run.stderr
    assert walls.attempts == ""


def test_the_namespace_holds_without_the_hook(walls: Walls):
    if not walls.prefix:
        pytest.skip("this machine allows no network namespaces")
    run = walls.run(sys.executable, "-I", "-c", REACH_OUT)  # -I: PYTHONPATH is not read, so there is no hook
    assert "Network is unreachable" in run.stderr
    assert walls.attempts == ""


def test_the_main_way_leaves_the_machine_nowhere(walls: Walls):
    for line in MAIN_WAY:
        run = walls.run(CHURN, *line.split())
        assert run.returncode == 0, f"churn {line}\n{run.stdout}{run.stderr}"
    assert walls.attempts == ""
