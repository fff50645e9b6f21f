"""CSV and JSON Lines: what a reader must not guess."""

from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from tests.builders import ReadLog, found_in, read, write

TWO = ["anna 2026-01-05T10:00 open", "bob 2026-01-06T11:30 buy"]
AS_READ = [("anna", "2026-01-05 10:00:00", "open"), ("bob", "2026-01-06 11:30:00", "buy")]
LENIENT: dict[str, Any] = {"max_rejected_share": 0.99}
GOOD = {"user_id": "anna", "event_time": "2026-01-05 10:00", "event_type": "open"}
SECONDS = 1767607200  # 2026-01-05 10:00 UTC


def times_in(log: ReadLog) -> list[str]:
    return [str(found[1]) for found in found_in(log)]


HEADER = "user_id,event_time,event_type"


def csv_of(folder: Path, *lines: str, header: str = HEADER, **options: Any) -> ReadLog:
    (folder / "log.csv").write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return read(folder / "log.csv", **options)


@pytest.mark.parametrize(
    ("header", "column"),
    [("user_id", "user_id"), ("Customer ID", '"Customer ID"'), ("UserID", "userid"), ("u", "trim(u)")],
)
def test_user_ids_of_a_csv_keep_their_leading_zeros(tmp_path: Path, header: str, column: str):
    lines = ["007,2026-01-05,open", "7,2026-01-05,open"]
    log = csv_of(tmp_path, *lines, header=f"{header},event_time,event_type", columns={"user_id": column})
    assert [user for user, *_ in found_in(log)] == ["007", "7"]


@pytest.mark.parametrize("column", ["app_version", "session_id", "device_model"])
@pytest.mark.parametrize("texts", [["1.10", "1.1"], ["1e3", "1000"]])
def test_texts_in_a_csv_are_not_numbers(tmp_path: Path, column: str, texts: list[str]):
    lines = [f"a{place},2026-01-05,open,{text}" for place, text in enumerate(texts)]
    log = csv_of(tmp_path, *lines, header=f"{HEADER},{column}", columns={column: column})
    assert [found for *_, found in found_in(log)] == texts


def bad_lines(good: str, bad: str) -> list[str]:
    return [f"a,{good},open"] * 30_000 + [f"b,{bad},open"]


@pytest.mark.parametrize(
    "good",
    [
        "2026-01-05 10:00:00",
        "2026-01-05",
        str(SECONDS),
    ],
)
def test_a_bad_time_far_down_a_csv_is_set_aside(tmp_path: Path, good: str):
    log = csv_of(tmp_path, *bad_lines(good, "never"))
    assert (log.rows, log.rejected) == (30_000, {"event_time is unreadable": 1})


def test_a_bad_number_far_down_a_csv_is_set_aside(tmp_path: Path):
    lines = [f"{line},9.5" for line in bad_lines("2026-01-05", "2026-01-05")]
    log = csv_of(tmp_path, *lines, "c,2026-01-05,open,free", header=HEADER + ",amount", columns={"amount": "amount"})
    assert (log.rows, log.rejected) == (30_001, {"amount is unreadable": 1})


def test_a_bad_value_in_the_second_file_is_set_aside_too(tmp_path: Path):
    for name, time, amount in (
        ("a", "2026-01-05 10:00:00", 1.5),
        ("b", "never", 1.5),
        ("c", "2026-01-05 10:00:00", "free"),
    ):
        write(tmp_path / f"{name}.csv", [{"user_id": name, "event_time": time, "event_type": "x", "amount": amount}])
    log = read(tmp_path, columns={"amount": "amount"}, **LENIENT)
    assert log.rejected == {"amount is unreadable": 1, "event_time is unreadable": 1}


def test_files_may_tell_their_times_with_and_without_zone(tmp_path: Path):
    for name, time in (("a", "2026-01-05 10:00:00"), ("b", "2026-01-05T10:00:00+05:00"), ("c", "2026-01-05")):
        write(tmp_path / f"{name}.csv", [{"user_id": name, "event_time": time, "event_type": "x"}])
    assert times_in(read(tmp_path)) == ["2026-01-05 10:00:00", "2026-01-05 05:00:00", "2026-01-05 00:00:00"]


def test_files_may_tell_their_times_in_words_and_in_seconds(tmp_path: Path):
    for name, time in (("a", "2026-01-05 10:00:00"), ("b", SECONDS)):
        write(tmp_path / f"{name}.csv", [{"user_id": name, "event_time": time, "event_type": "x"}])
    assert times_in(read(tmp_path)) == ["2026-01-05 10:00:00", "2026-01-05 10:00:00"]


def test_a_csv_of_nothing_but_text_has_a_header(tmp_path: Path):
    with pytest.raises(InputError, match="1 of 1 rows are invalid"):
        csv_of(tmp_path, "anna,yesterday,open")


def test_a_csv_may_have_a_byte_order_mark(tmp_path: Path):
    assert csv_of(tmp_path, "anna,2026-01-05 10:00,open", header="\ufeff" + HEADER).rows == 1


def test_a_field_of_a_csv_may_hold_commas_quotes_and_lines(tmp_path: Path):
    log = csv_of(tmp_path, '"Smith, ""J""\nsenior",2026-01-05 10:00:00,"it\'s"', "b,2026-01-05 10:00:00,x")
    assert found_in(log)[0] == ('Smith, "J"\nsenior', "2026-01-05 10:00:00", "it's")


