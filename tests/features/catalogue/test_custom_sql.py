"""What the SQL of own features may hold: one user's events, numbers, names that SQL takes; and what a wrong one is told."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from features.activity.roll_up import DETECTED_FACTS
from features.catalogue.catalogue import daily_columns
from features.catalogue.custom import SQL_WORDS
from features.catalogue.definition import Daily
from features.errors import InputError, SettingsError
from features.expressions import check_single_user, merge_of
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.schema import COLUMNS
from features.settings import EventsSettings, FeatureSettings, UsersSettings
from tests.builders import World, world_of
from tests.features.users.test_identities import NOON, joined

DAILY: dict[str, Any] = {
    "kind": "windowed",
    "name": "taps",
    "unit": "count",
    "description": "Taps.",
    "daily": "sum(n)",
    "reason": "tapped {value} times in {window} days",
}
DERIVED: dict[str, Any] = DAILY | {"kind": "derived", "name": "ratio", "daily": "", "sql": "events_7d"}
LOG = ["anna 2026-01-05T10:00 open device_os=ios amount=2", "bob 2026-01-06T11:00 open device_os=web amount=-2"]
NAMES = ("active_days", "purchases_7d", "events_7d", "last_device_os")


def world(folder: Path, lines: list[str], *own: dict[str, Any]) -> World:
    return world_of(folder, lines, features={"custom": own, "windows_days": (7,)}, covered_until=date(2026, 2, 1))


def specification(of: World, *names: str) -> Specification:
    return Specification((*NAMES, *names), (7,), custom=of.settings.features.custom)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("rank() over (order by events_28d)", "a window function"),
        ("1 + count(*) over ()", "a window function"),
        ("(select max(x) from days)", "a subquery"),
        ("case when exists (select 1) then 1 end", "a subquery"),
        ("random() < 0.5", r"random\(\)"),
        ("Random()", r"random\(\)"),
        ("year(now())", r"now\(\)"),
        ("year(today())", r"today\(\)"),
        ("date_diff('day', cutoff, Current_Date)", "Current_Date"),
        ("year(localtimestamp)", "localtimestamp"),
        ("year(current_timestamp::timestamp)", "current_timestamp"),
        ("year(age(cutoff))", r"age\(\)"),
        ("columns('events.*')", "a star"),
        ("#1", "a column by its place"),
    ],
)
def test_an_expression_that_reads_more_than_one_user_is_refused(sql: str, why: str):
    with pytest.raises(SettingsError, match=f"here uses {why}, expected only") as refused:
        check_single_user("here", sql)
    assert "other users" in refused.value.hint


@pytest.mark.parametrize(
    "sql",
    [
        "coalesce(sum(n) filter (event_type = 'random() over ()'), 0)",  # quoted text is no call
        "count(*)",
        "events_7d / nullif(events_28d, 0)",
        "case when last_device_os in ('ios', 'web') then 1 end",
        "date_diff('day', date '2020-01-01', cutoff)",
        "list_sum(list_transform([events_7d], lambda x: x + 1))",
    ],
)
def test_an_expression_of_one_user_passes(sql: str):
    check_single_user("here", sql)


@pytest.mark.parametrize("sql", ["sum(n) as x", "sum(n) -- all", "sum(n", "1; drop table days"])
def test_what_is_no_single_expression_is_refused(sql: str):
    with pytest.raises(SettingsError, match="here: it cannot be parsed"):
        check_single_user("here", sql)


@pytest.mark.parametrize(
    ("sql", "merge"),
    [
        ("sum(n)", "sum"),
        ("COUNT(*) filter (hour > 5)", "sum"),
        ("count(event_type)", "sum"),
        ("count_if(hour > 5)", "sum"),
        ("coalesce(-sum(amount_cents) filter (amount_cents < 0), 0)", "sum"),
        ("max(hour)", "max"),
        ("min(hour) filter (weekday > 5)", "min"),
        ("bit_or(1 << weekday)", "bit_or"),
        ("bit_and(weekday)", "bit_and"),
        ("1", "max"),
        ("coalesce(max(hour), 0)", None),  # of -5 and of nothing it would make 0
        ("coalesce(sum(n), 1)", None),
        ("greatest(max(hour), 3)", None),
        ("max(hour) - min(hour)", None),
        ("max(n) + sum(n)", None),
        ("-max(n)", None),
        ("cast(sum(amount) as bigint)", None),  # would round each part
        ("count(distinct event_type)", None),
        ("max(n) over ()", None),
        ("any_value(n)", None),
        ("hour", None),
    ],
)
def test_the_parts_of_a_day_become_one_as_the_one_whole_aggregate_does(sql: str, merge: str | None):
    assert merge_of(sql) == merge


def test_every_column_of_the_catalogue_can_be_joined():
    merges = {daily.merge for daily in daily_columns((*COLUMNS, *DETECTED_FACTS)).values()}
    assert merges == {"sum", "max", "bit_or"}


def test_one_person_has_the_same_values_by_one_id_and_by_two(tmp_path: Path):
    expected = {
        "max(hour)": 13,
        "min(hour)": 11,
        "sum(n)": 3,
        "coalesce(sum(n) filter (event_type = 'buy'), 0)": 1,
        "bit_or(1 << (hour - 10))": 0b1010,
    }
    own = [DAILY | {"name": f"taps_{place}", "daily": daily} for place, daily in enumerate(expected)]
    names = tuple(f"{one['name']}_7d" for one in own)
    for ids in (("anna", "anna", "anna"), ("cookie", "cookie", "anna")):
        lines = [f"{one} 2026-01-06T{said}" for one, said in zip(ids, ("11:00", "11:10 buy", "13:00"), strict=True)]
        found = world(tmp_path / ids[0], lines, *own)
        asked = Specification(("active_days", *names), (7,), custom=found.settings.features.custom)
        (profile,) = build_profiles(joined(found, [NOON]), asked, cutoffs=[date(2026, 1, 7)]).to_pylist()
        assert [profile[name] for name in names] == list(expected.values())


def test_a_daily_expression_that_cannot_be_joined_is_refused_where_identities_are_in_use(tmp_path: Path):
    found = world(
        tmp_path, ["cookie 2026-01-06T11:00", "anna 2026-01-06T13:00"], DAILY | {"daily": "max(hour) - min(hour)"}
    )
    asked = Specification(("active_days", "taps_7d"), (7,), custom=found.settings.features.custom)
    with pytest.raises(SettingsError, match=r"max\(hour\) - min\(hour\)' cannot be merged from .*\[identities\]"):
        build_profiles(joined(found, [NOON]), asked, cutoffs=[date(2026, 1, 7)])
    alone = build_profiles(found.activity(), asked, cutoffs=[date(2026, 1, 7)]).to_pylist()
    assert [profile["taps_7d"] for profile in alone] == [0, 0]


def test_a_daily_expression_without_a_merge_says_so():
    with pytest.raises(SettingsError, match="expected a single sum"):
        _ = Daily("greatest(max(hour), 3)").merge


@pytest.mark.parametrize(
    ("daily", "words"),
    [
        ("amount_cents", "must appear in the GROUP BY"),
        ("n", "must appear in the GROUP BY"),
        ("sum(n) as x", "cannot be parsed"),
        ("count(*) over ()", "a window function"),
        ("sum(n) + cast(random() as bigint)", r"random\(\)"),
    ],
)
def test_what_cannot_sum_up_a_day_is_refused_before_the_roll_up(tmp_path: Path, daily: str, words: str):
    found = world(tmp_path, LOG, DAILY | {"daily": daily})
    with pytest.raises(InputError, match=rf"(?s)\[\[features.custom\]\] taps: daily = .*{words}") as refused:
        found.activity()
    assert "[churn]" not in refused.value.hint
    assert not list(found.home.rglob("days.parquet"))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("last_device_os", "of type VARCHAR, expected a number or a boolean"),
        ("cutoff", "of type DATE, expected a number or a boolean"),
        ("sum(events_7d)", "GROUP BY"),
        ("u", "fails"),
        ("rank() over (order by events_7d)", "a window function"),
        ("random()", r"random\(\)"),
    ],
)
def test_a_derived_expression_that_a_profile_cannot_hold_is_refused_by_name(tmp_path: Path, sql: str, words: str):
    found = world(tmp_path, LOG, DERIVED | {"sql": sql})
    with pytest.raises(SettingsError, match=rf"(?s)\[\[features.custom\]\] ratio: .*{words}"):
        specification(found, "ratio").check_custom(found.activity().connection)


def test_a_derived_expression_is_a_number_and_null_where_it_is_not_finite(tmp_path: Path):
    expected = {
        "events_7d / purchases_7d": [1, None],  # bob only gave something back
        "-events_7d / purchases_7d": [-1, None],
        "0 / purchases_7d": [0, None],
        "last_device_os = 'ios'": [1, 0],
        "date_diff('day', date '2026-01-01', cutoff)": [6, 6],
        "events_7d * 1.5": [1.5, 1.5],
    }
    own = [DERIVED | {"name": f"ratio_{place}", "sql": sql} for place, sql in enumerate(expected)]
    found, names = world(tmp_path, LOG, *own), [str(one["name"]) for one in own]
    asked = specification(found, *names)
    asked.check_custom(found.activity().connection)
    anna, bob = build_profiles(found.activity(), asked, cutoffs=[date(2026, 1, 7)]).to_pylist()
    assert [[anna[name], bob[name]] for name in names] == list(expected.values())


def test_a_scale_that_leads_beyond_all_numbers_adds_nothing(tmp_path: Path):
    found = world(tmp_path, LOG, DAILY | {"daily": "max(us)", "scale": 1e300})
    anna, bob = build_profiles(
        found.activity(), specification(found, "taps_7d"), cutoffs=[date(2026, 1, 7)]
    ).to_pylist()
    assert [anna["taps_7d"], bob["taps_7d"]] == [0, 0]


def test_the_words_of_sql_are_those_that_duckdb_does_not_take_for_a_column():
    with duckdb.connect() as connection:
        keywords = dict(connection.execute("select keyword_name, keyword_category from duckdb_keywords()").fetchall())
        assert {word for word in keywords if not is_column(word, connection)} == SQL_WORDS
    assert {word for word, category in keywords.items() if category == "reserved"} < SQL_WORDS


def is_column(word: str, connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        return connection.execute(f"select sum({word}) as {word} from (select 5 as {word})").fetchall() == [(5,)]
    except duckdb.Error:
        return False


@pytest.mark.parametrize("name", ["order", "group", "limit", "end", "table", "default", "null", "true", "left"])
def test_a_word_of_sql_names_neither_a_feature_nor_a_column(name: str):
    for one in (DAILY, DERIVED):
        with pytest.raises(ValidationError, match=f'"{name}" is an SQL keyword; choose another'):
            FeatureSettings.model_validate({"custom": (one | {"name": name},)})
    with pytest.raises(ValidationError, match=f'extra: "{name}" is an SQL keyword; choose another'):
        EventsSettings(extra={name: "1"})


def test_names_of_attributes_are_kept():
    with pytest.raises(ValidationError, match='"user_plan" is reserved for attributes'):
        FeatureSettings.model_validate({"custom": (DAILY | {"name": "user_plan"},)})
    with pytest.raises(ValidationError, match='"id" would become the feature user_id'):
        UsersSettings(path="users.csv", columns={"valid_from": "since", "id": "crm"})
