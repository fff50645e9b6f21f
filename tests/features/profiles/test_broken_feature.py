"""A feature with broken SQL is named in the error, also where it only breaks the statement that all features share."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from features.catalogue.definition import Derived, Feature, OverDays, OverValues, Unit
from features.catalogue.families import usage
from features.errors import ChurnError, InputError
from features.profiles.build import build_profiles
from tests.builders import World, world_of

GOOD = ("events_7d", "tenure_days", "active_day_share_7d")
BROKEN: list[Feature] = [
    OverDays("broken", Unit.DAYS, "X.", sql="sum(no_such_column)", reason="x"),
    OverDays("broken", Unit.DAYS, "X.", sql="sum(age", reason="x"),
    OverDays("broken", Unit.DAYS, "X.", sql="no_such_function(age)", reason="x"),
    OverValues("broken", Unit.DAYS, "X.", sql="max(first_at)", of="event_type", reason="x"),
    Derived("broken", Unit.DAYS, "X.", sql="active_day_share_7d + no_such_column", reason="x"),
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_of(tmp_path, ["anna 2026-01-05 open", "anna 2026-01-06 open"])


@pytest.mark.parametrize("broken", BROKEN, ids=lambda feature: feature.sql)
def test_its_name_and_its_file_are_in_the_error(broken: Feature, world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(usage, "FEATURES", (*usage.FEATURES, broken))
    with pytest.raises(ChurnError, match=r"^feature broken: its SQL cannot be answered") as refused:
        world.profile("2026-01-08", only=(*GOOD, "broken"))
    assert refused.value.hint == "fix it in features/catalogue/families/usage.py"
    assert not isinstance(refused.value, InputError)


def test_what_derives_from_it_is_not_blamed(world: World, monkeypatch: pytest.MonkeyPatch):
    derived = Derived("a_user_of_it", Unit.DAYS, "X.", sql="broken + 1", reason="x")
    monkeypatch.setattr(usage, "FEATURES", (derived, *usage.FEATURES, BROKEN[0]))
    with pytest.raises(ChurnError, match=r"^feature broken: "):
        world.profile("2026-01-08", only=(*GOOD, "broken", "a_user_of_it"))


def test_an_error_that_no_feature_causes_stays_as_it_is(world: World):
    with pytest.raises(duckdb.BinderException, match="no_such_column"):
        build_profiles(
            world.activity(), world.specification(only=GOOD), cutoffs=[date(2026, 1, 8)], where="no_such_column > 1"
        )
