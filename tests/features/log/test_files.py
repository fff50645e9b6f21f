"""Which files below a place are its log."""

from pathlib import Path
from typing import Any

import fsspec
import pytest

from features.errors import InputError
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


@pytest.mark.parametrize("glob", ["", "**/*.csv", "*/*.csv"])
def test_links_to_folders_are_followed(tmp_path: Path, glob: str):
    write(tmp_path / "elsewhere" / "a.csv", ANNA)
    for link in ("log/2025", "log/_old", "log/source=ads"):
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    assert below(tmp_path / "log", tmp_path / "log" / glob) == ["2025/a.csv", "source=ads/a.csv"]


def test_a_link_to_a_folder_that_it_is_in_is_not(tmp_path: Path):
    write(tmp_path / "log/day/a.csv", ANNA)
    (tmp_path / "log/day/all").symlink_to(tmp_path / "log")
    (tmp_path / "log/day/again").symlink_to(tmp_path / "log/day")
    assert below(tmp_path / "log", tmp_path / "log") == ["day/a.csv"]


@pytest.mark.parametrize("glob", ["", "*", "**/*", "day/b.csv"])
def test_a_link_to_nothing_is_named(tmp_path: Path, glob: str):
    write(tmp_path / "log/day/a.csv", ANNA)
    for name in ("day/b.csv", "archive"):
        (tmp_path / "log" / name).symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"\[events\] path: .*log/(day/b\.csv|archive) is a link to nothing"):
        listed(str(tmp_path / "log" / glob), Path())


def test_a_hidden_link_to_nothing_is_no_matter(tmp_path: Path):
    write(tmp_path / "log/a.csv", ANNA)
    (tmp_path / "log/.#a.csv").symlink_to("anna@host.42")
    assert below(tmp_path / "log", tmp_path / "log") == ["a.csv"]


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
