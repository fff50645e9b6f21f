"""Kills with -9 before every rename and inside every named step: what stands is whole, and the next run is as if nothing had been."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.base import VERBS, Base, Verb
from tests.faults.command import Run, Trace, at_rename, at_step, die, die_in, forked, mixed
from tests.faults.outcomes import EQUAL, Outcomes


def killed_before_rename(run: Run, home: Path, at: int) -> int | None:
    at_rename(home, lambda number: die() if number == at else None)
    return run()


def killed_in_step(run: Run, at: int, after_seconds: float) -> int | None:
    at_step(lambda number, _: die_in(after_seconds) if number == at else None)
    return run()


def moments(trace: Trace, home: Path, run: Run) -> Iterator[tuple[str, str, Run]]:
    """Return each moment of a run: of which kind, in words, and the run that is killed then."""
    for at in range(1, trace.renames + 1):
        yield "killed before a rename", f"rename {at}", partial(killed_before_rename, run, home, at)
    for at, (message, seconds) in enumerate(trace.steps, 1):
        yield "killed inside a step", message, partial(killed_in_step, run, at, seconds / 2)


def outcome(base: Base, verb: Verb, home: Path) -> str:
    """Say what is there after a kill, and what the next run makes of it."""
    if found := mixed(home):
        return f"mixed after the kill: {found}"
    if verb.is_done_once and verb.facts(home) == base.expected(verb)[0]:
        return EQUAL
    again = forked(verb.run(base.world, home), base.log)
    if again.code:
        return f"the next run ends with {again.code}: {again.said}"
    expected, _ = base.expected(verb)
    return EQUAL if verb.facts(home) == expected else f"{verb.facts(home)}, expected {expected}"


def kill_everywhere(base: Base, verb: Verb, outcomes: Outcomes) -> None:
    _, trace = base.expected(verb)
    for number in range(trace.renames + len(trace.steps)):
        home = base.copy(verb)
        fault, where, kill = list(moments(trace, home, verb.run(base.world, home)))[number]
        ended = forked(kill, base.log)
        is_as_meant = ended.was_killed or ended.code == 0  # a step may be over before half of its time
        found = outcome(base, verb, home) if is_as_meant else f"{ended.code}: {ended.said}"
        outcomes.of(verb.name, fault).add(found, where)
        shutil.rmtree(home)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # three minutes on a quiet machine; `make test-faults` runs three at once on two cores
@pytest.mark.parametrize("name", VERBS)
def test_a_verb_killed_anywhere_is_finished_by_the_next_run(base: Base, outcomes: Outcomes, name: str):
    kill_everywhere(base, VERBS[name], outcomes)
