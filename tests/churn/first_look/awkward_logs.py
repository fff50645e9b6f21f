"""Users and rows that are awkward, and what is not an event log."""

from __future__ import annotations

from tests.churn.first_look.awkward import USUAL, Awkward, kind, lines_of_json, moment, parquet, text, user


def _epoch(row: int, scale: int) -> int:
    return int(moment(row).timestamp()) * scale


AWKWARD = (
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
