"""The command's front: help that holds, exit codes, one JSON document, and errors without tracebacks."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import churn.cli
from tests.builders import write
from tests.churn.command import TrainedWorld
from tests.churn.conftest import Command
from tests.churn.wrong_input import NEEDED, VERBS, needs_arguments, options_of

READ_NO_LOG = {
    *("simulate", "settings", "features"),  # need none
    "init",  # its PATH is the log
    *("status", "doctor", "rollback", "publish", "bento", "keys", "serve", "mcp"),  # look at what is kept
}
EACH = pytest.mark.parametrize("verb", VERBS)


def examples(help_text: str) -> list[str]:
    """The lines of a help text that can be typed; redirections belong to the shell."""
    return [line.strip().split(" > ")[0] for line in help_text.splitlines() if line.strip().startswith("churn ")]


# --- Help ----------------------------------------------------------------------------------------------------------


def test_the_verbs_are_those_of_the_way():
    way = {"simulate", "settings", "features", "profiles", "train", "promote", "rollback", "score", "export", "serve"}
    assert way <= set(VERBS)


@EACH
def test_the_help_of_every_verb_has_an_example_of_that_verb(command: Command, verb: str):
    ran = command(verb, "--help")
    assert ran.code == 0
    shown = [line for line in examples(ran.out) if line.split()[1] == verb]
    assert shown, f"the docstring of {verb} has no line `churn {verb} ...` behind `Example:`:\n{ran.out}"


@EACH
def test_every_example_can_be_typed(command: Command, verb: str):
    for line in examples(command(verb, "--help").out):
        _, name, *arguments = shlex.split(line)
        # parses without running: unknown options, missing ones and values of the wrong kind raise
        VERBS[name].make_context(name, arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--nonsense"], "No such option"), (["--port", "many"], "valid int"), (["--port"], "requires an argument")],
)
def test_an_example_that_cannot_be_typed_would_be_noticed(arguments: list[str], said: str):
    with pytest.raises(Exception, match=said):
        VERBS["serve"].make_context("serve", arguments)


def is_verb(node: ast.stmt) -> bool:
    """Tell whether a function of churn/cli/ is a verb: it is made one, or its docstring shows how it is typed."""
    if not isinstance(node, ast.FunctionDef):
        return False
    made = any(ast.unparse(one).startswith("verb(") for one in node.decorator_list)
    return made or "Example:" in (ast.get_docstring(node) or "")


def test_every_verb_is_in_the_command():
    modules = {path: ast.parse(path.read_text()) for path in Path(churn.cli.__file__).parent.glob("*.py")}
    made = {
        node.name: path.name
        for path, module in modules.items()
        for node in module.body
        if isinstance(node, ast.FunctionDef) and is_verb(node)
    }
    missing = [f"{name} in {file}" for name, file in made.items() if name not in VERBS]
    assert not missing, f"a verb goes into the list of churn/cli/app.py: {missing}"
    assert set(VERBS) == set(made)


@EACH
def test_every_option_says_what_it_is(verb: str):
    assert all(getattr(parameter, "help", None) for parameter in VERBS[verb].params)


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"simulate", "init"}))  # these make the settings file
def test_every_verb_takes_a_settings_file_and_overrides(verb: str):
    assert {"--config", "--set"} <= options_of(verb)


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"simulate", "settings", "features"}))
def test_every_verb_that_keeps_something_takes_a_home(verb: str):
    assert "--home" in options_of(verb)


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"serve", "mcp"}))
def test_every_verb_that_ends_speaks_json(verb: str):
    assert "--json" in options_of(verb)


@EACH
def test_every_verb_that_reads_the_log_takes_another(verb: str):
    assert ("--events" in options_of(verb)) == (verb not in READ_NO_LOG), (
        "a verb that reads no log is made with @verb(events=False), and is in READ_NO_LOG"
    )


@EACH
def test_a_verb_that_needs_arguments_is_typed_with_them_on_the_page_of_errors(verb: str):
    assert needs_arguments(verb) == (verb in NEEDED), f"NEEDED of tests/churn/wrong_input.py has its arguments: {verb}"
    VERBS[verb].make_context(verb, list(NEEDED.get(verb, ())))


def test_help_imports_nothing_heavy():
    heavy = {
        "mlflow",
        "lightgbm",
        "pandas",
        "pyarrow",
        "duckdb",
        "sklearn",
        "scipy",
        "numpy",
        "bentoml",
        "matplotlib",
        "pydantic",
    }
    code = "import sys; sys.argv = ['churn', '--help']\nfrom churn.cli.app import run\nrun()\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(ran.stdout.splitlines()[-1].split())


def test_every_line_of_the_help_fits_a_terminal_of_80_columns(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = command("--help").out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    cut = [line.split()[0] for line in lines if line.endswith("...") and not line.startswith("Usage")]
    assert not cut, f"the first line of the docstring is too long: {cut}"
    assert set(VERBS) <= {line.split()[0] for line in lines if line.strip()}


def test_the_version_is_printed(command: Command):
    assert re.fullmatch(r"churn \d+\.\d+\.\d+\n", command("--version").out)


def test_the_shell_can_complete_the_verbs(command: Command, monkeypatch: pytest.MonkeyPatch):
    environment = {"_CHURN_COMPLETE": "complete_bash", "COMP_WORDS": "churn prom", "COMP_CWORD": "1"}
    churn = str(Path(sys.executable).with_name("churn"))
    ran = subprocess.run([churn], env=os.environ | environment, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["promote"]


# --- Exit codes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("nope",),
        ("train", "--nope"),
        ("simulate",),  # --out is missing
        ("simulate", "--out", "w", "--users", "few"),
        ("simulate", "--out", "w", "--users", "-3"),
        ("simulate", "--out", "w", "--start", "spring"),
        ("simulate", "--out", "w", "--cutoff", "spring"),
        ("serve", "--port", "http"),
        ("score",),
        ("score", "--as-of", "2026-02-31"),
        ("score", "--as-of", "yesterday"),
        ("score", "--week", "2026-W54"),
        ("score", "--week", "47"),
        ("score", "--week", ""),
        ("score", "--as-of", "2026-04-27", "--week", "2026-W18"),
        ("export", "--as-of", "27.04.2026"),
        ("profiles", "--as-of", "2026-04-27", "--out", "profiles.csv"),
        ("profiles", "--as-of", "2026-04-27", "--out", "p.parquet", "--memory-limit", "0"),
        ("profiles", "--as-of", "2026-04-27", "--out", "p.parquet", "--shard", "\u00b2/3"),
    ],
)
def test_what_cannot_be_meant_exits_with_2_and_a_word(command: Command, arguments: tuple[str, ...]):
    ran = command(*arguments)
    assert ran.code == 2, ran.err
    assert ran.err.strip()
    assert "Traceback" not in ran.err
    assert "None" not in ran.err
    assert ran.out == ""


LOGLESS = [("train",), ("profiles", "--as-of", "2026-03-01", "--out", "p.parquet")]


@pytest.mark.parametrize("verb", LOGLESS, ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "no Parquet, CSV or JSON Lines file at events"),
        (("--events", "nowhere.parquet"), "nowhere.parquet"),
        (("--config", "nowhere.toml"), "nowhere.toml"),
        (("--events", "empty.csv"), "empty"),
        (("--events", "broken.parquet"), "broken.parquet"),
        (("--events", "other.csv"), "user_id"),
    ],
)
def test_a_log_that_cannot_be_read_exits_with_2(
    command: Command, tmp_path: Path, verb: tuple[str, ...], options: tuple[str, ...], said: str
):
    (tmp_path / "empty.csv").write_text("user_id,event_time,event_type\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "other.csv").write_text("who,at,what\na,2026-01-01,open\n")
    ran = command(*verb, *options)
    assert ran.code == 2, ran.err
    assert said in ran.err
    assert "Hint: " in ran.err
    assert "Traceback" not in ran.err


@pytest.fixture(scope="module")
def empty_home(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without a model."""
    return Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("empty") / "home"))


