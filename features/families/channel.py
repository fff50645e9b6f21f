"""From where: the acquisition channel (first touch) and the last one."""

from features.feature import OverContexts, Unit

FEATURES = (
    OverContexts(
        "acquisition_channel",
        Unit.TEXT,
        "Channel of the first event that has one; of several at that instant the least.",
        sql="(min({'at': first_at, 'value': channel}) filter (channel is not null)).value",
        reason="came through {value}",
        needs=("channel",),
    ),
    OverContexts(
        "last_channel",
        Unit.TEXT,
        "Channel of the last event that has one; of several at that instant the greatest.",
        sql="(max({'at': last_at, 'value': channel}) filter (channel is not null)).value",
        reason="last came through {value}",
        needs=("channel",),
    ),
    OverContexts(
        "channels",
        Unit.COUNT,
        "Different channels so far.",
        sql="count(distinct channel)",
        reason="{value} channels so far",
        needs=("channel",),
    ),
)
