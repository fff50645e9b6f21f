"""Who could be on a list: SQL of the settings over everything known of a user, and each user excluded for one reason."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.eligibility import LEFT, RECENT, TENURE, Eligibility
from features.errors import InputError, SettingsError
from features.settings import UsersSettings
from features.storage.duckdb import connect
from features.users.attributes import AttributesSettings, open_known_users
from serving.settings import ExportSettings, ListSettings
from serving.weekly.candidates import Candidates, attributes_at, attributes_until, in_cool_down, latest_attributes
from tests.builders import values_of, write
from tests.serving.weekly.list_builder import MONDAY, candidates_of, profile_table, score_rows

RULE = Eligibility(active_within_days=14, min_tenure_days=10)
PROFILES = profile_table(
    user_id=["a", "b", "c", "d"],
    events_28d=[10.0, 20.0, None, 40.0],
    amount_90d=[1.5, 0.0, None, 4.0],
    **{RECENT: [1.0, 2.0, 3.0, 4.0], TENURE: [100.0] * 4},
)
SCORES = score_rows([3.0, 2.0, 1.0, -1.0])
ATTRIBUTES = pa.table({"user_id": ["b", "c", "z"], "plan": ["gold", None, "gold"], "seats": [3.0, 0.0, 1.0]})


def candidates(attributes: pa.Table | None = ATTRIBUTES) -> Candidates:
    return candidates_of(PROFILES, SCORES, attributes)


def wanted(**settings: Any) -> tuple[list[bool], list[float | None]]:
    found = candidates().wanted(ListSettings(name="vip", at_least="low", **settings))
    return values_of(found, "is_wanted"), values_of(found, "value")


def test_everyone_is_a_row_by_user_id_with_profile_score_and_attributes():
    found = candidates().select("*")
    assert found.column("user_id").to_pylist() == ["a", "b", "c", "d"]
    rows = found.to_pylist()
    assert rows[1] == {
        "user_id": "b",
        "cutoff": MONDAY,
        "events_28d": 20.0,
        "amount_90d": 0.0,
        RECENT: 2.0,
        TENURE: 100.0,
        "raw_score": 2.0,
        "churn_probability": SCORES.column("churn_probability")[1].as_py(),
        "percentile": 50.0,
        "risk_band": "high",
        "plan": "gold",
        "seats": 3.0,
    }
    assert (rows[0]["plan"], rows[0]["seats"]) == (None, None)


def test_users_are_sorted_by_the_bytes_of_their_ids():
    users = ["B", "a", "z", "é"]
    found = candidates_of(
        profile_table(user_id=users), score_rows([1.0] * 4).set_column(0, "user_id", pa.array(users, pa.string()))
    )
    assert found.select("user_id").column("user_id").to_pylist() == sorted(users, key=str.encode)


def test_an_attribute_that_is_called_like_a_column_of_the_profile_or_score_changes_neither():
    shadow = pa.table({"user_id": ["a"], "events_28d": [99.0], "risk_band": ["low"], "plan": ["gold"]})
    found = candidates(shadow)
    assert found.attributes == {"plan"}
    assert found.select("events_28d, risk_band, plan").to_pylist()[0] == {
        "events_28d": 10.0,
        "risk_band": "high",
        "plan": "gold",
    }


@pytest.mark.parametrize(
    ("where", "users"),
    [
        ("", "abcd"),
        ("plan = 'gold'", "b"),
        ("plan is null", "acd"),
        ("plan <> 'gold'", ""),  # null is neither
        ("events_28d > 15", "bd"),
        ("events_28d > 15 or plan is null", "abcd"),
        ("risk_band = 'high' and seats = 0", "c"),
        ("not (seats = 0)", "b"),
        ("null::boolean", ""),
    ],
)
def test_where_says_who_may_be_on_a_list_and_null_says_no(where: str, users: str):
    is_wanted, _ = wanted(where=where)
    assert is_wanted == [user in users for user in "abcd"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", [1.5, 0.0, None, 4.0]),  # amount_90d
        ("events_28d / 4", [2.5, 5.0, None, 10.0]),
        ("seats", [None, 3.0, 0.0, None]),
        ("3", [3.0] * 4),
        ("cast(seats as decimal(10, 2))", [None, 3.0, 0.0, None]),
        ("events_28d / amount_90d", [10 / 1.5, None, None, 10.0]),  # 20 / 0 is not a value
    ],
)
def test_the_value_of_a_user_is_a_number_or_unknown(value: str, found: list[float | None]):
    assert wanted(value=value)[1] == found


def test_without_amounts_no_value_is_known():
    poor = candidates_of(PROFILES.drop_columns("amount_90d"), SCORES)
    assert poor.wanted(ListSettings(at_least="low")).column("value").to_pylist() == [None] * 4


def test_a_table_of_attributes_without_rows_still_has_its_columns():
    found = candidates(ATTRIBUTES.slice(0, 0))
    assert found.attributes == {"plan", "seats"}
    everyone = found.wanted(ListSettings(where="plan is null", at_least="low"))
    assert everyone.column("is_wanted").to_pylist() == [True] * 4


# --- What fails is named ---------------------------------------------------------------------------------------------

FAILING = {
    "planet = 'gold'": r'Referenced column "planet" not found',
    "plan = 'gold": "unterminated string literal",
    "max(events_28d) > 3": "must appear in the GROUP BY",
    "plan": "is of type VARCHAR, expected a condition",
    "seats": "is of type DOUBLE, expected a condition",
    "cast(plan as integer) > 3": "Could not convert string",
}


@pytest.mark.parametrize("sql", FAILING)
@pytest.mark.parametrize("setting", ["[[lists]] vip: where", "[export] opted_out", "[export] reachable"])
def test_a_condition_that_fails_is_named_with_the_way_out(setting: str, sql: str):
    def ask() -> None:
        if "where" in setting:
            wanted(where=sql)
        else:
            given: dict[str, Any] = {setting.split()[1]: sql}
            candidates().excluded(ExportSettings(**given), RULE)

    with pytest.raises(InputError, match=FAILING[sql]) as caught:
        ask()
    assert caught.value.message.startswith(f"{setting} = {sql!r}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("planet", r'Referenced column "planet" not found'),
        ("plan", "is of type VARCHAR, expected a number"),
        ("seats > 1", "is of type BOOLEAN, expected a number"),
        ("sum(seats)", "must appear in the GROUP BY"),
        ("cast(plan as double)", "Could not convert string"),
    ],
)
def test_a_value_that_fails_is_named_with_the_way_out(sql: str, words: str):
    with pytest.raises(InputError, match=words) as caught:
        wanted(value=sql)
    assert caught.value.message.startswith(f"[[lists]] vip: value = {sql!r}")
    assert caught.value.hint


def test_an_unknown_column_lists_the_attributes_there_are():
    with pytest.raises(SettingsError) as caught:
        wanted(where="planet = 'gold'")
    assert caught.value.hint == "columns: see churn features; attributes: plan, seats"
    with pytest.raises(SettingsError) as caught:
        candidates(None).check("plan = 'gold'", setting="[export] reachable")
    assert caught.value.hint == "columns: see churn features; attributes: none, map [users]"


def test_no_value_of_a_user_is_told():
    secret = pa.table({"user_id": ["a"], "plan": ["my secret"]})
    with pytest.raises(InputError) as caught:
        candidates(secret).check("cast(plan as integer) > 3", setting="[export] reachable")
    assert "secret" not in str(caught.value)


# --- Who is excluded, and why ----------------------------------------------------------------------------------------

# scored twice; too new and away; new, away; away; never a qualifying day; not scored for no known reason
MANY = profile_table(
    user_id=list("abcdefg"),
    **{RECENT: [1.0, 14.0, 1.0, 20.0, 15.0, None, 1.0], TENURE: [10.0, 99.0, 9.0, 9.0, 99.0, 99.0, 99.0]},
)
SCORED = score_rows([1.0, 2.0, None, None, None, None, None])


def reasons(rule: Eligibility, export: ExportSettings | None = None, *contacted: str) -> list[str | None]:
    known = pa.table({"user_id": list("abcdefg"), "consent": [1.0, None, 0.0, 1.0, 1.0, 1.0, 1.0]})
    found = candidates_of(MANY, SCORED, known).excluded(export or ExportSettings(), rule, contacted=contacted)
    return found.to_pylist()


def test_users_without_a_score_are_too_new_or_gone_or_nobody_knows():
    assert reasons(RULE) == [None, None, "too new", "too new", "already gone", "already gone", "not scored"]


def test_where_everybody_is_eligible_nobody_is_gone():
    everybody = Eligibility(active_within_days=0, min_tenure_days=0)
    assert reasons(everybody) == [None, None, *["not scored"] * 5]


@pytest.mark.parametrize("within", [0, 14])
def test_who_has_left_by_an_event_is_gone(within: int):
    profiles = profile_table(
        user_id=list("abc"), **{RECENT: [5.0, 5.0, 5.0], TENURE: [99.0] * 3, LEFT: [None, 5.0, 2.0]}
    )
    rule = Eligibility(active_within_days=within, min_tenure_days=10, has_leaving_event=True)
    found = candidates_of(profiles, score_rows([1.0, None, None])).excluded(ExportSettings(), rule)
    assert found.to_pylist() == [None, "already gone", "already gone"]


def test_consent_is_asked_and_silence_means_neither_opted_out_nor_reachable():
    assert reasons(RULE, ExportSettings(opted_out="consent = 0"))[:3] == [None, None, "too new"]
    assert reasons(RULE, ExportSettings(opted_out="consent = 1"))[:2] == ["opted out", None]
    assert reasons(RULE, ExportSettings(reachable="consent = 1"))[:2] == [None, "not reachable"]
    both = ExportSettings(opted_out="consent = 1", reachable="consent = 0")
    assert reasons(RULE, both)[:2] == ["opted out", "not reachable"]


def test_who_was_contacted_lately_is_in_cool_down_unless_there_is_another_reason():
    assert reasons(RULE, None, "a", "c", "not a user", "it's")[:3] == ["contacted lately", None, "too new"]


@given(st.dictionaries(st.sampled_from("abcdefg"), st.integers(-5, 40), max_size=7), st.integers(0, 30))
def test_a_cool_down_counts_whole_days_before_the_cutoff_and_every_contact_since(days_ago: dict[str, int], days: int):
    contacts = {user: MONDAY - timedelta(days=ago) for user, ago in days_ago.items()}
    expected = tuple(sorted(user for user, ago in days_ago.items() if days and ago <= days))
    assert in_cool_down(contacts, cutoff=MONDAY, days=days) == expected


# --- Attributes as known at the cutoff -------------------------------------------------------------------------------


def test_an_attribute_is_the_one_known_before_the_cutoff(tmp_path: Path):
    def row(user: str, day: str, plan: str | None, seats: float) -> dict[str, Any]:
        at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        return {"user_id": user, "valid_from": at, "plan": plan, "seats": seats}

    rows = [
        row("anna", "2026-11-20", "later", 9),
        row("anna", "2026-11-01", "gold", 2),
        row("anna", "2026-10-01", "free", 1),
        row("bob", "2026-11-16", "from the cutoff on", 1),
        row("cleo", "2026-11-15T23:59:59", None, 5),
        row("cleo", "2026-11-01", "free", 1),
    ]
    columns = {name: name for name in ("user_id", "valid_from", "plan", "seats")}
    users = UsersSettings(path=str(write(tmp_path / "users.parquet", rows)), columns=columns)
    connection = connect()
    known = open_known_users(connection, AttributesSettings(users=users), rejected=tmp_path / "rejected")

    def at(day: date) -> list[dict[str, Any]]:
        return attributes_at(connection, known, cutoff_at=f"timestamp '{day} 00:00:00'").to_pylist()

    assert at(MONDAY) == [
        {"user_id": "anna", "plan": "gold", "seats": 2.0},
        {"user_id": "cleo", "plan": None, "seats": 5.0},
    ]
    assert at(date(2026, 10, 1)) == []
    assert [one["plan"] for one in at(date(2026, 11, 21))] == ["later", "from the cutoff on", None]
    assert latest_attributes(connection) == "2026-11-20 00:00:00"
    for until, plans in {"2026-11-20 00:00:00": "later", "2026-11-19 23:59:59.999999": "gold"}.items():
        assert attributes_until(connection, known, until=until)["plan"][0].as_py() == plans


SNOWFLAKE, NEIGHBOUR = 9007199254740993, 9007199254740992  # one double for both


@pytest.mark.parametrize(
    ("name", "values", "ids"),
    [
        ("users.parquet", [SNOWFLAKE, NEIGHBOUR, 7], [str(SNOWFLAKE), str(NEIGHBOUR), "7"]),
        ("users.parquet", [str(SNOWFLAKE), str(NEIGHBOUR), None], [str(SNOWFLAKE), str(NEIGHBOUR), None]),
        ("users.csv", [str(SNOWFLAKE), str(NEIGHBOUR), "7"], [str(SNOWFLAKE), str(NEIGHBOUR), "7"]),
        ("users.parquet", [1e17, 7.0, None], [None, "7", None]),  # which id it was, nobody knows
        ("users.parquet", [7, 8, None], [7.0, 8.0, None]),  # as numbers always were
    ],
)
def test_an_id_that_a_double_would_round_stays_the_text_that_it_is(
    tmp_path: Path, name: str, values: list[Any], ids: list[Any]
):
    users = [
        {"user_id": user, "valid_from": "2026-11-01", "crm_id": crm_id}
        for user, crm_id in zip("abc", values, strict=True)
    ]
    columns = {name: name for name in ("user_id", "valid_from", "crm_id")}
    read = UsersSettings(path=str(write(tmp_path / name, users)), columns=columns)
    assert attributes_of(AttributesSettings(users=read, id_column="crm_id"), tmp_path)["crm_id"] == ids


def attributes_of(settings: AttributesSettings, folder: Path) -> dict[str, list[Any]]:
    """What lists know of users by one attribute or two, all of them numbers for a model."""
    connection = connect()
    known = open_known_users(connection, settings, rejected=folder / "rejected")
    assert set(known.attributes.values()) == {"number"}  # a model's features stay what they were
    return attributes_at(connection, known, cutoff_at="timestamp '2026-11-16 00:00:00'").to_pydict()


@pytest.mark.parametrize(
    ("values", "carried"),
    [
        ([SNOWFLAKE, NEIGHBOUR, 7], [str(SNOWFLAKE), str(NEIGHBOUR), "7"]),
        ([SNOWFLAKE, None, 7], [str(SNOWFLAKE), None, "7"]),
        ([12025550123, 8, None], [12025550123.0, 8.0, None]),
        ([1e17, 7.5, None], [1e17, 7.5, None]),  # it came as a double, and is handed on as it came
    ],
)
def test_carried_numbers_that_a_double_would_round_stay_the_texts_that_they_are(
    tmp_path: Path, values: list[Any], carried: list[Any]
):
    users = [
        {"user_id": user, "valid_from": "2026-11-01", "crm_id": SNOWFLAKE + place, "account": value}
        for place, (user, value) in enumerate(zip("abc", values, strict=True))
    ]
    columns = {name: name for name in ("user_id", "valid_from", "crm_id", "account")}
    read = UsersSettings(path=str(write(tmp_path / "users.parquet", users)), columns=columns)
    found = attributes_of(AttributesSettings(users=read, id_column="crm_id", carried=("account",)), tmp_path)
    assert found["account"] == carried
    assert found["crm_id"] == [str(SNOWFLAKE), str(SNOWFLAKE + 1), str(SNOWFLAKE + 2)]