@pytest.mark.parametrize("verb", ["promote", "score", "export", "serve", "reliability"])
def test_without_a_model_the_way_to_one_is_said(command: Command, empty_home: Path, verb: str):
    when = ("--as-of", "2026-03-01") if verb in {"score", "export"} else ()
    ran = command(verb, "--home", empty_home, *when)
    assert ran.code == 2
    assert 'no model "churn" is registered' in ran.err
    assert "churn train" in ran.err or "churn promote" in ran.err


def test_a_rollback_without_history_is_refused(command: Command, empty_home: Path):
    ran = command("rollback", "--home", empty_home)
    assert ran.code == 3
    assert "no earlier champion" in ran.err


def test_too_little_data_is_refused_with_3(command: Command, empty_home: Path, tmp_path: Path):
    lines = [f"u{user} 2026-01-{day:02d}T10:00" for day in range(1, 31) for user in range(5)]
    log = write(tmp_path / "log.parquet", lines)
    ran = command("train", "--home", empty_home, "--events", log, "--set", "churn.horizon_days=3")
    assert ran.code == 3, ran.err
    assert "0 churners and " in ran.err
    assert "expected at least 100 of each" in ran.err


@pytest.mark.parametrize("verb", ["train", "simulate", "profiles"])
def test_a_place_that_cannot_be_written_to_is_an_input_error(
    command: Command, tmp_path: Path, verb: str, trained_world: TrainedWorld
):
    (tmp_path / "taken").write_text("a file, no folder")
    ran = {
        "train": lambda: command("train", "--config", trained_world.config, "--home", "taken"),
        "simulate": lambda: command("simulate", "--out", "taken", "--users", "10", "--days", "30"),
        "profiles": lambda: command(
            "profiles", *trained_world.options(), "--as-of", "2026-04-27", "--out", "nowhere/profiles.parquet"
        ),
    }[verb]()
    assert ran.code == 2, ran.err
    assert "Hint: " in ran.err


