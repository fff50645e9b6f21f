"""How regular: the gaps between active days, how overdue the next one is, the hours of the day and the days of the week."""

from features.catalogue.definition import EVENTS, Daily, Derived, Feature, OverDays, Unit

# Counts of days are packed into one integer, five bits an hour and three a weekday: 28 days fit, and one sum counts them all.
_HOURS = {
    "hours_before_noon": Daily("bit_or(case when hour < 12 then cast(1 as bigint) << (5 * hour) else 0 end)"),
    "hours_after_noon": Daily("bit_or(case when hour >= 12 then cast(1 as bigint) << (5 * (hour - 12)) else 0 end)"),
}
_PARTS_OF_DAY = {
    "night": Daily("coalesce(sum(n) filter (hour < 6), 0)"),
    "morning": Daily("coalesce(sum(n) filter (hour between 6 and 11), 0)"),
    "afternoon": Daily("coalesce(sum(n) filter (hour between 12 and 17), 0)"),
    "evening": Daily("coalesce(sum(n) filter (hour >= 18), 0)"),
}


def _unpacked(column: str, *, places: int, bits: int) -> str:
    """Return the SQL list of the counts that the sum of a packed column over 28 days holds."""
    packed = f"sum(case when age <= 28 then {column} else 0 end)"
    return f"[cast(({packed} >> ({bits} * place)) & {2**bits - 1} as integer) for place in range({places})]"


def _entropy(counts: str) -> str:
    """Return the entropy in bits of a list of counts: log2 of their sum, less the mean of their log2."""
    return (
        f"log2(nullif(list_sum({counts}), 0)) - list_sum([many * log2(many) for many in {counts} if many > 0])"
        f" / list_sum({counts})"
    )


def _part_of_day(name: str, hours: str, *, words: str) -> Feature:
    return OverDays(
        f"{name}_share_28d",
        Unit.SHARE,
        f"Share of the events of 28 days {hours}, local time.",
        sql=f"sum(case when age <= 28 then {name}_events else 0 end) / nullif(sum(case when age <= 28 then events else 0 end), 0)",
        reason=f"{{value}} of activity is {words}",
        daily={f"{name}_events": _PARTS_OF_DAY[name], "events": EVENTS},
        needs=("time_of_day",),
        window_days=28,
    )


FEATURES = (
    OverDays(
        "gap_days_mean",
        Unit.DAYS,
        "Mean gap between successive active days.",
        sql="sum(gap_days) / count(gap_days)",
        reason="active every {value} days on average",
    ),
    OverDays(
        "gap_days_median",
        Unit.DAYS,
        "Median gap between successive active days.",
        sql="median(gap_days)",
        reason="usually active every {value} days",
    ),
    OverDays(
        "gap_days_std",
        Unit.DAYS,
        "Standard deviation (population) of the gaps between successive active days.",
        sql="sqrt(count(gap_days) * sum(gap_days * gap_days) - sum(gap_days) * sum(gap_days)) / count(gap_days)",
        reason="gap between active days varies by {value} days",
    ),
    OverDays(
        "gap_days_max",
        Unit.DAYS,
        "Longest gap between successive active days.",
        sql="max(gap_days)",
        reason="longest gap between active days: {value} days",
    ),
    OverDays(
        "gap_days_last",
        Unit.DAYS,
        "Gap between the last two active days.",
        sql="arg_min(gap_days, age)",
        reason="latest gap between active days: {value} days",
        usual=("gap_days_mean", 1),
    ),
    Derived(
        "gap_days_variation",
        Unit.RATIO,
        "Coefficient of variation of the gaps (standard deviation divided by mean): 0 is perfectly regular, 1 is random.",
        sql="gap_days_std / gap_days_mean",
        reason="gap between active days varies by {percent} of its mean",
    ),
    Derived(
        "overdue_ratio",
        Unit.RATIO,
        "Days since the last event divided by the mean gap: above 1 the user is later than usual.",
        sql="days_since_last_event / nullif(gap_days_mean, 0)",
        reason="inactive {longer} their usual gap",
    ),
    Derived(
        "overdue_deviations",
        Unit.RATIO,
        "Days since the last event minus the mean gap, in standard deviations of the gaps (at least half a day).",
        sql="(days_since_last_event - gap_days_mean) / greatest(gap_days_std, 0.5)",
        reason="{deviations} than usual",
        shown_as="overdue_ratio",
    ),
    Derived(
        "overdue_ratio_median",
        Unit.RATIO,
        "Days since the last event divided by the median gap.",
        sql="days_since_last_event / gap_days_median",
        reason="inactive {longer} their median gap",
        shown_as="overdue_ratio",
    ),
    Derived(
        "overdue_ratio_max",
        Unit.RATIO,
        "Days since the last event divided by the longest gap: above 1 the user was never inactive for so long.",
        sql="days_since_last_event / gap_days_max",
        reason="inactive {longer} their longest gap so far",
    ),
    _part_of_day("night", "between midnight and 6:00", words="at night"),
    _part_of_day("morning", "between 6:00 and noon", words="in the morning"),
    _part_of_day("afternoon", "between noon and 18:00", words="in the afternoon"),
    _part_of_day("evening", "between 18:00 and midnight", words="in the evening"),
    OverDays(
        "weekend_share_28d",
        Unit.SHARE,
        "Share of the events of 28 days on Saturday or Sunday.",
        sql="sum(case when age <= 28 then weekend_events else 0 end) / nullif(sum(case when age <= 28 then events else 0 end), 0)",
        reason="{value} of activity is at weekends",
        daily={"weekend_events": Daily("coalesce(sum(n) filter (weekday > 5), 0)")},
        window_days=28,
    ),
    OverDays(
        "hour_entropy_bits_28d",
        Unit.BITS,
        "Entropy of the hours of the day, each hour counted once on each of 28 days: 0 means always the same hour, 4.6 all hours alike.",
        sql=_entropy(
            f"list_concat({_unpacked('hours_before_noon', places=12, bits=5)}, {_unpacked('hours_after_noon', places=12, bits=5)})"
        ),
        reason="active at {many} different hours",
        daily=_HOURS,
        needs=("time_of_day",),
        window_days=28,
    ),
    OverDays(
        "weekday_entropy_bits_28d",
        Unit.BITS,
        "Entropy of the weekdays of the active days of 28 days: 0 means always the same weekday, 2.8 all weekdays alike.",
        # days that are a multiple of seven apart have the same weekday
        sql=_entropy(_unpacked("cast(1 as bigint) << (3 * (age % 7))", places=7, bits=3)),
        reason="active on {many} different weekdays",
        window_days=28,
    ),
)
