"""The next command that a verb names does the same to the same project."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churn.cli.training import _after  # pyright: ignore[reportPrivateUsage]
from churn.cli.verb import next_command
from churn.jobs.status import _cutoff_option  # pyright: ignore[reportPrivateUsage]
from churn.project import Project
from churn.results import Promotion
from tests.builders import write
from tests.churn.conftest import Command
from training.promotion.decide import Decision

PAIRS = ["churn.horizon_days=7", "training.population=new"]


@pytest.mark.parametrize(
    ("words", "again", "expected"),
    [
        (("export", "--as-of", "2026-01-05"), {"model": "3"}, "export --as-of 2026-01-05 --model 3"),
        (("export", "--as-of", "2026-01-05"), {"model": "champion"}, "export --as-of 2026-01-05"),
        (("outcomes",), {"model": "3", "events": "log.parquet"}, "outcomes --events log.parquet"),
        (("score", "--as-of", "DATE"), {"allow_mapping_change": True}, "score --as-of DATE --allow-mapping-change"),
        (("serve",), {"events": "log.parquet", "model": "3"}, "serve --model 3"),
        (("promote",), {"set_": PAIRS}, f"promote --set {PAIRS[0]} --set {PAIRS[1]}"),
        (("score", "--as-of", "DATE"), {"set_": PAIRS}, f"score --as-of DATE --set {PAIRS[0]}"),
        (("train", "--set", "churn.horizon_days=9"), {"set_": PAIRS[:1]}, "train --set churn.horizon_days=9"),
        (("init", "PATH"), {"set_": PAIRS, "events": "log.parquet"}, "init PATH"),
    ],
)
def test_options_that_the_next_verb_takes_too_are_kept(words: tuple[str, ...], again: dict[str, Any], expected: str):
    assert next_command(Project(), *words, again=again) == f"churn {expected}"


@pytest.mark.parametrize(("end", "monday"), [((2026, 7, 4), "2026-06-29"), ((2026, 7, 6), "2026-07-06")])
def test_after_a_promotion_the_latest_monday_that_the_log_covers_is_scored(end: tuple[int, int, int], monday: str):
    decision = Decision("2", "champion", "models", (), 0, (), {}, "")
    assert _after(Promotion("2", decision, date(*end))) == ("score", "--as-of", monday)


def test_a_verb_hands_over_what_it_was_given(command: Command, tmp_path: Path):
    events = [f"u{user} 2026-01-{5 + day:02}T10:00" for user in range(40) for day in range(0, 20, 1 + user % 4)]
    write(tmp_path / "events/log.parquet", events)
    ran = command(
        "horizon", "--events", "events/log.parquet", "--set", "churn.horizon_days=3", "--set", "project.name=a"
    )
    assert ran.out.splitlines()[-1] == (
        "next: churn train --events events/log.parquet --set churn.horizon_days=3 --set project.name=a"
    )


def test_a_list_of_another_day_than_a_monday_is_named_by_its_cutoff():
    assert _cutoff_option("2026-W27") == ("--week", "2026-W27")
    assert _cutoff_option("2026-W27-3") == ("--as-of", "2026-07-01")
