"""Attributes of users: as the table knew them before the cutoff, in any order, and the sensitive ones only on request."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.activity.store import Activity
from features.catalogue.catalogue import catalogue, select
from features.catalogue.definition import Unit
from features.catalogue.fitted import FittedConstants
from features.errors import InputError
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.settings import FeatureSettings, FormatSettings, UsersSettings
from features.users.attributes import AttributesSettings, open_known_users
from tests.builders import EVER, Row, World, passing_world, world_of, write
from tests.worlds import examples
from training.data.specification import freeze

LOG = ["anna 2026-01-05T10:00", "bob 2026-01-06T10:00"]
COLUMNS = {"user_id": "user_id", "valid_from": "valid_from", "plan": "plan", "seats": "seats"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def said(user: str, valid_from: Any, plan: str | None = None, seats: float | None = None) -> Row:
    return {"user_id": user, "valid_from": valid_from, "plan": plan, "seats": seats}


def with_users(world: World, path: Path, columns: dict[str, str] | None = None, **options: Any) -> Activity:
    """The world's activity with the table at a path beside it."""
    activity, churn = world.activity(), world.settings.churn
    users = UsersSettings(path=str(path), columns=columns or COLUMNS, **options)
    found = AttributesSettings(users=users, zone=churn.timezone)
    return replace(activity, tables=open_known_users(activity.connection, found, rejected=world.home / "rejected"))


def profiles(activity: Activity, *cutoffs: str, zone: str = "UTC", every_family: bool = False) -> list[dict[str, Any]]:
    fitted = FittedConstants(attributes=activity.tables.attributes)
    known = select(catalogue((7,), fitted), activity.facts, history_days=EVER).features
    features = [feature for feature in known if every_family or feature.family == "attributes"]
    specification = Specification(tuple(f.name for f in features), (7,), fitted, timezone=zone)
    return build_profiles(
        activity, specification, cutoffs=[date.fromisoformat(cutoff) for cutoff in cutoffs]
    ).to_pylist()


def told(found: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["user_id"], row["user_plan"], row["user_seats"]) for row in found]


def test_a_user_has_the_values_of_the_last_row_before_the_cutoff(tmp_path: Path):
    table = [
        said("anna", at("2026-01-01"), "free", 1),
        said("anna", at("2026-01-07T23:59"), "paid", None),
        said("anna", at("2026-01-08"), "team", 5),  # valid from the cutoff on: not before it
        said("carl", at("2026-01-01"), "paid", 3),  # without an event nobody has a profile
    ]
    activity = with_users(world_of(tmp_path, LOG), write(tmp_path / "users.parquet", table))
    assert told(profiles(activity, "2026-01-07", "2026-01-08", "2026-01-09")) == [
        *[("anna", "free", 1), ("bob", None, None)],
        *[("anna", "paid", None), ("bob", None, None)],  # the last row says nothing of seats
        *[("anna", "team", 5), ("bob", None, None)],
    ]


@pytest.mark.parametrize("name", ["users.parquet", "users.csv", "users.jsonl"])
@pytest.mark.parametrize(
    "days", [(date(2026, 1, 7), date(2026, 1, 8)), ("2026-01-07", "2026-01-08")], ids=["date", "text"]
)
def test_a_date_is_valid_from_local_midnight(tmp_path: Path, name: str, days: tuple[date | str, ...]):
    world = world_of(tmp_path, LOG, churn={"timezone": "America/New_York"})
    table = [said("anna", day, plan) for day, plan in zip(days, ("old", "new"), strict=True)]
    activity = with_users(world, write(tmp_path / name, table))
    found = profiles(activity, "2026-01-07", "2026-01-08", "2026-01-09", zone="America/New_York")
    assert [row["user_plan"] for row in found if row["user_id"] == "anna"] == [None, "old", "new"]


def test_of_rows_at_one_instant_the_greatest_counts_by_the_attributes_in_their_order(tmp_path: Path):
    table = [said("anna", at("2026-01-01"), plan, seats) for plan, seats in (("a", 9), ("b", 1), ("b", 2))]
    for order in (table, table[::-1]):
        activity = with_users(world_of(tmp_path, LOG), write(tmp_path / "users.parquet", order))
        assert told(profiles(activity, "2026-01-08"))[0] == ("anna", "b", 2)


def test_text_files_keep_ids_as_text_and_numbers_as_numbers(tmp_path: Path):
    world = world_of(tmp_path, ["007 2026-01-05T10:00"])
    for name in ("users.csv", "users.jsonl"):
        place = write(tmp_path / name, [said("007", "2026-01-01", "free", 2), said("8", "2026-01-01", "", 3)])
        assert told(profiles(with_users(world, place), "2026-01-08")) == [("007", "free", 2)]


