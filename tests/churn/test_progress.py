"""What a long verb says on the way: on standard error, and nothing of it in the document on standard output."""

import ast
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

import churn
from churn.cli.console import Steps
from features.activity.store import open_activity
from features.settings import ComputeSettings
from tests.builders import write
from tests.churn.command import TrainedWorld
from tests.churn.conftest import Command

NOT_COVERED = "2030-01-07"  # refused as soon as the log was read


def steps_of(progress: Progress | None = None) -> Steps:
    return Steps("train", progress, 3)


def test_what_is_said_within_a_step_is_no_step_of_its_own():
    progress = Progress(console=Console(file=io.StringIO()))
    steps = steps_of(progress)
    steps("reading the log")
    steps.within("0 of 9 days are done")
    steps.within("5 of 9 days are done")
    (task,) = progress.tasks
    assert (task.completed, task.total, task.description) == (1, 3, "5 of 9 days are done")


def test_elsewhere_than_on_a_terminal_it_is_a_line_too(capsys: pytest.CaptureFixture[str]):
    steps_of().within("0 of [9] days are done")
    assert capsys.readouterr().err == "train: 0 of [9] days are done\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "log.parquet", [f"u{user} 2026-01-{5 + user:02}T10:00 open" for user in range(9)])


@pytest.mark.parametrize(
    "verb",
    [("profiles", "--as-of", NOT_COVERED, "--out", "p.parquet"), ("train",), ("horizon",), ("audit",)],
    ids=lambda verb: verb[0],
)
def test_a_first_roll_up_is_told(command: Command, log: Path, verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://store")  # to train takes long, and ends here by then
    said = command(*verb, "--events", log, "--json").err.splitlines()
    assert said[:3] == [
        f"{verb[0]}: reading the log",
        f"{verb[0]}: reading 1 of 1 files",
        f"{verb[0]}: rolling up 2026-01-05 to 2026-01-13: 0 of 9 days are done",
    ]


def test_nothing_reads_the_log_in_silence():
    nodes = [node for path in Path(churn.__path__[0]).rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    reading = [call for call in calls if ast.unparse(call.func).endswith((".activity", "_activity"))]
    assert len(reading) > 6
    assert [ast.unparse(call) for call in reading if "say" not in {given.arg for given in call.keywords}] == []


def test_batch_by_batch(log: Path, tmp_path: Path):
    settings = churn.Project(home=tmp_path / "home", events=log).reader.activity_settings()
    said: list[str] = []
    open_activity(replace(settings, compute=ComputeSettings(rows_at_once=4)), tmp_path / "home", say=said.append)
    assert [line.rpartition(": ")[2] for line in said if "rolling up" in line] == [
        "0 of 9 days are done",
        "4 of 9 days are done",
        "8 of 9 days are done",
    ]


def test_only_once(command: Command, log: Path):
    verb = ("profiles", "--as-of", "2026-01-10", "--out", "p.parquet", "--events", log, "--json")
    assert json.loads(command(*verb).out)["days_rolled_up"] == 9
    assert command(*verb).err == "profiles: reading the log\nprofiles: building profiles\n"


@pytest.mark.parametrize("verb", ["score", pytest.param("export", marks=pytest.mark.slow)])  # which scores too
def test_a_model_that_has_to_roll_up_first_tells_so_too(
    command: Command, trained_world: TrainedWorld, tmp_path: Path, verb: str
):
    other = ("--set", "events.where=1 = 1")  # kept apart from what the others look at
    world = trained_world.copy_to(tmp_path / "home")
    said = command(verb, *world.options(), *other, "--as-of", NOT_COVERED, "--allow-mapping-change").err
    assert f"{verb}: reading 120 of 120 files" in said
    assert f"{verb}: rolling up 2026-01-05 to " in said


def test_a_fetch_from_a_database_is_told(command: Command, tmp_path: Path):
    with sqlite3.connect(tmp_path / "log.db") as database:
        database.execute("create table log (id integer, user_id text, event_time text, event_type text)")
        rows = [(day, "anna", f"2026-01-{day:02} 10:00:00", "open") for day in range(5, 14)]
        database.executemany("insert into log values (?, ?, ?, ?)", rows)
    database.close()
    Path("churn.toml").write_text(
        '[events]\nquery = "select * from log"\nwatermark = "id"\nconnection = "sqlite:///log.db"\n'
    )
    ran = command("profiles", "--as-of", "2026-01-10", "--out", "p.parquet", "--json")
    assert json.loads(ran.out)["rows"] == 9
    assert ran.err.splitlines()[1] == "profiles: 9 rows fetched"
