"""Purchases: a row with an amount above zero is a purchase, below zero a refund."""

from features.catalogue.definition import SESSIONS, Daily, Derived, OverDays, Unit, Windowed, WithConstants

_PURCHASES = {"purchases": Daily("coalesce(sum(n) filter (amount > 0), 0)")}
_AMOUNT = {"amount_micros": Daily("coalesce(sum(amount_micros) filter (amount > 0), 0)")}
_REFUNDS = {
    "refunds": Daily("coalesce(sum(n) filter (amount < 0), 0)"),
    "refunded_micros": Daily("coalesce(-sum(amount_micros) filter (amount < 0), 0)"),
}
_VISITS = {
    "sessions": SESSIONS,
    "purchase_sessions": Daily("count(*) filter (purchases > 0)", over_visits=True),
}
_FIRST, _LAST = "max(case when purchases > 0 then age end)", "min(case when purchases > 0 then age end)"
_DAYS = "sum(case when purchases > 0 then 1 else 0 end)"


FEATURES = (
    Windowed(
        "purchases",
        Unit.PURCHASES,
        "Purchases: amounts above zero; a pre-aggregated row counts as its number of events.",
        daily=_PURCHASES["purchases"],
        reason="{value} purchases in the last {window} days",
        needs=("amount",),
    ),
    Windowed(
        "amount",
        Unit.MONEY,
        "Amount spent on purchases, refunds not deducted.",
        daily=_AMOUNT["amount_micros"],
        column="amount_micros",
        per=1_000_000,
        reason="spent {value} in the last {window} days",
        needs=("amount",),
    ),
    OverDays(
        "amount_decayed_28d",
        Unit.MONEY,
        "Amount spent on purchases, exponentially weighted with a half-life of 28 days; summed in units of 2^-20 millionths.",
        sql="sum(cast(round(amount_micros * pow(2, 20 - age / 28)) as hugeint)) / pow(2, 20) / 1000000",
        reason="spent {value}, weighted towards recent purchases",
        shown_as="amount_28d",
        daily=_AMOUNT,
        needs=("amount",),
    ),
    OverDays(
        "purchases",
        Unit.PURCHASES,
        "Purchases so far.",
        sql="sum(purchases)",
        reason="{value} purchases in total",
        daily=_PURCHASES,
        needs=("amount",),
    ),
    OverDays(
        "purchase_days",
        Unit.DAYS,
        "Days with a purchase so far.",
        sql=_DAYS,
        reason="purchased on {value} days in total",
        daily=_PURCHASES,
        needs=("amount",),
    ),
    OverDays(
        "amount",
        Unit.MONEY,
        "Amount spent on all purchases so far, refunds not deducted.",
        sql="sum(amount_micros) / 1000000",
        reason="spent {value} in total",
        daily=_AMOUNT,
        needs=("amount",),
    ),
    OverDays(
        "basket_mean",
        Unit.MONEY,
        "Mean amount per purchase so far.",
        sql="sum(amount_micros) / 1000000 / nullif(sum(purchases), 0)",
        reason="average purchase of {value}",
        daily=_PURCHASES | _AMOUNT,
        needs=("amount",),
    ),
    Derived(
        "basket_mean_28d",
        Unit.MONEY,
        "Mean amount per purchase in 28 days.",
        sql="amount_28d / nullif(purchases_28d, 0)",
        reason="average purchase of {value} in the last 28 days",
        usual=("basket_mean", 1),
    ),
    OverDays(
        "days_since_last_purchase",
        Unit.DAYS,
        "Whole days from the last day with a purchase to the cutoff.",
        sql=_LAST,
        reason="last purchase {value} days ago",
        usual=("purchase_gap_days_mean", 1),
        daily=_PURCHASES,
        needs=("amount",),
    ),
    OverDays(
        "days_since_first_purchase",
        Unit.DAYS,
        "Whole days from the first day with a purchase to the cutoff.",
        sql=_FIRST,
        reason="first purchase {value} days ago",
        daily=_PURCHASES,
        needs=("amount",),
    ),
    OverDays(
        "purchase_gap_days_mean",
        Unit.DAYS,
        "Mean gap between successive days with a purchase.",
        sql=f"({_FIRST} - {_LAST}) / nullif({_DAYS} - 1, 0)",
        reason="purchases every {value} days on average",
        daily=_PURCHASES,
        needs=("amount",),
    ),
    Derived(
        "purchase_overdue_ratio",
        Unit.RATIO,
        "Days since the last purchase divided by the mean gap between days with one.",
        sql="days_since_last_purchase / purchase_gap_days_mean",
        reason="last purchase {longer_ago} usual",
    ),
    OverDays(
        "refunds",
        Unit.PURCHASES,
        "Refunds so far.",
        sql="sum(refunds)",
        reason="{value} refunds in total",
        daily=_REFUNDS,
        needs=("amount",),
    ),
    OverDays(
        "refunded_amount",
        Unit.MONEY,
        "Amount refunded so far.",
        sql="sum(refunded_micros) / 1000000",
        reason="{value} refunded in total",
        daily=_REFUNDS,
        needs=("amount",),
    ),
    Derived(
        "refunded_share",
        Unit.RATIO,
        "Amount refunded divided by the amount of the purchases; above 1 where purchases precede the log.",
        sql="refunded_amount / nullif(amount, 0)",
        reason="{percent} of the amount spent was refunded",
    ),
    Derived(
        "is_repeat_purchaser",
        Unit.FLAG,
        "1 where there were at least two purchases.",
        sql="cast(purchases >= 2 as integer)",
        reason="repeat purchaser",
    ),
    OverDays(
        "purchase_session_share",
        Unit.SHARE,
        "Share of all sessions so far with a purchase.",
        sql="sum(purchase_sessions) / sum(sessions)",
        reason="purchases in {value} of sessions",
        daily=_VISITS,
        needs=("amount", "sessions"),
    ),
    OverDays(
        "purchase_session_share_28d",
        Unit.SHARE,
        "Share of the sessions of 28 days with a purchase.",
        sql="sum(case when age <= 28 then purchase_sessions else 0 end) / nullif(sum(case when age <= 28 then sessions else 0 end), 0)",
        reason="purchased in {value} of sessions in the last 28 days",
        daily=_VISITS,
        usual=("purchase_session_share", 1),
        needs=("amount", "sessions"),
    ),
    Derived(
        "purchase_day_share",
        Unit.SHARE,
        "Days with a purchase divided by active days.",
        sql="purchase_days / active_days",
        reason="purchases on {value} of active days",
    ),
    WithConstants(
        Derived(
            "alive_probability",
            Unit.SHARE,
            "BG/NBD probability that the user is still a customer, from the number of days with a purchase, the first and the last.",
            # Fader, Hardie, Lee 2005 (Marketing Science 24(2)); P(alive) in Fader, Hardie 2008, "Computing P(alive) Using the
            # BG/NBD Model": 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ^ (r + x)), 1 where x = 0
            sql="case when purchase_days = 1 then 1 when purchase_days > 1 then 1 / (1 + {a} / ({b} + purchase_days - 2)"
            " * pow(({alpha} + days_since_first_purchase)"
            " / ({alpha} + days_since_first_purchase - days_since_last_purchase), {r} + purchase_days - 1)) end",
            reason="{value} probability of still being a customer",
            needs=("amount",),
        ),
        source="purchases to learn from",
    ),
)