def test_blanks_around_ids_and_texts_are_none_of_them(tmp_path: Path):
    table = [said("anna ", at("2026-01-01"), "free   "), said(" bob", at("2026-01-01"), "   ")]
    activity = with_users(world_of(tmp_path, LOG), write(tmp_path / "users.parquet", table))
    assert [(user, plan) for user, plan, _ in told(profiles(activity, "2026-01-08"))] == [
        ("anna", "free"),
        ("bob", None),
    ]


def test_numbers_may_have_a_comma_before_decimals(tmp_path: Path):
    (tmp_path / "users.csv").write_text(
        "user_id;valid_from;plan;seats\nanna;2026-01-01;free;1.234\nbob;2026-01-01;1.10;2,5\n"
    )
    activity = with_users(world_of(tmp_path, LOG), tmp_path / "users.csv", format=FormatSettings(decimal=","))
    assert told(profiles(activity, "2026-01-08")) == [("anna", "free", 1234), ("bob", "1.10", 2.5)]


def test_a_row_of_a_csv_with_another_number_of_fields_is_set_aside(tmp_path: Path):
    (tmp_path / "users.csv").write_text(
        "user_id,valid_from,plan,seats\nanna,2026-01-01,free,2\nben,2026-01-01,free, at times,3\n"
    )
    activity = with_users(world_of(tmp_path, LOG), tmp_path / "users.csv", max_rejected_share=0.5)
    assert activity.tables.rejected == {"users": {"the row has too many fields": 1}}


@pytest.mark.parametrize(("known", "is_said"), [(0, True), (1, True), (2, False)])
def test_a_table_that_knows_hardly_any_user_of_the_log_is_a_warning(tmp_path: Path, known: int, *, is_said: bool):
    users = [f"u{place}" for place in range(20)]
    world = world_of(tmp_path, [f"{user} 2026-01-05T10:00" for user in users])
    rows = [said(user if place < known else user.upper(), at("2026-01-01"), "pro") for place, user in enumerate(users)]
    notes = with_users(world, write(tmp_path / "users.parquet", rows)).notes
    words = f"warning: [users] knows {known} of the 20 users of the log: check that both write ids alike"
    assert [note.partition(";")[0] for note in notes] == ([words] if is_said else [])


def test_booleans_and_expressions_are_numbers(tmp_path: Path):
    columns = {"valid_from": "since", "is_staff": "staff", "years": "2026 - born"}
    table = [{"user_id": "anna", "since": at("2026-01-01"), "staff": True, "born": 1990}]
    activity = with_users(world_of(tmp_path, LOG[:1]), write(tmp_path / "users.parquet", table), columns)
    assert activity.tables.attributes == {"is_staff": Unit.NUMBER, "years": Unit.NUMBER}
    (found,) = profiles(activity, "2026-01-08")
    assert (found["user_is_staff"], found["user_years"]) == (1, 36)


def test_invalid_rows_are_set_aside_with_their_reason(tmp_path: Path):
    table = [said(None, "2026-01-01"), said("x", None), said("y", "soon"), said("anna", "2026-01-01", "free")]  # pyright: ignore[reportArgumentType]
    world = world_of(tmp_path, LOG)
    activity = with_users(world, write(tmp_path / "users.csv", table), max_rejected_share=0.8)
    reasons = {"user_id is null": 1, "valid_from is null": 1, "valid_from is unreadable": 1}
    assert activity.tables.rejected == {"users": reasons}
    aside = pq.read_table(world.home / "rejected/users.parquet").to_pylist()
    assert [(row["user_id"], row["valid_from"], row["reason"]) for row in aside] == [
        ("x", None, "valid_from is null"),
        ("y", "soon", "valid_from is unreadable"),
        (None, "2026-01-01", "user_id is null"),
    ]
    with pytest.raises(
        InputError, match=r"3 of 4 rows are invalid .*; at most 5 % allowed \(\[users\] max_rejected_share\)"
    ):
        with_users(world, tmp_path / "users.csv")


def test_an_id_that_is_no_number_is_no_user(tmp_path: Path):
    """A column of numbers with a gap, as data frames write it."""
    world = world_of(tmp_path, LOG)
    table = [{"user_id": user, "valid_from": at("2026-01-01"), "plan": "free"} for user in (7.0, float("nan"))]
    path = write(tmp_path / "users.parquet", table)
    activity = with_users(world, path, {"valid_from": "valid_from", "plan": "plan"}, max_rejected_share=0.5)
    assert activity.tables.rejected == {"users": {"user_id is null": 1}}


def test_a_table_may_be_left_without_a_valid_row_where_that_is_asked_for(tmp_path: Path):
    table = write(tmp_path / "users.csv", [said("anna", "soon", "free")])
    activity = with_users(world_of(tmp_path, LOG), table, max_rejected_share=1.0)
    assert activity.tables.rejected == {"users": {"valid_from is unreadable": 1}}
    assert told(profiles(activity, "2026-01-08"))[0] == ("anna", None, None)


