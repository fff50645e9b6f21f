"""The catalogue as a whole: names, words, and what is left out with which reason."""

import re
from datetime import date

import duckdb
import msgspec
import pytest

from features.catalogue.catalogue import FAMILIES, Selection, catalogue, daily_columns, select
from features.catalogue.definition import Daily, Derived, Feature, OverDays, Unit, slugs
from features.catalogue.fitted import BgNbd, FittedConstants
from features.profiles.specification import Specification
from features.schema import CONTRACT
from features.settings import FeatureSettings
from features.sql import INTEGERS
from tests.builders import EVER, WINDOWS

TYPES = ("open", "add to cart")
PLACEHOLDERS = (
    "value",
    "percent",
    "change",
    "longer",
    "longer_ago",
    "more",
    "trend",
    "deviations",
    "many",
)  # of reasons
EVERYTHING = {
    *("time_of_day", "sessions", "usage", "observation_days", "leaving", "amount", "channel"),
    *("device_os", "device_model", "app_version", "network"),
}
FITTED = FittedConstants(TYPES, {"1.9": date(2026, 1, 1), "1.10": date(2026, 2, 1)}, BgNbd(0.25, 30, 0.8, 2.4))
ALL = catalogue(WINDOWS, FITTED)
NAMES = {feature.name for feature in ALL}


def left_out(facts: set[str], *, windows: tuple[int, ...] = WINDOWS, history_days: int = EVER) -> dict[str, str]:
    return select(catalogue(windows, FITTED), facts, history_days=history_days).excluded


def test_no_two_features_have_one_name():
    families = {name: [one.family for one in ALL if one.name == name] for name in NAMES}
    twice = [f"{name}: in {' and in '.join(of)}" for name, of in sorted(families.items()) if len(of) > 1]
    assert not twice, f"names are unique, see docs/features.md: {twice}"


def test_no_feature_asks_a_day_for_its_weekday():
    """In a request, days start at its time of day, so that `day` is not the calendar day of an event."""
    asked = re.compile(r"(isodow|dayofweek|weekday|dayname|extract|date_part|strftime)\s*\([^)]*\bday\b")
    wrong = [feature.name for feature in ALL if isinstance(feature, OverDays) and asked.search(feature.sql)]
    assert not wrong, f"take a daily column that counts events by `weekday` instead: {wrong}"


def test_there_are_enough_of_them():
    assert len(catalogue(WINDOWS, FittedConstants())) > 150


@pytest.mark.parametrize("feature", ALL, ids=lambda feature: feature.name)
def test_a_feature_reads_well(feature: Feature):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", feature.name)
    assert feature.description.endswith(".")
    assert "recency" not in feature.name
    assert feature.family in {family.__name__.rpartition(".")[2] for family in FAMILIES}
    assert feature.reason
    assert feature.reason.format(**dict.fromkeys(PLACEHOLDERS, 3))


UNITS = (  # the first words that a name has say its unit; of one measure per another, the first measure's name
    (r"^(is|has)_", Unit.FLAG),
    (r"_(ratio|trend|acceleration|variation)(_|$)|^overdue_|_overdue_", Unit.RATIO),
    (r"_bits(_|$)", Unit.BITS),
    (r"_share(_|$)|^share_|_probability$", Unit.SHARE),
    (r"(^|_)minutes(_|$)", Unit.MINUTES),
    (r"(^|_)weeks(_|$)", Unit.WEEKS),
    (r"(^|_)days(_|$)", Unit.DAYS),
    (r"(^|_)events(_|$)", Unit.EVENTS),
    (r"(^|_)sessions(_|$)", Unit.SESSIONS),
    (r"(^|_)(purchases|refunds)(_|$)", Unit.PURCHASES),
    (r"(^|_)(amount|basket)(_|$)", Unit.MONEY),
)
UNITS_OF_A_NAME = {unit for _, unit in UNITS}  # the names of counts, numbers and texts say what they are of
SAID_OTHERWISE = {
    (Unit.SHARE, "refunded_share")
}  # a ratio: of purchases that the log does not have, more may be refunded


