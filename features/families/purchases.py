"""Buying: a row with an amount above zero is a purchase, below zero a refund."""

from features.feature import Derived, OverDays, Unit, Windowed

_PURCHASES = {"purchases": "coalesce(sum(n) filter (amount_cents > 0), 0)"}
_AMOUNT = {"amount": "coalesce(sum(amount_cents) filter (amount_cents > 0), 0)"}

FEATURES = (
    Windowed(
        "purchases",
        Unit.PURCHASES,
        "Purchases: amounts of at least half a cent; a pre-counted row is as many.",
        daily=_PURCHASES["purchases"],
        reason="{value} purchases in {window} days",
        needs=("amount",),
    ),
    Windowed(
        "amount",
        Unit.MONEY,
        "Money of purchases, without taking off refunds.",
        daily=_AMOUNT["amount"],
        scale=0.01,
        reason="spent {value} in {window} days",
        needs=("amount",),
    ),
    OverDays(
        "purchases",
        Unit.PURCHASES,
        "Purchases so far.",
        sql="sum(purchases)",
        reason="{value} purchases so far",
        daily=_PURCHASES,
        needs=("amount",),
    ),
    OverDays(
        "basket_mean",
        Unit.MONEY,
        "Mean money of a purchase so far.",
        sql="sum(amount) * 0.01 / nullif(sum(purchases), 0)",
        reason="{value} a purchase",
        daily=_PURCHASES | _AMOUNT,
        needs=("amount",),
    ),
    OverDays(
        "days_since_last_purchase",
        Unit.DAYS,
        "Whole days from the last day with a purchase to the cutoff.",
        sql="min(age) filter (purchases > 0)",
        reason="last bought {value} days ago",
        daily=_PURCHASES,
        needs=("amount",),
        usual=("purchase_gap_days_mean", 1),
    ),
    OverDays(
        "purchase_gap_days_mean",
        Unit.DAYS,
        "Mean gap between successive days with a purchase.",
        sql="(max(age) filter (purchases > 0) - min(age) filter (purchases > 0)) "
        "/ nullif(count(*) filter (purchases > 0) - 1, 0)",
        reason="buys every {value} days",
        daily=_PURCHASES,
        needs=("amount",),
    ),
    OverDays(
        "refunds",
        Unit.PURCHASES,
        "Refunds so far.",
        sql="sum(refunds)",
        reason="{value} refunds so far",
        daily={"refunds": "coalesce(sum(n) filter (amount_cents < 0), 0)"},
        needs=("amount",),
    ),
    Derived(
        "is_repeat_purchaser",
        Unit.FLAG,
        "1 where there were two purchases or more.",
        sql="cast(purchases >= 2 as integer)",
        reason="bought more than once",
    ),
)
