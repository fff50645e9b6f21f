"""What stops a command from outside: Ctrl-C, a reader that leaves, too little memory. None of them is a bug."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.churn.conftest import Command


def test_a_reader_that_leaves_early_is_no_bug():
    """141 is what a shell says of a command whose reader has left; 1 would say that churn is broken."""
    pipe = f"{shlex.quote(str(Path(sys.executable).with_name('churn')))} settings | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=False, env=os.environ)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt(), RuntimeError("Query interrupted"), duckdb.InterruptException("Interrupted!")]
)
def test_ctrl_c_is_said_in_a_line_wherever_it_strikes(
    command: Command, monkeypatch: pytest.MonkeyPatch, stop: BaseException
):
    def stopped(*_: object) -> None:
        raise stop

    monkeypatch.setattr("churn.settings_page.rows", stopped)
    ran = command("settings")
    assert (ran.code, ran.out, ran.err) == (130, "", "churn: interrupted\n")


def test_ctrl_c_while_the_command_is_being_loaded_is_quiet():
    code = """
import sys
class Stopped:
    def find_spec(self, name, *_):
        if name == "churn.cli.horizon":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stopped())
import churn
churn.main()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


def test_too_little_memory_is_no_bug(command: Command, monkeypatch: pytest.MonkeyPatch):
    def too_much(*_: object) -> None:
        raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data (47 MiB/47.6 MiB used)\n\nSee")

    monkeypatch.setattr("churn.settings_page.rows", too_much)
    ran = command("settings")
    assert ran.code == 2
    assert (
        "memory_limit_gb): failed to allocate data (47 MiB/47.6 MiB used)\nHint: raise it (--memory-limit)" in ran.err
    )
