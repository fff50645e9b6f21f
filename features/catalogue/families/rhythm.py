"""How regular: the gaps between active days, how overdue the next one is, the hours of the day and the days of the week."""

from features.catalogue.definition import Daily, Derived, Feature, OverDays, Unit

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
        reason=f"{{value}} of the use is {words}",
        daily={f"{name}_events": _PARTS_OF_DAY[name], "events": Daily("sum(n)")},
        needs=("time_of_day",),
        window_days=28,
    )


FEATURES = (
    OverDays(
        "gap_days_mean",
        Unit.DAYS,
        "Mean gap between successive active days.",
        sql="sum(gap_days) / count(gap_days)",
        reason="comes every {value} days",
    ),
    OverDays(
        "gap_days_median",
        Unit.DAYS,
        "Median gap between successive active days.",
        sql="median(gap_days)",
        reason="usually comes every {value} days",
    ),
    OverDays(
        "gap_days_std",
        Unit.DAYS,
        "Spread (population standard deviation) of the gaps between successive active days.",
        sql="sqrt(count(gap_days) * sum(gap_days * gap_days) - sum(gap_days) * sum(gap_days)) / count(gap_days)",
        reason="the gaps between visits vary by {value} days",
    ),
    OverDays(
        "gap_days_max",
        Unit.DAYS,
        "Longest gap between successive active days.",
        sql="max(gap_days)",
        reason="was once away for {value} days and came back",
    ),
    OverDays(
        "gap_days_last",
        Unit.DAYS,
        "Gap between the last two active days.",
        sql="arg_min(gap_days, age)",
        reason="the last gap was {value} days",
        usual=("gap_days_mean", 1),
    ),
    Derived(
        "gap_days_variation",
        Unit.RATIO,
        "Spread of the gaps over their mean: 0 is a clock, 1 is chance.",
        sql="gap_days_std / gap_days_mean",
        reason="the gaps between visits vary by {value} times their mean",
    ),
    Derived(
        "overdue_ratio",
        Unit.RATIO,
        "Days since the last event over the mean gap: above 1 the user is later than usual.",
        sql="days_since_last_event / nullif(gap_days_mean, 0)",
        reason="away for {value} times the own usual gap",
    ),
    Derived(
        "overdue_deviations",
        Unit.RATIO,
        "Days since the last event less the mean gap, in spreads of the gaps (at least half a day).",
        sql="(days_since_last_event - gap_days_mean) / greatest(gap_days_std, 0.5)",
        reason="{value} spreads later than usual",
        told_as="overdue_ratio",
    ),
    Derived(
        "overdue_ratio_median",
        Unit.RATIO,
        "Days since the last event over the median gap.",
        sql="days_since_last_event / gap_days_median",
        reason="away for {value} times the own median gap",
        told_as="overdue_ratio",
    ),
    Derived(
        "overdue_ratio_max",
        Unit.RATIO,
        "Days since the last event over the longest gap: above 1 the user was never away for so long.",
        sql="days_since_last_event / gap_days_max",
        reason="away for {value} times the own longest gap",
    ),
    _part_of_day("night", "between midnight and six", words="at night"),
    _part_of_day("morning", "between six and noon", words="in the morning"),
    _part_of_day("afternoon", "between noon and 18 o'clock", words="in the afternoon"),
    _part_of_day("evening", "from 18 o'clock to midnight", words="in the evening"),
    OverDays(
        "weekend_share_28d",
        Unit.SHARE,
        "Share of the events of 28 days on Saturday or Sunday.",
        sql="sum(case when age <= 28 then weekend_events else 0 end) / nullif(sum(case when age <= 28 then events else 0 end), 0)",
        reason="{value} of the use is at weekends",
        daily={"weekend_events": Daily("coalesce(sum(n) filter (weekday > 5), 0)")},
        window_days=28,
    ),
    OverDays(
        "hour_entropy_bits_28d",
        Unit.BITS,
        "Entropy of the hours of the day, each hour counted once on each of 28 days: 0 is always the same hour, 4.6 is any.",
        sql=_entropy(
            f"list_concat({_unpacked('hours_before_noon', places=12, bits=5)}, {_unpacked('hours_after_noon', places=12, bits=5)})"
        ),
        reason="the hours of use are spread by {value} bits",
        daily=_HOURS,
        needs=("time_of_day",),
        window_days=28,
    ),
    OverDays(
        "weekday_entropy_bits_28d",
        Unit.BITS,
        "Entropy of the weekdays of the active days of 28 days: 0 is always the same weekday, 2.8 is any.",
        # days that lie whole weeks before the cutoff apart have the same weekday
        sql=_entropy(_unpacked("cast(1 as bigint) << (3 * (age % 7))", places=7, bits=3)),
        reason="the weekdays of use are spread by {value} bits",
        window_days=28,
    ),
)
