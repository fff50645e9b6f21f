"""Where users come from: the acquisition channel (first touch), the last and the main one, and how varied they are."""

from features.catalogue.definition import OverValues, Unit

FEATURES = (
    OverValues(
        "acquisition_channel",
        Unit.TEXT,
        "Channel of the first event that has one; ties go to the smallest name.",
        sql="min({'at': first_at, 'value': value}).value",
        of="channel",
        reason="acquired through {value}",
        needs=("channel",),
    ),
    OverValues(
        "last_channel",
        Unit.TEXT,
        "Channel of the last event that has one; ties go to the greatest name.",
        sql="max({'at': last_at, 'value': value}).value",
        of="channel",
        reason="last visit through {value}",
        needs=("channel",),
    ),
    OverValues(
        "main_channel_28d",
        Unit.TEXT,
        "Channel with the most events in 28 days; ties go to the greatest name.",
        sql="max(case when n_28d > 0 then {'n': n_28d, 'value': value} end).value",
        of="channel",
        reason="usually visits through {value}",
        needs=("channel",),
        window_days=28,
    ),
    OverValues(
        "channels",
        Unit.COUNT,
        "Distinct channels so far.",
        sql="count(*)",
        when_absent=0,
        of="channel",
        reason="{value} channels used in total",
        needs=("channel",),
    ),
    OverValues(
        "channel_entropy_bits",
        Unit.BITS,
        "Entropy of the channels of all events so far: 0 means always the same; logarithms are summed in units of 2^-40.",
        sql="greatest(log2(sum(n)) - sum(cast(round(n * log2(n) * pow(2, 40)) as hugeint)) / pow(2, 40) / sum(n), 0)",
        of="channel",
        reason="uses {many} channels",
        needs=("channel",),
    ),
)
