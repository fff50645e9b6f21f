"""Which files below a place are its log."""

from pathlib import Path
from typing import Any

import fsspec
import pytest

from features.log.files import listed
from tests.builders import write

ANNA = ["anna 2026-01-05T10:00 open"]
NAMES = (
    "a.csv",
    "_day=2026-01-05/b.csv",
    "_temporary/0/_temporary/attempt_1/c.csv",
    "d/._a.csv",
    ".ipynb_checkpoints/e.csv",
)
SHOWN = ["a.csv", "_day=2026-01-05/b.csv"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A folder whose own name is hidden, half written by a Spark job."""
    folder = tmp_path / "_logs" / ".app[1]"
    for name in NAMES:
        write(folder / name, ANNA)
    return folder


def below(folder: Path, place: Path | str) -> list[str]:
    return sorted(Path(file.name).relative_to(folder).as_posix() for file in listed(str(place), Path("/nowhere")))


@pytest.mark.parametrize("glob", ["", "**/*.csv", "**"])
def test_what_hive_and_spark_do_not_see_is_not_the_log(tmp_path: Path, glob: str):
    for name in NAMES:
        write(tmp_path / "_log" / name, ANNA)
    assert below(tmp_path / "_log", tmp_path / "_log" / glob) == sorted(SHOWN)


def test_a_folder_may_be_hidden_itself_and_have_an_odd_name(log: Path):
    assert below(log, log) == sorted(SHOWN)


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("d/._a.csv", ["d/._a.csv"]),
        ("_temporary/0", []),  # its attempts are hidden below what is named
        ("_temporary/0/_temporary", ["_temporary/0/_temporary/attempt_1/c.csv"]),
        ("*/0/*/*/*.csv", []),
        ("_*/0/_temporary/*/*.csv", ["_temporary/0/_temporary/attempt_1/c.csv"]),
        ("d/._*.csv", ["d/._a.csv"]),
    ],
)
def test_what_is_named_outright_is_read(tmp_path: Path, glob: str, found: list[str]):
    for name in NAMES:
        write(tmp_path / name, ANNA)
    assert below(tmp_path, tmp_path / glob) == found


@pytest.fixture
def far(tmp_path: Path) -> Any:
    """The same folder in a store."""
    memory = fsspec.filesystem("memory")
    for name in NAMES:
        memory.pipe(f"/_logs/{name}", write(tmp_path / name, ANNA).read_bytes())
    yield memory
    memory.rm("/_logs", recursive=True)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("memory://_logs", SHOWN),
        ("memory://_logs/", SHOWN),
        ("memory://_logs/**/*.csv", SHOWN),
        ("MEMORY://_logs", SHOWN),
        ("memory://_logs/d/._a.csv", ["d/._a.csv"]),
        ("memory://_logs/*/._*.csv", ["d/._a.csv"]),
    ],
)
def test_a_store_shows_the_same(far: Any, place: str, found: list[str]):
    names = [file.name for file in listed(place, Path())]
    assert sorted(name.partition("/_logs/")[2] for name in names) == sorted(found)
