"""Logs that look like event logs and are not quite: several tables, snapshots, counts, users and times in pieces."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.churn.first_look.awkward import Awkward, early, kind, moment, parquet, text, user

MANY = 300
_WHO, _WHEN, _COUNT = frozenset({"user_id"}), frozenset({"event_time"}), frozenset({"count"})


def _folder(**files: tuple[str, Callable[[int], str]]) -> Callable[[Path], Path]:
    """Write CSV files into one folder, each with its header and its line."""

    def write(folder: Path) -> Path:
        for name, (header, line) in files.items():
            text(f"{name}.csv", header, line)(folder)
        return folder / "*.csv"

    return write


def _panel(row: int) -> tuple[int, datetime]:
    """One row for each of 15 users on each of 20 Mondays."""
    return row % 15, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=7 * (row // 15))


def _daily(row: int) -> tuple[int, datetime]:
    """One row for a user on some days."""
    return row % 15, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=(row // 15) * 6 + (row // 15 + row % 15) % 5)


def _structs(folder: Path) -> Path:
    table = pa.table(
        {
            "user": [{"id": f"u{user(row)}", "city": "Ulm"} for row in range(90)],
            "event": [{"time": moment(row), "name": kind(row)} for row in range(90)],
        }
    )
    pq.write_table(table, folder / "log.parquet")
    return folder / "log.parquet"


def _packed(folder: Path) -> Path:
    (folder / "log.csv").write_bytes(gzip.compress(b"user_id,event_time\nu1,2024-03-01\n"))
    return folder / "log.csv"


HOSTILE = (
    # --- Several tables, and several orders, in one folder --------------------------------------------------------------
    Awkward(
        "orders and customers in one folder",
        _folder(
            customers=("customer_id,created_at,city", lambda row: f"{1000 + row},2023-01-{1 + row % 28:02},Ulm"),
            orders=("customer_id,created_at,total", lambda row: f"{user(row)},{moment(row):%Y-%m-%d},{row}.50"),
        ),
        refuses=r"several tables: customers\.csv has one row per user",
    ),
    Awkward(
        "orders and their items in one folder",
        _folder(
            items=("order_id,product_id,price", lambda row: f"o{row},p{row % 7},{row}.50"),
            orders=("order_id,customer_id,order_date", lambda row: f"o{row},{user(row)},{moment(row):%Y-%m-%d}"),
        ),
        refuses=r"items\.csv says nobody who did it",
    ),
    Awkward(
        "files of one log, some with a column more",
        _folder(
            a=("user_id,time,event", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}"),
            b=("user_id,time,event,page", lambda row: f"u{row},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)},p"),
        ),
        {"user_id": "user_id", "event_time": "time", "event_type": "event"},
    ),
    Awkward(
        "logins and purchases in files of their own",
        _folder(
            logins_2024=("user_id,time", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S}"),
            purchases_2024=("user_id,time", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S}"),
        ),
        notes="logins, purchases",
    ),
    Awkward(
        "a file with the day first, and one with the month first",
        _folder(
            a=("user_id,date,event", lambda row: f"u{user(row)},{moment(row):%d/%m/%Y},{kind(row)}"),
            b=("user_id,date,event", lambda row: f"u{user(row)},{moment(2):%m/%d/%Y},{kind(row)}"),
        ),
        {"event_time": "strptime(\"date\", '%d/%m/%Y')"},
    ),
    Awkward(
        "a file that should tell the order of its dates, and does not",
        _folder(
            a=("user_id,date,event", lambda row: f"u{user(row)},{early(row):%d/%m/%Y},{kind(row)}"),
            b=("user_id,date,event", lambda row: f"u{user(row)},{moment(row):%m/%d/%Y},{kind(row)}"),
        ),
        asks=frozenset({"date_order"}),
    ),
    # --- What a row stands for ------------------------------------------------------------------------------------------
    Awkward(
        "a snapshot of all customers each week",
        text(
            "log.csv",
            "week,customer_id,plan",
            lambda row: f"{_panel(row)[1]:%Y-%m-%d},{_panel(row)[0]},{'ab'[row % 2]}",
            rows=MANY,
        ),
        asks=_COUNT,
    ),
    Awkward(
        "counts of three kinds for each user and day",
        text(
            "log.csv",
            "user_id,date,views,clicks",
            lambda row: f"u{_daily(row)[0]},{_daily(row)[1]:%Y-%m-%d},{row % 7},{row % 3}",
            rows=MANY,
        ),
        asks=_COUNT,
    ),
    Awkward(
        "counts, most of them zero",
        text(
            "log.csv",
            "user_id,date,events",
            lambda row: f"u{_daily(row)[0]},{_daily(row)[1]:%Y-%m-%d},{row % 4 // 3}",
            rows=MANY,
        ),
        {"count": "events"},
        settings={"where": "events <> 0"},
        notes="events is zero in 75 % of the rows",
    ),
    Awkward(
        "counts of hours",
        text(
            "log.csv",
            "user_id,hour,requests",
            lambda row: f"u{_daily(row)[0]},{_daily(row)[1]:%Y-%m-%d} {row % 24:02}:00,{1 + row % 40}",
            rows=MANY,
        ),
        asks=_COUNT,
    ),
    Awkward(
        "ids of events that repeat with other content",
        text(
            "log.csv",
            "event_id,user_id,time,type",
            lambda row: f"e{row // 2},u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
        ),
        asks=frozenset({"event_id"}),
    ),
    Awkward(
        "totals of each day",
        text("log.csv", "date,signups,revenue", lambda row: f"{moment(2 * row):%Y-%m-%d},{row * 37 % 11},{row}.50"),
        refuses="one row per date",
    ),
    # --- Who --------------------------------------------------------------------------------------------------------------
    Awkward(
        "an id of users that is hardly ever there, and nothing else",
        text(
            "log.csv",
            "user_id,time,event",
            lambda row: f"{f'u{row % 7}' if row % 3 == 0 else ''},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
        ),
        asks=_WHO,
    ),
    Awkward(
        "an id of users that is often absent",
        text(
            "log.csv",
            "user_id,time,event",
            lambda row: f"{f'u{row % 7}' if row % 3 else ''},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
        ),
        {"user_id": "user_id"},
        settings={"where": "user_id is not null"},
        notes="33.3 % of the rows have no user_id",
    ),
    Awkward(
        "ids that were rounded",
        parquet(user_id=lambda row: 1.1e17 + 7e13 * user(row), time=moment),
        refuses="is of type double, which rounds ids",
    ),
    Awkward(
        "an account and no person",
        text(
            "log.csv", "account_id,time,event", lambda row: f"a{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}"
        ),
        {"user_id": "account_id"},
    ),
    Awkward(
        "a total below the rows",
        text(
            "log.csv",
            "customer,date,amount",
            lambda row: f"{f'c{user(row)}' if row < 89 else 'Total'},{moment(row):%Y-%m-%d},{row}.50",
        ),
        {"user_id": "customer"},
        notes="called a total",
    ),
    # --- When -------------------------------------------------------------------------------------------------------------
    Awkward(
        "British summer, or Bangladesh",
        text("log.csv", "user_id,time,event", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S} BST,x"),
        asks=_WHEN,
    ),
    Awkward(
        "a year, a month and a day",
        text(
            "log.csv",
            "user_id,year,month,day,hour,event",
            lambda row: f"u{user(row)},{moment(row):%Y,%-m,%-d,%-H},{kind(row)}",
        ),
        {"event_time": "strptime(year || '-' || month || '-' || \"day\" || ' ' || hour, '%Y-%m-%d %H')"},
    ),
    Awkward(
        "a month and a day of it",
        text("log.csv", "user_id,month,day,event", lambda row: f"u{user(row)},{moment(row):%Y-%m,%d},{kind(row)}"),
        {"event_time": "strptime(month || '-' || \"day\", '%Y-%m-%d')"},
    ),
    Awkward(
        "when it was booked, and when it takes place",
        text(
            "log.csv",
            "member_id,booked_at,start_time",
            lambda row: (
                f"{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{moment(row) + timedelta(days=1 + row % 9):%F} 18:00"
            ),
        ),
        asks=_WHEN,
    ),
    Awkward(
        "a birth, of four customers",
        text("log.csv", "klient_id,urodziny,zakup", lambda row: f"k{row % 4},1985-0{1 + row % 4}-05,{45000 + row}"),
        asks=_WHEN,
    ),
    Awkward(
        "a Japanese date and its time of day",
        text(
            "log.csv",
            "会員ID,利用日,利用時刻,店舗",
            lambda row: f"M{user(row)},{moment(row):%Y/%m/%d,%H:%M},{'渋谷新宿'[row % 4]}",
        ),
        {"event_time": "利用日 || ' ' || 利用時刻"},
        notes="not read: 店舗",
    ),
    # --- Money ------------------------------------------------------------------------------------------------------------
    Awkward(
        "money that may be cents, of charges that may have failed",
        text(
            "log.csv",
            "customer_id,charged_at,amount,result",
            lambda row: (
                f"{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{1001 + 37 * row},{('succeeded', 'failed')[row % 5 == 0]}"
            ),
        ),
        {"amount": "amount"},
        notes="if they are cents",
    ),
    Awkward(
        "calls, each at a second of its own, of numbers that no name tells apart",
        text(
            "log.csv",
            "a_number,b_number,start,dur_s",
            lambda row: f"4479{user(row)},4478{9000 + 7 * row},{int(moment(row).timestamp())},{row}",
        ),
        asks=frozenset({"user_id"}),
    ),
    Awkward(
        "times as a spreadsheet counts them",
        text("log.csv", "user_id,time,event", lambda row: f"{user(row)},{45352 + 0.7 * row:.4f},{kind(row)}"),
        refuses=r"time is named as one, with values such as 99999\.9999",
    ),
    Awkward(
        "answers of a survey, one row a person",
        text(
            "log.csv",
            "respondent,submitted,q1,q2",
            lambda row: f"r{row},{moment(row):%Y-%m-%d %H:%M},{row % 5},{row % 4}",
        ),
        refuses=r"one row per user: respondent",
    ),
    # --- Files ------------------------------------------------------------------------------------------------------------
    Awkward("objects in Parquet", _structs, {"user_id": '"user"."id"', "event_time": '"event"."time"'}),
    Awkward(
        "titles that were filled up with commas",
        text(
            "log.csv",
            "Sales report,,\nGenerated,2024-07-01,\n,,\nuser_id,time,event",
            lambda row: f"u{user(row)},{moment(row):%Y-%m-%d %H:%M:%S},{kind(row)}",
        ),
        {"user_id": "user_id", "event_time": "time"},
        settings={"skip": 3},
    ),
    Awkward(
        "a time of day in halves says no zone",
        text("log.csv", "user_id,date,event", lambda row: f"u{user(row)},{moment(row):%m/%d/%Y %I:%M %p},x"),
        settings={"timezone": "UTC"},
        without=("zone",),
    ),
    # --- Files that are not written as their names say ---------------------------------------------------------------------
    Awkward(
        "rows that end in a comma",
        text("log.csv", "user_id,event_time,event", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d},{kind(row)},"),
        {"user_id": "user_id", "event_time": "event_time"},
        settings={"skip": 1, "names": ["user_id", "event_time", "event", "column_4"]},
    ),
    Awkward(
        "a file without a header beside one with it",
        _folder(
            a=("u1,2024-03-01,view", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d},{kind(row)}"),
            b=("user_id,event_time,event", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d},{kind(row)}"),
        ),
        refuses=r"a\.csv has no header, and .*b\.csv has one",
    ),
    Awkward("a packed file that is not called so", _packed, refuses="begins as a file that gzip has packed does"),
)
