"""How far answers can be relied on, by their age and by what was refused."""

from datetime import timedelta

import pytest
from msgspec import structs

from serving.http.standing import cutoff_of, standing
from serving.settings import ServingSettings
from serving.store.profile_store import StoreInfo
from tests.models.model_builder import CUTOFF, specification

LIMITS = ServingSettings(degraded_after_days=8, stale_after_days=15)
INFO = StoreInfo(CUTOFF, specification(), 120)


@pytest.mark.parametrize(
    ("days", "status", "why"),
    [
        (8, "ok", ""),
        (8.001, "degraded", f"profiles are of {CUTOFF}, more than 8 days ago: churn score"),
        (15, "degraded", f"profiles are of {CUTOFF}, more than 8 days ago: churn score"),
        (15.001, "stale", f"profiles are of {CUTOFF}, more than 15 days ago: churn score"),
    ],
)
def test_the_two_limits_of_age(days: float, status: str, why: str):
    now = cutoff_of(INFO) + timedelta(days=days)
    assert standing(INFO, LIMITS, why_refused="", now=now) == (status, why)


def test_a_refused_release_degrades_and_both_reasons_are_given():
    now = cutoff_of(INFO)
    assert standing(INFO, LIMITS, why_refused="it is damaged", now=now).status == "degraded"
    found = standing(INFO, LIMITS, why_refused="it is damaged", now=now + timedelta(days=20))
    assert found.status == "stale"
    assert found.why.startswith("a newer release was refused: it is damaged; profiles are of")


def test_the_age_counts_from_the_local_midnight_of_the_cutoff():
    elsewhere = structs.replace(specification(), timezone="Asia/Tokyo")
    assert cutoff_of(INFO) - cutoff_of(StoreInfo(CUTOFF, elsewhere, 120)) == timedelta(hours=9)
