"""What changed between two batches: every kind of user by hand, and nobody counted twice."""

from datetime import date

import pyarrow as pa
import pytest

from serving.weekly.changes import Changes, changes

SINCE = date(2026, 11, 9)
BEFORE = {"a": "high", "b": "low", "c": "medium", "d": "high", "e": "low", "gone": "high", "merged": "low"}
NOW = {
    "a": "high",
    "b": "high",
    "c": "low",
    "d": "medium",
    "e": "low",
    "gone": None,
    "new": "low",
    "back": "high",
    "never": None,
}


def bands(of: dict[str, str]) -> pa.Table:
    return pa.table({"user_id": list(of), "risk_band": pa.array(of.values(), pa.string())})


def users_now(of: dict[str, str | None] = NOW) -> pa.Table:
    columns = {
        "user_id": list(of),
        "risk_band": pa.array(of.values(), pa.string()),
        "is_gone": [user in ("gone", "never") for user in of],
        "was_too_new": [user in ("new", "never") for user in of],
    }
    return pa.table(columns)


@pytest.fixture(scope="module")
def found() -> Changes:
    return changes(SINCE, bands(BEFORE), now=users_now())


def test_each_kind_of_change_is_counted(found: Changes):
    kinds = {"entered": 1, "came back": 1, "rose": 1, "stayed": 2, "fell": 2, "left": 1, "no longer known": 1}
    assert found.counts == kinds


def test_everybody_of_either_batch_is_in_one_cell(found: Changes):
    assert sum(found.users.values()) == len(BEFORE) + 2  # who is new, and who came back
    assert found.users["high", "left"] == 1
    assert found.users["low", "no longer known"] == 1
    assert found.users["too new", "low"] == 1
    assert found.users["away", "high"] == 1


def test_a_sentence_says_it(found: Changes):
    words = "since 2026-11-09: 1 entered, 1 came back, 1 rose, 2 stayed, 2 fell, 1 left, 1 no longer known"
    assert found.words() == words


def test_what_the_model_changed_is_told_apart_from_what_users_did():
    by_this_model = BEFORE | {"b": "high", "c": "low", "d": "medium"}
    found = changes(SINCE, bands(BEFORE), now=users_now(), by_this_model=bands(by_this_model))
    assert found.model is not None
    assert found.moved_by_model == 3
    assert found.counts["stayed"] == 5  # under one model, nobody moved
    assert found.counts["rose"] == found.counts["fell"] == 0
    assert "the new model moved 3 of 7 users to another band" in found.words()


def test_all_of_it_is_in_the_json(found: Changes):
    content = found.to_json()
    assert content["model"] is None
    assert {"before": "away", "now": "high", "users": 1} in content["users"]
    assert content["counts"] == found.counts