@pytest.mark.parametrize("feature", ALL, ids=lambda feature: feature.name)
def test_a_name_says_its_unit_and_its_window(feature: Feature):
    measure = feature.name.partition("_per_")[0]
    named = next((unit for words, unit in UNITS if re.search(words, measure)), None)
    said = feature.unit if feature.unit in UNITS_OF_A_NAME else None
    assert named == said or (named, feature.name) in SAID_OTHERWISE, (
        f"{feature.name} is in {feature.unit.value}, its name says {named.value if named else 'no unit'}"
    )
    if feature.window_days:
        assert feature.name.endswith(f"_{feature.window_days}d")


@pytest.mark.parametrize("feature", [feature for feature in ALL if feature.usual], ids=lambda feature: feature.name)
def test_what_is_usual_is_a_feature_too(feature: Feature):
    assert feature.usual is not None
    assert feature.usual[0] in NAMES - {feature.name}


def test_text_is_never_absent_as_a_number():
    assert [feature.name for feature in ALL if feature.is_text and feature.when_absent is not None] == []


def test_every_window_has_its_column():
    assert {name for name in NAMES if re.fullmatch(r"sessions_[0-9]+d", name)} == {
        f"sessions_{days}d" for days in WINDOWS
    }


def test_other_windows_make_other_columns():
    names = {feature.name for feature in catalogue((5, 10), FittedConstants())}
    assert {name for name in names if name.startswith("events_") and name[7:].rstrip("d").isdigit()} == {
        "events_5d",
        "events_10d",
    }


def test_what_is_usual_for_a_window_is_the_rate_over_four_weeks_or_three_times_as_long():
    usual = {feature.name: feature.usual for feature in ALL}
    assert usual["events_1d"] == ("events_28d", 1 / 28)
    assert usual["events_7d"] == ("events_28d", 7 / 28)
    assert usual["events_14d"] == ("events_56d", 14 / 56)
    assert usual["events_56d"] is None


def test_every_event_type_has_its_columns():
    assert {
        "events_of_open_7d",
        "events_of_add_to_cart_28d",
        "share_of_add_to_cart_28d",
        "days_since_last_of_open",
    } <= NAMES


@pytest.mark.parametrize(
    ("event_types", "parts"),
    [
        (("purchase_2", "purchase", "Purchase"), ["purchase_2", "purchase", "purchase_3"]),
        (("Purchase", "purchase", "purchase_2"), ["purchase", "purchase_2", "purchase_2_2"]),
    ],
)
def test_event_types_that_read_alike_get_parts_of_their_own(event_types: tuple[str, ...], parts: list[str]):
    assert list(slugs(event_types).values()) == parts


@pytest.mark.parametrize(
    ("event_type", "part"), [("Add to Cart!", "add_to_cart"), ("it's", "it_s"), ("act_0", "act_0")]
)
def test_an_event_type_becomes_a_part_of_a_column_name(event_type: str, part: str):
    assert slugs((event_type,)) == {event_type: part}


# --- Left out ------------------------------------------------------------------------------------------------------


def test_a_log_that_knows_everything_leaves_nothing_out():
    selection = select(ALL, EVERYTHING, history_days=90)
    assert selection == Selection(ALL, {})


@pytest.mark.parametrize(
    ("lacking", "name", "why"),
    [
        ("amount", "purchases_7d", "the log has no amount"),
        ("amount", "is_repeat_purchaser", "it needs purchases"),
        ("sessions", "sessions_1d", "the log has no sessions"),
        ("sessions", "usage_minutes_per_session_28d", "it needs sessions_28d"),
        ("usage", "usage_minutes_per_active_day_7d", "it needs usage_minutes_7d"),
        ("time_of_day", "night_share_28d", "the log has no time_of_day"),
        ("channel", "acquisition_channel", "the log has no channel"),
        ("device_os", "last_device_os", "the log has no device_os"),
        ("observation_days", "is_left_censored", "the log has no observation_days"),
    ],
)
def test_what_the_log_lacks_is_left_out_with_the_reason(lacking: str, name: str, why: str):
    assert left_out(EVERYTHING - {lacking})[name] == why


def test_a_window_longer_than_the_history_is_left_out_with_what_needs_it():
    found = left_out(EVERYTHING, history_days=27)
    assert found["events_28d"] == "the window of 28 days is longer than the history of 27"
    assert found["events_trend_7d"] == "it needs events_28d"
    assert found["share_of_open_28d"] == "it needs events_28d, events_of_open_28d"
    assert "events_14d" not in found


