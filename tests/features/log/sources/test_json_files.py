"""JSON and JSON Lines: keys are columns however rare, deep or alike they are, and no value is rewritten."""

import json
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from tests.builders import found_in, read
from tests.features.log_files import LENIENT, SECONDS, TEN, as_json, json_log, last_in, put, users_in

GOOD = {"user_id": "anna", "event_time": TEN, "event_type": "open"}


def lines_of(objects: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


# --- Keys ----------------------------------------------------------------------------------------------------------------


def test_a_nested_id_has_no_quotes_where_every_kind_of_event_has_a_key_of_its_own(tmp_path: Path):
    objects = [
        {"event": f"kind {kind}", "properties": {"time": SECONDS, "distinct_id": "D0", f"own_{kind}": kind}}
        for kind in range(45)
    ]
    columns = {"user_id": "properties.distinct_id", "event_time": "properties.time", "event_type": "event"}
    log = read(put(tmp_path / "log.jsonl", lines_of(objects)), columns=columns)
    assert set(users_in(log)) == {"D0"}
    assert found_in(log)[0] == ("D0", TEN, "kind 0")


def test_flat_objects_may_have_hundreds_of_rare_keys(tmp_path: Path):
    objects = [GOOD | {f"own_{kind}": kind} for kind in range(200)]
    log = read(put(tmp_path / "log.jsonl", lines_of(objects)), columns={"channel": "own_150"})
    assert [value for value in last_in(log) if value] == ["150"]
    assert log.rows == 200


@pytest.mark.parametrize("path", ["properties.plan", "properties.account.plan", 'properties."the plan"'])
def test_a_key_that_only_the_last_of_many_objects_has_is_a_column(tmp_path: Path, path: str):
    deep = {"plan": "pro", "the plan": "pro", "account": {"plan": "pro"}}
    objects = [GOOD | {"user_id": f"{place:03}", "properties": {"x": place}} for place in range(300)]
    text = lines_of([*objects, GOOD | {"user_id": "zoe", "properties": deep}])
    log = read(put(tmp_path / "log.jsonl", text), columns={"channel": path})
    assert last_in(log) == [None] * 300 + ["pro"]


def test_a_key_that_only_another_file_has_is_a_column(tmp_path: Path):
    put(tmp_path / "a.jsonl", lines_of([GOOD]))
    put(tmp_path / "b.jsonl", lines_of([GOOD | {"user_id": "bob", "plan": "pro"}]))
    assert last_in(read(tmp_path, columns={"channel": "plan"})) == [None, "pro"]


@pytest.mark.parametrize("key", ["Event Name", "$event_name", "event.name", "événement", "select"])
def test_a_key_may_be_any_text(tmp_path: Path, key: str):
    log = read(put(tmp_path / "log.jsonl", json.dumps(GOOD | {key: "buy"}) + "\n"), columns={"event_type": f'"{key}"'})
    assert found_in(log) == [("anna", TEN, "buy")]


def test_keys_that_differ_in_case_are_told_apart(tmp_path: Path):
    lines = ['"userId": "a", "userID": "z1"', '"userId": "b", "userID": "z2"']
    assert users_in(json_log(tmp_path, *lines, columns={"user_id": "userID"})) == ["z1", "z2"]
    assert users_in(json_log(tmp_path, *lines, columns={"user_id": "userId"})) == ["a", "b"]


def test_a_key_that_is_spelled_as_none_of_two_is_refused_by_name(tmp_path: Path):
    with pytest.raises(InputError, match=r"userID and userId, which differ in case only"):
        json_log(tmp_path, '"userId": "a", "userID": "z1"', columns={"user_id": "USERID"})


def test_keys_that_differ_in_case_below_an_object_are_told_apart(tmp_path: Path):
    line = '"who": {"Id": "a", "ID": "b", "id": "c"}'
    assert users_in(json_log(tmp_path, line, columns={"user_id": "who.ID"})) == ["b"]


def test_a_key_may_be_spelled_in_another_case_where_only_one_is_meant(tmp_path: Path):
    assert users_in(json_log(tmp_path, '"userId": "a"', columns={"user_id": "userid"})) == ["a"]


def test_a_key_that_is_nowhere_is_refused_with_the_nearest(tmp_path: Path):
    with pytest.raises(InputError, match=r"(?s)no such column: plann.*plan"):
        json_log(tmp_path, '"user_id": "a", "plan": "x"', columns={"channel": "plann"})


@pytest.mark.parametrize("line", ['"user_id": "a", "user_id": "b"', '"user_id": "a", "x": 1, "x": 1'])
def test_an_object_with_a_key_twice_is_set_aside(tmp_path: Path, line: str):
    log = json_log(tmp_path, line, '"user_id": "c"', **LENIENT)
    assert (users_in(log), log.rejected) == (["c"], {"the object has a key twice": 1})


def test_a_row_that_is_not_an_object_is_set_aside(tmp_path: Path):
    path = put(tmp_path / "log.jsonl", f'{json.dumps(GOOD)}\n["anna", "{TEN}", "open"]\n"text"\n')
    log = read(path, **LENIENT)
    assert (log.rows, sum(log.rejected.values())) == (1, 2)


# --- Values --------------------------------------------------------------------------------------------------------------


AS_WRITTEN = {
    "1.10": "1.10",
    "2.00": "2.00",
    "1e3": "1e3",
    "1E3": "1E3",
    "-1.50e-2": "-1.50e-2",
    "12345678901234567890": "12345678901234567890",
    "98765432109876543210987": "98765432109876543210987",
    "1234567890.1600000010": "1234567890.1600000010",
    "0.1234567890123456789": "0.1234567890123456789",
    "true": "true",
    '"007"': "007",
    '"1.10"': "1.10",
    '"2026-1-5"': "2026-1-5",
    '"caf\\u00e9"': "café",
    '"say \\"hi\\""': 'say "hi"',
    '"null"': "null",
    "null": None,
}


@pytest.mark.parametrize("path", ["version", "app.version"])
def test_a_value_is_the_text_that_is_written(tmp_path: Path, path: str):
    values = [f'"version": {written}' for written in AS_WRITTEN]
    lines = [value if path == "version" else f'"app": {{{value}}}' for value in values]
    named = [f'"user_id": "{place:02}", {line}' for place, line in enumerate(lines)]
    log = json_log(tmp_path, *named, columns={"app_version": path})
    assert dict(zip(AS_WRITTEN, last_in(log), strict=True)) == AS_WRITTEN


def test_equal_numbers_under_the_same_key_at_several_depths_are_told_apart(tmp_path: Path):
    line = '"user_id": "a", "version": 1.1, "context": {"version": 1.10, "app": {"version": 1.100}}'
    columns = {"app_version": "version", "device_model": "context.version", "channel": "context.app.version"}
    (found,) = found_in(json_log(tmp_path, line, columns=columns))
    assert sorted(found[3:]) == ["1.1", "1.10", "1.100"]


def test_a_number_within_a_text_is_not_taken_for_the_value(tmp_path: Path):
    line = '"user_id": "a", "raw": "{\\"version\\": 1.1}", "version": 1.10'
    assert last_in(json_log(tmp_path, line, columns={"app_version": "version"})) == ["1.10"]


def test_uuids_keep_their_letters(tmp_path: Path):
    users = {
        "6D92078A-8246-4BA4-AE5B-76104861E7DC",
        "550e8400e29b41d4a716446655440000",
        "{550E8400-E29B-41D4-A716-446655440000}",
    }
    log = json_log(tmp_path, *[as_json(context={"idfv": user}) for user in users], columns={"user_id": "context.idfv"})
    assert set(users_in(log)) == users


def test_one_value_that_is_not_a_uuid_changes_no_other(tmp_path: Path):
    upper = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
    log = json_log(tmp_path, f'"user_id": "{upper}"', '"user_id": "anonymous"')
    assert sorted(users_in(log)) == [upper, "anonymous"]


def test_an_id_may_be_a_text_in_one_column_and_a_uuid_in_another(tmp_path: Path):
    lines = [
        '"userId": null, "anonymousId": "507f191e-810c-4972-9de8-60ea00000001"',
        '"userId": "97980cfea0067", "anonymousId": "507f191e-810c-4972-9de8-60ea00000002"',
        '"anonymousId": "507F191E-810C-4972-9DE8-60EA00000003"',
    ]
    log = json_log(tmp_path, *lines, columns={"user_id": "coalesce(userId, anonymousId)"})
    assert sorted(users_in(log)) == [
        "507F191E-810C-4972-9DE8-60EA00000003",
        "507f191e-810c-4972-9de8-60ea00000001",
        "97980cfea0067",
    ]


def test_numbers_and_texts_are_one_user_where_they_are_the_same_id(tmp_path: Path):
    log = json_log(tmp_path, '"user_id": 17850', '"user_id": "17850"', '"user_id": 17850.0', '"user_id": "17850.0"')
    assert set(users_in(log)) == {"17850"}


# --- Lists and objects ---------------------------------------------------------------------------------------------------

ITEMS = '"user_id": "a", "items": [{"sku": "007", "price": 1.5, "n": 2}, {"sku": "1.10", "price": 2.25}]'


def test_expressions_look_into_lists_of_objects(tmp_path: Path):
    columns = {
        "session_id": "items[1].sku",
        "app_version": "items[2].sku",
        "amount": "list_sum([item.price * coalesce(item.n, 1) for item in items])",
    }
    (found,) = found_in(json_log(tmp_path, ITEMS, columns=columns))
    assert sorted(map(str, found[3:])) == ["007", "1.10", "5.25"]


def test_a_list_is_as_long_as_it_has_members(tmp_path: Path):
    assert last_in(json_log(tmp_path, ITEMS, columns={"count": "len(items)"})) == [2]


def test_a_list_of_texts_is_searched(tmp_path: Path):
    lines = ['"user_id": "a", "tags": ["x", "vip"]', '"user_id": "b", "tags": []', '"user_id": "c"']
    log = json_log(tmp_path, *lines, columns={"channel": "case when list_contains(tags, 'vip') then 'vip' end"})
    assert last_in(log) == ["vip", None, None]


def test_arithmetic_over_nested_numbers_needs_no_cast(tmp_path: Path):
    line = '"user_id": "a", "item": {"price": "2.50", "pieces": 3}'
    assert last_in(json_log(tmp_path, line, columns={"amount": "item.price * item.pieces"})) == [7.5]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_file_may_be_one_list_of_objects(tmp_path: Path, indent: int | None):
    objects = [GOOD, GOOD | {"user_id": "bob", "rare": 1.5}]
    log = read(put(tmp_path / "log.json", json.dumps(objects, indent=indent)), columns={"channel": "rare"})
    assert [(row[0], row[-1]) for row in found_in(log)] == [("anna", None), ("bob", "1.5")]


def test_an_object_may_span_several_lines(tmp_path: Path):
    text = "\n".join(json.dumps(GOOD | {"user_id": user}, indent=2) for user in ("anna", "bob"))
    assert users_in(read(put(tmp_path / "log.json", text))) == ["anna", "bob"]


def test_members_of_lists_are_as_they_are_written(tmp_path: Path):
    lines = [
        f'"user_id": "{place}", "apps": [{{"v": {text}}}]' for place, text in enumerate(("1.10", "1.1", '"1.100"'))
    ]
    assert last_in(json_log(tmp_path, *lines, columns={"app_version": "apps[1].v"})) == ["1.10", "1.1", "1.100"]


def test_ids_in_lists_are_not_rounded_by_a_fraction_next_to_them(tmp_path: Path):
    lines = ['"who": [{"id": 9007199254740993}]', '"who": [{"id": 0.5}]']
    assert users_in(json_log(tmp_path, *lines, columns={"user_id": "who[1].id"})) == ["0.5", "9007199254740993"]


def test_an_object_is_the_text_that_is_written_but_for_blanks(tmp_path: Path):
    line = '"user_id": "a", "app": {"v": 1.10, "of": [2.0, "3.0"]}'
    assert last_in(json_log(tmp_path, line, columns={"channel": "app"})) == ['{"v":1.10,"of":[2.0,"3.0"]}']
