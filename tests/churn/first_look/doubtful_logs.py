"""Logs in which a name says one thing and the values another: asked about, refused, or said in a note."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.churn.first_look.awkward import Awkward, kind, moment, text, user

MANY = 1200


def _many(row: int) -> int:
    """Who: 120 users."""
    return row * 7 % 120


def _late(row: int) -> str:
    return f"{moment(row) + timedelta(days=20 + row % 50):%Y-%m-%d}"


def _two_spellings(folder: Path) -> Path:
    for name, header in (("a", "user_id"), ("b", "userId")):
        lines = [f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}" for row in range(90)]
        (folder / f"{name}.csv").write_text("\n".join([f"{header},timestamp,event", *lines]) + "\n")
    return folder / "*.csv"


def _log(name: str, header: str, line: Callable[[int], str], **expected: object) -> Awkward:
    """Return a CSV file and what is expected of it."""
    return Awkward(name, text("log.csv", header, line), **expected)  # pyright: ignore[reportArgumentType]


def _loaded(row: int) -> str:
    """When a row was loaded: on the first of the next month."""
    return f"2024-{moment(row).month + 1:02}-01 02:00:00"


def _stamp(row: int) -> str:
    return f"{moment(row):%Y-%m-%d %H:%M:%S}"


def _json(name: str, *objects: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text("\n".join(map(json.dumps, objects)) + "\n")
        return folder / "*.jsonl"

    return write


def _growing(folder: Path) -> Path:
    """Write a file of more objects than are inspected first, and one whose objects have a user."""
    old = [{"device_id": f"d{n}", "ts": "2024-03-01T08:00:00Z"} for n in range(7)]
    (folder / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in old) * 8000)
    new = [{"device_id": f"d{n % 7}", "ts": "2024-03-02T08:00:00Z", "user_id": f"u{n % 9}"} for n in range(36)]
    return _json("b.jsonl", *new)(folder)


_WHO, _WHEN = frozenset({"user_id"}), frozenset({"event_time"})
DOUBTFUL = (
    # --- Who ---------------------------------------------------------------------------------------------------------
    Awkward(
        "visits that are named as users, each of one e-mail",
        text(
            "log.csv",
            "uid,email,time,page",
            lambda row: f"s{row // 2},u{row // 2 % 60}@x.io,{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
            rows=MANY,
        ),
        asks=_WHO,
    ),
    Awkward(
        "visits that are named as users, each of one account",
        text(
            "log.csv",
            "uid,konto,time,page",
            lambda row: f"s{row // 2},k{row // 2 % 60},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
            rows=MANY,
        ),
        asks=_WHO,
    ),
    Awkward(
        "users of accounts",
        text(
            "log.csv",
            "user_id,account_id,time,event",
            lambda row: f"u{_many(row)},a{_many(row) // 10},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
            rows=MANY,
        ),
        {"user_id": "user_id"},
    ),
    *(
        Awkward(
            f"{few} of few values and {many} of many",
            text(
                "log.csv",
                f"{few},{many},time",
                lambda row, values=values: f"x{row % values},b{_many(row)},{moment(row):%Y-%m-%d %H:%M:%S}",
                rows=MANY,
            ),
            asks=_WHO,
        )
        for few, many, values in (
            ("client", "login", 5),
            ("reader", "badge", 7),
            ("user", "kontrahent", 9),
            ("user", "nabywca", 9),
        )
    ),
    Awkward(
        "one customer twice in a table of customers",
        text(
            "crm.csv",
            "customer_id,date,city",
            lambda row: f"c{row if row != 77 else 76},{moment(row % 90):%Y-%m-%d},{kind(row)}",
            rows=MANY,
        ),
        refuses="one row per user",
    ),
    Awkward(
        "the same users under two names in two files",
        _two_spellings,
        asks=_WHO,
    ),
    Awkward(
        "a customer for all who are not known",
        text(
            "log.csv",
            "customer_id,date,amount",
            lambda row: f"{'c7' if row % 3 else f'c{row}'},{moment(row):%Y-%m-%d},{row}.50",
            rows=MANY,
        ),
        {"user_id": "customer_id"},
        notes="it may stand for nobody",
    ),
    Awkward(
        "e-mails in two spellings",
        text(
            "log.csv",
            "email,time,event",
            lambda row: f"{'Uu'[row % 2]}{_many(row // 2)}@x.io,{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
            rows=MANY,
        ),
        {"user_id": "email"},
        notes="email has 240 users, and 120 where capitals do not count",
    ),
    # --- When --------------------------------------------------------------------------------------------------------
    *(
        Awkward(
            f"tickets for concerts, with {bought}",
            text(
                "log.csv",
                f"customer_id,{bought},event,event_date",
                lambda row: f"c{user(row)},{moment(row):%Y-%m-%d},Concert {row % 9},{_late(row)}",
            ),
            asks=_WHEN,
        )
        for bought in ("order_date", "created_at")
    ),
    Awkward(
        "events, and when their rows were made",
        text(
            "log.csv",
            "user_id,event_time,created_at,event",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{_late(row)} 10:00:00,{kind(row)}",
        ),
        {"event_time": "event_time"},
        notes="created_at holds times too and is not read",
    ),
    *(
        Awkward(
            f"nothing dated but {name}",
            text(
                "log.csv",
                f"klient_id,{name},amount",
                lambda row: f"c{_many(row)},{1980 + _many(row) % 20}-{1 + _many(row) % 12:02}-17,{row}.50",
                rows=MANY,
            ),
            asks=_WHEN,
        )
        for name in ("data_urodzenia", "date")
    ),
    Awkward(
        "a date on which something was received",
        text(
            "log.csv",
            "customer_id,order_date,received_date,amount",
            lambda row: f"c{user(row)},{moment(row):%Y-%m-%d},{_late(row)},{row}.50",
        ),
        {"event_time": "order_date"},
        without=("ingested_at",),
        notes="received_date holds times too and is not read; if it says when a row arrived",
    ),
    Awkward(
        "a date on which the row was loaded",
        text(
            "log.csv",
            "customer_id,order_date,loaded_at,amount",
            lambda row: f"c{user(row)},{moment(row):%Y-%m-%d},{_late(row)} 04:00:00,{row}.50",
        ),
        {"event_time": "order_date", "ingested_at": "loaded_at"},
    ),
    Awkward(
        "the time of day of something else",
        text(
            "log.csv",
            "customer_id,order_date,delivery_time,amount",
            lambda row: f"c{user(row)},{moment(row):%Y-%m-%d},{9 + row % 9}:30,{row}.50",
        ),
        {"event_time": "order_date"},
        notes="delivery_time holds times of day and is not read",
    ),
    Awkward(
        "the time of day of the same, and one more",
        text(
            "log.csv",
            "customer_id,order_date,order_time,delivery_time",
            lambda row: f"c{user(row)},{moment(row):%Y-%m-%d},{moment(row):%H:%M},{9 + row % 9}:30",
        ),
        {"event_time": "order_date || ' ' || order_time"},
    ),
    Awkward(
        "a time of day in twelve hours",
        text(
            "log.csv",
            "user_id,date,time,event",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%d},{moment(row):%I:%M %p},{kind(row)}",
        ),
        {"event_time": "strptime(\"date\" || ' ' || \"time\", '%Y-%m-%d %I:%M %p')"},
    ),
    # --- Found by forty logs that nobody had seen -------------------------------------------------------------------------
    Awkward(
        "a point behind the year, and words of Croatian",
        text("log.csv", "kupac_id;datum_kupnje;iznos", lambda row: f"K{user(row)};{moment(row):%d.%m.%Y.};{row},50"),
        {"user_id": "kupac_id", "event_time": "strptime(datum_kupnje, '%d.%m.%Y.')", "amount": "iznos"},
        settings={"decimal": ","},
    ),
    Awkward(
        "times as Git writes them",
        text(
            "log.csv",
            "email,date,action",
            lambda row: f"u{user(row)}@x.io,{moment(row):%a %b %d %H:%M:%S %Y} +0100,{kind(row)}",
        ),
        {"event_time": "strptime(\"date\", '%a %b %d %H:%M:%S %Y %z')", "event_type": "action"},
    ),
    Awkward(
        "counts of each type",
        text(
            "log.csv",
            "account,day,action,occurrences",
            lambda row: f"a{user(row)},{moment(row):%Y-%m-%d},{kind(row)},{1 + row % 7}",
        ),
        {"count": "occurrences", "event_type": "action"},
    ),
    Awkward(
        "a column for each day",
        text(
            "log.csv",
            ",".join(["user_id", *(f"2024-01-{day:02}" for day in range(1, 15))]),
            lambda row: ",".join([f"u{row}", *(str((row + day) % 5) for day in range(14))]),
        ),
        refuses=r"a wide table and not an event log: it has a column per period \(user_id, 2024-01-01",
    ),
    # --- A column that is named so and not read -----------------------------------------------------------------------
    *(
        _log(
            f"a time of an event in a form that is not read, and a load: {form}",
            f"user_id,{name},created_at,event",
            lambda row, form=form: f"u{user(row)},{moment(row):{form}},{_loaded(row)},{kind(row)}",
            asks=_WHEN,
        )
        for name, form in (("event_time", "%d. März %Y %H:%M"), ("order_date", "453%j.25"))
    ),
    _log(
        "one time of an export beside months in words",
        "user_id,created_at,purchase_period,amount",
        lambda row: f"u{user(row)},2024-10-01 02:00:00,{moment(row):%B %Y},{row}.50",
        asks=_WHEN,
    ),
    _log(
        "weekdays beside a time",
        "user_id,event_time,day,week,event",
        lambda row: f"u{user(row)},{_stamp(row)},{moment(row):%A},{moment(row):%V},{kind(row)}",
        columns={"event_time": "event_time"},
    ),
    *(
        _log(
            f"ids of users as {form}, and companies",
            "user_id,company_id,event_time,event",
            lambda row, form=form: f'"{form.format(user(row))}",c{row % 6},{_stamp(row)},{kind(row)}',
            asks=_WHO,
        )
        for form in ("{:,}", "{}.02", f"{'x' * 130}{{}}")
    ),
    *(
        _log(
            f"ids of users that were rounded to {form}",
            "user_id,event_time,event",
            lambda row, form=form: f"{form.format(1.015e16 + user(row))},{_stamp(row)},{kind(row)}",
            refuses="user_id was rounded by a spreadsheet",
        )
        for form in ("{:.5e}", "{:.14E}", "1.01501E+016")
    ),
    _log(
        "a tenth and more of nobody",
        "user_id,event_time,event",
        lambda row: f"{f'u{row % 31}' if row % 13 else 'guest'},{_stamp(row)},{kind(row)}",
        notes="user_id is guest in many rows",
    ),
    # --- Names that SQL has taken -------------------------------------------------------------------------------------
    *(
        _log(
            f"a time that is called {word}",
            f"user_id,{word},event",
            lambda row: f"u{user(row)},{moment(row):%d/%m/%Y},{kind(row)}",
            columns={"event_time": f"strptime(\"{word}\", '%d/%m/%Y')"},
        )
        for word in ("on", "limit", "current_date")
    ),
    *(
        _log(
            f"years of two digits in one of {rows} rows",
            "customer_id,order_date,amount",
            lambda row, rows=rows: f"c{user(row)},{moment(row):{'%d/%m/%Y' if row % rows else '%d/%m/%y'}},{row}.50",
            columns={"event_time": "strptime(order_date, ['%d/%m/%y', '%d/%m/%Y'])"},
        )
        for rows in (2, 30)
    ),
    # --- JSON ---------------------------------------------------------------------------------------------------------
    Awkward("users from a later file on", _growing, asks=_WHO),
    Awkward(
        "batches of events",
        _json(
            "log.jsonl",
            *(
                {"user_id": f"u{user(row)}", "sent_at": _stamp(row), "events": [{"name": "a", "ts": _stamp(row)}] * 2}
                for row in range(90)
            ),
        ),
        refuses=r"events holds lists of up to 2 objects \(name, ts\)",
    ),
    Awkward(
        "orders with their items",
        _json(
            "log.jsonl",
            *({"user_id": user(row), "created_at": _stamp(row), "items": [{"price": 5}] * 2} for row in range(90)),
        ),
        {"user_id": "user_id", "event_time": "created_at"},
        notes="items holds lists of up to 2 objects (price), which are not read",
    ),
)
