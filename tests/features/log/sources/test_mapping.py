"""A mapping resolved against the columns of files."""

from pathlib import Path
from typing import Any

import pytest

from features.errors import ChurnError
from features.log.sources.mapping import bare
from tests.builders import found_in, read
from tests.features.log_files import HEADER, TEN, csv_log, json_log, last_in, parquet_of, put, users_in


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("User ID", "User ID"),
        ('"user id"', "User ID"),
        ("AMOUNT", "amount"),
        (' "amount" ', "amount"),
        ('"a ""b"""', 'a "b"'),
        ("a + b", None),
        ("missing", None),
        ("upper(amount)", None),
    ],
)
def test_a_column_that_is_simply_named(expression: str, column: str | None):
    assert bare(expression, ["User ID", "amount", 'a "b"']) == column


def refusal(folder: Path, *, header: str = HEADER, **options: Any) -> str:
    with pytest.raises(ChurnError) as raised:
        csv_log(folder, "anna,2026-01-05,open", header=header, **options)
    return str(raised.value)


def test_a_column_that_is_missing_is_refused_with_its_place_and_what_was_meant(tmp_path: Path):
    words = refusal(tmp_path, columns={"user_id": "userid"})
    assert '[events.columns] user_id = "userid": the log has no such column' in words
    assert 'did you mean "user_id"? (columns of the log)' in words


def test_a_condition_that_the_log_cannot_answer_is_refused_with_its_columns(tmp_path: Path):
    words = refusal(tmp_path, where="nothing = 1")
    assert "[events] where = 'nothing = 1': the log cannot answer it" in words
    assert "its columns: user_id, event_time, event_type" in words


def test_a_declared_type_of_a_column_that_is_missing_is_refused(tmp_path: Path):
    assert "[events.types] prise: the log has no such column" in refusal(tmp_path, types={"prise": "double"})


def test_a_column_of_our_own_name_is_refused(tmp_path: Path):
    words = refusal(tmp_path, header="_log_file,event_time,event_type", columns={"user_id": "_log_file"})
    assert "_log_file" in words


def test_columns_that_differ_in_case_are_refused_where_one_is_mapped(tmp_path: Path):
    words = refusal(tmp_path, header="user_id,User_ID,event_time", columns={"event_type": "'x'"})
    assert "columns user_id and User_ID, which differ in case only" in words


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_column_that_a_file_lacks_is_absent_there(tmp_path: Path, suffix: str):
    if suffix == "csv":
        put(tmp_path / "a.csv", f"{HEADER}\na,{TEN},x\n")
        put(tmp_path / "b.csv", f"{HEADER},channel\nb,{TEN},x,ads\n")
    else:
        parquet_of(tmp_path / "a.parquet", {"user_id": ["a"]})
        parquet_of(tmp_path / "b.parquet", {"user_id": ["b"], "channel": ["ads"]})
    assert last_in(read(tmp_path, columns={"channel": "upper(channel)"})) == [None, "ADS"]


def test_a_field_of_an_object_that_a_file_lacks_is_absent_there(tmp_path: Path):
    parquet_of(tmp_path / "a.parquet", {"user": [{"id": 5}]})
    parquet_of(tmp_path / "b.parquet", {"user": [{"id": "six", "src": "ads", "of": {"plan": "pro"}}]})
    parquet_of(tmp_path / "c.parquet", {"user": [{"of": {"size": 3}, "id": 7}]})
    log = read(tmp_path, columns={"user_id": "user.id", "channel": "user.src", "network": "user.of.plan"})
    assert [(row[0], *row[3:]) for row in found_in(log)] == [
        ("5", None, None),
        ("7", None, None),
        ("six", "pro", "ads"),
    ]


def test_files_of_several_headers_are_read_by_name(tmp_path: Path):
    put(tmp_path / "a.csv", f"user_id,event_time,event_type\na,{TEN},x\n")
    put(tmp_path / "b.csv", f"event_type;user_id;event_time\nx;b;{TEN}\n")
    assert users_in(read(tmp_path)) == ["a", "b"]


def test_empty_files_do_not_count(tmp_path: Path):
    put(tmp_path / "a.csv", "")
    put(tmp_path / "b.csv", f"{HEADER}\nb,{TEN},x\n")
    assert users_in(read(tmp_path)) == ["b"]


