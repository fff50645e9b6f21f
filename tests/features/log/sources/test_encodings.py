"""Text files are read in the encodings that DuckDB knows, and others are refused with the way out."""

from pathlib import Path

import pytest

from features.errors import InputError
from features.settings import FormatSettings
from tests.builders import found_in, read
from tests.features.log_files import HEADER, LENIENT, TEN, put


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("latin-1", "latin-1"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-8"),
        ("utf-16-le", "utf-16"),
    ],
)
def test_an_encoding_is_recognized_by_its_mark_or_named(tmp_path: Path, written: str, named: str):
    path = put(tmp_path / "log.csv", f"{HEADER}\njosé,{TEN},Käufe\n".encode(written))
    assert found_in(read(path, format=FormatSettings(encoding=named))) == [("josé", TEN, "Käufe")]


def test_another_encoding_far_down_a_file_is_refused(tmp_path: Path):
    lines = "".join(f"u{place},{TEN},x\n" for place in range(5000))
    path = put(tmp_path / "log.csv", f"{HEADER}\n{lines}josé,{TEN},x\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"(?i)utf-8|unicode"):
        read(path)


@pytest.mark.parametrize(("mark", "named"), [(b"\xfe\xff", "utf-8"), (b"", "utf-16")])
def test_utf16_in_big_endian_order_is_refused_beside_files_that_are_read(tmp_path: Path, mark: bytes, named: str):
    text = f"{HEADER}\nanna,{TEN},x\n"
    put(tmp_path / "a.csv", text.encode(named))
    put(tmp_path / "b.csv", mark + text.encode("utf-16-be"))
    with pytest.raises(
        InputError, match=r"(?s)b\.csv is UTF-16 in big-endian order.*iconv -f UTF-16BE -t UTF-8 b\.csv"
    ):
        read(tmp_path, format=FormatSettings(encoding=named))


def test_a_file_of_which_no_line_is_a_row_is_refused(tmp_path: Path):
    put(tmp_path / "a.csv", f"(export)\nanna,{TEN},x\n")
    put(tmp_path / "b.csv", f'"a title\nin two lines",{TEN},x\n')
    written = FormatSettings(names=tuple(HEADER.split(",")), skip=1)
    with pytest.raises(InputError, match=r"no line of .*b\.csv is read as a row"):
        read(tmp_path, format=written, **LENIENT)


@pytest.mark.parametrize("named", ["utf-8", "latin-1"])
def test_windows_1252_is_refused_with_the_way_out(tmp_path: Path, named: str):
    path = put(tmp_path / "log.csv", f"{HEADER}\njosé,{TEN},9 €\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"(?s)Windows-1252.*save it as UTF-8.*iconv -f WINDOWS-1252"):
        read(path, format=FormatSettings(encoding=named))


def test_utf_8_that_is_called_latin_1_is_refused(tmp_path: Path):
    """As where a product changes the encoding of its exports: each user with an accent would be another one."""
    put(tmp_path / "a.csv", f"{HEADER}\njosé,{TEN},x\n".encode("latin-1"))
    put(tmp_path / "b.csv", f"{HEADER}\njosé,{TEN},x\n")
    with pytest.raises(
        InputError, match=r'(?s)b\.csv is UTF-8 text, and .*encoding = "latin-1".*iconv -f UTF-8 -t LATIN1'
    ):
        read(tmp_path, format=FormatSettings(encoding="latin-1"))


def test_a_latin_1_file_that_ends_with_a_letter_is_none(tmp_path: Path):
    path = put(tmp_path / "a.csv", f"{HEADER}\nana,{TEN},é".encode("latin-1"))
    assert read(path, format=FormatSettings(encoding="latin-1"))


def test_it_is_so_far_down_a_file_too(tmp_path: Path):
    lines = "".join(f"josé{place},{TEN},x\n" for place in range(5000))
    path = put(tmp_path / "log.csv", f"{HEADER}\n{lines}z,{TEN},9 €\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"log\.csv is Windows-1252"):
        read(path, format=FormatSettings(encoding="latin-1"))


@pytest.mark.parametrize(("spelled", "encoding"), [("UTF8", "utf-8"), ("latin1", "latin-1"), ("UTF_16", "utf-16")])
def test_an_encoding_may_be_spelled_in_other_ways(spelled: str, encoding: str):
    assert FormatSettings(encoding=spelled).encoding == encoding


@pytest.mark.parametrize("spelled", ["cp1252", "utf-32", "klingon", ""])
def test_another_encoding_than_those_that_are_read_is_refused(spelled: str):
    with pytest.raises(ValueError, match=r"expected one of utf-8, utf-16, latin-1; save a file"):
        FormatSettings(encoding=spelled)
