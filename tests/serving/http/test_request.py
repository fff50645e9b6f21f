import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from serving.http.request import RequestReader
from serving.settings import ServingSettings
from tests.models.model_builder import specification

READER = RequestReader(specification(), ServingSettings(max_items=3))


def read(*items: object) -> object:
    return READER.read(json.dumps({"items": items}).encode())


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
        (b'{"items":3}', "items: expected array, got number"),
        (b'{"items":[{"user_id":5}]}', "items[0].user_id: expected text | null, got number"),
        (b'{"items":[{}]}', "items[0]: got neither, expected either user_id or profile"),
        (b'{"items":[{"user_id":"a"},{"user_id":"a","profile":{}}]}', "items[1]: got both, expected either"),
        (b'{"items":[{"profile":{"events_7d":"12"}}]}', "items[0].profile.events_7d: got text, expected a number"),
        (b'{"items":[{"profile":{"last_network":5}}]}', "items[0].profile.last_network: got a number, expected text"),
        (
            b'{"items":[{"profile":{"events_7d":true}}]}',
            "items[0].profile[...]: expected number | text | null, got bool",
        ),
        (b'{"items":[{"profile":{"events_7d":1e999}}]}', "items[0].profile[...]: number out of range"),
        (
            b'{"items":[{"profile":{"cutoff":"May"}}]}',
            "items[0].profile.cutoff: got text that is not a date, expected a date",
        ),
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
        (b'{"itms":[]}', "the body: an unknown key, expected items", 'did you mean "items"?'),
        (
            b'{"items":[{"user":"a"}]}',
            "items[0]: an unknown key, expected user_id or profile",
            'did you mean "user_id"?',
        ),
    ],
)
def test_a_misspelt_key_is_answered_with_a_suggestion(body: bytes, error: str, hint: str):
    found = refusal(body)
    assert found.message.startswith(error)
    assert found.hint == hint


SECRET = "qxzjw-4711"


@pytest.mark.parametrize(
    "body",
    [
        {SECRET: 1},
        {"items": [], SECRET: 1},
        {"items": [{SECRET: 1}]},
        {"items": [{"user_id": [SECRET]}]},
        {"items": [{"user_id": SECRET, "profile": {}}]},
        {"items": [{"user_id": SECRET}] * 4},
        {"items": [{"profile": {"events_7d": SECRET}}]},
        {"items": [{"profile": {"cutoff": SECRET}}]},
        {"items": SECRET},
    ],
    ids=str,
)
def test_an_error_repeats_neither_ids_nor_values(body: object):
    assert SECRET not in str(refusal(json.dumps(body).encode()))


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
