"""The challenger's profile out of what the champion was asked: equal to that of the batch, though the constants differ."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from features.activity.roll_up import DETECTED_FACTS
from features.catalogue.catalogue import catalogue, select
from features.catalogue.definition import Derived
from features.catalogue.fitted import BgNbd, FittedConstants
from features.errors import InputError
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from serving.http.raw_events import UserEvents
from serving.http.shadow.profiles import ChallengerProfiles
from serving.store.profile_store import ProfileStore, write_store
from tests.builders import EVER, columns_of, rows, world_of
from tests.models.model_builder import WINDOWS

LINES = [
    "anna 2026-05-10T10:00 buy amount=9.5 device_os=ios app_version=1.0",
    "anna 2026-05-20T10:00 buy amount=9.5 device_os=ios app_version=1.0",
    "anna 2026-05-28T20:00 open device_os=ios app_version=1.1",
    "bob 2026-05-30T11:00 buy amount=3 app_version=1.1",
    "bob 2026-05-31T11:00 buy amount=3 app_version=1.1",
]
CUTOFF = date(2026, 6, 1)


def fitted(r: float, **versions: date) -> FittedConstants:
    return FittedConstants(("buy", "open"), {"1.0": date(2026, 5, 10), **versions}, BgNbd(r, 4.0, 0.8, 2.5))


def specification_of(constants: FittedConstants) -> Specification:
    facts = {*columns_of(rows(LINES)), *DETECTED_FACTS}
    known = select(catalogue(WINDOWS, constants), facts, history_days=EVER).features
    return Specification(tuple(one.name for one in known), WINDOWS, fitted=constants)


CHAMPION = specification_of(fitted(0.25))
CHALLENGER = specification_of(fitted(2.5, **{"1.1": date(2026, 5, 28)}))


@pytest.fixture(scope="module")
def batches(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], ProfileStore]:
    """The profiles of champion and challenger, and the champion's store."""
    home = tmp_path_factory.mktemp("home")
    activity = world_of(home, LINES).activity()
    own, other = (build_profiles(activity, one, cutoffs=[CUTOFF]) for one in (CHAMPION, CHALLENGER))
    write_store(home / "store", own, specification=CHAMPION)
    return own.to_pylist(), other.to_pylist(), ProfileStore(home / "store")


def profiles_for(challenger: Specification) -> ChallengerProfiles:
    return ChallengerProfiles(challenger, served=CHAMPION, columns=tuple(columns_of(rows(LINES))))


def of_challenger(profile: Any) -> dict[str, Any]:
    return {name: profile[name] for name in CHALLENGER.feature_names}


def test_what_is_derived_is_derived_anew_with_the_constants_of_the_challenger(batches: Any):
    own, other, store = batches
    assert any(one[name] != two[name] for one, two in zip(own, other, strict=True) for name in CHALLENGER.feature_names)
    for one, expected in zip(own, other, strict=True):
        found = profiles_for(CHALLENGER).profile(one, store)
        assert of_challenger(found) == pytest.approx(of_challenger(expected), nan_ok=True)


def test_raw_events_give_the_profile_of_the_challengers_batch(batches: Any):
    _, other, store = batches
    events = [row for row in rows(LINES) if row["user_id"] == "anna"]
    names = [name for name in columns_of(rows(LINES)) if name != "user_id"]
    columns = {name: [row.get(name) for row in events] for name in names}
    asked = UserEvents("anna", datetime(2026, 6, 1, tzinfo=UTC), columns, is_since=False)
    found = profiles_for(CHALLENGER).profile(asked, store)
    assert of_challenger(found) == pytest.approx(of_challenger(other[0]), nan_ok=True)


def test_a_model_of_the_same_constants_takes_the_profile_as_it_is(batches: Any):
    own, _, store = batches
    assert profiles_for(CHAMPION).profile(own[0], store) is own[0]


def test_what_the_profile_cannot_tell_is_refused(batches: Any, tmp_path: Path):
    own, _, store = batches
    without_cutoff = {name: value for name, value in own[0].items() if name != "cutoff"}
    counted = next(one.name for one in CHALLENGER.features if not isinstance(one, Derived))
    fewer = {name: value for name, value in own[0].items() if name != counted}
    for challenger, profile in [
        (CHALLENGER, without_cutoff),
        (CHALLENGER, fewer),
        (structs.replace(CHALLENGER, session_gap_minutes=5), own[0]),
        (
            structs.replace(CHALLENGER, windows_days=(7, 14), feature_names=("days_since_last_event", "events_14d")),
            own[0],
        ),
    ]:
        with pytest.raises(InputError):
            profiles_for(challenger).profile(profile, store)