def test_an_unusable_tracking_store_is_an_input_error(
    command: Command, trained_world: TrainedWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://store")
    ran = command("score", *trained_world.options(), "--as-of", "2026-04-27")
    assert ran.code == 2, ran.err
    assert "MLFLOW_TRACKING_URI" in ran.err


def test_under_json_an_error_is_one_document_on_the_last_line(command: Command):
    ran = command("score", "--as-of", "yesterday", "--json")
    assert json.loads(ran.err.splitlines()[-1]) == {
        "error": '--as-of: got "yesterday", expected a date',
        "hint": "for example --as-of 2026-11-16",
        "exit_code": 2,
    }
    assert (ran.code, ran.out) == (2, "")


# --- Output --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("settings",), ("features",), ("simulate", "--out", "w", "--users", "10", "--days", "30")],
    ids=lambda a: a[0],
)
def test_json_is_one_document_and_nothing_else(command: Command, arguments: tuple[str, ...]):
    ran = command(*arguments, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)


@pytest.mark.parametrize(
    "arguments",
    [("settings",), ("features",), ("simulate", "--out", "w", "--users", "10", "--days", "30")],
    ids=lambda a: a[0],
)
def test_a_verb_ends_with_the_next_command(command: Command, arguments: tuple[str, ...]):
    last = command(*arguments).out.splitlines()[-1]
    _, name, *options = shlex.split(last.removeprefix("next: "))
    VERBS[name].make_context(name, options)


def test_elsewhere_than_on_a_terminal_every_step_is_a_line_on_standard_error(command: Command):
    ran = command("simulate", "--out", "w", "--users", "10", "--days", "30", "--json")
    assert re.fullmatch(r"(simulate: .+\n)+", ran.err)


def test_no_colour_or_control_sequence_reaches_a_pipe(command: Command):
    for arguments in (("settings",), ("features",), ("--help",)):
        assert "\x1b" not in command(*arguments).out


def test_a_reader_that_leaves_early_sees_no_traceback():
    pipe = f"{shlex.quote(str(Path(sys.executable).with_name('churn')))} features --json | head -1"
    ran = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=False, env=os.environ)
    assert "Traceback" not in ran.stderr
    assert "a bug" not in ran.stderr


def test_a_bug_is_said_to_be_one_and_exits_with_1(command: Command, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("one over nothing")

    monkeypatch.setattr("churn.settings_page.rows", broken)
    ran = command("settings")
    assert ran.code == 1
    assert "a bug: ZeroDivisionError: one over nothing" in ran.err
    assert "Traceback" not in ran.err
