"""The rows of a list: who is to be contacted, the riskiest first, with everything that the team needs to know."""

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue.catalogue import catalogue
from features.catalogue.fitted import FittedConstants
from features.errors import SettingsError
from serving.batch.score import REASON_SCHEMA
from serving.settings import ExportSettings, ListSettings
from serving.weekly.at_risk_list import CONTEXT, OWN_COLUMNS, ListRows, change, check_carried, export_id_of, week_of
from serving.weekly.list_reasons import ListReasons
from serving.weekly.selection import Ranking, Selection, select
from tests.serving.weekly.list_builder import candidates_of, profile_table, score_rows

# b is the riskiest, then d (held out), a, c
SCORES = score_rows([0.5, 2.0, -1.0, 1.0], ["medium", "high", "low", "high"])
PROFILES = profile_table(
    user_id=list("abcd"),
    days_since_last_event=[0.25, 1.0, 6.5, None],
    main_device_model_28d=[None, "Pixel 9", None, None],
    last_device_os=["ios", "android", None, "ios"],
    acquisition_channel=["ads", None, None, "friends"],
    amount_90d=[10.0, None, 4.0, 8.0],
)
ATTRIBUTES = pa.table(
    {
        "user_id": list("abcd"),
        "email": ["a@x.org", "b@x.org", "c@x.org", None],
        "record_id": pa.array([7001.0, 123456789012.0, 7003.0, 7004.0]),
        "language": ["de", "fr", None, "es"],
    }
)
CODES = ["trend", "usage", None]


def reasons() -> ListReasons:
    rows = [
        {
            "reason_1": f"because of {code}",
            "reason_1_code": code,
            "reason_1_feature": "events_7d",
            "reason_1_contribution": 0.5,
        }
        for code in CODES
    ]
    return ListReasons(pa.Table.from_pylist(rows, schema=REASON_SCHEMA))


def selection(held_out: str = "d", **settings: Any) -> tuple[ListRows, Selection]:
    export = {name: settings.pop(name) for name in ("id_column", "actions") if name in settings}
    before, zone = settings.pop("before", None), settings.pop("zone", "UTC")
    candidates = candidates_of(settings.pop("profiles", PROFILES), SCORES, settings.pop("attributes", ATTRIBUTES))
    one = ListSettings(name="vip", at_least="low", **settings)
    excluded = pa.array([None] * 4, pa.string())
    of = Ranking.of(SCORES, held_out=pa.array([user in held_out for user in "abcd"]).to_numpy(False), excluded=excluded)
    (found,) = select(of, [one], wanted=[candidates.wanted(one)])
    return ListRows(candidates, ExportSettings(**export), before, zone), found


def listed(**settings: Any) -> list[dict[str, Any]]:
    rows, found = selection(**settings)
    return rows.rows(found, SCORES, reasons=reasons()).to_pylist()


def test_a_row_tells_everything_of_the_riskiest_treated_user():
    rows = listed(columns=("language",), actions={"trend.high": "call them"}, before={"b": "medium"})
    probability = SCORES.column("churn_probability")[1].as_py()
    assert rows[0] == {
        "rank": 1,
        "user_id": "b",
        "churn_probability": probability,
        "percentile": 50.0,
        "risk_band": "high",
        "reason_1": "because of trend",
        "reason_1_code": "trend",
        **dict.fromkeys(("reason_2", "reason_2_code", "reason_3", "reason_3_code")),
        "last_seen": date(2026, 11, 15),  # a day before Monday the 16th
        "main_device": "Pixel 9",
        "channel": None,
        "value": None,
        "expected_loss": None,
        "expected_profit": None,
        "action": "call them",
        "band_last_week": "medium",
        "change": "rose",
        "language": "fr",
        "list": "vip",
    }
    assert [(row["rank"], row["user_id"]) for row in rows] == [(1, "b"), (2, "a"), (3, "c")]
    assert [*rows[0]] == [*OWN_COLUMNS[:-2], "language", "list"]  # the id of the export is added when it is known


def test_the_others_follow_with_what_is_known_of_them():
    _, second, third = listed()
    assert (second["last_seen"], third["last_seen"]) == (date(2026, 11, 15), date(2026, 11, 9))  # 6.5 days before
    assert (second["main_device"], second["channel"]) == ("ios", "ads")
    assert (third["main_device"], third["channel"]) == (None, None)
    assert second["expected_loss"] == 10.0 * second["churn_probability"]
    assert [row["action"] for row in (second, third)] == ["show what they have not tried yet", "get in touch"]


