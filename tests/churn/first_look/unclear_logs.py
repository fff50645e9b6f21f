"""Logs whose users or events are not what a first look at them says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.churn.first_look.awkward import Awkward, kind, text

ROWS, USERS = 400, 24
_WHO, _WHEN = frozenset({"user_id"}), frozenset({"event_time"})


def who(row: int) -> int:
    """Which of 24 users, in no order."""
    return (row * 5 // 3 + row // 11) % USERS


def when(row: int) -> datetime:
    """When: at most times of day of 150 days."""
    return datetime(2025, 1, 6, 8, 3, 11, tzinfo=UTC) + timedelta(hours=9 * row % 3600, minutes=row * 37 % 540)


def stamp(row: int) -> str:
    return f"{when(row):%Y-%m-%d %H:%M:%S}"


def log(
    name: str, header: str, line: Callable[[int], str], *, rows: int = ROWS, encoding: str = "utf-8", **expected: object
) -> Awkward:
    """Return a CSV file and what is expected of it."""
    return Awkward(name, text("log.csv", header, line, rows=rows, encoding=encoding), **expected)  # pyright: ignore[reportArgumentType]


def _again(row: int) -> int:
    """The row itself, or one of the first again: a seventh came twice."""
    return row if row < ROWS * 6 // 7 else (row - ROWS * 6 // 7) * 5


def _received(row: int) -> str:
    return f"{when(_again(row)) + timedelta(seconds=row):%Y-%m-%d %H:%M:%S}"


PEOPLE = (
    # --- Devices and visitors of accounts --------------------------------------------------------------------------------
    *(
        log(
            f"{several} of {account}",
            f"{several},{account},ts,event",
            lambda row: f"d{who(row) * 2 + row % 2},a{who(row)},{stamp(row)},{kind(row)}",
            asks=_WHO,
        )
        for several, account in (
            ("device_id", "account_id"),
            ("anonymous_id", "account_id"),
            ("visitor_id", "account_id"),
            ("Gerät-ID", "Konto"),
            ("设备ID", "账号"),
        )
    ),
    log(
        "one tablet of several accounts, of which some are absent",
        "device_id,account_id,ts,event",
        lambda row: f"d{who(row) // 3},{f'a{who(row)}' if row % 3 else ''},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "an account for each device",
        "device_id,account_id,ts,event",
        lambda row: f"d{who(row)},a{who(row)},{stamp(row)},{kind(row)}",
        columns={"user_id": "device_id"},
    ),
    # --- Ids that start again --------------------------------------------------------------------------------------------
    log(
        "ids of each tenant",
        "tenant_id,user_id,ts,event",
        lambda row: f"t{row % 4},{1 + who(row)},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "ids of each tenant, of which some are small",
        "tenant_id,user_id,ts,event",
        lambda row: f"t{row % 4},u{1 + who(row) % (24, 12, 8, 4)[row % 4]},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "numbers of each shop",
        "Filiale;Kundennummer;Datum;Betrag",
        lambda row: f"F{row % 4};{1 + who(row):04};{when(row):%d.%m.%Y %H:%M};{row % 90},50",
        asks=_WHO,
    ),
    log(
        "numbers of each shop, in Japanese",
        "店舗,会員番号,購入日時,金額",
        lambda row: f"店{row % 4},{1 + who(row)},{stamp(row)},{row % 90}00",
        asks=_WHO,
    ),
    log(
        "members of households",
        "household_id,member_no,ts,event",
        lambda row: f"h{who(row)},{1 + row % 6},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "customers who come to several shops",
        "store,customer_id,date,amount",
        lambda row: f"s{row % 4},{4711 + 13 * who(row)},{stamp(row)},{row % 90}.50",
        columns={"user_id": "customer_id"},
    ),
    log(
        "users who are each of one team",
        "team_id,user_id,ts,event",
        lambda row: f"t{who(row) % 4},{1 + who(row)},{stamp(row)},{kind(row)}",
        columns={"user_id": "user_id"},
    ),
    log(
        "accounts of customers",
        "account_id,customer_id,date,amount",
        lambda row: f"{1 + who(row) * 2 + row % 2},{1 + who(row)},{stamp(row)},{row % 90}.50",
        columns={"user_id": "customer_id"},
    ),
    # --- Nobody ------------------------------------------------------------------------------------------------------------
    *(
        log(
            f"a quarter of {nobody}",
            "user_id,event_time,event",
            lambda row, nobody=nobody: f"{f'u{who(row)}' if row % 4 else nobody},{stamp(row)},{kind(row)}",
            columns={"user_id": "user_id"},
            notes=f"user_id is {nobody} in many rows",
        )
        for nobody in ("ゲスト", "游客", "гость", "Invitado", "misafir", "Invité", "convidado", "게스트")
    ),
    log(
        "a user with a fifth of the rows",
        "user_id,event_time,event",
        lambda row: f"u{who(row) if row % 5 else 'X'},{stamp(row)},{kind(row)}",
        notes="one value of user_id has 20 % of the rows",
    ),
    # --- Spreadsheets ------------------------------------------------------------------------------------------------------
    log(
        "ids as a spreadsheet shows them",
        "customer_id,ts,event",
        lambda row: f"{4_915_112_000_000 + who(row) * 61_234_567_890:.2E},{stamp(row)},{kind(row)}",
        refuses="customer_id was rounded by a spreadsheet",
    ),
    log(
        "ids as a spreadsheet shows them, with decimal commas",
        "Kundennummer;Zeitpunkt;Ereignis",
        lambda row: (
            f"{f'{4_915_112_000_000 + who(row) * 61_234_567_890:.2E}'.replace('.', ',')};{stamp(row)};{kind(row)}"
        ),
        refuses="Kundennummer was rounded by a spreadsheet",
    ),
    log(
        "times as a spreadsheet shows them",
        "user_id,timestamp,event",
        lambda row: f"u{who(row)},{when(row).timestamp() * 1000:.5E},{kind(row)}",
        refuses="timestamp was rounded by a spreadsheet",
    ),
)
EVENTS = (
    *(
        log(
            f"rows that came again with the same {name}",
            f"{name},user_id,ts,event,{how}",
            lambda row: (
                f"{_again(row):08x}-x,u{who(_again(row))},{stamp(_again(row))},{kind(_again(row))},{2025 + row}"
            ),
            settings={"event_id": name},
        )
        for name, how in (
            ("id", "batch"),
            ("uuid", "file_name"),
            ("transaction_id", "batch"),
            ("message_id", "offset"),
            ("order_id", "attempt"),
            ("이벤트번호", "batch"),
            ("olay_id", "batch"),
            ("id_zdarzenia", "partia"),
        )
    ),
    log(
        "rows that came again, and when they did",
        "id,user_id,ts,event,received_at",
        lambda row: f"{_again(row)}-x,u{who(_again(row))},{stamp(_again(row))},{kind(_again(row))},{_received(row)}",
        columns={"ingested_at": "received_at"},
        settings={"event_id": "id"},
    ),
    log(
        "rows of the same id, user and time that say something else",
        "id,user_id,ts,event,page",
        lambda row: f"{_again(row)}-x,u{who(_again(row))},{stamp(_again(row))},{kind(_again(row))},p{row}",
        asks=frozenset({"event_id"}),
    ),
    log(
        "the lines of orders",
        "transaction_id,customer_id,ts,product",
        lambda row: f"T{row * 2 // 3:05},c{who(row * 2 // 3)},{stamp(row * 2 // 3)},p{row % 7}",
        without=("event_id",),
    ),
    log(
        "ids that start again in each batch",
        "id,user_id,ts,event",
        lambda row: f"{row % 250}-x,u{who(row)},{stamp(row)},{kind(row)}",
        without=("event_id",),
    ),
)
