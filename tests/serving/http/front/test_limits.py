"""How many items a key may ask for."""

from datetime import UTC, datetime

import pytest

from serving.http.front.limits import ItemLimits, any_number
from serving.http.problems import RequestProblem
from serving.keys import Key


def key(limit: str, *, digest: str = "a" * 64) -> Key:
    return Key("app", digest, ("score",), datetime(2026, 11, 26, tzinfo=UTC), limit=limit)


def test_items_count_and_requests_do_not():
    spend = ItemLimits().of(key("10/day"))
    spend(6)
    spend(4)
    with pytest.raises(
        RequestProblem, match="1 items are more than the key's limit of 10/day has left, which is 0"
    ) as refused:
        spend(1)
    assert refused.value.kind.status == 429
    headers = dict(refused.value.headers)
    assert headers["RateLimit-Policy"] == '"items";q=10;w=86400'
    assert headers["RateLimit"].startswith('"items";r=0;t=')
    assert 1 <= int(headers["Retry-After"]) <= 86400


def test_a_request_that_is_too_large_leaves_what_was_left():
    spend = ItemLimits().of(key("10/day"))
    spend(5)
    with pytest.raises(RequestProblem, match="has left, which is 5"):
        spend(6)
    spend(5)


def test_each_key_has_a_limit_of_its_own_and_most_have_none():
    limits = ItemLimits()
    limits.of(key("10/day"))(10)
    limits.of(key("10/day", digest="b" * 64))(10)
    assert limits.of(key("")) is limits.of(None) is any_number
    any_number(10**9)
