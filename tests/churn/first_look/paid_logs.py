"""Logs in which a number is named as money and was not paid, or an id comes again: mapped, noted with a line to choose, or asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.churn.first_look.awkward import Awkward, kind, lines_of_json, moment, text, user

_EVENT_ID, _TYPE = frozenset({"event_id"}), frozenset({"event_type"})


def _paid(header: str, *values: Callable[[int], object], rows: int = 90) -> Callable[[Path], Path]:
    """Write a customer, a time, an amount of the row and further values."""

    def line(row: int) -> str:
        return ",".join((f"c{user(row)}", f"{moment(row):%F %T}", f"{1 + row}.50", *(str(one(row)) for one in values)))

    return text("log.csv", f"customer_id,order_date,amount,{header}", line, rows=rows)


def _states(key: str, state: str, money: str = "amount", *, again: int = 0) -> Callable[[Path], Path]:
    """Write three states of each of thirty things, all with its amount; the first rows come again."""

    def line(row: int) -> str:
        it = row % 90 // 3
        return f"x{it},c{it % 7},{moment(row % 90):%F %T},{('new', 'paid', 'sent')[row % 3]},{it}.99"

    return text("log.csv", f"{key},customer_id,event_time,{state},{money}", line, rows=90 + again)


def _once(key: str, *, again: int, changed: int = 0) -> Callable[[Path], Path]:
    """Write ninety payments, of which the first come again, the last of these with money that went back."""

    def line(row: int) -> str:
        sign = "-" if row >= 90 + again - changed else ""
        return f"T{row % 90},c{user(row % 90)},{moment(row % 90):%F %T},{sign}{row % 90}.50"

    return text("log.csv", f"{key},customer_id,order_date,amount", line, rows=90 + again)


def _object(name: str, **values: Callable[[int], object]) -> Callable[[Path], Path]:
    return lines_of_json(
        lambda row: {
            "user_id": f"u{user(row)}",
            "ts": f"{moment(row):%F %T}",
            "event": ("login", "search", "page_view")[row % 3],
            name: {field: value(row) for field, value in values.items()},
        }
    )


def _typed(*types: str, amounts: tuple[str, ...] = ("4.99",)) -> Callable[[Path], Path]:
    def line(row: int) -> str:
        return f"c{user(row)},{moment(row):%F %T},{types[row % len(types)]},{amounts[row % len(amounts)]}"

    return text("log.csv", "player_id,event_time,event,amount", line)


PAID = (
    # --- The whole of a payment on each of its states -------------------------------------------------------------------
    *(
        Awkward(
            f"each {state} of a {key}", _states(key, state), without=("amount",), notes=f"in all rows of each {key}"
        )
        for key, state in (("payment_id", "status"), ("booking_id", "action"), ("subscription_id", "status"))
    ),
    Awkward(
        "each state of a reservation, with its price",
        _states("reservation_id", "action", "price"),
        without=("amount",),
        notes="price is the same in all rows of each reservation_id",
    ),
    Awkward(
        "a subscription that is paid each month",
        _paid("subscription_id,event", lambda row: f"s{user(row)}", lambda _: "renewal"),
        {"amount": "amount"},
    ),
    *(
        Awkward(
            f"payments that came again, by {key}",
            _once(key, again=20),
            {"amount": "amount"},
            settings={"event_id": key},
            notes=f"20 rows repeat an id, all of them as copies in all that they say: each id counts once ({key})",
        )
        for key in ("order_id", "transaction_id")
    ),
    Awkward(
        "payments that came again, and some that were reversed",
        _once("transaction_id", again=60, changed=3),
        {"amount": "amount"},
        asks=_EVENT_ID,
    ),
    *(
        Awkward(
            f"a few values of {name} that others have too",
            text(
                "log.csv",
                f"{name},user_id,time,event",
                lambda row: f"e{row % 88},u{user(row)},{moment(row):%F %T},{kind(row)}",
            ),
            asks=_EVENT_ID,
        )
        for name in ("event_id", "log_id")
    ),
    # --- What an object has -------------------------------------------------------------------------------------------
    *(
        Awkward(
            f"the {field} of a {name}",
            _object(name, **{field: lambda row: row + 0.25}),
            without=("amount",),
            notes=f"{name}.{field} is not mapped: it says what a {name} has",
        )
        for name, field in (("balance", "amount"), ("cart", "total"), ("wallet", "value"))
    ),
    Awkward(
        "the duration of a track",
        _object("track", duration_ms=lambda row: 180_000 + row),
        without=("duration_seconds",),
        notes="not read: track.duration_ms",
    ),
    Awkward(
        "the duration of a session",
        _object("session", duration_ms=lambda row: 180_000 + row),
        {"duration_seconds": '"session"."duration_ms" / 1000'},
    ),
    # --- Signs in another column ----------------------------------------------------------------------------------------
    Awkward(
        "debits and credits",
        _paid("dc", lambda row: "DC"[row % 2]),
        {"amount": "amount"},
        notes="dc says that money went the other way in some rows (D)",
    ),
    Awkward(
        "withdrawals",
        _typed("deposit", "withdrawal"),
        {"amount": "amount"},
        notes="event says that money went the other way in some rows (withdrawal)",
    ),
    *(
        Awkward(
            f"payments of which some are not: {name}",
            _paid(name, lambda row, values=values: values[row % 5 == 0]),
            {"amount": "amount"},
            notes=f"{name} says that some rows were not paid, or paid back ('{values[told]}')",
        )
        for name, values, told in (("is_refund", ("false", "true"), 1), ("success", ("1", "0"), 1))
    ),
    Awkward(
        "refunds that are positive",
        _typed("charge", "refund"),
        {"amount": "amount"},
        notes="their amounts, which are positive, are added to the sum",
    ),
    Awkward(
        "orders that are void",
        _paid("status", lambda row: ("paid", "void", "denied")[row % 3]),
        notes="cancelled, returned or refused (denied, void)",
    ),
    # --- Numbers that are no money ----------------------------------------------------------------------------------------
    Awkward(
        "coins that were won, and purchases",
        _typed("level_complete", "purchase", amounts=("150", "4.99")),
        {"amount": "amount"},
        notes="amount is present in rows of level_complete too",
    ),
    Awkward(
        "cents, times a quantity",
        text(
            "log.csv",
            "customer_id,order_date,quantity,unit_price_cents",
            lambda row: f"c{user(row)},{moment(row):%F %T},{1 + row % 3},{1999 + row}",
        ),
        {"amount": "quantity * unit_price_cents / 100"},
    ),
    Awkward(
        "amounts that may be cents, and end with zero",
        _typed("charge.succeeded", amounts=("2900", "990", "4900")),
        {"amount": "amount"},
        notes='if they are cents, amount = "amount / 100"',
    ),
    # --- A type that says nothing -----------------------------------------------------------------------------------------
    Awkward(
        "a type that never varies, and a name that does",
        text(
            "log.csv", "user_id,ts,event_type,name", lambda row: f"u{user(row)},{moment(row):%F %T},track,{kind(row)}"
        ),
        asks=_TYPE,
    ),
    Awkward(
        "a type that never varies, and an action that does",
        text(
            "log.csv", "user_id,ts,event_type,action", lambda row: f"u{user(row)},{moment(row):%F %T},track,{kind(row)}"
        ),
        {"event_type": "action"},
    ),
)
