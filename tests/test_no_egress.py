"""After set-up nothing leaves the machine.

Two walls. Every Python process gets an audit hook (no_egress/sitecustomize.py) that refuses and logs any address but
loopback. Where Linux allows it, the processes also live in a network namespace that has nothing but loopback, which no
library can go around.
"""

import sys
from pathlib import Path

import pytest

from tests.churn.command import TrainedWorld
from tests.no_egress.walls import Walls, namespace

REACH_OUT = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=5)"
RESOLVE = "import socket; socket.getaddrinfo('example.invalid', 443)"
DATAGRAM = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"
STAY = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"


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


def test_running_end_to_end_leaves_the_machine_nowhere(trained_world: TrainedWorld):
    assert sorted(trained_world.said) == ["export", "promote", "score", "simulate", "train"]
    assert trained_world.walls.attempts == ""
