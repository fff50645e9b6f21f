"""Profiles that several models share: the same bits as a build of their own, at every cutoff and under every model's constants."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from msgspec import structs

from features.activity.store import Activity
from features.catalogue.fitted import BgNbd, FittedConstants
from features.errors import InputError
from features.profiles.build import build_profiles
from features.profiles.shared import SharedProfiles
from features.profiles.specification import Specification
from tests.builders import world_of

MONDAYS = [date(2026, 1, 12) + timedelta(days=7 * week) for week in range(6)]
EARLY = FittedConstants(("open", "buy"), {"1.0": date(2026, 1, 5)}, BgNbd(0.5, 4.0, 0.8, 2.5))
LATE = FittedConstants(
    ("buy", "open", "share"), {"1.0": date(2026, 1, 5), "1.1": date(2026, 1, 20)}, BgNbd(0.7, 5.0, 0.6, 2.0)
)
ONLY = (
    *("active_days", "events_28d", "gap_days_max", "last_app_version", "app_versions_behind", "alive_probability"),
    *("events_of_buy_28d", "days_since_last_event"),
)
WHAT = ("open", "buy", "share", "open", "buy", "open", "share")


def _line(number: int, week: int, what: str) -> str:
    day = date(2026, 1, 5) + timedelta(days=week * (5 + number) + number)
    version = "1.1" if day > date(2026, 1, 20) and number else "1.0"
    return f"user{number} {day}T10:00 {what} app_version={version}" + (f" amount={number + 1}" if what == "buy" else "")


LINES = [_line(number, week, what) for number in range(4) for week, what in enumerate(WHAT)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Activity:
    return world_of(tmp_path_factory.mktemp("log"), LINES, covered_until="2026-02-23").activity()


def specification(log: Activity, folder: Path, fitted: FittedConstants, only: Sequence[str] = ONLY) -> Specification:
    return world_of(folder, LINES).specification(fitted=fitted, only=only, activity=log)


def sharing(log: Activity, *, max_rows: int = 1000) -> Activity:
    return replace(log, shared=SharedProfiles(log, ahead=MONDAYS, max_rows=max_rows))


def both(
    log: Activity, shared: Activity, one: Specification, cutoffs: Sequence[date], where: str = "true"
) -> tuple[pa.Table, pa.Table]:
    last = max(cutoffs)
    return (
        build_profiles(shared.as_of(last), one, cutoffs=cutoffs, where=where),
        build_profiles(log.as_of(last), one, cutoffs=cutoffs, where=where),
    )


def test_they_are_those_of_a_build_of_their_own_as_of_each_cutoff(log: Activity, tmp_path: Path):
    shared = sharing(log)
    early, late = (specification(log, tmp_path, fitted) for fitted in (EARLY, LATE))
    few = specification(log, tmp_path, EARLY, only=("active_days", "events_28d"))
    for one, cutoffs, where in (
        (few, MONDAYS[1:2], "true"),
        (early, [MONDAYS[2], MONDAYS[0]], "active_days > 1"),
        (late, MONDAYS[3:], "user_id <> 'user1'"),
        (early, MONDAYS[4:5], "true"),
        (late, MONDAYS, "alive_probability > 0.2"),
    ):
        found, expected = both(log, shared, one, cutoffs, where)
        assert found.num_rows > 0
        assert found.equals(expected)


def test_constants_of_a_model_decide_what_is_derived_from_them(log: Activity, tmp_path: Path):
    shared, at = sharing(log), MONDAYS[-1:]
    early, late = (
        build_profiles(shared, specification(log, tmp_path, fitted), cutoffs=at).to_pydict() for fitted in (EARLY, LATE)
    )
    assert early["active_days"] == late["active_days"]
    assert early["alive_probability"] != late["alive_probability"]
    assert early["app_versions_behind"] != late["app_versions_behind"]


def test_other_settings_are_not_mixed_up(log: Activity, tmp_path: Path):
    shared, one = sharing(log), specification(log, tmp_path, EARLY)
    found, expected = both(log, shared, one, MONDAYS[3:4])
    other = structs.replace(one, observation_days=9)
    found_too, expected_too = both(log, shared, other, MONDAYS[3:4])
    assert found.equals(expected)
    assert found_too.equals(expected_too)
    assert not expected.equals(expected_too)


def test_what_was_built_ahead_is_not_built_again(log: Activity, tmp_path: Path):
    shared, one = sharing(log), specification(log, tmp_path, EARLY)
    build_profiles(shared, one, cutoffs=MONDAYS[:1])
    gone = replace(shared, manifest=structs.replace(shared.manifest, days={}))
    found = build_profiles(gone, one, cutoffs=MONDAYS[2:4])
    assert found.equals(build_profiles(log, one, cutoffs=MONDAYS[2:4]))


def test_nothing_is_kept_where_it_would_be_too_much(log: Activity, tmp_path: Path):
    one = specification(log, tmp_path, EARLY)
    source = SharedProfiles(log, ahead=MONDAYS, max_rows=3)
    assert source.profiles(one, cutoffs=MONDAYS[:1], where="true") is None
    found, expected = both(log, replace(log, shared=source), one, MONDAYS[:2])
    assert found.equals(expected)


def test_a_cutoff_that_the_log_did_not_reach_by_then_is_refused(log: Activity, tmp_path: Path):
    shared, one = sharing(log), specification(log, tmp_path, EARLY)
    build_profiles(shared, one, cutoffs=MONDAYS)
    with pytest.raises(InputError, match="the log covers"):
        build_profiles(shared.as_of(MONDAYS[0]), one, cutoffs=MONDAYS[1:2])
