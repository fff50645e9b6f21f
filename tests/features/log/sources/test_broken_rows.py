"""Rows of a CSV with too many or too few fields are set aside whole; no other row is lost or read otherwise."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.log.sources.broken_rows import TOO_FEW, TOO_MANY, LineCheck
from features.settings import EventsSettings, FormatSettings
from tests.builders import found_in, open_log, read
from tests.features.log_files import HEADER, LENIENT, csv_log, csv_logs, put, users_in, world_at

GOOD = [f"u{place},2026-01-05,open" for place in range(30)]
SHORT, LONG, LONGER = "v1,2026-01-05", "v2,2026-01-05,open,x", "v3,2026-01-05,open,x,y,z,,w"


@pytest.mark.parametrize("line", [SHORT, "v1", "(30 rows)", "  "])
def test_a_row_with_too_few_fields_is_set_aside(tmp_path: Path, line: str):
    log = csv_log(tmp_path, *GOOD, line)
    assert (sorted(users_in(log)), log.rejected) == (sorted(line.split(",")[0] for line in GOOD), {TOO_FEW: 1})


@pytest.mark.parametrize("line", [LONG, LONGER, "v4,2026-01-05,Sofa, blue"])
def test_a_row_with_too_many_fields_is_set_aside(tmp_path: Path, line: str):
    log = csv_log(tmp_path, line, *GOOD)
    assert (len(users_in(log)), log.rejected) == (30, {TOO_MANY: 1})


def test_a_row_that_is_too_long_makes_up_for_none_that_is_too_short(tmp_path: Path):
    assert csv_log(tmp_path, *GOOD, SHORT, LONG, LONGER, **LENIENT).rejected == {TOO_FEW: 1, TOO_MANY: 2}


def test_it_is_kept_with_all_of_its_fields(tmp_path: Path):
    path = put(tmp_path / "log.csv", "\n".join([HEADER, *GOOD, SHORT, LONGER, ",2026-01-05,open"]))
    open_log(EventsSettings(path=str(path), **LENIENT), rejected_to=tmp_path / "rejected")
    (kept,) = (tmp_path / "rejected").glob("*.parquet")
    found = {row["reason"]: row["whole_row"] for row in pq.read_table(kept).to_pylist()}
    assert found == {TOO_FEW: SHORT, TOO_MANY: LONGER, "user_id is null": None}


def test_files_without_such_rows_are_kept_as_ever(tmp_path: Path):
    put(tmp_path / "logs" / "a.csv", "\n".join([HEADER, *GOOD, SHORT]))
    put(tmp_path / "logs" / "b.csv", "\n".join([HEADER, *GOOD, ",2026-01-05,open"]))
    open_log(EventsSettings(path=str(tmp_path / "logs"), **LENIENT), rejected_to=tmp_path / "rejected")
    tables = [pq.read_table(place) for place in (tmp_path / "rejected").glob("*.parquet")]
    reasons = {tuple(table["reason"].to_pylist()): "whole_row" in table.column_names for table in tables}
    assert reasons == {(TOO_FEW,): True, ("user_id is null",): False}


@pytest.mark.parametrize("where", ["event_type = 'open'", "event_type = 'open' and cast(user_id[2:] as int) >= 0"])
def test_a_condition_on_rows_drops_none_of_them_in_silence(tmp_path: Path, where: str):
    log = csv_log(tmp_path, *GOOD, "v5,2026-01-05,close", SHORT, LONG, where=where, **LENIENT)
    assert (log.rows, log.rejected) == (30, {TOO_FEW: 1, TOO_MANY: 1})


def test_empty_fields_are_there(tmp_path: Path):
    log = csv_log(
        tmp_path,
        "a,2026-01-05,open,",
        'b,2026-01-05,open,""',
        "c,2026-01-05,open",
        header=f"{HEADER},device",
        **LENIENT,
    )
    assert (users_in(log), log.rejected) == (["a", "b"], {TOO_FEW: 1})


@pytest.mark.parametrize("other", [[], [SHORT]])
def test_one_delimiter_too_many_at_the_end_means_nothing(tmp_path: Path, other: list[str]):
    log = csv_log(tmp_path, *(f"{line}," for line in GOOD), *other)
    assert (log.rows, log.rejected) == (30, {TOO_FEW: 1} if other else {})


@pytest.mark.parametrize("ends", ["\n", "\r\n", "mixed"])
def test_values_in_quotes_stay_as_they_are_beside_them(tmp_path: Path, ends: str):
    lines = ['a,2026-01-05,"one, two"', 'b,2026-01-05,"three\nfour"', 'c,2026-01-05,"say ""five"""', SHORT, LONGER]
    text = "\r\n".join([HEADER, *lines, ""])
    path = put(tmp_path / "log.csv", text.replace("\r\n", "\n", 2) if ends == "mixed" else text.replace("\r\n", ends))
    log = read(path, **LENIENT)
    assert [row[2] for row in found_in(log)] == ["one, two", "three\nfour", 'say "five"']
    assert log.rejected == {TOO_FEW: 1, TOO_MANY: 1}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("\t".join(["{}", "2026-01-05", '"open"']), {}),
        ("{},2026-01-05,'o, p'", {"format": FormatSettings(quote="'")}),
        (r'{},2026-01-05,"an \"o\""', {}),
        ("{};2026-01-05;open", {}),
    ],
)
def test_however_the_file_is_written(tmp_path: Path, text: str, options: dict[str, Any]):
    mark = "\t" if "\t" in text else ";" if ";" in text else ","
    lines = [HEADER.replace(",", mark), *(text.format(f"u{place}") for place in range(5)), SHORT.replace(",", mark)]
    log = read(put(tmp_path / "log.csv", "\n".join(lines)), **LENIENT, **options)
    assert (len(users_in(log)), log.rejected) == (5, {TOO_FEW: 1})
    assert '"' not in found_in(log)[0][2].replace('an "o"', "")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_of_any_encoding(tmp_path: Path, encoding: str):
    path = put(tmp_path / "log.csv", "\n".join([HEADER, *GOOD, "é,2026-01-05,öffnen", SHORT]).encode(encoding))
    log = read(path, format=FormatSettings(encoding=encoding))
    assert (found_in(log)[-1], log.rejected) == (("é", "2026-01-05 00:00:00", "öffnen"), {TOO_FEW: 1})


