import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from serving.http.request import RequestReader
from serving.settings import ServingSettings
from tests.models.model_builder import specification

READER = RequestReader(specification(), ServingSettings(max_items=3))


def read(*items: object) -> list[Any]:
    return list(READER.read(json.dumps({"items": items}).encode()).inputs)


def detail_of(item: object) -> str:
    """What is wrong with an item, beside one that is right."""
    found, right = read(item, {"user_id": "anna"})
    assert right == "anna"
    assert (found.status, found.code) == ("unscored", "invalid")
    return str(found.detail)


def refusal(body: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        READER.read(body)
    return caught.value


def test_user_ids_and_profiles_come_back_in_order():
    assert read({"user_id": "anna"}, {"profile": {"events_7d": 3}}, {"user_id": "bob"}) == [
        "anna",
        {"events_7d": 3.0},
        "bob",
    ]


def test_a_profile_may_name_its_user_and_its_cutoff():
    assert read({"profile": {"user_id": "anna", "cutoff": "2026-06-01", "events_7d": None}}) == [
        {"user_id": "anna", "cutoff": date(2026, 6, 1), "events_7d": None}
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b'\xff\xfe{"items"', "the body is not JSON"),
        (b'{"items":[{"user_id":"\\ud800"}]}', "the body is not JSON"),
        (b"[]", "the body: expected object, got array"),
        (b"{}", "the body: object missing required field items"),
        (b'{"items":[]}', "items: expected array of length >= 1"),
        (b'{"items":3}', "items: expected array, got integer"),
        (b'{"items":[' + b'{"user_id":"a"},' * 3 + b'{"user_id":"a"}]}', "items: got 4, expected at most 3"),
    ],
)
def test_an_error_names_its_place(body: bytes, error: str):
    found = refusal(body)
    assert found.message.startswith(error)
    assert found.hint


@pytest.mark.parametrize(
    ("body", "error", "hint"),
    [
        (
            b'{"user_id":"a"}',
            "the body: an unknown key, expected items",
            'user_id belongs to an item, for example {"items": [{"user_id": "..."}]}',
        ),
        (b'{"itms":[]}', "the body: an unknown key, expected items or reasons", 'did you mean "items"?'),
    ],
)
def test_a_misspelt_key_is_answered_with_a_suggestion(body: bytes, error: str, hint: str):
    found = refusal(body)
    assert found.message.startswith(error)
    assert found.hint == hint


@pytest.mark.parametrize(
    ("item", "detail"),
    [
        (5, "the item: expected object, got integer"),
        ({"user_id": ["a"]}, "user_id: expected integer | text | null, got array"),
        ({"user_id": 1.5}, "user_id: expected integer | text | null, got number"),
        ({"user": "a"}, "the item: an unknown key, expected user_id or profile"),
        ({}, "the item: got neither, expected either user_id or profile"),
        ({"user_id": "a", "profile": {}}, "the item: got both, expected either"),
        ({"profile": {"events_7d": "12"}}, "profile.events_7d: got text, expected a number"),
        ({"profile": {"last_network": 5}}, "profile.last_network: got a number, expected text"),
        ({"profile": {"events_7d": True}}, "profile[...]: expected integer | number | text | null, got bool"),
        ({"profile": {"events_7d": 10**400}}, "profile"),
        ({"profile": {"cutoff": "May"}}, "profile.cutoff: got text that is not a date, expected a date"),
        ({"profile": {"user_id": 1.5}}, "profile.user_id: got a number, expected text or an integer"),
        (
            {"profile": {"active_days_7d": -5}},
            "profile.active_days_7d: an impossible value, expected at least 0 and at most 7",
        ),
        ({"profile": {"active_days_7d": 900}}, "profile.active_days_7d: an impossible value, expected at least 0"),
        ({"profile": {"events_28d": -1}}, "profile.events_28d: an impossible value, expected at least 0"),
        ({"user_id": "a", "as_of": "9999-12-31T23:59:59-12:00", "events": []}, "as_of: expected an instant from 1970"),
        ({"user_id": "a", "as_of": "2026-06-01T00:00:00"}, "as_of: "),
        (
            {
                "user_id": "a",
                "as_of": "2026-06-01T00:00:00Z",
                "events": [{"event_time": "9999-12-31T23:59:59-12:00", "event_type": "open"}],
            },
            "events[0].event_time: expected an instant from 1970 to 2199",
        ),
        ({"user_id": "a", "as_of": "2026-06-01T00:00:00Z"}, "the item: expected either events or events_since"),
    ],
)
def test_an_item_that_breaks_the_contract_is_invalid_and_costs_no_other_its_score(item: object, detail: str):
    assert detail_of(item).startswith(detail)


def test_a_misspelt_key_of_an_item_is_answered_with_a_suggestion():
    assert detail_of({"user": "a"}).endswith('did you mean "user_id"?')


def test_an_invalid_item_names_its_user_where_it_can():
    found = read({"user_id": "anna", "x": 1}, {"profile": {"user_id": "bob", "events_7d": "1"}}, {"user_id": {}})
    assert [one.user_id for one in found] == ["anna", "bob", None]


def test_integers_are_ids_and_numbers():
    assert read({"user_id": 5}, {"profile": {"user_id": 2**60 + 1, "events_7d": 3}}) == [
        "5",
        {"user_id": str(2**60 + 1), "events_7d": 3.0},
    ]
    assert read({"user_id": " 7  "}) == ["7"]
    assert type(read({"profile": {"events_7d": 3}})[0]["events_7d"]) is float


def test_a_request_may_ask_for_no_reasons():
    assert READER.read(b'{"items":[{"user_id":"a"}]}').reasons is True
    assert READER.read(b'{"items":[{"user_id":"a"}],"reasons":false}').reasons is False
    assert READER.read(b'{"items":[{"user_id":[]}],"reasons":false}').reasons is False
    assert refusal(b'{"items":[{"user_id":"a"}],"reasons":"no"}').message.startswith("reasons: expected bool")


SECRET = "qxzjw-4711"


@pytest.mark.parametrize(
    "body",
    [
        {SECRET: 1},
        {"items": [], SECRET: 1},
        {"items": [{"user_id": SECRET}] * 4},
        {"items": SECRET},
    ],
    ids=str,
)
def test_an_error_repeats_neither_ids_nor_values(body: object):
    assert SECRET not in str(refusal(json.dumps(body).encode()))


@pytest.mark.parametrize(
    "item",
    [
        {SECRET: 1},
        {"user_id": [SECRET]},
        {"user_id": SECRET, "profile": {}},
        {"profile": {"events_7d": SECRET}},
        {"profile": {"cutoff": SECRET}},
        {"profile": {"user_id": SECRET, "events_7d": ""}},
    ],
    ids=str,
)
def test_the_detail_of_an_item_repeats_neither_ids_nor_values(item: object):
    assert SECRET not in detail_of(item)


def outcome(body: bytes) -> object:
    """The inputs of a body, or the hint of its refusal."""
    try:
        return READER.read(body)
    except InputError as error:
        return error.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["items", "user_id", "profile", "events_7d"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["items", "user_id", "profile", "x"]), inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused_with_a_hint(body: bytes):
    assert outcome(body)


@pytest.mark.parametrize("start", [b'{"items":', b'{"items":[{"profile":{"events_7d":', b'{"x":', b""])
def test_a_deeply_nested_body_is_refused_with_a_hint(start: bytes):
    assert refusal(start + b"[" * 200_000).hint


def test_a_profile_may_hold_more_than_the_features_of_the_model():
    assert read({"profile": {"not_a_feature": "x", "events_7d": 1}}) == [{"events_7d": 1}]