@pytest.mark.parametrize(
    ("zone", "cutoff", "hours", "last_seen"),
    [
        ("Europe/Berlin", date(2026, 10, 26), 24.5, date(2026, 10, 25)),  # that Sunday has 25 hours
        ("Europe/Berlin", date(2026, 10, 26), 25.5, date(2026, 10, 24)),
        ("Europe/Berlin", date(2026, 3, 30), 23.5, date(2026, 3, 28)),  # and that one 23
        ("Europe/Berlin", date(2026, 3, 30), 23.0, date(2026, 3, 29)),  # its first moment
        ("America/Havana", date(2025, 11, 2), 0.5, date(2025, 11, 1)),  # the first of two midnights
        ("Atlantic/Azores", date(2025, 10, 26), 0.5, date(2025, 10, 25)),
    ],
)
def test_the_last_day_is_a_local_one_also_where_clocks_change(zone: str, cutoff: date, hours: float, last_seen: date):
    profiles = PROFILES.set_column(
        PROFILES.column_names.index("days_since_last_event"), "days_since_last_event", pa.array([hours / 24] * 4)
    ).set_column(PROFILES.column_names.index("cutoff"), "cutoff", pa.array([cutoff] * 4, pa.date32()))
    assert {row["last_seen"] for row in listed(profiles=profiles, zone=zone)} == {last_seen}


def test_without_a_batch_of_last_week_nothing_is_said_of_it():
    assert {(row["band_last_week"], row["change"]) for row in listed()} == {(None, None)}
    rows = listed(before={"a": "high"})
    assert [(row["user_id"], row["band_last_week"], row["change"]) for row in rows] == [
        ("b", None, "new"),
        ("a", "high", "fell"),
        ("c", None, "new"),
    ]


def test_a_log_without_devices_channels_and_amounts_has_the_same_columns():
    bare = listed(profiles=profile_table(user_id=list("abcd")))
    assert [*bare[0]] == [*listed()[0]]
    assert {row[name] for row in bare for name in ("last_seen", "main_device", "channel", "value")} == {None}


def test_where_a_model_of_new_users_scored_some_the_list_says_whom():
    rows, found = selection()
    named = SCORES.append_column("scored_by", pa.array([None, "shop-new/3", None, None], pa.string()))
    table = rows.rows(found, named, reasons=reasons())
    assert table.select(["user_id", "scored_by"]).to_pylist() == [
        {"user_id": "b", "scored_by": "shop-new/3"},
        {"user_id": "a", "scored_by": None},
        {"user_id": "c", "scored_by": None},
    ]


def test_where_the_model_has_curves_their_columns_follow_the_band():
    rows, found = selection()
    curves = pa.table({"churn_probability_7d": [0.9, 0.8, 0.7], "expected_day": [None, date(2026, 12, 1), None]})
    with_curves = rows.rows(found, SCORES, reasons=reasons(), curves=curves)
    after = with_curves.column_names.index("risk_band") + 1
    assert with_curves.column_names[after : after + 2] == curves.column_names
    assert with_curves.select(curves.column_names).equals(curves)
    nobody, empty = selection(held_out="abcd")[1], ListReasons(REASON_SCHEMA.empty_table())
    assert {*curves.column_names} <= {*rows.rows(nobody, SCORES, reasons=empty, curves=curves[:0]).column_names}
    named = SCORES.append_column("scored_by", pa.array([None, "shop-new/3", None, None], pa.string()))
    of_two = rows.rows(found, named, reasons=reasons(), curves=curves)
    assert of_two.column("churn_probability_7d").to_pylist() == [None, 0.8, 0.7]  # the curves are the champion's
    assert with_curves.drop_columns(curves.column_names).equals(rows.rows(found, SCORES, reasons=reasons()))


def test_a_list_that_holds_everybody_out_is_empty_and_has_its_columns():
    rows, found = selection(held_out="abcd")
    empty = rows.rows(found, SCORES, reasons=ListReasons(REASON_SCHEMA.empty_table()))
    assert (empty.num_rows, [*empty.column_names]) == (0, [*OWN_COLUMNS[:-1]])
    assert rows.held_out_ids(found) == ["a", "b", "c", "d"]


# --- The account, and those held out ---------------------------------------------------------------------------------


def test_entries_hold_both_arms_the_riskiest_first():
    rows, found = selection()
    told = rows.entries(found, SCORES).to_pylist()
    assert [(row["user_id"], row["arm"], row["raw_score"], row["risk_band"], row["value"]) for row in told] == [
        ("b", "treated", 2.0, "high", None),
        ("d", "held_out", 1.0, "high", 8.0),
        ("a", "treated", 0.5, "medium", 10.0),
        ("c", "treated", -1.0, "low", 4.0),
    ]
    assert [row["churn_probability"] for row in told] == [
        SCORES.column("churn_probability")[place].as_py() for place in (1, 3, 0, 2)
    ]


