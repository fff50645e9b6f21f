"""The next command that a verb names does the same to the same project."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churn.cli.training import _after  # pyright: ignore[reportPrivateUsage]
from churn.cli.verb import next_command
from churn.jobs.status import cutoff_option
from churn.project import Project
from churn.results import Promotion
from tests.builders import write
from tests.churn.command import WEEK, TrainedWorld
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


@pytest.mark.parametrize(("end", "week"), [((2026, 5, 5), "2026-W19"), ((2026, 5, 11), "2026-W20")])
def test_after_a_promotion_the_latest_week_that_the_log_reaches_is_exported(
    end: tuple[int, int, int], week: str, trained_world: TrainedWorld
):
    project, decision = Project(home=trained_world.home), Decision("1", "champion", "models", (), 0, (), {}, "")
    assert _after(project, Promotion("1", decision, date(*end))) == ("export", "--week", week)


def test_each_verb_of_a_week_names_what_status_names(command: Command, trained_world: TrainedWorld, tmp_path: Path):
    own = trained_world.copy_to(tmp_path / "home")

    def after(*words: str) -> str:
        ran = command(*words, *own.options())
        assert ran.code == 0, ran.err
        return ran.out.splitlines()[-1].removeprefix("next: ").partition(" --config")[0]

    assert after("score", "--week", WEEK) == after("status") == "churn export --week 2026-W19"
    assert after("export", "--as-of", "2026-04-28", "--dry-run") == "churn export --as-of 2026-04-28"
    assert after("export", "--week", "2026-W19", "--dry-run") == "churn export --week 2026-W19"
    assert after("export", "--week", "2026-W19", "--force") == after("status") == "churn serve"
    assert after("score", "--week", "2026-W19") == "churn serve"
    assert after("outcomes") == after("status") == "churn serve"


def test_a_verb_hands_over_what_it_was_given(command: Command, tmp_path: Path):
    events = [f"u{user} 2026-01-{5 + day:02}T10:00" for user in range(40) for day in range(0, 20, 1 + user % 4)]
    write(tmp_path / "events/log.parquet", events)
    ran = command(
        *("profiles", "--as-of", "2026-01-20", "--out", "p.parquet"),
        "--events",
        "events/log.parquet",
        "--set",
        "churn.horizon_days=3",
        "--set",
        "project.name=a",
    )
    assert ran.out.splitlines()[-1] == (
        "next: churn train --events events/log.parquet --set churn.horizon_days=3 --set project.name=a"
    )


def test_a_list_of_another_day_than_a_monday_is_named_by_its_cutoff():
    assert cutoff_option(date(2026, 6, 29)) == ("--week", "2026-W27")
    assert cutoff_option(date(2026, 7, 1)) == ("--as-of", "2026-07-01")
