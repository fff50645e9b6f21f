"""Whether numbers that are named as money were paid once in each row: not the state of an account, the whole of a payment, or a refund."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.copies import contents_of
from churn.first_look.evidence.names import (
    is_keyed,
    is_order,
    is_status,
    is_word,
    normal,
    owner_of,
    person_rank,
    type_rank,
)
from churn.first_look.evidence.table import TABLE, LogTable
from features.sql import literal

_MOSTLY, _FEW_VALUES, _MIN_ORDERS, _FLAG = 0.95, 30, 5, 2
_STATES = (  # of which an amount is no payment
    "balance|wallet|cart|basket|limit|budget|loan|goal|target|saldo|guthaben|warenkorb|kredit|darlehen|panier|solde|carrito|carrinho|carrello|корзина|баланс"
)
_DEALS = (  # beyond orders: what has one amount, and may have several rows
    "payment|charge|payment_intent|booking|reservation|sale|claim|checkout|refund|payout|zahlung|buchung|reservierung|paiement|reserva|pago|pagamento"
    "|prenotazione|оплата|платеж|бронирование|予約|决済|支付|결제|예약"
)
_OUT = re.compile(
    r"(.*[\W_])?(debits?|soll|out|outgoing|outflow|withdraw\w*|pay_?outs?|cash_?out|expenses?|abhebung|auszahlung|lastschrift|retrait|d[eé]bit|retiro|saque"
    r"|d[eé]bito|prelievo|списание|вывод|расход)([\W_].*)?",
    re.IGNORECASE,
)
_PAIRS = ({"d", "c"}, {"dr", "cr"}, {"s", "h"}, {"-", "+"}, {"db", "cr"})  # the first: money that goes out
_UNDONE = (
    r"(is_|was_)?(refund|refunded|return|returned|cancelled|canceled|cancel|void|voided|failed|declined|rejected|reversal|reversed|chargeback|charge_back|disputed"
    r"|storno|storniert|erstattet|rembourse|annule|reembolsado|anulado|cancelado)"
)
_DONE = r"(is_|was_)?(success|succeeded|successful|paid|approved|captured|settled|erfolgreich|bezahlt|paye|pagado|pago|aprobado|aprovado)"
_YES, _NO = (
    {"true", "t", "yes", "y", "1", "ja", "oui", "si", "sim"},
    {"false", "f", "no", "n", "0", "nein", "non", "nao"},
)


def state_of(name: str) -> str:
    """Return the object of which a number is a state, as ``balance`` of ``balance.amount``; empty: of none.

    Examples
    --------
    >>> state_of("balance.amount"), state_of("order.total"), state_of("total")
    ('balance', '', '')
    """
    owner = owner_of(name)
    return owner if owner and is_word(_STATES, normal(owner)) else ""


def whole_of(amount: Column, columns: Sequence[Column], table: LogTable, *, taken: Collection[str]) -> Column | None:
    """Return the order or payment of which each row has the whole amount; None: amounts are those of rows.

    What is not named as an order is one where each state of it has one row: a subscription that is paid each month has many.

    Parameters
    ----------
    taken
        Columns that say who and when.
    """
    keys = [one for one in columns if one is not amount and one.name not in taken and one.distinct < one.filled]
    orders = [one for one in keys if is_order(one.normal) or is_word(_DEALS, one.normal)]
    named = [one for one in keys if is_keyed(one.normal) and one.is_identifier and person_rank(one.normal) is None]
    whole = (one for one in orders if _is_of_order(amount, one, columns, table=table))
    others = (one for one in named if one not in orders and has_states(one, columns, table))
    return next(whole, None) or next((one for one in others if _is_of_order(amount, one, columns, table=table)), None)


def _is_of_order(amount: Column, order: Column, columns: Sequence[Column], *, table: LogTable) -> bool:
    """Tell whether orders of several rows have one amount each, while orders differ; a row that came again is one."""
    rows = _different_rows(order, columns, table, value=table.column(amount.name))
    ((orders, same, different),) = table.connection.execute(
        f"""select count(*), count(*) filter (low = high), count(distinct low) from
            (select min(value) as low, max(value) as high from ({rows}) group by key having count(value) > 1)"""
    ).fetchall()
    return bool(orders >= _MIN_ORDERS and same >= _MOSTLY * orders and different > orders / 4)


def has_states(order: Column, columns: Sequence[Column], table: LogTable) -> bool:
    """Tell whether the rows of an order say one state or type of it each."""
    named = [one for one in columns if is_status(one.normal) or type_rank(one.normal) is not None]
    few = [one for one in named if one is not order and one.is_text and 1 < one.distinct <= _FEW_VALUES]
    return any(_is_once(order, one, columns, table=table) for one in few)


def _is_once(order: Column, state: Column, columns: Sequence[Column], *, table: LogTable) -> bool:
    rows = _different_rows(order, columns, table, value=table.column(state.name))
    ((orders, once),) = table.connection.execute(
        f"""select count(*), count(*) filter (once) from
            (select count(distinct value) = count(*) as once from ({rows}) group by key having count(*) > 1)"""
    ).fetchall()
    return bool(orders >= _MIN_ORDERS and once >= _MOSTLY * orders)


def _different_rows(order: Column, columns: Sequence[Column], table: LogTable, *, value: str) -> str:
    key, contents = table.column(order.name), ", ".join(contents_of(columns, table, but=order).values())
    return f"select distinct {key} as key, {value} as value, row({contents}) as contents from {TABLE} where {key} is not null"


def outgoing(columns: Sequence[Column]) -> tuple[Column, list[str]] | None:
    """Return the column that says of some rows that money went the other way, and its values there; None: there is none."""
    for one in [one for one in columns if one.is_text and 1 < one.distinct <= _FEW_VALUES]:
        values = {value.strip().casefold() for value in one.values}
        out = [value for value in one.values if _OUT.fullmatch(value.strip())]
        if any(values == pair for pair in _PAIRS):
            out = [value for value in one.values if value.strip().casefold() in _FIRST]
        if out and len(out) < len(one.values):
            return one, out
    return None


_FIRST = {"d", "dr", "s", "-", "db"}


def undone(columns: Sequence[Column]) -> tuple[Column, str] | None:
    """Return a flag that says that money was not paid or went back, and SQL of the rows where it was paid; None: there is none."""
    for one in columns:
        values = {value: value.strip().casefold() for value in one.values}
        is_flag = 0 < one.distinct <= _FLAG and all(value in _YES | _NO for value in values.values())
        is_mixed = one.distinct == _FLAG or one.filled < one.rows
        for pattern, bad in ((_UNDONE, _YES), (_DONE, _NO)):
            found = [value for value, plain in values.items() if plain in bad]
            if is_flag and is_mixed and found and re.fullmatch(pattern, one.normal):
                return one, ", ".join(map(literal, found))
    return None
