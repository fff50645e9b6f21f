"""What should be checked before a list is sent: each sign rings where it is planted, and a quiet week is quiet."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from serving.batch.scored_batch import Batch
from serving.weekly.checks import (
    LastWeek,
    attribute_concerns,
    batch_concerns,
    leading_feature,
    list_concerns,
)

BATCH = Batch(date(2026, 11, 16), "churn", "3", "abc")
LAST = LastWeek("3", {"high": 20, "medium": 30, "low": 50}, {"vip": 100}, {"vip": "recency"})


def scores(high: int = 20, medium: int = 30, low: int = 50, different: int = 100) -> pa.Table:
    names = ["high"] * high + ["medium"] * medium + ["low"] * low
    raw = [float(place % different) for place in range(len(names))]
    return pa.table({"raw_score": [*raw, None], "risk_band": [*names, None]})


def reasons(*features: str) -> pa.Table:
    return pa.table({"reason_1_feature": pa.array(features, pa.string())})


def test_a_quiet_week_is_quiet():
    assert not list(batch_concerns(BATCH, scores(25, 28, 47), last=LAST))
    assert not list(list_concerns("vip", 80, leading="recency", last=LAST))


def test_the_first_week_has_nothing_to_be_compared_with():
    assert not list(batch_concerns(BATCH, scores(), last=None))
    assert not list(list_concerns("vip", 80, leading="recency", last=None))
    assert not list(list_concerns("new_list", 80, leading="recency", last=LAST))


@pytest.mark.parametrize(
    ("found", "last", "codes"),
    [
        (scores(different=3), LAST, ["constant_scores"]),
        (scores(), replace(LAST, version="2"), ["model_changed"]),
        (scores(45, 30, 25), LAST, ["bands_moved", "bands_moved"]),
    ],
)
def test_scores_that_are_not_what_they_were_ring(found: pa.Table, last: LastWeek, codes: Sequence[str]):
    assert [one.code for one in batch_concerns(BATCH, found, last=last)] == codes


@pytest.mark.parametrize("entries", [69, 131])
def test_a_list_whose_size_moved_by_more_than_30_percent_rings(entries: int):
    (found,) = list_concerns("vip", entries, leading="recency", last=LAST)
    assert found.code == "size_moved"
    assert f"{entries:,} users, last week 100" in found.words


def test_another_feature_that_leads_nearly_all_rows_rings():
    (found,) = list_concerns("vip", 100, leading="sessions_7d", last=LAST)
    assert (found.code, "sessions_7d" in found.words, "recency" in found.words) == ("one_reason_leads", True, True)


@pytest.mark.parametrize(("leading", "rows"), [("a", "aaaaaaaaab"), ("", "aaaaaaaabb"), ("", "")])
def test_a_feature_leads_where_it_is_the_first_reason_of_more_than_80_percent(leading: str, rows: str):
    assert leading_feature(reasons(*rows)) == leading


@pytest.mark.parametrize(("known", "rings"), [("abcdefgh", False), ("abc", True)])
def test_a_table_of_users_that_knows_few_of_them_rings(known: str, rings: bool):
    attributes = pa.table({"user_id": [*known, "x", "y"]})
    found = [one.code for one in attribute_concerns(pa.array([*"abcdefgh"]), attributes)]
    assert found == (["users_do_not_join"] if rings else [])


def test_without_such_a_table_nothing_rings():
    assert not list(attribute_concerns(pa.array(["a"]), None))