@pytest.mark.parametrize(
    ("id_column", "ids"),
    [
        ("user_id", ["b", "d"]),  # by user id: the order tells no risk
        ("email", ["b@x.org", None]),  # d has none
        ("record_id", ["123456789012", "7004"]),  # as the tool writes whole numbers
    ],
)
def test_the_held_out_are_named_as_the_tool_knows_them(id_column: str, ids: list[str]):
    rows, found = selection(held_out="db", id_column=id_column)
    assert rows.held_out_ids(found) == ids
    rows, found = selection(held_out="db")
    assert rows.held_out_ids(found, by=id_column) == ids


def test_the_id_of_the_tool_follows_the_user_id():
    rows = listed(id_column="email", columns=("email", "language"))
    assert [*rows[0]][:3] == ["rank", "user_id", "email"]
    assert [row["email"] for row in rows] == ["b@x.org", "a@x.org", "c@x.org"]


# --- Columns that are refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words", "hint"),
    [
        (
            {"columns": ("langage",)},
            r'\[\[lists\]\] vip: columns: "langage" is not an attribute of \[users\]',
            "language",
        ),
        ({"columns": ("events_28d",)}, '"events_28d" is not an attribute', ""),
        ({"id_column": "e_mail"}, r'\[export\] id_column: "e_mail" is not an attribute of \[users\]', "email"),
        (
            {"columns": ("email",), "attributes": None},
            '"email" is not an attribute',
            r"map attributes in [users.columns]",
        ),
    ],
)
def test_a_column_that_is_not_an_attribute_is_refused_by_the_name_of_its_setting(
    settings: dict[str, Any], words: str, hint: str
):
    with pytest.raises(SettingsError, match=words) as caught:
        listed(**settings)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "name", ["channel", "value", "list", "rank", "reason_1", "project", "week", "as_of", "reason_2_contribution"]
)
def test_an_attribute_that_is_called_like_a_column_of_lists_or_of_their_table_is_refused(name: str):
    with pytest.raises(SettingsError, match=f'"{name}" is the name of a column of lists') as caught:
        check_carried([name], [name, "email"], setting="[[lists]] vip: columns")
    assert f"their_{name}" in caught.value.hint


# --- Names and ids ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cutoff", "name"),
    [
        (date(2026, 11, 16), "2026-W47"),
        (date(2026, 11, 22), "2026-W47-7"),
        (date(2027, 1, 1), "2026-W53-5"),
        (date(2026, 1, 5), "2026-W02"),
    ],
)
def test_a_list_is_named_by_its_iso_week(cutoff: date, name: str):
    assert week_of(cutoff) == name


@given(day=st.dates(date(2000, 1, 1), date(2100, 1, 1)), later=st.integers(1, 400))
def test_no_two_days_have_a_name_in_common(day: date, later: int):
    assert week_of(day) != week_of(day + timedelta(days=later))


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (None, "low", "new"),
        ("low", "medium", "rose"),
        ("low", "high", "rose"),
        ("high", "low", "fell"),
        ("medium", "medium", "same"),
    ],
)
def test_a_change_is_said_from_the_point_of_view_of_the_risk(before: Any, now: Any, said: str):
    assert change(before, now) == said


def test_an_export_id_is_a_digest_of_the_entries_and_of_what_decided_them():
    rows, found = selection()
    entries = rows.entries(found, SCORES)
    own = export_id_of([entries], "settings", "2026-Q4")
    assert own == export_id_of([rows.entries(found, SCORES)], "settings", "2026-Q4")
    assert len(own) == 16
    int(own, 16)
    others = [
        export_id_of([entries], "settings", "2027-Q1"),
        export_id_of([entries], "setting", "s2026-Q4"),
        export_id_of([entries.slice(1)], "settings", "2026-Q4"),
        export_id_of([rows.entries(selection(held_out="a")[1], SCORES)], "settings", "2026-Q4"),
        export_id_of([entries.take(pa.array([1, 0, 2, 3]))], "settings", "2026-Q4"),
    ]
    assert len({own, *others}) == 6


def test_what_a_list_shows_beyond_the_model_changes_no_reason():
    """Else the batch, whose profiles have these columns as well, would explain scores in other words than the endpoint."""
    companions = {one.usual[0] for one in catalogue((7, 28), FittedConstants(("view",))) if one.usual}
    assert not companions & {*CONTEXT}