def test_a_log_of_empty_files_is_refused(tmp_path: Path):
    put(tmp_path / "a.csv", "")
    with pytest.raises(ChurnError, match=r"the log is empty: .*a\.csv and all its other files hold nothing"):
        read(tmp_path)


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_a_field_is_a_path_or_a_key_with_dots_of_the_same_name(tmp_path: Path):
    log = json_log(tmp_path, '"user": {"id": "a"}', '"user.id": "b"', columns={"user_id": "user.id"})
    assert users_in(log) == ["a", "b"]


def test_a_key_that_changes_its_case_is_refused_with_both_spellings(tmp_path: Path):
    with pytest.raises(ChurnError, match="a key differs in case only: userid is not userId"):
        json_log(tmp_path, '"userId": "a"', '"userid": "b"', columns={"user_id": "userId"})


def test_the_key_that_was_found_is_named(tmp_path: Path):
    with pytest.raises(ChurnError, match="a key differs in case only: U is not u"):
        json_log(tmp_path, '"u": "a"', '"U": "b"', columns={"user_id": "u"})
    with pytest.raises(ChurnError, match="a key differs in case only: ID is not id"):
        json_log(tmp_path, '"p": {"id": "a"}', '"p": {"ID": "b"}', columns={"user_id": "p.id"})


WHERES = ("env = 'prod'", "cast(size as int) > 0 and env = 'prod'")
KEPT = '"user_id": "a", "env": "prod", "size": "1"'


@pytest.mark.parametrize("where", WHERES)
def test_a_condition_on_objects_drops_none_in_silence_that_has_a_key_twice_or_is_cut_short(tmp_path: Path, where: str):
    text = "".join(
        f'{{{one}, "event_time": "{TEN}", "event_type": "x"}}\n'
        for one in (KEPT, KEPT.replace("prod", "dev"), '"user_id": "b", "env": "prod", "env": "dev", "size": "1"')
    )
    log = read(put(tmp_path / "log.jsonl", text + '{"user_id": "c", "env": "pr'), where=where, max_rejected_share=0.9)
    assert users_in(log) == ["a"]
    assert log.rejected == {"the object has a key twice": 1, "the row is no JSON object": 1}


@pytest.mark.parametrize("where", WHERES)
def test_nor_one_in_which_a_key_that_it_reads_changes_its_case(tmp_path: Path, where: str):
    with pytest.raises(ChurnError, match="a key differs in case only: Env is not env, 1 times"):
        json_log(tmp_path, KEPT, '"user_id": "b", "Env": "prod", "size": "1"', where=where)


def test_what_a_condition_excludes_may_have_keys_of_another_case(tmp_path: Path):
    log = json_log(tmp_path, KEPT, '"User_Id": "b", "env": "dev"', where="env = 'prod'")
    assert (users_in(log), log.rejected) == (["a"], {})


def test_a_key_with_dots_is_a_field_in_sql_too(tmp_path: Path):
    assert users_in(json_log(tmp_path, '"user.id": "A"', columns={"user_id": "lower(user.id)"})) == ["a"]


def test_a_rare_field_of_which_one_object_has_both_spellings_is_read_as_it_is_written(tmp_path: Path):
    log = json_log(tmp_path, '"userId": "a", "userid": "z"', columns={"user_id": "userId"})
    assert users_in(log) == ["a"]


def test_a_key_that_is_there_twice_below_another_is_set_aside(tmp_path: Path):
    lines = ['"p": {"id": "a", "id": "b"}', '"p": {"id": "c"}']
    log = json_log(tmp_path, *lines, columns={"user_id": "p.id"}, max_rejected_share=0.9)
    assert (users_in(log), log.rejected) == (["c"], {"the object has a key twice": 1})


def test_a_line_that_is_cut_short_is_a_row_that_is_set_aside(tmp_path: Path):
    whole = f'{{"user_id": "a", "event_time": "{TEN}", "event_type": "x"}}\n'
    log = read(put(tmp_path / "log.jsonl", whole * 2 + whole[:20]), max_rejected_share=0.9)
    assert (log.rows, log.rejected) == (2, {"the row is no JSON object": 1})


def test_a_list_behind_a_byte_order_mark_is_refused(tmp_path: Path):
    whole = f'[{{"user_id": "a", "event_time": "{TEN}", "event_type": "x"}}]'
    with pytest.raises(ChurnError, match=r"log\.json is a list of objects behind a byte order mark"):
        read(put(tmp_path / "log.json", whole.encode("utf-8-sig")))
