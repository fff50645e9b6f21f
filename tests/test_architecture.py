"""The tree is the architecture: what ARCHITECTURE.md describes, held by tests."""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
NOT_PACKAGES = {"benchmarks", "build", "docs", "examples", "tests"}
PACKAGES = sorted(path.parent.name for path in TOP.glob("*/__init__.py") if path.parent.name not in NOT_PACKAGES)
FILES = sorted(path for package in PACKAGES for path in (TOP / package).rglob("*.py"))

HEAVY = {"bentoml", "lightgbm", "mlflow", "pandas", "sklearn"}
VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}

MAX_FILE_LINES = 400
MAX_FILES_IN_A_FOLDER = 14
MAX_MEDIAN_LINES = 6
LONG_FUNCTION_LINES = 25
MAX_SHARE_OF_LONG_FUNCTIONS = 0.03


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def relative(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def imported_names(path: Path) -> Iterator[str]:
    """Top names of everything a file imports, inside functions too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, source: list[str]) -> int:
    """Lines of a function's body that say something: without docstring, blank lines and comments."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    lines = source[body[0].lineno - 1 : body[-1].end_lineno]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


def function_sizes() -> dict[str, int]:
    sizes: dict[str, int] = {}
    for path in FILES:
        source = path.read_text().splitlines()
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                sizes[f"{relative(path)}:{node.lineno} {node.name}"] = body_lines(node, source)
    return sizes


def loaded_by(code: str) -> set[str]:
    """Top names of the modules a fresh interpreter holds after it ran the code."""
    report = "\nimport sys; print('\\nloaded:', *{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code + report], cwd=TOP, capture_output=True, text=True, check=True)
    return set(run.stdout.rsplit("loaded:", 1)[1].split())


def test_the_import_contracts_hold():
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


def folders_of(package: str) -> list[Path]:
    """Folders inside a package, at any depth."""
    return sorted(path.parent for path in (TOP / package).rglob("__init__.py") if path.parent != TOP / package)


def test_every_package_with_folders_has_layers_that_name_each_of_them():
    layers = {
        container: set(re.findall(r"\w+", " ".join(contract["layers"])))
        for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
        for container in contract.get("containers", ())
    }
    folders = {
        package: {folder.relative_to(TOP / package).parts[0] for folder in folders_of(package)} for package in PACKAGES
    }
    missing = {package: sorted(names - layers.get(package, set())) for package, names in folders.items()}
    assert {package: names for package, names in missing.items() if names} == {}


def test_every_package_is_built_typed_and_held_by_the_contracts():
    tool = PYPROJECT["tool"]
    assert set(PACKAGES) <= set(tool["hatch"]["build"]["targets"]["wheel"]["only-include"])
    assert {*PACKAGES, "benchmarks", "tests"} == set(tool["basedpyright"]["include"])
    assert set(PACKAGES) == set(tool["importlinter"]["root_packages"])


def test_only_the_registry_and_its_runs_import_mlflow():
    spoken = {relative(path) for path in FILES if "mlflow" in imported_names(path)}
    assert spoken == {"models/registry/registry.py", "models/registry/tracking.py"}


def test_nothing_but_the_command_imports_the_small_world():
    importers = {relative(path).split("/")[0] for path in FILES if "seeds" in imported_names(path)}
    assert importers <= {"churn", "seeds"}


def test_no_file_has_a_name_that_says_nothing():
    assert [relative(path) for path in FILES if VAGUE & set(path.stem.split("_"))] == []


RECIPES = [line for line in (TOP / "Makefile").read_text().splitlines() if "$(BIN)/python" in line]
BENCHMARKS = re.findall(r"-m (benchmarks\.[\w.]+)", "\n".join(RECIPES))


def test_every_benchmark_starts_where_its_folder_hides_no_package():
    """As a script its folder would come first, and `benchmarks/training/bench.py` stand in for `training/`."""
    assert len(BENCHMARKS) > 3
    assert not [line for line in RECIPES if "benchmarks/" in line]


@pytest.mark.slow
def test_every_benchmark_loads():
    assert loaded_by(f"import {', '.join(BENCHMARKS)}") >= {"training", "features"}


def test_no_tests_folder_is_a_package():
    """Else tests/features would shadow features."""
    assert list((TOP / "tests").rglob("__init__.py")) == []


def test_folders_hold_a_dozen_files_or_so():
    """Without ``__init__.py``."""
    sizes = {relative(folder): len(list(folder.glob("[!_]*.py"))) for folder in {path.parent for path in FILES}}
    assert {name: files for name, files in sizes.items() if files > MAX_FILES_IN_A_FOLDER} == {}


def test_every_folder_says_in_a_line_what_it_holds():
    faces = [folder / "__init__.py" for package in PACKAGES for folder in [TOP / package, *folders_of(package)]]
    assert [relative(face) for face in faces if not ast.get_docstring(tree_of(face))] == []


def test_files_have_at_most_400_lines():
    sizes = {relative(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: lines for name, lines in sizes.items() if lines > MAX_FILE_LINES} == {}


def test_functions_do_one_thing():
    sizes = function_sizes()
    long = {name: lines for name, lines in sizes.items() if lines > LONG_FUNCTION_LINES}
    assert statistics.median(sizes.values()) <= MAX_MEDIAN_LINES
    assert len(long) <= MAX_SHARE_OF_LONG_FUNCTIONS * len(sizes), long


HELP = """
import contextlib, sys, churn
sys.argv = ["churn", "--help"]
with contextlib.suppress(SystemExit):
    churn.main()
"""


@pytest.mark.parametrize("code", ["import churn", HELP], ids=["import churn", "churn --help"])
def test_the_front_answers_before_anything_heavy_loads(code: str):
    assert loaded_by(code) & HEAVY == set()
