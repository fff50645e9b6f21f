"""Files that lie there twice."""

import gzip
from pathlib import Path

import pytest

from features.log.copies import without_copies
from features.log.files import LogFile
from features.log.formats import files_of
from features.settings import EventsSettings
from tests.features.log_files import HEADER, csv_log, put, users_in

TEXT = f"{HEADER}\nanna,2026-01-05,open\n"


def found(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Names of the files that are read, and of each copy with its original."""
    kept, copies = without_copies(files_of(EventsSettings(path=str(folder)), Path()))
    return [name_of(file) for file in kept], {Path(copy).name: Path(first).name for copy, first in copies.items()}


def name_of(file: LogFile) -> str:
    return Path(file.name).name


def test_a_file_with_the_bytes_of_another_is_its_copy(tmp_path: Path):
    for name in ("b.csv", "a (1).csv", "a.csv"):
        put(tmp_path / name, TEXT)
    assert found(tmp_path) == (["a (1).csv"], {"a.csv": "a (1).csv", "b.csv": "a (1).csv"})


def test_files_of_one_size_and_other_bytes_are_both_read(tmp_path: Path):
    put(tmp_path / "a.csv", TEXT)
    put(tmp_path / "b.csv", TEXT.replace("anna", "anne"))
    assert found(tmp_path) == (["a.csv", "b.csv"], {})


@pytest.mark.parametrize(("plain", "packed"), [("a.csv", "b.csv.gz"), ("b.csv", "a.csv.gz")])
def test_a_gzipped_file_is_a_copy_of_what_it_unpacks_to(tmp_path: Path, plain: str, packed: str):
    put(tmp_path / plain, TEXT)
    put(tmp_path / packed, gzip.compress(TEXT.encode()))
    first, second = sorted((plain, packed))
    assert found(tmp_path) == ([first], {second: first})


@pytest.mark.parametrize("parts", [2, 3, 40])
def test_so_is_one_of_several_members(tmp_path: Path, parts: int):
    size = -(-len(TEXT) // parts)
    members = [TEXT[start : start + size] for start in range(0, len(TEXT), size)]
    put(tmp_path / "a.csv", TEXT)
    put(tmp_path / "b.csv.gz", b"".join(gzip.compress(one.encode()) for one in members))
    assert found(tmp_path) == (["a.csv"], {"b.csv.gz": "a.csv"})


def test_files_that_start_alike_and_end_otherwise_are_both_read(tmp_path: Path):
    text = TEXT + "bob,2026-01-05,open\n" * 10_000
    put(tmp_path / "a.csv", text)
    put(tmp_path / "b.csv.gz", gzip.compress(f"{text}zoe,2026-01-05,open\n".encode()))
    assert found(tmp_path) == (["a.csv", "b.csv.gz"], {})


def test_empty_files_are_no_copies_of_gzipped_ones(tmp_path: Path):
    put(tmp_path / "a.csv", "")
    put(tmp_path / "b.csv.gz", gzip.compress(b""))
    put(tmp_path / "c.csv.gz", gzip.compress(TEXT.encode()))
    assert found(tmp_path) == (["a.csv", "b.csv.gz", "c.csv.gz"], {})


def test_a_gzipped_file_that_is_damaged_is_no_copy(tmp_path: Path):
    put(tmp_path / "a.csv", TEXT)
    whole = gzip.compress(TEXT.encode())
    put(tmp_path / "b.csv.gz", whole[:12] + bytes(255 - one for one in whole[12:]))
    assert found(tmp_path) == (["a.csv", "b.csv.gz"], {})


def test_a_gzipped_file_of_other_rows_is_read_beside_plain_ones(tmp_path: Path):
    put(tmp_path / "a.csv", TEXT)
    put(tmp_path / "b.csv.gz", gzip.compress(TEXT.replace("anna", "anne").encode()))
    assert found(tmp_path) == (["a.csv", "b.csv.gz"], {})


def test_a_gzipped_file_that_is_cut_short_is_no_copy(tmp_path: Path):
    put(tmp_path / "a.csv", TEXT)
    whole = gzip.compress(TEXT.encode())
    put(tmp_path / "b.csv.gz", whole[:-12] + whole[-4:])
    assert found(tmp_path) == (["a.csv", "b.csv.gz"], {})


def test_the_same_bytes_under_another_key_of_a_folder_are_other_rows(tmp_path: Path):
    for day in ("2026-01-05", "2026-01-06"):
        put(tmp_path / f"day={day}/x.csv", TEXT)
    assert found(tmp_path) == (["x.csv", "x.csv"], {})


def test_empty_files_are_no_copies_of_each_other(tmp_path: Path):
    for name in ("a.csv", "b.csv"):
        put(tmp_path / name, "")
    assert found(tmp_path) == (["a.csv", "b.csv"], {})


def test_a_log_without_copies_is_read_as_it_is(tmp_path: Path):
    assert users_in(csv_log(tmp_path, "anna,2026-01-05,open")) == ["anna"]