def test_a_table_without_dates_is_refused_unless_it_is_trusted(tmp_path: Path):
    columns = {"user_id": "user_id", "plan": "plan"}
    with pytest.raises(ValidationError, match="without valid_from it is unknown which values"):
        UsersSettings(path="users.csv", columns=columns)
    place = write(tmp_path / "users.csv", [{"user_id": "anna", "plan": "free"}])
    activity = with_users(world_of(tmp_path, LOG[:1]), place, columns, trust_undated=True)
    assert profiles(activity, "2026-01-06")[0]["user_plan"] == "free"


def test_what_cannot_be_read_is_said_of_the_table(tmp_path: Path):
    world, place = world_of(tmp_path, LOG), write(tmp_path / "users.csv", [said("anna", "2026-01-01", "free")])
    with pytest.raises(InputError, match=r"\[users.columns\] town = .*the table has no such column"):
        with_users(world, place, COLUMNS | {"town": "townn"})
    with pytest.raises(InputError, match=r"\[users\] path: no Parquet, CSV or JSON Lines file"):
        with_users(world, tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match=r"\[users.columns\] born: got DATE, expected text, a number or a boolean"):
        with_users(world, place, COLUMNS | {"born": "cast(valid_from as date)"})


def test_sensitive_attributes_are_left_out_unless_they_are_named(tmp_path: Path):
    columns = {"valid_from": "valid_from", "plan": "plan", "birth_year": "seats", "home_city": "plan"}
    place = write(tmp_path / "users.parquet", [said("anna", at("2026-01-01"), "free", 1990)])
    world = world_of(tmp_path, LOG)
    activity, cutoffs = with_users(world, place, columns), [date(2026, 1, 8)]
    found, left_out = freeze(activity, FeatureSettings(), churn=world.settings.churn, training_cutoffs=cutoffs)
    assert [name for name in found.feature_names if name.startswith("user_")] == ["user_plan"]
    assert left_out["user_birth_year"] == "it is sensitive, and [features] allow_sensitive does not name birth_year"
    assert found.sensitive == ()
    allowing = FeatureSettings(allow_sensitive=("birth_year",))
    found, left_out = freeze(activity, allowing, churn=world.settings.churn, training_cutoffs=cutoffs)
    assert found.sensitive == ("birth_year",)
    assert "user_home_city" in left_out
    assert "user_birth_year" in found.feature_names


def test_a_model_that_reads_attributes_refuses_a_log_without_them(tmp_path: Path):
    world = world_of(tmp_path, LOG)
    specification = Specification(("user_plan",), (7,), FittedConstants(attributes={"plan": Unit.TEXT}))
    with pytest.raises(InputError, match="the log has no user attribute plan, which the model's profile needs"):
        build_profiles(world.activity(), specification, cutoffs=[date(2026, 1, 8)])


CUTOFF = at("2026-01-08")
versions = st.builds(
    said,
    st.sampled_from(["anna", "bob", "carl"]),
    st.sampled_from([-48, -1, 0, 1, 48]).map(lambda hours: CUTOFF + timedelta(hours=hours)),
    st.sampled_from([None, "free", "paid"]),
    st.sampled_from([None, 0.0, 2.0, float("nan")]),
)


@examples(3, 30)
@given(st.lists(versions, max_size=12), st.randoms(use_true_random=False))
def test_neither_rows_valid_from_the_cutoff_on_nor_the_order_of_rows_change_a_profile(table: list[Row], random: Random):
    anchor = said("dora", at("2026-01-01"), "free", 1.0)  # so that the columns have types
    before = [row for row in table if row["valid_from"] < CUTOFF]
    with passing_world(LOG) as world:
        bits = []
        for rows in ([anchor, *table], random.sample([anchor, *table], len(table) + 1), [*before, anchor]):
            place = write(world.home.with_name("users.parquet"), rows)
            bits.append(profiles(with_users(world, place), "2026-01-08", every_family=True))
    assert bits[0] == bits[1] == bits[2]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_year_of_two_digits_is_not_known_from_antiquity_on(tmp_path: Path, zone: str):
    rows = [("anna", "05/06/26"), ("bob", "26-06-05"), ("carl", "1900-01-01")]
    place = write(tmp_path / "users.csv", [said(user, day, "pro") for user, day in rows])
    world = world_of(tmp_path, LOG, churn={"timezone": zone})
    tables = with_users(world, place, max_rejected_share=0.7).tables
    assert tables.rejected == {"users": {"valid_from is absurd": 2}}
    with pytest.raises(InputError, match="2 x valid_from is absurd"):
        with_users(world, place, trust_undated=True)


def test_a_change_of_rows_that_are_there_twice_is_another_state(tmp_path: Path):
    world = world_of(tmp_path, LOG)

    def state(plan: str) -> str:
        twice = write(tmp_path / "users.parquet", [said("anna", at("2026-01-01"), plan)] * 2)
        return with_users(world, twice).state_before(date(2026, 1, 8))

    assert state("free") == state("free") != state("paid")
