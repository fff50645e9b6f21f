"""Times, files and languages that are awkward."""

from __future__ import annotations

from datetime import timedelta

from tests.churn.first_look.awkward import USUAL, Awkward, early, kind, moment, text, user

_WHEN = frozenset({"event_time"})


def _epoch(row: int, scale: int) -> int:
    return int(moment(row).timestamp()) * scale


def _comma(value: float) -> str:
    whole, _, cents = f"{value:,.2f}".partition(".")
    return whole.replace(",", ".") + "," + cents


FILES = (
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
                f"u{user(row)},2023-01-{user(row) % 13 + 1:02},{moment(row):%Y-%m-%d %H:%M:%S},"
                f"{moment(row) + timedelta(hours=row % 3):%Y-%m-%d %H:%M:%S},{kind(row)}"
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
    # --- Times of half a day, of several zones, of a week and of the future ------------------------------------------------
    *(
        Awkward(
            f"hours of half a day as {form}",
            text(
                "log.csv",
                "user_id,event_time,event",
                lambda row, form=form: f"u{user(row)},{moment(row) + timedelta(minutes=row):{form}},x",
            ),
            asks=_WHEN,
        )
        for form in ("%Y-%m-%d %I:%M:%S", "%d/%m/%Y %I:%M")
    ),
    *(
        Awkward(
            f"times of {values[0]} and others in {name}",
            text(
                "log.csv",
                f"user_id,event_time,{name},event",
                lambda row, values=values: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{values[row % 3]},x",
            ),
            asks=_WHEN,
        )
        for name, values in (
            ("timezone", ("EST", "PST", "CET")),
            ("timezone", ("UTC", "Europe/Berlin", "IST")),
            ("tz", ("UTC+1", "UTC-5", "UTC+9")),
            ("tz", ("1", "-5", "9")),
            ("utc_offset", ("+0100", "-0500", "+0900")),
        )
    ),
    *(
        Awkward(
            f"times of {value}",
            text(
                "log.csv",
                "user_id,event_time,tz,event",
                lambda row, value=value: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{value},x",
            ),
            settings={"timezone": zone},
        )
        for value, zone in (
            ("EST", "America/New_York"),
            ("UTC+2", "Etc/GMT-2"),
            ("+0200", "Etc/GMT-2"),
            ("2", "Etc/GMT-2"),
        )
    ),
    Awkward(
        "zones that do not stand in a column of zones",
        text(
            "log.csv",
            "user_id,event_time,region,event",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{('EST', 'BST')[row % 2]},x",
        ),
        {"event_time": "event_time"},
    ),
    Awkward(
        "a day of the week beside year and month",
        text("log.csv", "user_id,year,month,day", lambda row: f"u{user(row)},2024,{1 + row % 9},{1 + row % 7}"),
        refuses="day seems to be a day of the week",
    ),
    Awkward(
        "bookings of the future",
        text("log.csv", "customer_id,booking_date", lambda row: f"c{user(row)},2924-03-{1 + row % 28:02}"),
        refuses="booking_date can be read as times, and 100 % of them lie in the future",
    ),
    # --- Users in two spellings, and a last line --------------------------------------------------------------------------
    *(
        Awkward(
            f"users in two spellings: {what}",
            text(
                "log.csv",
                "user_id,event_time,event",
                lambda row, spellings=spellings: f"{spellings[row % 2].format(user(row))},{moment(row):%Y-%m-%d},x",
            ),
            {"user_id": "user_id"},
            notes=f"where {what} do not count: if they do not, user_id = {way}",
        )
        for what, spellings, way in (
            ("capitals", ("Bob{}", "bob{}"), "lower(user_id)"),
            ("zeros in front", ("00{}", "{}"), "ltrim(user_id, '0')"),
        )
    ),
)
