"""Awkward logs, and what a first look must make of each: the right columns, the right question, or a refusal in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 90
Row = Sequence[object]


@dataclass(frozen=True)
class Awkward:
    """A log and what is expected.

    Attributes
    ----------
    columns
        Contract column to its expression.
    asks
        Keys of the questions.
    refuses
        What the refusal matches.
    settings
        Keys of ``[events]`` and ``[events.format]``.
    notes
        What some note says.
    """

    name: str
    write: Callable[[Path], Path]
    columns: dict[str, str] = field(default_factory=dict[str, str])
    asks: frozenset[str] = frozenset()
    refuses: str = ""
    settings: dict[str, object] = field(default_factory=dict[str, object])
    notes: str = ""
    without: tuple[str, ...] = ()


def moment(row: int) -> datetime:
    """When a row happened: all days of two months, most times of day."""
    return datetime(2024, 3, 1, 6, 7, 9, tzinfo=UTC) + timedelta(hours=17 * row)


def early(row: int) -> datetime:
    """As :func:`moment`, on the first twelve days of months only."""
    return datetime(2024, 1 + row % 11, 1 + (7 * row) % 12, row % 24, 30, tzinfo=UTC)


def user(row: int) -> int:
    """Who: 13 users, each in several rows."""
    return 1000 + (row * row) % 13


def kind(row: int) -> str:
    """What happened."""
    return ("view", "cart", "buy")[row % 3]


def text(
    name: str, header: str, line: Callable[[int], str], *, encoding: str = "utf-8", rows: int = ROWS
) -> Callable[[Path], Path]:
    """Write a text file."""

    def write(folder: Path) -> Path:
        lines = [header] if header else []
        (folder / name).write_text("\n".join([*lines, *(line(row) for row in range(rows))]) + "\n", encoding=encoding)
        return folder / name

    return write


def parquet(**columns: Callable[[int], object]) -> Callable[[Path], Path]:
    """Write a Parquet file."""

    def write(folder: Path) -> Path:
        table = pa.table({name: [value(row) for row in range(ROWS)] for name, value in columns.items()})
        pq.write_table(table, folder / "log.parquet")
        return folder / "log.parquet"

    return write


def lines_of_json(value: Callable[[int], object]) -> Callable[[Path], Path]:
    """Write JSON Lines."""
    return text("log.jsonl", "", lambda row: json.dumps(value(row), ensure_ascii=False))


def _epoch(row: int, scale: int) -> int:
    return int(moment(row).timestamp()) * scale


def _comma(value: float) -> str:
    whole, _, cents = f"{value:,.2f}".partition(".")
    return whole.replace(",", ".") + "," + cents


USUAL = {"user_id": "user_id", "event_time": "event_time", "event_type": "event_type"}
AWKWARD = (
    # --- Times -------------------------------------------------------------------------------------------------------
    *(
        Awkward(
            f"epoch in {unit}",
            text(
                "log.csv",
                "user_id,ts,event_type",
                lambda row, scale=scale: f"u{user(row)},{_epoch(row, scale)},{kind(row)}",
            ),
            {"user_id": "user_id", "event_time": "ts", "event_type": "event_type"},
        )
        for unit, scale in {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}.items()
    ),
    Awkward(
        "day first, as some days above 12 say",
        text(
            "log.csv", "user_id,date,event_type", lambda row: f"u{user(row)},{moment(row):%d/%m/%Y %H:%M},{kind(row)}"
        ),
        {"event_time": "strptime(\"date\", '%d/%m/%Y %H:%M')"},
    ),
    Awkward(
        "month first, as some days above 12 say",
        text(
            "log.csv",
            "user_id,date,event_type",
            lambda row: f"u{user(row)},{moment(row):%m/%d/%Y %I:%M %p},{kind(row)}",
        ),
        {"event_time": "strptime(\"date\", '%m/%d/%Y %I:%M %p')"},
    ),
    Awkward(
        "no day above 12",
        text("log.csv", "user_id,date,event_type", lambda row: f"u{user(row)},{early(row):%d/%m/%Y},{kind(row)}"),
        asks=frozenset({"date_order"}),
    ),
    Awkward(
        "no day above 12, in dots and two digits of the year",
        text("log.csv", "kunde;datum;typ", lambda row: f"k{user(row)};{early(row):%d.%m.%y};{kind(row)}"),
        asks=frozenset({"date_order"}),
    ),
    Awkward(
        "a date and a time of day",
        text(
            "log.csv",
            "user_id,event_date,event_time,action",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%d},{moment(row):%H:%M:%S},{kind(row)}",
        ),
        {"event_time": "event_date || ' ' || event_time", "event_type": "action"},
    ),
    Awkward(
        "a German date and a time of day",
        text(
            "log.csv",
            "Kundennummer;Datum;Uhrzeit;Aktion",
            lambda row: f"{user(row)};{moment(row):%d.%m.%Y};{moment(row):%H:%M};{kind(row)}",
        ),
        {
            "user_id": "Kundennummer",
            "event_time": "strptime(Datum || ' ' || Uhrzeit, '%d.%m.%Y %H:%M')",
            "event_type": "Aktion",
        },
    ),
    Awkward(
        "compact dates",
        text("log.csv", "member_id,day,n", lambda row: f"{user(row)},{moment(row):%Y%m%d},{1 + row % 4}"),
        {"user_id": "member_id", "event_time": "day", "count": "n"},
    ),
    Awkward(
        "weeks of ISO",
        text("log.csv", "user_id,week,visits", lambda row: f"u{user(row)},{moment(row):%G-W%V},{1 + row % 4}"),
        {"event_time": "strptime(week || '-1', '%G-W%V-%u')"},
        notes="weeks only",
    ),
    Awkward(
        "times with offsets",
        text(
            "log.csv",
            "uid,at,what,type",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%dT%H:%M:%S}+02:00,x{row},{kind(row)}",
        ),
        {"user_id": "uid", "event_time": "at", "event_type": "type"},
        without=("timezone",),
    ),
    Awkward(
        "two times of different things",
        text(
            "log.csv",
            "customer_id,order_date,payment_date,total",
            lambda row: (
                f"{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{moment(row) + timedelta(days=row % 5 + 1):%Y-%m-%d %H:%M:%S},{row}.50"
            ),
        ),
        asks=frozenset({"event_time"}),
    ),
    Awkward(
        "the day of signing up, the event, and its arrival",
        text(
            "log.csv",
            "user_id,signup_date,event_time,received_at,event_type",
            lambda row: (
                f"u{user(row)},2023-01-{user(row) % 13 + 1:02},{moment(row):%Y-%m-%d %H:%M:%S},{moment(row) + timedelta(hours=row % 3):%Y-%m-%d %H:%M:%S},{kind(row)}"
            ),
        ),
        {"event_time": "event_time", "ingested_at": "received_at"},
    ),
    Awkward(
        "times as a spreadsheet counts days",
        text("log.csv", "user_id,date,event_type", lambda row: f"u{user(row)},{45000 + row},{kind(row)}"),
        refuses="no column can be read as times",
    ),
    # --- Files -------------------------------------------------------------------------------------------------------
    Awkward(
        "a byte order mark, semicolons and decimal commas",
        text(
            "log.csv",
            "E-Mail;Bestelldatum;Betrag;Status",
            lambda row: (
                f"k{user(row)}@example.de;{moment(row):%Y-%m-%d %H:%M};{_comma(row * 37.5 - 90)};{('bezahlt', 'storniert')[row % 5 == 0]}"
            ),
            encoding="utf-8-sig",
        ),
        {"user_id": '"E-Mail"', "event_time": "Bestelldatum", "amount": "Betrag", "event_type": "'purchase'"},
        settings={"decimal": ","},
        notes="storniert",
    ),
    Awkward(
        "UTF-16 and tabs",
        text(
            "log.tsv",
            "user_id\tevent_time\tevent_type",
            lambda row: f"ü{user(row)}\t{moment(row):%Y-%m-%d %H:%M:%S}\t{kind(row)}",
            encoding="utf-16",
        ),
        USUAL,
    ),
    Awkward(
        "Latin-1",
        text(
            "log.csv",
            "user_id;event_time;Straße;event_type",
            lambda row: f"u{user(row)};{moment(row):%Y-%m-%d %H:%M:%S};Köln;{kind(row)}",
            encoding="latin-1",
        ),
        USUAL,
        settings={"encoding": "latin-1"},
    ),
    Awkward(
        "a code page that is not read",
        text(
            "log.csv",
            "用户,时间,行为",
            lambda row: f"用户{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},点击",
            encoding="gbk",
        ),
        refuses="neither UTF-8",
    ),
    Awkward(
        "no header, nothing that names a column",
        text("log.csv", "", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}"),
        asks=frozenset({"user_id"}),
    ),
    Awkward(
        "titles above the header",
        text(
            "log.csv",
            "Export of all events\nmade on Monday\nuser_id,event_time,event_type",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
        ),
        USUAL,
        settings={"skip": 2},
    ),
    Awkward(
        "commas between thousands",
        text(
            "log.csv",
            "user_id|event_time|amount",
            lambda row: f"u{user(row)}|{moment(row):%Y-%m-%d %H:%M:%S}|{row * 371.25:,.2f}",
        ),
        {"amount": "cast(replace(amount, ',', '') as double)"},
    ),
    Awkward(
        "three digits behind every mark",
        text(
            "log.csv",
            "user_id;event_time;amount",
            lambda row: f"u{user(row)};{moment(row):%Y-%m-%d %H:%M:%S};{row + 1}.{100 + row}",
        ),
        {"user_id": "user_id"},
        notes="between thousands",
        without=("amount",),
    ),
    # --- Languages ---------------------------------------------------------------------------------------------------
    Awkward(
        "Chinese",
        text(
            "日志.csv",
            "用户ID,商品,行为类型,时间戳",
            lambda row: f"{user(row)},p{row % 7},{('浏览', '购买')[row % 2]},{_epoch(row, 1)}",
        ),
        {"user_id": "用户ID", "event_time": "时间戳", "event_type": "行为类型"},
    ),
    Awkward(
        "French",
        text(
            "commandes.csv",
            "numéro;id_client;date_commande;montant",
            lambda row: f"C{row};{user(row)};{moment(row):%d/%m/%Y %H:%M};{_comma(row * 9.25)}",
        ),
        {"user_id": "id_client", "event_time": "strptime(date_commande, '%d/%m/%Y %H:%M')", "amount": "montant"},
        settings={"decimal": ","},
    ),
    Awkward(
        "Spanish",
        text(
            "pedidos.csv",
            "pedido,cliente,fecha_pedido,importe,canal",
            lambda row: f"P{row},{user(row)},{moment(row):%Y-%m-%d},{row}.20,{('web', 'tienda')[row % 2]}",
        ),
        {"user_id": "cliente", "event_time": "fecha_pedido", "amount": "importe", "channel": "canal"},
    ),
    Awkward(
        "Portuguese",
        text(
            "eventos.csv",
            "id_do_usuário,data_hora,ação,dispositivo",
            lambda row: f"{user(row)},{moment(row):%Y-%m-%dT%H:%M:%SZ},{kind(row)},celular",
        ),
        {"user_id": "id_do_usuário", "event_time": "data_hora", "event_type": "ação", "device_model": "dispositivo"},
    ),
    Awkward(
        "Russian",
        text(
            "log.csv",
            "Номер клиента;Время события;Событие;Сумма",
            lambda row: f"{user(row)};{moment(row):%Y-%m-%d %H:%M:%S};{('вход', 'заказ')[row % 2]};{row},50",
        ),
        {"user_id": "Номер клиента", "event_time": "Время события", "event_type": "Событие", "amount": "Сумма"},
        settings={"decimal": ","},
    ),
    Awkward(
        "Japanese",
        text(
            "log.csv",
            "会員番号,日時,イベント名,金額",
            lambda row: f"{user(row)},{moment(row):%Y/%m/%d %H:%M:%S},{('閲覧', '購入')[row % 2]},{row * 100}",
        ),
        {"user_id": "会員番号", "event_time": "日時", "event_type": "イベント名", "amount": "金額"},
    ),
    # --- Users -------------------------------------------------------------------------------------------------------
    Awkward(
        "e-mails as ids",
        text(
            "log.csv",
            "email,created_at,event",
            lambda row: f"u{user(row)}@example.com,{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
        ),
        {"user_id": "email", "event_time": "created_at", "event_type": "event"},
    ),
    Awkward(
        "two ids of users that disagree",
        text(
            "log.csv",
            "user_id,customer_id,event_time,event_type",
            lambda row: f"u{user(row)},c{row % 17},{moment(row):%Y-%m-%d},{kind(row)}",
        ),
        asks=frozenset({"user_id"}),
    ),
    Awkward(
        "a user id with gaps, and the id of a device",
        text(
            "log.csv",
            "user_id,device_id,event_time,event_type",
            lambda row: f"{'' if row % 3 else f'u{user(row)}'},d{user(row)},{moment(row):%Y-%m-%d},{kind(row)}",
        ),
        asks=frozenset({"user_id"}),
    ),
    Awkward(
        "no name says who, but values might",
        text("log.csv", "a,b,c", lambda row: f"x{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}"),
        asks=frozenset({"user_id"}),
    ),
    Awkward(
        "a client that is an app, and a person",
        text(
            "log.csv",
            "client,person,timestamp,event",
            lambda row: f"{('ios', 'web')[row % 2]},p{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
            rows=200,
        ),
        {"user_id": "person", "event_time": "timestamp"},
    ),
    Awkward(
        "an id for everybody who is not known",
        text(
            "log.csv",
            "user_id,event_time,event",
            lambda row: f"{user(row) if row % 3 else -1},{moment(row):%Y-%m-%d},{kind(row)}",
        ),
        {"user_id": "user_id"},
        notes="as where nobody is known",
    ),
    Awkward(
        "money with its currency",
        text("log.csv", "user_id,event_time,amount", lambda row: f"{user(row)},{moment(row):%Y-%m-%d},${row}.99"),
        {"event_type": "'event'"},
        without=("amount",),
        notes="not plain numbers",
    ),
    Awkward(
        "seconds with a fraction",
        text("log.csv", "user_id,timestamp,event", lambda row: f"{user(row)},{_epoch(row, 1)}.25,{kind(row)}"),
        {"event_time": "timestamp"},
        without=("timezone",),
    ),
    Awkward(
        "a column that is named as months",
        text("log.csv", "user_id,month,visits", lambda row: f"{user(row)},{moment(row):%Y-%m},{row % 9}"),
        {"event_time": "strptime(month || '-01', '%Y-%m-%d')"},
        notes="months only",
    ),
    # --- Rows --------------------------------------------------------------------------------------------------------
    Awkward(
        "rows that were counted",
        parquet(user_id=user, event_date=lambda row: moment(row).date(), action=kind, count=lambda row: 1 + row % 5),
        {"user_id": "user_id", "event_time": "event_date", "event_type": "action", "count": "count"},
    ),
    Awkward(
        "events that came twice",
        text(
            "log.csv",
            "event_id,user_id,event_time,event_type",
            lambda row: f"e{row % 60},u{user(row % 60)},{moment(row % 60):%Y-%m-%d %H:%M:%S},{kind(row % 60)}",
        ),
        USUAL,
        settings={"event_id": "event_id"},
    ),
    Awkward(
        "refunds",
        text(
            "log.csv",
            "order_id,customer_id,order_date,total_amount",
            lambda row: f"o{row},{user(row)},{moment(row):%Y-%m-%d},{-20 if row % 9 == 0 else row}.75",
        ),
        {"user_id": "customer_id", "amount": "total_amount", "event_type": "'purchase'"},
        notes="negative amount",
    ),
    Awkward(
        "a quantity and the price of one",
        text(
            "log.csv",
            "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID",
            lambda row: (
                f"{536365 + row // 3},s{row % 7},{row % 5 - 1},{moment(row):%d.%m.%Y %H:%M},{row}.99,{user(row)}"
            ),
        ),
        {
            "user_id": "CustomerID",
            "amount": "Quantity * UnitPrice",
            "event_time": "strptime(InvoiceDate, '%d.%m.%Y %H:%M')",
        },
        notes="negative quantity",
    ),
    Awkward(
        "a duration in milliseconds, sessions, an app",
        lines_of_json(
            lambda row: {
                "user": {"id": f"u{user(row)}"},
                "ts": _epoch(row, 1000),
                "name": "x",
                "event": {"name": kind(row)},
                "session_id": f"s{user(row)}-{row // 30}",
                "duration_ms": 100 * row,
                "context": {"os": "ios", "app_version": "1.10"},
            }
        ),
        {
            "user_id": "user.id",
            "event_time": "ts",
            "event_type": "event.name",
            "session_id": "session_id",
            "duration_seconds": "duration_ms / 1000",
            "device_os": "context.os",
            "app_version": "context.app_version",
        },
    ),
    Awkward(
        "a duration without a unit",
        text(
            "log.csv",
            "user_id,event_time,event_type,duration",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)},{row * 7}",
        ),
        USUAL,
        without=("duration_seconds",),
        notes="its unit",
    ),
    # --- Not an event log --------------------------------------------------------------------------------------------
    Awkward(
        "one row for each user",
        text(
            "users.csv", "user_id,signup_date,plan,country", lambda row: f"u{row},{moment(row):%Y-%m-%d},{kind(row)},de"
        ),
        refuses="one row per user",
    ),
    Awkward(
        "no user at all",
        text(
            "log.csv",
            "timestamp,level,message",
            lambda row: f"{moment(row):%Y-%m-%d %H:%M:%S},{('INFO', 'WARN')[row % 2]},request {row} took {row} ms",
        ),
        refuses="not an event log",
    ),
    Awkward(
        "an id that is different in each row",
        text("log.csv", "id,time,value", lambda row: f"r{row},{moment(row):%Y-%m-%d %H:%M:%S},{row / 7:.3f}"),
        refuses="nothing else that could say who did it repeats",
    ),
    Awkward(
        "a column for each month",
        text(
            "wide.csv", "user_id,2024-01,2024-02,2024-03,2024-04,2024-05,2024-06", lambda row: f"u{row},{row},0,1,2,3,4"
        ),
        refuses="wide table",
    ),
    Awkward(
        "a column for each day, by number",
        text("wide.csv", "user_id,day_1,day_2,day_3,day_4,day_5,day_6", lambda row: f"u{row},{row},0,1,2,3,4"),
        refuses="wide table",
    ),
    Awkward("a header and no rows", text("log.csv", "user_id,event_time,event_type", str, rows=0), refuses="empty"),
    Awkward(
        "no times",
        text("ratings.csv", "user_id,item_id,rating", lambda row: f"u{user(row)},i{row % 9},{row % 5}"),
        refuses="no column holds times",
    ),
)