def test_a_window_as_long_as_the_history_stays():
    assert left_out(EVERYTHING, history_days=90) == {}


def test_a_derived_feature_of_a_window_that_is_not_configured_is_left_out():
    assert left_out(EVERYTHING, windows=(7, 28))["active_days_change_7d"] == "it needs active_days_14d"


def test_nothing_that_stays_needs_anything_left_out():
    selection = select(ALL, {"amount"}, history_days=10)
    derived = [feature for feature in selection.features if isinstance(feature, Derived)]
    assert [feature.name for feature in derived if feature.words & set(selection.excluded)] == []
    assert {feature.name for feature in selection.features} | set(selection.excluded) == NAMES


def test_features_that_stay_keep_their_order():
    names = [feature.name for feature in select(ALL, {"usage"}, history_days=20).features]
    assert names == [feature.name for feature in ALL if feature.name in names]


# --- Daily columns and the specification ---------------------------------------------------------------------------


def test_daily_columns_are_those_that_the_log_can_answer():
    """Which facts of the log each needs. A new column goes into the set of its facts; every kept log is rolled up anew for it."""
    assert set(daily_columns(())) == {"events", "active_days", "weekend_events"}
    assert set(daily_columns({"amount"})) - set(daily_columns(())) == {
        "purchases",
        "amount_micros",
        "refunds",
        "refunded_micros",
    }
    assert set(daily_columns({"amount", "sessions"})) - set(daily_columns({"amount"})) == {
        *("sessions", "last_visit_us", "purchase_sessions"),
    }


WORDS_OF_AN_EVENT = {"hour": "BIGINT", "weekday": "BIGINT", "n": "BIGINT", "us": "BIGINT"} | dict.fromkeys(
    ("amount_cents", "amount_micros"), "BIGINT"
)
WORDS_OF_A_VISIT = {"visit_ms": "BIGINT", "visit_start_us": "BIGINT"}
DAILY = daily_columns(EVERYTHING)


@pytest.mark.parametrize("name", DAILY)
def test_a_daily_column_is_a_whole_number(name: str):
    """As that of a custom feature: sums of fractions would depend on the order of rows, and the roll-up would round them."""
    of_visits = WORDS_OF_A_VISIT | {one: "BIGINT" for one, daily in DAILY.items() if not daily.over_visits}
    of_events = {column.name: column.type for column in CONTRACT} | WORDS_OF_AN_EVENT
    words = of_visits if DAILY[name].over_visits else of_events
    given = ", ".join(f'cast(null as {kind}) as "{word}"' for word, kind in words.items())
    (kind,) = duckdb.connect().sql(f"select {DAILY[name].sql} from (select {given})").types
    assert str(kind) in INTEGERS, (
        f"the daily column {name} is of type {kind}: 1 and 0 in place of 1.0 and 0.0, scale outside"
    )


def test_a_daily_column_has_one_meaning():
    both: dict[str, Daily] = {}
    for feature in ALL:
        assert both | dict(feature.daily) == dict(feature.daily) | both
        both |= dict(feature.daily)


def test_what_a_model_could_not_learn_is_left_out():
    left = select(catalogue(WINDOWS, FittedConstants()), EVERYTHING, history_days=EVER).excluded
    assert left == {
        "alive_probability": "the log has no purchases to learn from",
        "app_version_age_days": "the log has no app versions to learn from",
        "app_versions_behind": "the log has no app versions to learn from",
    }


def test_the_default_windows_are_those_of_the_settings():
    assert FeatureSettings().windows_days == WINDOWS


def test_a_specification_survives_json():
    specification = Specification(
        ("events_7d", "last_network"), (7, 28), FITTED, observation_days=60, categories={"last_network": ("wifi", "4g")}
    )
    assert msgspec.json.decode(msgspec.json.encode(specification), type=Specification) == specification


def test_a_specification_knows_the_literals_behind_its_names():
    specification = Specification(("events_7d", "events_of_open_7d"), (7, 28), FITTED)
    assert [feature.name for feature in specification.features] == ["events_7d", "events_of_open_7d"]
