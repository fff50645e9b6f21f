"""Presets of marketing tools are data, and the names that a team gives win over them."""

import pyarrow as pa
import pytest

from features.errors import SettingsError
from serving.weekly.files.upload_format import UploadFormat, upload_format

LIST = ["rank", "user_id", "churn_probability", "risk_band", "reason_1", "action", "list", "email"]


def test_braze_knows_users_by_external_id_and_gets_custom_attributes():
    form = upload_format("braze", LIST)
    assert (form.id_column, form.id_name, form.left) == ("user_id", "external_id", "none")
    assert form.columns == {
        "risk_band": "churn_risk_band",
        "reason_1": "churn_reason",
        "action": "churn_action",
        "list": "churn_list",
    }


def test_hubspot_knows_contacts_by_e_mail_and_better_by_record_id():
    assert (upload_format("hubspot", LIST).id_column, upload_format("hubspot", LIST).id_name) == ("email", "Email")
    form = upload_format("hubspot", [*LIST, "record_id"])
    assert (form.id_column, form.id_name) == ("record_id", "Record ID")
    assert "Email" not in form.columns.values()


def test_hubspot_without_an_e_mail_or_a_record_id_is_refused_with_the_way_out():
    with pytest.raises(
        SettingsError, match='hubspot matches users by "Record ID" or "Email"; the list has none'
    ) as raised:
        upload_format("hubspot", LIST[:-1])
    assert 'crm_id = "Email"' in raised.value.hint
    with pytest.raises(SettingsError, match='the column "user_id" is neither'):
        upload_format("hubspot", LIST, id_column="user_id")


def test_a_column_that_is_renamed_to_an_id_of_the_tool_is_the_id():
    form = upload_format("hubspot", [*LIST, "crm_mail"], renames={"crm_mail": "Email"})
    assert (form.id_column, form.id_name) == ("crm_mail", "Email")


def test_the_names_of_the_team_win_and_add_and_remove_columns():
    renames = {"risk_band": "band", "churn_probability": "churn_risk", "action": ""}
    form = upload_format("braze", LIST, id_column="email", renames=renames | {"email": "email"})
    assert (form.id_column, form.id_name) == ("email", "email")
    assert form.columns == {
        "risk_band": "band",
        "reason_1": "churn_reason",
        "list": "churn_list",
        "churn_probability": "churn_risk",
    }


@pytest.mark.parametrize(
    ("preset", "options", "message", "hint"),
    [
        ("brase", {}, 'there is no preset "brase"', 'did you mean "braze"?'),
        ("braze", {"renames": {"risk_bnd": "x"}}, 'the list has no column "risk_bnd"', 'did you mean "risk_band"?'),
        ("plain", {"id_column": "mail"}, 'the list has no column "mail"', 'did you mean "email"?'),
        ("braze", {"renames": {"rank": "churn_list"}}, "several columns are named churn_list", "a name of its own"),
    ],
)
def test_what_cannot_be_is_refused(preset: str, options: dict[str, dict[str, str]], message: str, hint: str):
    with pytest.raises(SettingsError, match=message) as raised:
        upload_format(preset, LIST, **options)  # type: ignore[arg-type]
    assert hint in raised.value.hint


def test_what_one_of_several_lists_lacks_is_refused_with_its_name_and_how_to_carry_it_along():
    with pytest.raises(SettingsError, match='the list others has no column "email"') as raised:
        upload_format("plain", LIST[:-1], renames={"email": "Mail"}, list_name="others")
    assert "an attribute of [users] is carried along by [[lists]] columns" in raised.value.hint
    with pytest.raises(SettingsError, match="the list others has none of"):
        upload_format("hubspot", LIST[:-1], list_name="others")


def test_a_blank_cannot_say_that_a_user_left_the_list():
    with pytest.raises(SettingsError, match="blank, which tools ignore"):
        UploadFormat("user_id", "id", {}, left=" ")


def test_who_left_the_list_gets_a_value_of_the_type_of_each_attribute():
    form = UploadFormat("user_id", "id", {"a": "A"}, left_values={"value": "-1"})
    kinds = [
        pa.string(),
        pa.int64(),
        pa.float64(),
        pa.decimal128(9, 2),
        pa.bool_(),
        pa.date32(),
        pa.timestamp("s", "UTC"),
    ]
    assert [form.left_of("a", kind) for kind in kinds] == [
        "none",
        "0",
        "0",
        "0",
        "false",
        "1970-01-01",
        "1970-01-01T00:00:00Z",
    ]
    assert form.left_of("value", pa.float64()) == "-1"
