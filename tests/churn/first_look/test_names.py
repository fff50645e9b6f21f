"""The vocabulary: what names of several languages say, and what they do not."""

from __future__ import annotations

import pytest

from churn.first_look.evidence.names import (
    is_arrival,
    is_duration,
    is_event_time,
    is_other_time,
    means_cancelled,
    normal,
    person_rank,
    role_of,
    type_rank,
    units_a_second,
)
from churn.first_look.evidence.nested import inspected_fields

PEOPLE = (
    *("user_id", "userId", "CustomerID", "cust", "Kundennummer", "id_client", "Numéro client", "ID_Cliente"),
    *(
        "id_do_usuário",
        "Номер клиента",
        "id_пользователя",
        "用户ID",
        "ユーザーID",
        "ід_користувача",
        "kupac_id",
        "מזהה_לקוח",
        "会員番号",
        "properties.distinct_id",
        "user.id",
    ),
)
NOBODY = ("user_agent", "customer_type", "user_cohort", "device", "device_type", "id", "name", "session_id", "order_id")


@pytest.mark.parametrize("name", PEOPLE)
def test_a_name_says_who(name: str):
    assert person_rank(normal(name)) == 0


@pytest.mark.parametrize("name", NOBODY)
def test_a_name_says_something_else_than_who(name: str):
    assert person_rank(normal(name)) is None


def test_contacts_devices_and_groups_come_after_people():
    assert [person_rank(normal(name)) for name in ("E-Mail", "device_id", "account_id")] == [1, 2, 3]


@pytest.mark.parametrize(
    "name", ["event_time", "Created at", "Bestelldatum", "date_commande", "Время события", "日時", "时间戳"]
)
def test_a_name_says_when(name: str):
    assert is_event_time(normal(name))
    assert not is_other_time(normal(name))


@pytest.mark.parametrize(
    "name",
    [
        "updated_at",
        "ship_date",
        "Geburtsdatum",
        "signup_date",
        "Lieferdatum",
        "last_login",
        "letzter_Kauf",
        "dernière_commande",
        "最終購入日",
    ],
)
def test_a_name_says_when_something_else_happened(name: str):
    assert is_other_time(normal(name))


def test_arrivals_types_roles_and_units():
    assert is_arrival("received_at")
    assert (type_rank("event_name"), type_rank("kind"), type_rank("status")) == (0, 3, None)
    assert (role_of("platform"), role_of("kanal"), role_of("color")) == ("device_os", "channel", None)
    assert [units_a_second(name) for name in ("duration_ms", "total_secs", "watch_minutes", "dauer")] == [
        1000,
        1,
        1 / 60,
        None,
    ]


def test_cancelled_orders_are_told_by_their_words():
    assert all(
        map(
            means_cancelled,
            ("cancelled", "Storniert", "Rücksendung", "partially_refunded", "отменён", "キャンセル済み", "已退款"),
        )
    )
    assert all(map(means_cancelled, ("return", "charge_back", "Chargeback", "Gutschrift", "credit note", "reversal")))
    assert not any(map(means_cancelled, ("paid", "returning", "shipped", "offen", "credit_card")))


def test_how_long_somebody_used_it_is_told_from_how_long_other_things_are():
    assert all(map(is_duration, ("duration_ms", "session_duration", "watch_seconds", "dauer")))
    others = ("track_duration_ms", "video_length_seconds", "latency_seconds", "response_time_secs", "age_seconds")
    assert not any(map(is_duration, (*others, "expected_duration_min", "utc_offset_seconds", "seconds_since_login")))


def test_of_too_many_fields_those_that_say_what_they_are_are_inspected():
    names = [*(f"p{n}" for n in range(410)), "payload.ts", "user_id"]
    inspected, words = inspected_fields(names)
    assert inspected == [*(f"p{n}" for n in range(398)), "payload.ts", "user_id"]
    assert words == "12 of 412 fields were not inspected: p398, p399, p400, p401, p402, ..."
