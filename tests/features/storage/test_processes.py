"""Which process wrote a name, and whether it still runs."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from features.storage.processes import Process, is_running


def test_a_process_reads_what_it_wrote():
    own = Process.own()
    assert Process.parse(str(own)) == own
    assert own.number == os.getpid()


@pytest.mark.parametrize("text", ["", "host", "host ns not-a-number 1"])
def test_anything_else_is_not_a_process(text: str):
    assert Process.parse(text) is None


def test_a_process_that_runs_is_not_dead():
    assert not Process.own().is_dead


def test_a_process_that_was_killed_is_dead_even_before_its_parent_asks_for_it():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert is_running(child.pid)
        found = replace(Process.own(), number=child.pid, started="")
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert found.is_dead


@pytest.mark.skipif(not Process.own().started, reason="the system does not say when a process started")
def test_another_process_with_the_same_number_does_not_keep_it_alive():
    assert replace(Process.own(), started="1").is_dead


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"namespace": "pid:[1]"}])
def test_of_another_machine_or_container_nothing_is_known(elsewhere: dict[str, str]):
    assert not replace(Process.own(), number=2**22 + 1, **elsewhere).is_dead