@pytest.mark.parametrize(
    "lines", [['a,"open', "b,2026-01-05,x", 'c,2026-01-05,"', *GOOD], [*GOOD, 'a,2026-01-05,"x', 'y",z']]
)
def test_a_broken_row_over_several_lines_may_be_an_open_quote_and_is_refused(tmp_path: Path, lines: list[str]):
    with pytest.raises(InputError, match=r"(?s)the quotes of .*log\.csv: one is left open .*\[events\.format\] quote"):
        csv_log(tmp_path, *lines)


def test_a_file_of_which_most_rows_are_broken_is_refused_by_name(tmp_path: Path):
    with pytest.raises(InputError, match=rf"30 of 31 rows are invalid \(30 x {TOO_MANY}\); at most 5 % allowed"):
        csv_log(tmp_path, "a,2026-01-05,open", *(f"{line},x" for line in GOOD))


def test_a_row_with_thousands_of_fields_is_refused_by_line(tmp_path: Path):
    with pytest.raises(InputError, match=r"(?s)CSV Error on Line: 32 of .*log\.csv.*Expected Number of Columns: 3"):
        csv_log(tmp_path, *GOOD, "x," * 5000)


def test_the_note_says_where_the_first_is_and_what_to_do(tmp_path: Path):
    put(tmp_path / "log.csv", "\n".join([HEADER, *GOOD, LONG]))
    notes = world_at(tmp_path, tmp_path / "log.csv").activity().manifest.notes
    assert [note for note in notes if TOO_MANY in note] == [
        f"set aside 1 x {TOO_MANY}: first in log.csv, row 31; a value that holds the delimiter must be in quotes"
    ]


def test_only_the_file_that_has_them_is_read_otherwise(tmp_path: Path):
    log = csv_logs(tmp_path, [GOOD, [line.replace("u", "w") for line in GOOD], [*GOOD[:3], LONGER]])
    assert (log.rows, log.rejected) == (63, {TOO_MANY: 1})


@pytest.mark.parametrize("sizes", [(1,), (2, 3), (7,), (1000,)])
@pytest.mark.parametrize(
    ("text", "are_regular"),
    [
        ("a,b\n1,2\n3,4\n", True),
        ("a,b\n1,2\n3,4", True),
        ("a,b\n1,2\n3,4\n5", False),
        ("a,b\n1,2,3\n4\n", False),
        ("a,b\n1\n2,3,4\n5,6\n", False),
        ("a,b\n1,2,", False),
        ("title\na,b\n1,2\n", False),
    ],
)
def test_lines_tell_of_rows_however_they_are_cut(text: str, are_regular: bool, sizes: tuple[int, ...]):
    check, place = LineCheck(b",", 2), 0
    while place < len(text):
        size = sizes[place % len(sizes)]
        check.read(text[place : place + size].encode())
        place += size
    assert check.end() is are_regular


def test_lines_above_the_header_are_passed_over():
    check = LineCheck(b",", 2, skip=2)
    for chunk in (b"a title, with commas, in it\n", b"and another\n", b"a,b\n1,2\n"):
        check.read(chunk)
    assert check.end()