def test_another_encoding_than_utf8_is_a_clear_error(tmp_path: Path):
    (tmp_path / "log.csv").write_bytes(f"{HEADER}\njosé,2026-01-05,open\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read(tmp_path / "log.csv")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("bob,2026-01-05,open,too,many", "the row has too many fields"),
        ("bob,2026-01-05", "the row has too few fields"),
    ],
)
def test_a_broken_line_of_a_csv_is_set_aside(tmp_path: Path, broken: str, reason: str):
    found = csv_of(tmp_path, *['"Smith, J",2026-01-05 10:00:00,open'] * 100, broken)
    assert (found.rows, found.rejected) == (100, {reason: 1})


def test_a_broken_line_of_json_is_set_aside(tmp_path: Path):
    path = write(tmp_path / "log.jsonl", TWO * 50)
    path.write_text(path.read_text() + '{"user_id": "an')
    found = read(path)
    assert (found.rows, found.rejected) == (100, {"the row is no JSON object": 1})


def json_of(folder: Path, *lines: str, **options: Any) -> ReadLog:
    """JSON Lines as they stand: each without its time and type."""
    rest = '"event_time": "2026-01-05 10:00", "event_type": "open"'
    (folder / "log.jsonl").write_text("".join(f"{{{line}, {rest}}}\n" for line in lines), encoding="utf-8")
    return read(folder / "log.jsonl", **options)


@pytest.mark.parametrize(
    ("users", "texts"),
    [
        (['"007"'], ["007"]),
        (['"true"', "true"], ["true", "true"]),
        (["18446744073709551615"], ["18446744073709551615"]),
        (['"550E8400-E29B-41D4-A716-446655440000"'], ["550E8400-E29B-41D4-A716-446655440000"]),
        (['"2026-1-5"'], ["2026-1-5"]),
        (["7", '"x7"'], ["7", "x7"]),
        (["7", "7.5"], ["7", "7.5"]),
        (["1" * 23 + "2", "1" * 23 + "3"], ["1" * 23 + "2", "1" * 23 + "3"]),
    ],
)
def test_user_ids_of_json_stay_as_they_are(tmp_path: Path, users: list[str], texts: list[str]):
    log = json_of(tmp_path, *[f'"user_id": {user}' for user in users])
    assert [user for user, *_ in found_in(log)] == texts


def test_blank_lines_of_json_and_csv_are_nothing(tmp_path: Path):
    path = write(tmp_path / "log.jsonl", TWO)
    path.write_text("\n" + path.read_text().replace("\n", "\n\n"))
    assert found_in(read(path)) == AS_READ
    assert csv_of(tmp_path, "", "a,2026-01-05 10:00,open", "", "").rows == 1


def test_nested_json_takes_an_expression(tmp_path: Path):
    path = write(
        tmp_path / "log.jsonl", [{"who": {"id": "anna"}, "event_time": "2026-01-05T10:00:00Z", "event_type": "open"}]
    )
    assert found_in(read(path, columns={"user_id": "who.id"})) == [("anna", "2026-01-05 10:00:00", "open")]


PARAMETERS = [
    [{"key": "session", "value": {"int_value": "17"}}, {"key": "title", "value": {"string_value": "Home"}}],
    [
        {"key": "title", "value": {"string_value": "Home"}},
        {"key": "price", "value": {"double_value": 0.5}},
        {"key": "x"},
    ],
    [],
]


def parameter_log(folder: Path, expression: str) -> ReadLog:
    objects = [GOOD | {"user_id": user, "params": params} for user, params in zip("abc", PARAMETERS, strict=True)]
    return read(write(folder / "log.jsonl", objects), columns={"session_id": expression})


def test_objects_in_a_list_need_not_have_all_keys_that_others_have(tmp_path: Path):
    log = parameter_log(tmp_path, "list_filter(params, lambda one: one.key = 'session')[1].value.int_value")
    assert [(user, session) for user, *_, session in found_in(log)] == [("a", "17"), ("b", None), ("c", None)]


def test_an_expression_over_a_list_is_refused_for_what_it_asks_of_its_objects(tmp_path: Path):
    with pytest.raises(InputError, match="nowhere"):
        parameter_log(tmp_path, "list_filter(params, lambda one: one.key = 'session')[1].value.nowhere")


CODES = ["abc", "1", "1740996900000", "-1", "007", "1.0"]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("code = 1", ["1", "1.0"]),
        ("code <> -1", ["abc", "1", "1740996900000", "007", "1.0"]),
        ("code in (-1, 1740996900000)", ["1740996900000", "-1"]),
        ("nullif(code, -1) is null", ["-1"]),
    ],
)
def test_a_text_that_is_compared_with_a_whole_number_need_not_be_one(tmp_path: Path, where: str, kept: list[str]):
    lines = [f"{code},2026-01-05,open,{code}" for code in CODES]
    log = csv_of(tmp_path, *lines, header=f"{HEADER},code", where=where, columns={"device_model": "code"})
    assert sorted(found for *_, found in found_in(log)) == sorted(kept)
    assert log.rejected == {}
