"""Own features: a literal in churn.toml, over extra columns of the log, frozen with the model."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from features.catalogue.catalogue import check_custom_names
from features.catalogue.fitted import FittedConstants
from features.errors import InputError, SettingsError
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.settings import EventsSettings, FeatureSettings
from tests.builders import World, world_of
from training.data.specification import freeze

WATCHED: dict[str, Any] = {
    "kind": "windowed",
    "name": "watched_minutes",
    "unit": "minutes",
    "description": "Minutes watched to the end.",
    "daily": "coalesce(sum(cast(round(watched_seconds * 1000) as bigint)) filter (was_completed = 'yes'), 0)",
    "scale": 1 / 60_000,
    "reason": "watched {value} minutes in {window} days",
    "needs": ["watched_seconds", "was_completed"],
}
SHARE: dict[str, Any] = {
    "kind": "derived",
    "name": "watched_share_7d",
    "unit": "share",
    "description": "Minutes watched over all minutes of use.",
    "sql": "watched_minutes_7d / nullif(usage_minutes_7d, 0)",
    "reason": "watches for {value} of the time",
}
EXTRA = {"watched_seconds": "play_ms / 1000", "was_completed": "completed"}
LINES = [
    {
        "user_id": "anna",
        "event_time": f"2026-01-{day:02}T10:00:00Z",
        "event_type": "play",
        "play_ms": ms,
        "completed": done,
    }
    for day, ms, done in ((5, 30_000, "yes"), (6, 90_000, "yes"), (6, 600_000, "no"), (7, None, "yes"))
]


def watched(folder: Path, *own: dict[str, Any], extra: dict[str, str] | None = None) -> World:
    columns = {name: name for name in ("user_id", "event_time", "event_type")}
    return world_of(
        folder,
        LINES,
        features={"custom": own},
        columns=columns,
        extra=EXTRA if extra is None else extra,
        covered_until=date(2026, 2, 1),
    )


def frozen(world: World) -> tuple[Specification, dict[str, str]]:
    activity = world.activity()
    return freeze(activity, world.settings.features, churn=world.settings.churn, training_cutoffs=[date(2026, 1, 20)])


def test_a_windowed_feature_sums_an_extra_column_up_over_every_window(tmp_path: Path):
    world = watched(tmp_path, WATCHED)
    specification, _ = frozen(world)
    (profile,) = build_profiles(world.activity(), specification, cutoffs=[date(2026, 1, 8)]).to_pylist()
    assert [profile[f"watched_minutes_{days}d"] for days in (1, 3, 7)] == [0, 2, 2]


def test_a_derived_feature_reads_other_features(tmp_path: Path):
    world = watched(tmp_path, WATCHED, SHARE | {"sql": "watched_minutes_7d / active_days_7d"})
    specification, _ = frozen(world)
    (profile,) = build_profiles(world.activity(), specification, cutoffs=[date(2026, 1, 8)]).to_pylist()
    assert profile["watched_share_7d"] == pytest.approx(2 / 3)


def test_they_are_of_a_family_of_their_own_and_frozen_with_the_model(tmp_path: Path):
    specification, _ = frozen(watched(tmp_path, WATCHED))
    assert {feature.family for feature in specification.features if feature.name.startswith("watched")} == {"own"}
    assert msgspec.json.decode(msgspec.json.encode(specification), type=Specification) == specification


def test_what_the_log_lacks_is_left_out(tmp_path: Path):
    _, left_out = frozen(watched(tmp_path, WATCHED, extra={}))
    assert left_out["watched_minutes_7d"] == "the log has no watched_seconds, was_completed"


def test_another_expression_is_another_activity(tmp_path: Path):
    one, other = watched(tmp_path, WATCHED), watched(tmp_path, WATCHED | {"daily": "count(*)"})
    assert one.settings.digest() != other.settings.digest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Watched"}, "lower-case letters"),
        ({"name": "events_of_play"}, "reserved for event types"),
        ({"unit": "parsecs"}, "unit"),
        ({"unit": "text"}, "numeric unit"),
        ({"colour": "red"}, "colour"),
        ({"sql": "1"}, "has daily and no sql"),
        ({"kind": "derived"}, "has sql and no daily"),
    ],
)
def test_what_cannot_become_a_literal_is_refused_by_the_settings(change: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words):
        FeatureSettings(custom=(WATCHED | change,))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["events", "events_7d", "last_us", "tenure_days"])
def test_a_name_of_the_catalogue_or_of_a_day_is_taken(name: str):
    settings = FeatureSettings(custom=(WATCHED | {"name": name},))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=rf'custom: the name "{name}.*" of {name} is taken; choose another'):
        check_custom_names(settings.custom, settings.windows_days)


def test_two_of_one_name_are_refused():
    settings = FeatureSettings(custom=(WATCHED, WATCHED))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="is taken"):
        check_custom_names(settings.custom, settings.windows_days)


def test_an_extra_column_has_a_name_of_its_own():
    with pytest.raises(ValidationError, match='"amount" is taken'):
        EventsSettings(extra={"amount": "price"})


def test_sql_that_the_log_cannot_answer_is_refused_with_the_name_of_the_feature(tmp_path: Path):
    with pytest.raises(InputError, match=r"\[\[features.custom\]\] watched_minutes.*"):
        watched(tmp_path, WATCHED | {"daily": "sum(wacthed)"}).activity()


def test_a_sum_of_fractions_is_refused_as_its_last_bit_depends_on_the_order_of_rows(tmp_path: Path):
    with pytest.raises(SettingsError, match="of type DOUBLE, expected an integer"):
        watched(tmp_path, WATCHED | {"daily": "sum(watched_seconds)"}).activity()


def test_a_derived_expression_that_fails_is_refused_before_a_profile_is_built(tmp_path: Path):
    with pytest.raises(SettingsError, match="watched_share_7d"):
        frozen(watched(tmp_path, WATCHED, SHARE | {"sql": "no_such_function(events_7d)"}))


def test_a_log_without_own_features_has_none():
    assert Specification(("events_7d",), (7,), FittedConstants()).custom == ()
