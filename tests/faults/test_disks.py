"""A disk that is full from each named step of a verb on: said in words or not needed, and the next run is as if nothing had been."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.faults.base import VERBS, Base, Verb
from tests.faults.command import Ended, at_step, forked, mixed
from tests.faults.outcomes import EQUAL, REFUSED, Outcomes
from tests.small_disk import resize, small_disk, used_kilobytes

ROOMY, SPARE = 256 * 1024, 4


def full_from(run: Callable[[], int | None], disk: Path, at: int) -> int | None:
    def fill(number: int, _: str) -> None:
        if number == at:
            resize(disk, kilobytes=used_kilobytes(disk) + SPARE)

    at_step(fill)
    return run()


def outcome(base: Base, verb: Verb, home: Path, *, ended: Ended) -> str:
    """Say what came of a full disk; after a refusal, the next run with more room has to be as an undisturbed one."""
    if mixed(home):
        return f"mixed: {mixed(home)}"
    if ended.code not in (0, 2) or (ended.code == 2 and "the disk is full" not in ended.said):
        return f"{ended.code}: {ended.said}"
    resize(home.parent, kilobytes=ROOMY)
    if verb.is_done_once and verb.facts(home) == base.expected(verb)[0]:
        return REFUSED if ended.code else EQUAL
    again = forked(verb.run(base.world, home), base.log)
    expected, _ = base.expected(verb)
    if again.code or verb.facts(home) != expected:
        return f"the next run: {again.code}: {again.said}\n{verb.facts(home)}, expected {expected}"
    return REFUSED if ended.code else EQUAL


def fill_everywhere(base: Base, verb: Verb, outcomes: Outcomes) -> None:
    _, trace = base.expected(verb)
    for at in range(1, len(trace.steps) + 1):
        with small_disk(base.folder / f"disk-{verb.name}-{at}", kilobytes=ROOMY) as disk:
            home = base.copy(verb, within=disk)
            ended = forked(partial(full_from, verb.run(base.world, home), disk, at), base.log)
            found = outcome(base, verb, home, ended=ended)
            outcomes.of(verb.name, "disk full from a step on").add(found, trace.steps[at - 1][0])
            shutil.rmtree(home)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["score", "export", "promote", "train"])
def test_a_disk_that_is_full_from_any_step_on_is_said_to_be(base: Base, outcomes: Outcomes, name: str):
    fill_everywhere(base, VERBS[name], outcomes)
